"""Heat spreading through a plate with elliptic holes: the case family `heat`.

The medium may drift through the plate; its sides and the rims of its holes keep temperatures of
their own.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from physgt.datasets.case_family import (
    Range,
    check_counts,
    check_numbers,
    check_pair,
    check_ranges,
)
from physgt.datasets.perforated_plate import Hole, draw_holes, triangulate_plate
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, NodeType
from physgt.trajectory import Trajectory

Array = NDArray[np.float64]

SIDES = ("left", "right", "bottom", "top")
# Mesh sizes at refinement 1, in lengths of the plate's shorter side.
SIZE_AT_HOLES = 0.026
LARGEST_SIZE = 0.042
GROWTH_FROM_HOLES = 0.2
# Between holes, and from a hole to a side, in lengths of the shorter side.
GAP = 0.06
# Initial temperature: the mean of its range, and hot and cold spots of a Gaussian's shape.
NUM_SPOTS = 3
SPOT_SIZE = (0.05, 0.15)  # standard deviation, in lengths of the shorter side


@dataclass(frozen=True)
class HeatFamily:
    """Heat in a plate with elliptic holes, through which a medium may drift.

    Each seed draws from the ranges (low, high), evenly; all else is shared. Units are m, s, K,
    m/s; diffusivity in m2/s. The medium drifts with one velocity everywhere, in any direction.
    Sides and rims of holes keep the temperatures drawn for each of them. The results are saved
    every `dt`, num_steps + 1 times, after `spin_up` seconds, in which the initial temperature
    comes to fit the boundary.

    `refinement` divides all mesh sizes: 1 gives about 700 nodes, 6 about 20,000. `substeps` are
    the solver's steps per `dt` at refinement 1; they grow with it.
    """

    plate: tuple[float, float] = (0.1, 0.1)
    num_holes: tuple[int, int] = (1, 4)
    semi_axis: Range = (0.005, 0.014)
    diffusivity: Range = (5e-5, 2e-4)
    speed: Range = (0.0, 0.01)
    side_temperature: Range = (290.0, 350.0)
    hole_temperature: Range = (270.0, 390.0)
    initial_temperature: Range = (290.0, 350.0)
    refinement: float = 1.0
    dt: float = 0.02
    num_steps: int = 100
    spin_up: float = 0.1
    substeps: int = 1

    def __post_init__(self) -> None:
        check_pair(self, "plate", "width and height")
        check_ranges(self, "semi_axis", "diffusivity")
        check_ranges(self, "num_holes", "speed", at_least=0)
        check_ranges(
            self, "side_temperature", "hole_temperature", "initial_temperature", at_least=0
        )
        check_numbers(self, "refinement", "dt")
        check_numbers(self, "spin_up", at_least=0)
        check_counts(self, "num_steps", "substeps")
        if not all(isinstance(count, int) for count in self.num_holes):
            raise PhysgtError(f"num_holes = {self.num_holes}, expected two whole numbers.")
        self._check_oscillations()

    def draw(self, seed: int) -> HeatCase:
        rng = np.random.default_rng(seed)
        count = int(rng.integers(self.num_holes[0], self.num_holes[1], endpoint=True))
        holes = draw_holes(rng, count, self.plate, self.semi_axis, GAP * min(self.plate))
        speed, direction = rng.uniform(*self.speed), rng.uniform(0, 2 * np.pi)
        low, high = self.initial_temperature
        return HeatCase(
            plate=self.plate,
            holes=holes,
            diffusivity=rng.uniform(*self.diffusivity),
            velocity=(speed * math.cos(direction), speed * math.sin(direction)),
            side_temperatures=tuple(rng.uniform(*self.side_temperature, len(SIDES))),
            hole_temperatures=tuple(rng.uniform(*self.hole_temperature, count)),
            mean_temperature=0.5 * (low + high),
            spots=rng.uniform(0, 1, (NUM_SPOTS, 2)) * self.plate,
            spot_sizes=rng.uniform(*SPOT_SIZE, NUM_SPOTS) * min(self.plate),
            spot_temperatures=rng.uniform(-0.5, 0.5, NUM_SPOTS) * (high - low),
        )

    def simulate(self, seed: int) -> Trajectory:
        """Temperature in K on the mesh of one seed."""
        # Here: naming the family and checking its ranges does not wait for scikit-fem.
        from physgt.datasets.advection_diffusion import AdvectionDiffusion, record

        case = self.draw(seed)
        mesh = heat_mesh(case, self.refinement, seed)
        held, held_temperature = case.held(mesh)
        substeps = math.ceil(self.substeps * self.refinement)
        heat = AdvectionDiffusion(
            mesh,
            case.initial_temperature(mesh.points),
            case.diffusivity,
            self.dt / substeps,
            held,
            lambda time: held_temperature,
            velocity=np.array(case.velocity),
        )
        return Trajectory.from_arrays(
            mesh,
            np.arange(self.num_steps + 1) * self.dt,
            {"temperature": record(heat, self.spin_up, self.num_steps, substeps)},
            static={
                "diffusivity": np.array(case.diffusivity, np.float32),
                "velocity": np.tile(np.array(case.velocity, np.float32), (mesh.num_points, 1)),
            },
            units={"temperature": "K", "diffusivity": "m2/s", "velocity": "m/s"},
            attributes={
                "seed": seed,
                "holes": [asdict(hole) for hole in case.holes],
                "diffusivity": case.diffusivity,
                "velocity": case.velocity,
                "side_temperatures": dict(zip(SIDES, case.side_temperatures, strict=True)),
                "hole_temperatures": case.hole_temperatures,
                "dt": self.dt,
                "solver": "advection and diffusion, linear elements, Crank-Nicolson (scikit-fem)",
            },
        )

    def _check_oscillations(self) -> None:
        """Linear elements oscillate where a cell is carried through faster than heat spreads."""
        size = LARGEST_SIZE * min(self.plate) / self.refinement
        peclet = self.speed[1] * size / (2 * self.diffusivity[0])
        if peclet > 1:
            raise PhysgtError(
                f"speed = {self.speed} with diffusivity = {self.diffusivity} gives a cell Péclet "
                f"number of up to {peclet:.2g}, expected 1 or less, or the temperature oscillates. "
                f"Set refinement = {math.ceil(10 * peclet * self.refinement) / 10:g} or more."
            )


@dataclass(frozen=True)
class HeatCase:
    """One plate and what happens in it; units as in HeatFamily.

    Temperatures of sides are in the order of SIDES. A spot is a Gaussian: center (S, 2), standard
    deviation (S,), and temperature above the mean (S,).
    """

    plate: tuple[float, float]
    holes: tuple[Hole, ...]
    diffusivity: float
    velocity: tuple[float, float]
    side_temperatures: tuple[float, ...]
    hole_temperatures: tuple[float, ...]
    mean_temperature: float
    spots: Array
    spot_sizes: Array
    spot_temperatures: Array

    def initial_temperature(self, points: Array) -> Array:
        squared = ((points[:, None] - self.spots) ** 2).sum(axis=-1)
        spots = np.exp(-squared / (2 * self.spot_sizes**2)) @ self.spot_temperatures
        return self.mean_temperature + spots

    def held(self, mesh: Mesh) -> tuple[NDArray[np.int64], Array]:
        """The nodes of sides and holes, and their temperatures."""
        names = [*SIDES, *(f"hole_{number}" for number in range(1, len(self.holes) + 1))]
        temperatures = [*self.side_temperatures, *self.hole_temperatures]
        nodes = [mesh.node_sets[name] for name in names]
        return np.concatenate(nodes), np.repeat(temperatures, [len(n) for n in nodes])


def heat_mesh(case: HeatCase, refinement: float = 1.0, seed: int = 0) -> Mesh:
    """Triangles with a node set for each side and hole, and `sides` and `holes` for all of them.

    Corners belong to the left and right sides. Sides have the node type wall, holes obstacle.
    """
    unit = min(case.plate) / refinement
    points, triangles, (sides, *rims) = triangulate_plate(
        case.plate,
        case.holes,
        size_at_holes=SIZE_AT_HOLES * unit,
        largest_size=LARGEST_SIZE * unit,
        growth=GROWTH_FROM_HOLES,
        seed=seed,
    )
    width, height = case.plate
    x, y = points.T
    left, right = x == 0, x == width
    between = ~(left | right)
    sets = {
        "left": left,
        "right": right,
        "bottom": between & (y == 0),
        "top": between & (y == height),
    }
    node_sets = {name: np.flatnonzero(where) for name, where in sets.items()}
    node_sets |= {f"hole_{number}": rim for number, rim in enumerate(rims, start=1)}
    node_sets["sides"] = sides
    node_sets["holes"] = np.concatenate([*rims, sides[:0]])
    node_type = np.full(len(points), NodeType.NORMAL)
    node_type[node_sets["sides"]] = NodeType.WALL_BOUNDARY
    node_type[node_sets["holes"]] = NodeType.OBSTACLE
    return Mesh.from_blocks(
        points, [("triangle", triangles)], node_type=node_type, node_sets=node_sets
    )
