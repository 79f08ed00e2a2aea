"""Soft plates with holes that deform far, on moving meshes: the case family `hyperelastic`.

Three scenarios in the manner of the deforming plate of Pfaff et al., "Learning Mesh-Based
Simulation with Graph Networks" (ICLR 2021): pull and press, slow and so without inertia, and a
cantilever that swings.
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
from physgt.datasets.perforated_plate import Hole, draw_holes, triangulate_plate
from physgt.datasets.triangulation import circle_points, triangulate
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, NodeType
from physgt.trajectory import Trajectory

if TYPE_CHECKING:
    from physgt.datasets.neo_hookean import NeoHookeanSolid
    from physgt.datasets.solid_scenarios import Scenario

Array = NDArray[np.float64]

# Largest edge at refinement 1, in heights of the plate.
PLATE_MESH_SIZE = 0.06
BEAM_MESH_SIZE = 0.12
# Edges at holes, in largest edges.
SIZE_AT_HOLES = 0.6
GROWTH_FROM_HOLES = 0.3
# Between holes, and from holes to sides, in heights of the plate.
HOLE_GAP = 0.12
GOLDEN_RATIO = (np.sqrt(5) - 1) / 2
MATERIAL = ("youngs_modulus", "poisson_ratio", "density")
UNITS = {
    "points": "m",
    "stress": "Pa",
    "velocity": "m/s",
    "acceleration": "m/s2",
    "youngs_modulus": "Pa",
    "poisson_ratio": "1",
    "density": "kg/m3",
}
SOLVER = "neo-Hookean solid in plane strain, quadratic triangles, Newton, Newmark (scikit-fem)"


@dataclass(frozen=True)
class HyperelasticFamily:
    """Soft plates with holes: pulled, pressed with a rigid disc, or swinging; moving meshes.

    Ranges (low, high) are what each seed draws from, evenly; all else is shared. `pull`, `press`
    and `cantilever` are the shares of the scenarios, spread evenly over consecutive seeds. Units
    are Pa, kg/m3, m, m/s2 and s. The first two scenarios act on the `plate`, the third on the
    `beam` (lengths, heights). Holes are ellipses with semi-axes `semi_axis` in heights of the
    plate; a plate that is pressed has one at most.

    pull: the right end moves by `elongation` and `shear`. press: a disc of `disc_radius` is
    pressed `depth` into the top and slides by `slide`. cantilever: `load` acts either way for
    `load_time`, rounded to whole dt. Each lasts num_steps * dt, saved num_steps + 1 times.

    `refinement` divides all mesh sizes: 1 gives 600 to 900 nodes, 5 about 20,000. `substeps` are
    the solver's steps per `dt` where there is inertia, at refinement 1; they grow with it.
    """

    pull: float = 1.0
    press: float = 1.0
    cantilever: float = 1.0
    youngs_modulus: Range = (0.8e6, 1.5e6)
    poisson_ratio: Range = (0.25, 0.4)
    density: float = 1100.0
    plate: tuple[float, float] = (0.2, 0.1)
    beam: tuple[float, float] = (0.4, 0.05)
    num_holes: tuple[int, int] = (0, 3)
    semi_axis: Range = (0.08, 0.16)
    elongation: Range = (0.025, 0.06)
    shear: Range = (-0.03, 0.03)
    disc_radius: Range = (0.02, 0.04)
    depth: Range = (0.015, 0.025)
    slide: Range = (-0.03, 0.03)
    load: Range = (4.0, 12.0)
    load_time: Range = (0.15, 0.45)
    refinement: float = 1.0
    dt: float = 0.02
    num_steps: int = 60
    substeps: int = 2

    def __post_init__(self) -> None:
        check_numbers(self, "pull", "press", "cantilever", at_least=0)
        if self.pull + self.press + self.cantilever == 0:
            raise PhysgtError("pull, press and cantilever = 0, expected one of them above 0.")
        check_ranges(self, "youngs_modulus", "poisson_ratio", "semi_axis", "elongation")
        check_ranges(self, "disc_radius", "depth", "load", "load_time")
        check_ranges(self, "shear", "slide", at_least=-np.inf)
        check_ranges(self, "num_holes", at_least=0)
        check_numbers(self, "density", "refinement", "dt")
        check_pair(self, "plate", "length and height")
        check_pair(self, "beam", "length and height")
        check_counts(self, "num_steps", "substeps")
        if not all(isinstance(count, int) for count in self.num_holes):
            raise PhysgtError(f"num_holes = {self.num_holes}, expected two whole numbers.")
        if self.poisson_ratio[1] >= 0.49:
            raise PhysgtError(
                f"poisson_ratio = {self.poisson_ratio}, expected below 0.49: the elements lock "
                "where the material is nearly incompressible."
            )

    def draw(self, seed: int) -> SolidCase:
        rng = np.random.default_rng(seed)
        scenario = self._draw_scenario(rng, seed)
        height = scenario.plate[1]
        semi_axis = (self.semi_axis[0] * height, self.semi_axis[1] * height)
        count = int(rng.integers(self.num_holes[0], self.num_holes[1], endpoint=True))
        count = min(count, 1) if scenario.disc else count
        holes = draw_holes(rng, count, scenario.plate, semi_axis, HOLE_GAP * height)
        return SolidCase(
            scenario,
            holes,
            youngs_modulus=rng.uniform(*self.youngs_modulus),
            poisson_ratio=rng.uniform(*self.poisson_ratio),
            density=self.density,
        )

    def simulate(self, seed: int) -> Trajectory:
        """Points in m and von Mises stress in Pa of one seed; the same seed, the same.

        Where there is inertia, the velocity in m/s as well.
        """
        case = self.draw(seed)
        mesh = solid_mesh(case, self.refinement, seed)
        solid = case.solid(mesh)
        times = np.arange(self.num_steps + 1, dtype=np.float64) * self.dt
        fields = _fields(case.scenario, mesh, times)
        velocities = []
        states = case.scenario.states(solid, self.dt, self.num_steps)
        for frame, (displacement, velocity) in enumerate(states):
            vertices = displacement[solid.vertices]
            fields["points"][frame, : len(vertices)] += vertices
            fields["stress"][frame, : len(vertices)] = solid.von_mises(displacement)
            if velocity is not None:
                velocities.append(velocity[solid.vertices])
        if velocities:
            fields["velocity"] = np.array(velocities)
        return Trajectory.from_arrays(
            mesh,
            times,
            fields,
            static={name: getattr(case, name) for name in MATERIAL},
            units=UNITS,
            attributes={"seed": seed, **case.attributes(), "dt": self.dt, "solver": SOLVER},
        )

    def _draw_scenario(self, rng: np.random.Generator, seed: int) -> Scenario:
        from physgt.datasets.solid_scenarios import Cantilever, Press, Pull

        duration = self.num_steps * self.dt
        shares = np.cumsum([self.pull, self.press, self.cantilever])
        # Multiples of the golden ratio are spread evenly over any run of consecutive seeds.
        place = seed * GOLDEN_RATIO % 1.0 * shares[-1]
        if place < shares[0]:
            elongation, shear = rng.uniform(*self.elongation), rng.uniform(*self.shear)
            return Pull(self.plate, duration, elongation, shear)
        if place < shares[1]:
            return Press(
                self.plate,
                duration,
                radius=rng.uniform(*self.disc_radius),
                center_x=rng.uniform(0.25, 0.75) * self.plate[0],
                depth=rng.uniform(*self.depth),
                slide=rng.uniform(*self.slide),
            )
        return Cantilever(
            self.beam,
            duration,
            load=rng.choice([-1, 1]) * rng.uniform(*self.load),
            load_time=round(rng.uniform(*self.load_time) / self.dt) * self.dt,
            substeps=int(np.ceil(self.substeps * self.refinement)),
        )


@dataclass(frozen=True)
class SolidCase:
    """One plate, its material and what happens to it; units as in HyperelasticFamily."""

    scenario: Scenario
    holes: tuple[Hole, ...]
    youngs_modulus: float
    poisson_ratio: float
    density: float

    def solid(self, mesh: Mesh) -> NeoHookeanSolid:
        """The plate of its mesh, without the disc."""
        # Here: naming the family and checking its ranges does not wait for scikit-fem.
        from physgt.datasets.neo_hookean import NeoHookeanSolid

        triangles = mesh.connectivity.reshape(-1, 3)[mesh.cell_sets["solid"]]
        return NeoHookeanSolid(
            mesh.points[: triangles.max() + 1],
            triangles,
            youngs_modulus=self.youngs_modulus,
            poisson_ratio=self.poisson_ratio,
            density=self.density,
        )

    def attributes(self) -> dict[str, Any]:
        holes = [asdict(hole) for hole in self.holes]
        return {"scenario": self.scenario.name, **asdict(self.scenario), "holes": holes}


def solid_mesh(case: SolidCase, refinement: float = 1.0, seed: int = 0) -> Mesh:
    """Triangles of the plate and, where there is one, of the disc beside it, at rest.

    Node sets: clamped, driven (an end of the plate, or all of the disc), surface (all edges of the
    plate, its holes' too), disc, disc_surface; cell sets: solid, disc. Those that a scenario
    doesn't have are empty. Node types: HANDLE clamped, OBSTACLE driven, else NORMAL, as in the
    deforming plate of MeshGraphNets.
    """
    scenario = case.scenario
    relative = BEAM_MESH_SIZE if scenario.name == "cantilever" else PLATE_MESH_SIZE
    size = relative * scenario.plate[1] / refinement
    points, triangles, loops = triangulate_plate(
        scenario.plate,
        case.holes,
        size_at_holes=SIZE_AT_HOLES * size,
        largest_size=size,
        growth=GROWTH_FROM_HOLES,
        seed=seed,
    )
    sets = {
        "clamped": np.flatnonzero(scenario.clamped(points)),
        "driven": np.flatnonzero(scenario.driven(points)),
        "surface": np.concatenate(loops),
        "disc": np.empty(0, int),
        "disc_surface": np.empty(0, int),
    }
    cells = np.arange(len(triangles))
    if scenario.disc is not None:
        center, radius = scenario.disc
        rim = circle_points(center, radius, round(2 * np.pi * radius / size))
        disc_points, disc_triangles = triangulate([rim], lambda at: np.full(len(at), size), seed)
        sets["disc"] = len(points) + np.arange(len(disc_points))
        sets["disc_surface"] = sets["disc"][: len(rim)]
        sets["driven"] = sets["disc"]
        triangles = np.vstack([triangles, len(points) + disc_triangles])
        points = np.vstack([points, disc_points])
    node_type = np.full(len(points), NodeType.NORMAL)
    node_type[sets["clamped"]] = NodeType.HANDLE
    node_type[sets["driven"]] = NodeType.OBSTACLE
    return Mesh.from_blocks(
        points,
        [("triangle", triangles)],
        node_type=node_type,
        node_sets=sets,
        cell_sets={"solid": cells, "disc": np.arange(len(cells), len(triangles))},
    )


def _fields(scenario: Scenario, mesh: Mesh, times: Array) -> dict[str, Array]:
    """The fields over time while the solid is at rest and the disc moves."""
    points = np.repeat(mesh.points[None], len(times), axis=0)
    points[:, mesh.node_sets["disc"]] += np.array([scenario.drive(t) for t in times])[:, None]
    return {
        "points": points,
        "stress": np.zeros(points.shape[:2], np.float32),
        "acceleration": np.array([scenario.acceleration(time) for time in times]),
    }
