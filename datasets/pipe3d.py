"""Pulsating flow through a pipe with a bulge, as in an aneurysm: the case family `pipe3d`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physgt.datasets.case_family import Range, check_counts, check_numbers, check_ranges
from physgt.datasets.extrusion import even_levels, extrude
from physgt.datasets.triangulation import circle_points, triangulate
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, NodeType
from physgt.trajectory import Trajectory

if TYPE_CHECKING:
    import skfem

    from physgt.datasets.navier_stokes import TaylorHood

Array = NDArray[np.float64]

# At refinement 1.
POINTS_AROUND = 20
LEVELS_PER_RADIUS = 3


@dataclass(frozen=True)
class Pipe3DFamily:
    """Pulsating flow through a pipe with a bulge, as in an aneurysm.

    Each seed draws from the ranges (low, high), evenly; all else is shared. Units are m, s, m/s,
    kg/m3; viscosity is kinematic, in m2/s: the defaults are those of blood in an artery 6 mm wide.
    The inlet's parabola has the mean speed V (1 + a sin(2 pi f t)) with V from `mean_speed`, a from
    `pulse` and f from `frequency`, in Hz. Within the default ranges the Reynolds number of diameter
    and V is 36 to 73, Womersley's number 4.1 to 5.9.

    The bulge widens the radius by the share `bulge` and shifts the axis aside by `shift` radii. Its
    middle lies at the share `bulge_position` of the length, its half length is `bulge_length`
    radii. The results are saved every `dt`, num_steps + 1 times, after `spin_up` seconds.

    `refinement` divides all mesh sizes: 1 gives about 1,100 nodes, 2.5 13,000. `substeps` are the
    solver's steps per `dt` at refinement 1; they grow with it.
    """

    radius: float = 0.003
    length: float = 0.024
    bulge: Range = (0.3, 0.8)
    bulge_position: Range = (0.35, 0.55)
    bulge_length: Range = (1.5, 2.5)
    shift: Range = (0.0, 0.6)
    mean_speed: Range = (0.02, 0.04)
    pulse: Range = (0.2, 0.5)
    frequency: Range = (1.0, 2.0)
    viscosity: float = 3.3e-6
    density: float = 1060.0
    refinement: float = 1.0
    dt: float = 0.02
    num_steps: int = 50
    spin_up: float = 1.0
    substeps: int = 2

    def __post_init__(self) -> None:
        check_numbers(self, "radius", "length", "viscosity", "density", "refinement", "dt")
        check_ranges(self, "bulge_position", "bulge_length", "mean_speed", "frequency")
        check_ranges(self, "bulge", "shift", "pulse", at_least=0)
        check_numbers(self, "spin_up", at_least=0)
        check_counts(self, "num_steps", "substeps")
        if self.pulse[1] >= 1:
            raise PhysgtError(f"pulse = {self.pulse}, expected less than 1: no flow back.")
        reach = self.bulge_length[1] * self.radius
        low, high = (share * self.length for share in self.bulge_position)
        if low < reach or high > self.length - reach:
            raise PhysgtError(
                f"bulge_length = {self.bulge_length} at bulge_position = {self.bulge_position} "
                f"reaches beyond the pipe of {self.length:g} m. Narrow one, or lengthen the pipe."
            )

    def draw(self, seed: int) -> Pipe3DCase:
        rng = np.random.default_rng(seed)
        return Pipe3DCase(
            radius=self.radius,
            length=self.length,
            bulge=rng.uniform(*self.bulge),
            bulge_middle=rng.uniform(*self.bulge_position) * self.length,
            bulge_reach=rng.uniform(*self.bulge_length) * self.radius,
            shift=rng.uniform(*self.shift) * self.radius,
            shift_angle=rng.uniform(0, 2 * np.pi),
            mean_speed=rng.uniform(*self.mean_speed),
            pulse=rng.uniform(*self.pulse),
            frequency=rng.uniform(*self.frequency),
            viscosity=self.viscosity,
        )

    def simulate(self, seed: int) -> Trajectory:
        """Velocity in m/s and pressure in Pa on the mesh of one seed."""
        # Here: naming the family and checking its ranges does not wait for scikit-fem.
        from physgt.datasets.navier_stokes import IncompressibleFlow

        case = self.draw(seed)
        mesh = pipe3d_mesh(case, self.refinement, seed)
        space, held = flow_space(case, mesh)
        substeps = math.ceil(self.substeps * self.refinement)
        flow = IncompressibleFlow(
            space, held, case.viscosity, self.dt / substeps, case.boundary_velocity
        )
        before = round(self.spin_up / flow.dt)
        for _ in range(before):
            flow.step()
        times = np.arange(self.num_steps + 1) * self.dt
        velocity = np.empty((len(times), mesh.num_points, 3), np.float32)
        pressure = np.empty((len(times), mesh.num_points), np.float32)
        for frame in range(len(times)):
            for _ in range(substeps if frame else 0):
                flow.step()
            velocity[frame] = flow.velocity[space.vertices]
            pressure[frame] = self.density * flow.pressure[space.pressure_vertices]
        solved = times + before * flow.dt
        return Trajectory.from_arrays(
            mesh,
            times,
            {
                "velocity": velocity,
                "pressure": pressure,
                "inlet_speed": case.inlet_speed(solved).astype(np.float32),
                "inlet_acceleration": case.inlet_acceleration(solved).astype(np.float32),
            },
            units={
                "velocity": "m/s",
                "pressure": "Pa",
                "inlet_speed": "m/s",
                "inlet_acceleration": "m/s2",
            },
            attributes={
                "seed": seed,
                **asdict(case),
                "reynolds": case.reynolds,
                "density": self.density,
                "dt": self.dt,
                "solver": "incompressible Navier-Stokes, Taylor-Hood P2-P1, SBDF2 (scikit-fem)",
            },
        )


@dataclass(frozen=True)
class Pipe3DCase:
    """One pipe along z and its flow; units as in Pipe3DFamily, lengths all in m."""

    radius: float
    length: float
    bulge: float
    bulge_middle: float
    bulge_reach: float
    shift: float
    shift_angle: float
    mean_speed: float
    pulse: float
    frequency: float
    viscosity: float

    @property
    def reynolds(self) -> float:
        return self.mean_speed * 2 * self.radius / self.viscosity

    def inlet_speed(self, time: ArrayLike) -> Array:
        """Mean over the inlet, in m/s."""
        swing = np.sin(2 * np.pi * self.frequency * np.asarray(time))
        return np.asarray(self.mean_speed * (1 + self.pulse * swing))

    def inlet_acceleration(self, time: ArrayLike) -> Array:
        """The rate of change of inlet_speed, in m/s2."""
        omega = 2 * np.pi * self.frequency
        return np.asarray(self.mean_speed * self.pulse * omega * np.cos(omega * np.asarray(time)))

    def boundary_velocity(self, positions: Array, time: float) -> Array:
        """The inlet's parabola, zero on the wall; (3, n) at positions (3, n)."""
        x, y, z = positions
        parabola = 2 * np.maximum(1 - (x**2 + y**2) / self.radius**2, 0.0)
        along = np.where(z == 0, self.inlet_speed(time) * parabola, 0.0)
        return np.stack([np.zeros_like(along), np.zeros_like(along), along])

    def wall_radius(self, z: Array) -> Array:
        """(n,) m, at heights (n,)."""
        return self.radius * (1 + self.bulge * self._bump(z))

    def axis(self, z: Array) -> Array:
        """The middle (n, 2) of the sections at heights (n,)."""
        aside = np.array([math.cos(self.shift_angle), math.sin(self.shift_angle)])
        return self.shift * self._bump(z)[:, None] * aside

    def _bump(self, z: Array) -> Array:
        distance = np.minimum(np.abs(z - self.bulge_middle) / self.bulge_reach, 1.0)
        return 0.5 * (1 + np.cos(np.pi * distance))


def pipe3d_mesh(case: Pipe3DCase, refinement: float = 1.0, seed: int = 0) -> Mesh:
    """Tetrahedra with node sets inflow, outflow and wall, which has the rims, and their node types.

    No tetrahedron has all of its nodes on the wall: its pressure would act on no free velocity.
    """
    around = round(POINTS_AROUND * refinement)
    rim = circle_points((0.0, 0.0), 1.0, around)
    flat, triangles = triangulate(
        [rim], lambda points: np.full(len(points), 2 * np.pi / around), seed
    )
    levels = even_levels(case.length, case.radius / (LEVELS_PER_RADIUS * refinement))
    straight, tetrahedra = extrude(flat, triangles, levels)
    z = straight[:, 2]
    section = straight[:, :2] * case.wall_radius(z)[:, None] + case.axis(z)

    on_wall = np.tile(np.arange(len(flat)) < around, len(levels))
    node_type = np.full(len(z), NodeType.NORMAL)
    node_type[z == 0] = NodeType.INFLOW
    node_type[z == case.length] = NodeType.OUTFLOW
    node_type[on_wall] = NodeType.WALL_BOUNDARY
    names = {
        "inflow": NodeType.INFLOW,
        "outflow": NodeType.OUTFLOW,
        "wall": NodeType.WALL_BOUNDARY,
    }
    return Mesh.from_blocks(
        np.column_stack([section, z]),
        [("tetra", tetrahedra)],
        node_type=node_type,
        node_sets={name: np.flatnonzero(node_type == kind) for name, kind in names.items()},
    )


def flow_space(case: Pipe3DCase, mesh: Mesh) -> tuple[TaylorHood, NDArray[np.int64]]:
    """The finite elements on a mesh curved along the wall, and its facets but the outlet's."""
    from physgt.datasets.navier_stokes import TaylorHood

    curved = _with_round_wall(case, mesh)
    end = case.length * (1 - 1e-9)
    return TaylorHood(curved), curved.facets_satisfying(lambda x: x[2] < end, boundaries_only=True)


def _with_round_wall(case: Pipe3DCase, mesh: Mesh) -> skfem.MeshTet2:
    """Quadratic tetrahedra: the middles of the wall's edges lie on the wall."""
    from physgt.datasets.finite_elements import simplices, skfem

    straight = simplices(mesh)
    curved = skfem.MeshTet2.from_mesh(straight)
    positions = curved.doflocs.copy()
    on_wall = mesh.node_type == NodeType.WALL_BOUNDARY
    boundary = straight.boundary_facets()
    wall = boundary[on_wall[straight.facets[:, boundary]].all(axis=0)]
    edges = np.unique(straight.f2e[:, wall])
    # Edge numbers of a quadratic mesh follow those of the straight one, after its points.
    middles = skfem.Basis(straight, skfem.ElementTetP2()).edge_dofs[0, edges]
    z = positions[2, middles]
    axis = case.axis(z).T
    offset = positions[:2, middles] - axis
    positions[:2, middles] = axis + offset * (case.wall_radius(z) / np.hypot(*offset))
    return skfem.MeshTet2(positions, curved.t)
