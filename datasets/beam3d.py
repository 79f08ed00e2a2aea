"""A rubber beam, clamped at one end, that is pulled aside and swings: the case family `beam3d`.

The mesh, of tetrahedra, moves.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from physgt.datasets.case_family import Range, check_counts, check_numbers, check_ranges
from physgt.datasets.extrusion import even_levels, extrude, rectangle_triangles
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, NodeType
from physgt.trajectory import Trajectory

Array = NDArray[np.float64]

# At refinement 1, in m.
SIZE_ALONG = 0.03
SIZE_ACROSS = 0.022

DRAWN = ("length", "height", "width", "youngs_modulus", "deflection", "load_time")


@dataclass(frozen=True)
class Beam3DFamily:
    """An elastic beam, clamped at one end, that is pulled aside and swings.

    Each seed draws from the ranges (low, high), evenly; all else is shared. Units are m, s, Pa,
    kg/m3. A force by volume across the beam, in a direction of its own, rises and falls again as
    sin2 within `load_time` and leaves the beam to swing. `deflection` is how far the tip of a
    slender beam would rest under the largest force, in lengths: stiff beams swing as far as soft
    ones. relaxation_time is that of a Kelvin-Voigt material: a swing of angular frequency w loses
    the share 2 pi w relaxation_time of its energy in one period.

    The results are saved every `dt`, num_steps + 1 times; the first is the beam at rest.
    `refinement` divides all mesh sizes: 1 gives 300 to 700 nodes, 4 some 20,000. `substeps` are
    the solver's steps per `dt`.
    """

    length: Range = (0.5, 0.7)
    height: Range = (0.06, 0.1)
    width: Range = (0.06, 0.1)
    youngs_modulus: Range = (4e6, 8e6)
    poissons_ratio: float = 0.4
    density: float = 1100.0
    relaxation_time: float = 0.002
    deflection: Range = (0.04, 0.1)
    load_time: Range = (0.3, 0.6)
    refinement: float = 1.0
    dt: float = 0.01
    num_steps: int = 100
    substeps: int = 2

    def __post_init__(self) -> None:
        check_ranges(self, *DRAWN)
        check_numbers(self, "poissons_ratio", "relaxation_time", at_least=0)
        check_numbers(self, "density", "refinement", "dt")
        check_counts(self, "num_steps", "substeps")
        if self.poissons_ratio > 0.49:
            raise PhysgtError(
                f"poissons_ratio = {self.poissons_ratio}, expected 0 to 0.49: the elements lock "
                "where the material keeps its volume."
            )

    def draw(self, seed: int) -> Beam3DCase:
        rng = np.random.default_rng(seed)
        angle = rng.uniform(0, 2 * np.pi)
        length, height, width, youngs_modulus, deflection, load_time = (
            rng.uniform(*getattr(self, name)) for name in DRAWN
        )
        # A force f by volume bends the tip by f A L^4 / (8 E I), with I / A = h^2 / 12.
        bent = 1.5 * length**4 / youngs_modulus
        bent *= math.hypot(math.cos(angle) / height**2, math.sin(angle) / width**2)
        return Beam3DCase(
            length=length,
            height=height,
            width=width,
            youngs_modulus=youngs_modulus,
            poissons_ratio=self.poissons_ratio,
            density=self.density,
            relaxation_time=self.relaxation_time,
            load=deflection * length / bent,
            load_time=load_time,
            load_direction=(0.0, math.cos(angle), math.sin(angle)),
        )

    def simulate(self, seed: int) -> Trajectory:
        """Points in m and velocity in m/s of one seed's beam."""
        # Here: naming the family and checking its ranges does not wait for scikit-fem.
        from physgt.datasets.elasticity import ElasticBody, Material

        case = self.draw(seed)
        mesh = beam3d_mesh(case, self.refinement)
        material = Material(
            case.youngs_modulus, case.poissons_ratio, case.density, case.relaxation_time
        )
        body = ElasticBody(
            mesh, material, self.dt / self.substeps, mesh.node_sets["clamped"], case.load_at
        )
        times = np.arange(self.num_steps + 1) * self.dt
        points = np.empty((len(times), *mesh.points.shape), np.float32)
        velocity = np.empty_like(points)
        for frame in range(len(times)):
            for _ in range(self.substeps if frame else 0):
                body.step()
            points[frame] = mesh.points + body.displacement
            velocity[frame] = body.velocity
        loads = np.array([case.load_at(time) for time in times], dtype=np.float32)
        return Trajectory.from_arrays(
            mesh,
            times,
            {"points": points, "velocity": velocity, "load_y": loads[:, 1], "load_z": loads[:, 2]},
            static={
                name: np.array(getattr(case, name), np.float32)
                for name in ("youngs_modulus", "length", "height", "width")
            },
            units={
                "points": "m",
                "velocity": "m/s",
                "load_y": "N/m3",
                "load_z": "N/m3",
                "youngs_modulus": "Pa",
                "length": "m",
                "height": "m",
                "width": "m",
            },
            attributes={
                "seed": seed,
                **asdict(case),
                "dt": self.dt,
                "solver": "linear elasticity, quadratic elements, average acceleration "
                "(scikit-fem)",
            },
        )


@dataclass(frozen=True)
class Beam3DCase:
    """One beam along x, its height along y, its width along z; units as in Beam3DFamily."""

    length: float
    height: float
    width: float
    youngs_modulus: float
    poissons_ratio: float
    density: float
    relaxation_time: float
    load: float
    load_time: float
    load_direction: tuple[float, float, float]

    def load_at(self, time: float) -> Array:
        """N/m3 (3,)."""
        pulse = math.sin(math.pi * time / self.load_time) ** 2 if time < self.load_time else 0.0
        return self.load * pulse * np.array(self.load_direction)


def beam3d_mesh(case: Beam3DCase, refinement: float = 1.0) -> Mesh:
    """Tetrahedra with node sets clamped (x = 0), tip and sides; clamped nodes have the type handle.

    A node belongs to the first of these that it lies on.
    """
    across = SIZE_ACROSS / refinement
    columns, rows = (max(1, round(side / across)) for side in (case.height, case.width))
    flat, triangles = rectangle_triangles(case.height, case.width, columns, rows)
    levels = even_levels(case.length, SIZE_ALONG / refinement)
    upright, tetrahedra = extrude(flat, triangles, levels)
    # A turn of the axes, (y, z, x) to (x, y, z), keeps the tetrahedra the right way round.
    points = upright[:, [2, 0, 1]]

    x, y, z = points.T
    clamped, tip = x == 0, x == case.length
    side = np.isin(y, (0, case.height)) | np.isin(z, (0, case.width))
    sets = {"clamped": clamped, "tip": tip, "sides": side & ~clamped & ~tip}
    return Mesh.from_blocks(
        points,
        [("tetra", tetrahedra)],
        node_type=np.where(clamped, NodeType.HANDLE, NodeType.NORMAL),
        node_sets={name: np.flatnonzero(where) for name, where in sets.items()},
    )
