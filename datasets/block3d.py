"""A heated metal block around a cooling bore: the case family `block3d`, on tetrahedra."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from physgt.datasets.case_family import (
    Range,
    check_counts,
    check_numbers,
    check_ranges,
)
from physgt.datasets.extrusion import even_levels, extrude
from physgt.datasets.triangulation import circle_points, polygon_points, triangulate
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, NodeType
from physgt.trajectory import Trajectory

Array = NDArray[np.float64]

# At refinement 1.
POINTS_AROUND_BORE = 14
LARGEST_SIZE = 0.0115  # m
GROWTH_FROM_BORE = 0.3


@dataclass(frozen=True)
class Block3DFamily:
    """A metal block, heated at a spot within and cooled at its bottom and through a bore.

    Each seed draws from the ranges (low, high), evenly; all else is shared. Units are m, s, K;
    conductivity in W/(m K), heat_capacity by volume in J/(m3 K), heating at the middle of a
    Gaussian spot in W/m3. Bottom and bore keep their temperatures, through the other faces goes no
    heat. At the start the block has `initial_temperature`; the results are saved every `dt`,
    num_steps + 1 times, after `spin_up` seconds, in which the temperature comes to fit the
    boundary.

    The bore runs upward through the block, at least its radius away from the faces. `refinement`
    divides all mesh sizes: 1 gives 600 to 1,500 nodes, 3 about 15,000. `substeps` are the
    solver's steps per `dt` at refinement 1; they grow with it.
    """

    width: Range = (0.08, 0.12)
    depth: Range = (0.08, 0.12)
    height: Range = (0.06, 0.1)
    bore_radius: Range = (0.008, 0.014)
    conductivity: Range = (100.0, 240.0)
    heat_capacity: float = 2.43e6
    heating: Range = (2e7, 8e7)
    spot_size: Range = (0.01, 0.02)
    bottom_temperature: Range = (290.0, 330.0)
    bore_temperature: Range = (280.0, 300.0)
    initial_temperature: float = 300.0
    refinement: float = 1.0
    dt: float = 0.1
    num_steps: int = 150
    spin_up: float = 0.2
    substeps: int = 1

    def __post_init__(self) -> None:
        check_ranges(self, "width", "depth", "height", "bore_radius", "conductivity")
        check_ranges(self, "heating", at_least=0)
        check_ranges(self, "spot_size", "bottom_temperature", "bore_temperature")
        check_numbers(self, "heat_capacity", "initial_temperature", "refinement", "dt")
        check_numbers(self, "spin_up", at_least=0)
        check_counts(self, "num_steps", "substeps")
        for name in ("width", "depth"):
            length = getattr(self, name)[0]
            if length < 4.5 * self.bore_radius[1]:
                raise PhysgtError(
                    f"{name} = {getattr(self, name)} with bore_radius up to "
                    f"{self.bore_radius[1]:g} m, expected 4.5 radii or more."
                )

    def draw(self, seed: int) -> Block3DCase:
        rng = np.random.default_rng(seed)
        size = tuple(rng.uniform(*r) for r in (self.width, self.depth, self.height))
        radius = rng.uniform(*self.bore_radius)
        return Block3DCase(
            size=size,
            bore_radius=radius,
            bore=tuple(rng.uniform(2 * radius, length - 2 * radius) for length in size[:2]),
            conductivity=rng.uniform(*self.conductivity),
            heat_capacity=self.heat_capacity,
            heating=rng.uniform(*self.heating),
            spot=tuple(rng.uniform(0.2, 0.8) * length for length in size),
            spot_size=rng.uniform(*self.spot_size),
            bottom_temperature=rng.uniform(*self.bottom_temperature),
            bore_temperature=rng.uniform(*self.bore_temperature),
        )

    def simulate(self, seed: int) -> Trajectory:
        """Temperature in K on the mesh of one seed."""
        # Here: naming the family and checking its ranges does not wait for scikit-fem.
        from physgt.datasets.advection_diffusion import AdvectionDiffusion, record

        case = self.draw(seed)
        mesh = block3d_mesh(case, self.refinement, seed)
        heating = case.heating_at(mesh.points)
        bottom, bore = mesh.node_sets["bottom"], mesh.node_sets["bore"]
        held_temperature = np.concatenate(
            [
                np.full(len(bottom), case.bottom_temperature),
                np.full(len(bore), case.bore_temperature),
            ]
        )
        substeps = math.ceil(self.substeps * self.refinement)
        heat = AdvectionDiffusion(
            mesh,
            np.full(mesh.num_points, self.initial_temperature),
            case.conductivity / case.heat_capacity,
            self.dt / substeps,
            np.concatenate([bottom, bore]),
            lambda time: held_temperature,
            heating=heating / case.heat_capacity,
        )
        return Trajectory.from_arrays(
            mesh,
            np.arange(self.num_steps + 1) * self.dt,
            {"temperature": record(heat, self.spin_up, self.num_steps, substeps)},
            static={
                "heating": heating.astype(np.float32),
                "conductivity": np.array(case.conductivity, np.float32),
            },
            units={"temperature": "K", "heating": "W/m3", "conductivity": "W/(m K)"},
            attributes={
                "seed": seed,
                **asdict(case),
                "initial_temperature": self.initial_temperature,
                "dt": self.dt,
                "solver": "heat conduction, linear elements, Crank-Nicolson (scikit-fem)",
            },
        )


@dataclass(frozen=True)
class Block3DCase:
    """One block; units as in Block3DFamily. `bore` is the axis in (x, y), `spot` a center."""

    size: tuple[float, ...]
    bore_radius: float
    bore: tuple[float, ...]
    conductivity: float
    heat_capacity: float
    heating: float
    spot: tuple[float, ...]
    spot_size: float
    bottom_temperature: float
    bore_temperature: float

    def heating_at(self, points: Array) -> Array:
        """W/m3 (N,) at points (N, 3)."""
        squared = ((points - self.spot) ** 2).sum(axis=1)
        return self.heating * np.exp(-squared / (2 * self.spot_size**2))


def block3d_mesh(case: Block3DCase, refinement: float = 1.0, seed: int = 0) -> Mesh:
    """Tetrahedra with node sets bottom, bore, top, left, right, front and back.

    A node belongs to the first of these that it lies on. Bottom and bore have the node type
    obstacle, the faces that nothing passes through wall.
    """
    far = LARGEST_SIZE / refinement
    near = min(2 * np.pi * case.bore_radius / POINTS_AROUND_BORE / refinement, far)

    def size(points: Array) -> Array:
        distance = np.maximum(np.hypot(*(points - case.bore).T) - case.bore_radius, 0.0)
        return np.minimum(near + GROWTH_FROM_BORE * distance, far)

    width, depth, height = case.size
    corners = [(0.0, 0.0), (width, 0.0), (width, depth), (0.0, depth)]
    around = round(2 * np.pi * case.bore_radius / near)
    loops = [polygon_points(corners, size), circle_points(case.bore, case.bore_radius, around)]
    flat, triangles = triangulate(loops, size, seed)
    levels = even_levels(height, far)
    points, tetrahedra = extrude(flat, triangles, levels)

    x, y, z = points.T
    column = np.tile(np.arange(len(flat)), len(levels))
    parts = {
        "bottom": z == 0,
        "bore": (column >= len(loops[0])) & (column < len(loops[0]) + around),
        "top": z == height,
        "left": x == 0,
        "right": x == width,
        "front": y == 0,
        "back": y == depth,
    }
    node_type = np.full(len(points), NodeType.NORMAL)
    node_sets = {}
    for name, where in parts.items():
        node_sets[name] = np.flatnonzero(where & (node_type == NodeType.NORMAL))
        cooled = name in ("bottom", "bore")
        node_type[node_sets[name]] = NodeType.OBSTACLE if cooled else NodeType.WALL_BOUNDARY
    return Mesh.from_blocks(
        points, [("tetra", tetrahedra)], node_type=node_type, node_sets=node_sets
    )
