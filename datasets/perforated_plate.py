"""Rectangular plates with elliptic holes: where the holes are, and triangles between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from physgt.datasets.triangulation import ellipse_points, polygon_points, triangulate
from physgt.errors import PhysgtError

Array = NDArray[np.float64]

TRIES = 10_000
FEWEST_POINTS_ON_RIM = 8


@dataclass(frozen=True)
class Hole:
    """An ellipse: center and semi-axes in m, the angle from x to the first axis."""

    x: float
    y: float
    a: float
    b: float
    angle: float

    @property
    def reach(self) -> float:
        return max(self.a, self.b)

    @property
    def perimeter(self) -> float:
        """Ramanujan's approximation."""
        a, b = self.a, self.b
        return math.pi * (3 * (a + b) - math.sqrt((3 * a + b) * (a + 3 * b)))

    def distance_to(self, other: Hole) -> float:
        return math.hypot(self.x - other.x, self.y - other.y)


def draw_holes(
    rng: np.random.Generator,
    count: int,
    plate: tuple[float, float],
    semi_axis: tuple[float, float],
    gap: float,
) -> tuple[Hole, ...]:
    """Ellipses whose circles about them keep the gap from each other and from the sides."""
    holes: list[Hole] = []
    width, height = plate
    for _ in range(TRIES):
        if len(holes) == count:
            return tuple(holes)
        x, y = rng.uniform(0, 1, 2) * plate
        a, b = rng.uniform(*semi_axis, 2)
        hole = Hole(x, y, a, b, angle=rng.uniform(0, np.pi))
        clear = hole.reach + gap
        inside = clear < hole.x < width - clear and clear < hole.y < height - clear
        if inside and all(hole.distance_to(other) > clear + other.reach for other in holes):
            holes.append(hole)
    raise PhysgtError(
        f"found no room for {count} holes of semi_axis = {semi_axis} in a plate of "
        f"{width:g} m by {height:g} m. Lower num_holes or semi_axis."
    )


def triangulate_plate(
    plate: tuple[float, float],
    holes: tuple[Hole, ...],
    *,
    size_at_holes: float,
    largest_size: float,
    growth: float,
    seed: int = 0,
) -> tuple[Array, NDArray[np.int64], list[NDArray[np.int64]]]:
    """Points (N, 2) and triangles (M, 3) of a plate from (0, 0) to `plate`, finer at the holes.

    Lengths in m; edges grow from the holes by `growth` per distance. Last, the points on the
    sides of the plate and on the rim of each hole.
    """
    rims = [
        ellipse_points(
            (hole.x, hole.y),
            (hole.a, hole.b),
            hole.angle,
            max(FEWEST_POINTS_ON_RIM, round(hole.perimeter / size_at_holes)),
        )
        for hole in holes
    ]
    tree = cKDTree(np.vstack(rims)) if rims else None

    def size(points: Array) -> Array:
        distance = np.full(len(points), np.inf) if tree is None else tree.query(points)[0]
        return np.minimum(size_at_holes + growth * distance, largest_size)

    width, height = plate
    corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
    loops = [polygon_points(corners, size), *rims]
    points, triangles = triangulate(loops, size, seed)
    ends = np.cumsum([len(loop) for loop in loops])
    return points, triangles, np.split(np.arange(ends[-1]), ends[:-1])
