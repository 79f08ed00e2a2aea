"""Compressible flow past an airfoil that starts at once: the case family `airfoil`. Coarse.

A NACA four-digit section in an unbounded inviscid gas, up to transonic speed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from physgt.datasets.case_family import Range, check_counts, check_numbers, check_ranges
from physgt.datasets.euler import GAMMA, CompressibleFlow, TriangleFaces
from physgt.datasets.triangulation import circle_points, triangulate
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, NodeType
from physgt.trajectory import Trajectory

Array = NDArray[np.float64]

GAS_CONSTANT = 287.05  # J/(kg K), dry air
# Mesh at refinement 1.
POINTS_PER_SIDE = 40
DENSITY_AT_NOSE = 1.7  # 1 for points even along the chord, 2 for even ones around the nose
GROWTH = 0.22
LARGEST_SIZE = 2.0  # chords
UNITS = {
    "density": "kg/m3",
    "velocity": "m/s",
    "pressure": "Pa",
    "mach": "1",
    "angle_of_attack": "deg",
    "lift_coefficient": "1",
    "drag_coefficient": "1",
}
SOLVER = "Euler equations, finite volumes on triangles: MUSCL, HLLC, two-stage Runge-Kutta"


@dataclass(frozen=True)
class AirfoilFamily:
    """Compressible inviscid flow past a NACA section, started at once; coarse.

    Ranges (low, high) are what each seed draws from, evenly; all else is shared. Units are m, s,
    Pa, K; angle_of_attack in degrees; thickness, camber and the place of the largest camber in
    chords. The gas is air at `pressure` and `temperature` far away, where the boundary is a circle
    of `far_field` chords. At first all of it has the speed of the far field; the results are
    saved every `dt`, num_steps + 1 times, after `spin_up` seconds, in which the first pressure
    waves leave the airfoil.

    `refinement` divides all mesh sizes: 1 gives about 950 nodes and 1,800 cells, 5 about 20,000
    nodes. Too coarse for drag: of its coefficient about 0.003 is the
    scheme's at 1.
    """

    mach: Range = (0.5, 0.8)
    angle_of_attack: Range = (-2.0, 4.0)
    thickness: Range = (0.10, 0.15)
    camber: Range = (0.0, 0.04)
    camber_position: Range = (0.3, 0.5)
    chord: float = 1.0
    pressure: float = 101325.0
    temperature: float = 288.15
    far_field: float = 8.0
    refinement: float = 1.0
    dt: float = 2.5e-4
    num_steps: int = 100
    spin_up: float = 2.5e-3

    def __post_init__(self) -> None:
        check_ranges(self, "mach", "thickness", "camber_position")
        check_ranges(self, "camber", at_least=0)
        check_ranges(self, "angle_of_attack", at_least=-np.inf)
        check_numbers(self, "chord", "pressure", "temperature", "refinement", "dt")
        check_numbers(self, "far_field", at_least=2)
        check_numbers(self, "spin_up", at_least=0)
        check_counts(self, "num_steps")
        for name, limit, why in (
            ("mach", 0.95, "the far field is that of a subsonic flow"),
            ("thickness", 0.4, "the section has that of a blunt body"),
            ("camber_position", 0.9, "it lies on the chord"),
        ):
            if getattr(self, name)[1] > limit:
                raise PhysgtError(f"{name} = {getattr(self, name)}, expected up to {limit}: {why}.")

    def draw(self, seed: int) -> AirfoilCase:
        rng = np.random.default_rng(seed)
        return AirfoilCase(
            mach=rng.uniform(*self.mach),
            angle_of_attack=rng.uniform(*self.angle_of_attack),
            thickness=rng.uniform(*self.thickness),
            camber=rng.uniform(*self.camber),
            camber_position=rng.uniform(*self.camber_position),
            far_field=self.far_field,
        )

    def simulate(self, seed: int) -> Trajectory:
        """Density in kg/m3, velocity in m/s and pressure in Pa of each cell."""
        case = self.draw(seed)
        mesh = airfoil_mesh(case, self.refinement, seed)
        flow = case.start(mesh)
        sound = float(np.sqrt(GAMMA * GAS_CONSTANT * self.temperature))
        density = self.pressure / (GAS_CONSTANT * self.temperature)
        # The solver counts in chords, speeds of sound and densities of the far field.
        scales = np.array([density, sound, sound, density * sound**2])
        unit = self.chord / sound
        states = np.empty((self.num_steps + 1, mesh.num_cells, 4), np.float32)
        lift, drag = np.empty((2, self.num_steps + 1))
        flow.advance(self.spin_up / unit)
        for frame in range(self.num_steps + 1):
            flow.advance(self.dt / unit if frame else 0.0)
            states[frame] = flow.state * scales
            lift[frame], drag[frame] = case.coefficients(flow)
        return Trajectory.from_arrays(
            replace(mesh, points=self.chord * mesh.points),
            np.arange(self.num_steps + 1) * self.dt,
            {"lift_coefficient": lift, "drag_coefficient": drag},
            cell_fields={
                "density": states[..., 0],
                "velocity": states[..., 1:3],
                "pressure": states[..., 3],
            },
            static={"mach": case.mach, "angle_of_attack": case.angle_of_attack},
            units=UNITS,
            attributes={"seed": seed, **asdict(case), "dt": self.dt, "solver": SOLVER},
        )


@dataclass(frozen=True)
class AirfoilCase:
    """One section and flow; units as in AirfoilFamily."""

    mach: float
    angle_of_attack: float
    thickness: float
    camber: float
    camber_position: float
    far_field: float

    @property
    def direction(self) -> Array:
        """(2,) of length 1: where the far field flows to; the chord lies along x."""
        angle = np.radians(self.angle_of_attack)
        return np.array([np.cos(angle), np.sin(angle)])

    def outline(self, count: int) -> Array:
        """Points (2 count, 2) around the section, counter-clockwise from its trailing edge.

        Chord from (0, 0) to (1, 0); closed at the trailing edge; dense at the leading edge.

        Source: Jacobs, Ward and Pinkerton, NACA Report 460, 1933; the last coefficient is the
        usual one that closes the trailing edge.
        """
        x = np.linspace(0, 1, count + 1) ** DENSITY_AT_NOSE
        half = 0.2969 * np.sqrt(x) - 0.1260 * x - 0.3516 * x**2 + 0.2843 * x**3 - 0.1036 * x**4
        half *= 5 * self.thickness
        place = self.camber_position
        front = (2 * place * x - x**2) / place**2
        back = (1 - 2 * place + 2 * place * x - x**2) / (1 - place) ** 2
        middle = self.camber * np.where(x < place, front, back)
        upper = np.column_stack([x, middle + half])[::-1]
        lower = np.column_stack([x, middle - half])[1:-1]
        return np.vstack([upper, lower])

    def start(self, mesh: Mesh) -> CompressibleFlow:
        """The flow at time 0: that of the far field everywhere. In chords and speeds of sound."""
        far = np.array([1.0, *(self.mach * self.direction), 1 / GAMMA])
        triangles = mesh.connectivity.reshape(-1, 3)
        faces = TriangleFaces(mesh.points, triangles)
        on_airfoil = mesh.node_type[faces.nodes[faces.boundary]] == NodeType.AIRFOIL
        walls = faces.boundary[on_airfoil.all(axis=1)]
        return CompressibleFlow(mesh.points, triangles, far, walls, far)

    def coefficients(self, flow: CompressibleFlow) -> tuple[float, float]:
        """Of lift and drag, from the pressure on the section."""
        force = flow.wall_force() / (0.5 * self.mach**2)
        along, across = self.direction, self.direction[::-1] * [-1, 1]
        return float(force @ across), float(force @ along)


def airfoil_mesh(case: AirfoilCase, refinement: float = 1.0, seed: int = 0) -> Mesh:
    """Triangles around the section, in chords; node and cell sets airfoil and far_field.

    Cells of a set have an edge on that boundary. Node types: AIRFOIL, and INFLOW for the far field.
    """
    outline = case.outline(round(POINTS_PER_SIDE * refinement))
    spacing = np.linalg.norm(np.roll(outline, -1, axis=0) - outline, axis=1)
    spacing = np.minimum(spacing, np.roll(spacing, 1))
    tree = cKDTree(outline)

    def size(points: Array) -> Array:
        distance, nearest = tree.query(points)
        return np.minimum(
            spacing[nearest] + GROWTH / refinement * distance, LARGEST_SIZE / refinement
        )

    around = 2 * np.pi * case.far_field * refinement / LARGEST_SIZE
    circle = circle_points((0.5, 0.0), case.far_field, max(16, round(around)))
    points, triangles = triangulate([circle, outline], size, seed)
    node_type = np.full(len(points), NodeType.NORMAL)
    node_type[: len(circle)] = NodeType.INFLOW
    node_type[len(circle) : len(circle) + len(outline)] = NodeType.AIRFOIL
    faces = TriangleFaces(points, triangles)
    cells, kinds = faces.cells[faces.boundary, 0], node_type[faces.nodes[faces.boundary, 0]]
    parts = {"airfoil": NodeType.AIRFOIL, "far_field": NodeType.INFLOW}
    return Mesh.from_blocks(
        points,
        [("triangle", triangles)],
        node_type=node_type,
        node_sets={name: np.flatnonzero(node_type == kind) for name, kind in parts.items()},
        cell_sets={name: np.unique(cells[kinds == kind]) for name, kind in parts.items()},
    )
