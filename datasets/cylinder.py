"""Flow past a cylinder in a channel, shedding vortices: the case family `cylinder`.

The geometry and the flow of the DFG benchmark (Schäfer and Turek, "Benchmark computations of
laminar flow around a cylinder", 1996), with cylinder and speed drawn at random.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from physgt.datasets.case_family import (
    Range,
    check_counts,
    check_numbers,
    check_pair,
    check_ranges,
)
from physgt.datasets.triangulation import circle_points, polygon_points, triangulate
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, NodeType
from physgt.trajectory import Trajectory

if TYPE_CHECKING:
    from physgt.datasets.navier_stokes import TaylorHood

Array = NDArray[np.float64]

DENSITY = 1.0  # kg/m3
# Mesh sizes at refinement 1.
POINTS_ON_CYLINDER = 28
WAKE_CELLS_PER_HEIGHT = 12
FAR_CELLS_PER_HEIGHT = 7
GROWTH_FROM_CYLINDER = 0.12
GROWTH_FROM_WAKE = 0.25
# A first turn of the cylinder, one shedding period to and fro, starts the vortices at once.
KICK_SPEED = 0.25  # of the cylinder's surface, in inlet speeds
KICK_STROUHAL = 0.3


@dataclass(frozen=True)
class CylinderFamily:
    """Flow past a cylinder in a channel, shedding vortices.

    Each seed draws from the ranges (low, high), evenly; all else is shared. Units are m, s, m/s;
    viscosity is kinematic, in m2/s. `inlet_speed` is the peak of the inlet's parabola. Within the
    default ranges the Reynolds number of diameter and mean speed is 50 to 152, and every flow
    sheds. The results are saved every `dt`, num_steps + 1 times, after `spin_up` seconds, which
    the wake of the default channel needs to become periodic.

    `refinement` divides all mesh sizes: 1 gives 600 to 900 nodes, 5 about 20,000. `substeps` are
    the solver's steps per `dt` at refinement 1; they grow with it.
    """

    radius: Range = (0.03, 0.065)
    center_x: Range = (0.25, 0.4)
    center_y: Range = (0.15, 0.26)
    inlet_speed: Range = (1.25, 1.75)
    channel: tuple[float, float] = (1.6, 0.41)
    viscosity: float = 1e-3
    refinement: float = 1.0
    dt: float = 0.01
    num_steps: int = 300
    spin_up: float = 2.0
    substeps: int = 2

    def __post_init__(self) -> None:
        check_ranges(self, "radius", "center_x", "center_y", "inlet_speed")
        check_pair(self, "channel", "length and height")
        check_numbers(self, "viscosity", "refinement", "dt")
        check_numbers(self, "spin_up", at_least=0)
        check_counts(self, "num_steps", "substeps")
        for name, length in zip(("center_x", "center_y"), self.channel, strict=True):
            self._check_gap(name, getattr(self, name), length)

    def draw(self, seed: int) -> CylinderCase:
        rng = np.random.default_rng(seed)
        return CylinderCase(
            radius=rng.uniform(*self.radius),
            center_x=rng.uniform(*self.center_x),
            center_y=rng.uniform(*self.center_y),
            inlet_speed=rng.uniform(*self.inlet_speed),
            channel=self.channel,
            viscosity=self.viscosity,
        )

    def simulate(self, seed: int) -> Trajectory:
        """Velocity in m/s and pressure in Pa on the mesh of one seed; the same seed, the same."""
        # Here: naming the family and checking its ranges does not wait for scikit-fem.
        from physgt.datasets.navier_stokes import IncompressibleFlow

        case = self.draw(seed)
        mesh = cylinder_mesh(case, self.refinement, seed)
        space, held = flow_space(case, mesh)
        substeps = int(np.ceil(self.substeps * self.refinement))
        flow = IncompressibleFlow(
            space, held, case.viscosity, self.dt / substeps, case.boundary_velocity
        )
        for _ in range(round(self.spin_up / flow.dt)):
            flow.step()
        velocity = np.empty((self.num_steps + 1, mesh.num_points, 2), np.float32)
        pressure = np.empty((self.num_steps + 1, mesh.num_points), np.float32)
        for frame in range(self.num_steps + 1):
            for _ in range(substeps if frame else 0):
                flow.step()
            velocity[frame] = flow.velocity[space.vertices]
            pressure[frame] = DENSITY * flow.pressure[space.pressure_vertices]
        return Trajectory.from_arrays(
            mesh,
            np.arange(self.num_steps + 1) * self.dt,
            {"velocity": velocity, "pressure": pressure},
            units={"velocity": "m/s", "pressure": "Pa"},
            attributes=self._attributes(case, seed),
        )

    def _attributes(self, case: CylinderCase, seed: int) -> dict[str, Any]:
        return {
            "seed": seed,
            **asdict(case),
            "mean_speed": case.mean_speed,
            "reynolds": case.reynolds,
            "density": DENSITY,
            "dt": self.dt,
            "solver": "incompressible Navier-Stokes, Taylor-Hood P2-P1, SBDF2 (scikit-fem)",
        }

    def _check_gap(self, name: str, center: Range, length: float) -> None:
        low, high = center[0] - self.radius[1], center[1] + self.radius[1]
        gap, needed = min(low, length - high), 0.5 * self.radius[1]
        if gap < needed:
            raise PhysgtError(
                f"{name} = {center} with radius up to {self.radius[1]:g} m leaves "
                f"{gap:.3g} m to the edge of the channel of {length:g} m, expected at least half "
                f"a radius, {needed:.3g} m. Narrow the range of {name} or of radius."
            )


@dataclass(frozen=True)
class CylinderCase:
    """One channel, cylinder and flow; units as in CylinderFamily."""

    radius: float
    center_x: float
    center_y: float
    inlet_speed: float
    channel: tuple[float, float]
    viscosity: float

    @property
    def center(self) -> Array:
        return np.array([self.center_x, self.center_y])

    @property
    def mean_speed(self) -> float:
        return 2 / 3 * self.inlet_speed

    @property
    def reynolds(self) -> float:
        return self.mean_speed * 2 * self.radius / self.viscosity

    def inlet_profile(self, positions: Array) -> Array:
        """Velocity (2, n) at positions (2, n): the parabola at the inlet, zero elsewhere."""
        height = self.channel[1]
        parabola = 4 * self.inlet_speed * positions[1] * (height - positions[1]) / height**2
        return np.stack([np.where(positions[0] == 0, parabola, 0.0), np.zeros_like(parabola)])

    def boundary_velocity(self, positions: Array, time: float) -> Array:
        """The inlet's parabola, and the cylinder's first turn; (2, n) at positions (2, n)."""
        velocity = self.inlet_profile(positions)
        period = 2 * self.radius / (KICK_STROUHAL * self.mean_speed)
        if time < period:
            x, y = (positions - self.center[:, None]) / self.radius
            surface_speed = KICK_SPEED * self.inlet_speed * np.sin(2 * np.pi * time / period)
            velocity += np.where(np.hypot(x, y) < 1.001, surface_speed, 0.0) * np.stack([-y, x])
        return velocity


def cylinder_mesh(case: CylinderCase, refinement: float = 1.0, seed: int = 0) -> Mesh:
    """Triangles with node sets inflow, outflow, wall, cylinder and the node types of these.

    The corners of the channel are wall: the velocity is zero there.
    """
    length, height = case.channel

    def size(points: Array) -> Array:
        distance = np.hypot(*(points - case.center).T) - case.radius
        near = 2 * np.pi * case.radius / POINTS_ON_CYLINDER + GROWTH_FROM_CYLINDER * distance
        beside_wake = np.maximum(np.abs(points[:, 1] - case.center_y) - 1.5 * case.radius, 0)
        wake = height / WAKE_CELLS_PER_HEIGHT + GROWTH_FROM_WAKE * beside_wake
        behind = points[:, 0] > case.center_x
        sizes = np.where(behind, np.minimum(near, wake), near)
        return np.minimum(sizes, height / FAR_CELLS_PER_HEIGHT) / refinement

    corners = [(0.0, 0.0), (length, 0.0), (length, height), (0.0, height)]
    count = round(POINTS_ON_CYLINDER * refinement)
    loops = [polygon_points(corners, size), circle_points(case.center, case.radius, count)]
    points, triangles = triangulate(loops, size, seed)

    x, y = points.T
    node_type = np.full(len(points), NodeType.NORMAL)
    node_type[x == 0] = NodeType.INFLOW
    node_type[x == length] = NodeType.OUTFLOW
    node_type[(y == 0) | (y == height)] = NodeType.WALL_BOUNDARY
    node_type[len(loops[0]) : len(loops[0]) + count] = NodeType.OBSTACLE
    names = {
        "inflow": NodeType.INFLOW,
        "outflow": NodeType.OUTFLOW,
        "wall": NodeType.WALL_BOUNDARY,
        "cylinder": NodeType.OBSTACLE,
    }
    return Mesh.from_blocks(
        points,
        [("triangle", triangles)],
        node_type=node_type,
        node_sets={name: np.flatnonzero(node_type == kind) for name, kind in names.items()},
    )


def flow_space(case: CylinderCase, mesh: Mesh) -> tuple[TaylorHood, NDArray[np.int64]]:
    """The finite elements on a mesh curved along the cylinder, and its facets but the outlet's."""
    from physgt.datasets.navier_stokes import TaylorHood, mesh_with_circle

    triangles = mesh.connectivity.reshape(-1, 3)
    curved = mesh_with_circle(mesh.points, triangles, case.center, case.radius)
    outlet = case.channel[0]
    held = curved.facets_satisfying(lambda x: x[0] < outlet * (1 - 1e-9), boundaries_only=True)
    return TaylorHood(curved), held
