"""Triangles for a planar domain bounded by loops of points.

Points on the boundary stay where they are given; points inside are pushed apart along the edges
of their Delaunay triangulation until the edges have the wanted lengths.

Source: Persson and Strang, "A Simple Mesh Generator in MATLAB", SIAM Review 46, 2004; there, the
boundary is a distance function, here it is given points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import Delaunay, cKDTree

from physgt.errors import PhysgtError

Array = NDArray[np.float64]
SizeFunction = Callable[[Array], Array]
"""Wanted edge length (n,) at points (n, 2)."""

MOST_POINTS = 5_000_000
RELAXATION_STEPS = 60
STEPS_PER_TRIANGULATION = 3
THINNING_STEPS = (15, 30)
# No interior point comes closer to a boundary point than this many boundary spacings. Above
# sqrt(1/2), no interior point can lie in the circle over a boundary edge as diameter, so every
# boundary edge is a Delaunay edge and the triangles conform to the boundary.
BOUNDARY_CLEARANCE = 0.72
HEXAGONAL_DENSITY = 2 / np.sqrt(3)  # points of a triangular lattice of edge 1 per area


def circle_points(center: ArrayLike, radius: float, count: int) -> Array:
    """`count` points (count, 2) at equal angles around a circle, counter-clockwise."""
    angles = 2 * np.pi * np.arange(count) / count
    return np.asarray(center) + radius * np.column_stack([np.cos(angles), np.sin(angles)])


def ellipse_points(
    center: ArrayLike, semi_axes: tuple[float, float], angle: float, count: int
) -> Array:
    """`count` points (count, 2) at equal distances around an ellipse, counter-clockwise.

    Its first semi-axis is turned by `angle` from x.
    """
    parameter = np.linspace(0.0, 2 * np.pi, 2000)
    a, b = semi_axes
    fine = np.column_stack([a * np.cos(parameter), b * np.sin(parameter)])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    even = np.interp(np.arange(count) * length[-1] / count, length, parameter)
    along, across = a * np.cos(even), b * np.sin(even)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(center) + np.column_stack([along, across]) @ turn


def polygon_points(corners: Sequence[Sequence[float]], size: SizeFunction) -> Array:
    """Points (n, 2) along a closed polygon, corners included, spaced by the size function."""
    size = _checked(size)
    ends = np.asarray(corners, dtype=np.float64)
    sides = [_side_points(a, b, size) for a, b in zip(ends, np.roll(ends, -1, axis=0), strict=True)]
    return np.vstack(sides)


def triangulate(
    loops: Sequence[Array], size: SizeFunction, seed: int = 0
) -> tuple[Array, NDArray[np.int64]]:
    """Triangulate the inside of the first loop less the insides of the others.

    Each loop (n, 2) is closed by its first point and is spaced about as `size` says. Returns
    points (N, 2), the loops' points first and in their order, and triangles (M, 3),
    counter-clockwise. The same seed gives the same mesh.

    Raises PhysgtError where the triangles don't fill the domain: spacing too coarse for a gap; and
    where a size is not a finite length above 0, or asks for more than MOST_POINTS points.
    """
    size = _checked(size)
    boundary = np.vstack(loops)
    spacing = np.concatenate([_spacing(loop) for loop in loops])
    boundary_tree = cKDTree(boundary)
    points = np.vstack([boundary, _scatter(loops, size, np.random.default_rng(seed))])
    points = points[_clear_of(boundary_tree, spacing, points, first=len(boundary))]

    edges = np.empty((0, 2), dtype=np.int64)
    for step in range(RELAXATION_STEPS):
        if step in THINNING_STEPS:
            points = _thin(points, edges, size, first=len(boundary))
        if step in THINNING_STEPS or step % STEPS_PER_TRIANGULATION == 0:
            edges = triangle_edges(_triangles_inside(points, loops))
        moved = points + _repulsion(points, edges, size)
        keep = _clear_of(boundary_tree, spacing, moved, first=len(boundary))
        keep[: len(boundary)] = False
        points[keep] = moved[keep]

    triangles = _triangles_inside(points, loops)
    used = np.unique(triangles)
    points, triangles = points[used], np.searchsorted(used, triangles)
    _check_area(points, triangles, loops)
    return points, triangles


def triangle_edges(triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each edge of triangles (M, 3) once, as (E, 2) with the lower point number first."""
    pairs = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs.sort(axis=1)
    return np.unique(pairs, axis=0)


def triangle_areas(points: Array, triangles: NDArray[np.int64]) -> Array:
    """Signed areas (M,): positive where the corners are counter-clockwise."""
    first, second, third = np.moveaxis(points[triangles], 1, 0)
    a, b = second - first, third - first
    return 0.5 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def contains(loop: Array, points: Array) -> NDArray[np.bool_]:
    """Which points (n, 2) lie inside a closed loop: a ray to the right crosses it oddly often."""
    inside = np.zeros(len(points), dtype=bool)
    x, y = points.T
    for (xa, ya), (xb, yb) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
        if ya == yb:
            continue
        crosses = (ya > y) != (yb > y)
        inside ^= crosses & (x < xa + (xb - xa) * (y - ya) / (yb - ya))
    return inside


def _checked(size: SizeFunction) -> SizeFunction:
    """The same sizes; one that is no length would have squares split for ever."""

    def checked(points: Array) -> Array:
        wanted = size(points)
        bad = np.flatnonzero(~(np.isfinite(wanted) & (wanted > 0)))
        if bad.size:
            x, y = points[bad[0]]
            raise PhysgtError(
                f"triangulation: the mesh size at ({x:g}, {y:g}) is {wanted[bad[0]]:g}, expected a "
                "finite length above 0."
            )
        return wanted

    return checked


def _check_count(num_points: int, extent: float) -> None:
    if num_points > MOST_POINTS:
        raise PhysgtError(
            f"triangulation: the mesh would have more than {MOST_POINTS:,} points over "
            f"{extent:g}; give a larger mesh size."
        )


def _inside(loops: Sequence[Array], points: Array) -> NDArray[np.bool_]:
    inside = contains(loops[0], points)
    for hole in loops[1:]:
        inside &= ~contains(hole, points)
    return inside


def _side_points(start: Array, end: Array, size: SizeFunction) -> Array:
    """Points from start to end, end left out, so that each gap counts as one wanted length."""
    fraction = np.linspace(0.0, 1.0, 400)
    edges_per_length = 1.0 / size(start + fraction[:, None] * (end - start))
    means = 0.5 * (edges_per_length[1:] + edges_per_length[:-1])
    count = np.concatenate([[0.0], np.cumsum(means * np.diff(fraction))])
    count *= np.linalg.norm(end - start)
    _check_count(int(count[-1]), float(np.linalg.norm(end - start)))
    wanted = np.linspace(0.0, count[-1], max(1, round(count[-1])) + 1)[:-1]
    return start + np.interp(wanted, count, fraction)[:, None] * (end - start)


def _spacing(loop: Array) -> Array:
    """The longer of the two boundary edges at each point of a loop."""
    edge = np.linalg.norm(np.roll(loop, -1, axis=0) - loop, axis=1)
    return np.maximum(edge, np.roll(edge, 1))


def _scatter(loops: Sequence[Array], size: SizeFunction, rng: np.random.Generator) -> Array:
    """Random points inside, as dense as the size function asks: one in each leaf of a quadtree.

    A square is split where a smaller size is wanted than its side; as leaves are smaller than
    that, some are left out by chance.
    """
    low, high = loops[0].min(axis=0), loops[0].max(axis=0)
    side = float((high - low).max())
    corners, points = low[None], [low[:0].reshape(0, 2)]
    while len(corners):
        wanted = size(corners + 0.5 * side)
        leaf = wanted >= side
        chance = HEXAGONAL_DENSITY * (side / wanted[leaf]) ** 2
        kept = corners[leaf][rng.random(leaf.sum()) < chance]
        points.append(kept + side * rng.uniform(0.25, 0.75, kept.shape))
        side *= 0.5
        quarters = side * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
        corners = (corners[~leaf][:, None] + quarters).reshape(-1, 2)
        _check_count(len(corners), float((high - low).max()))
    scattered = np.vstack(points)
    return scattered[_inside(loops, scattered)]


def _clear_of(tree: cKDTree, spacing: Array, points: Array, first: int) -> NDArray[np.bool_]:
    """True for the first `first` points and for those with the clearance from the boundary."""
    clear = np.ones(len(points), dtype=bool)
    distance, nearest = tree.query(points[first:])
    clear[first:] = distance > BOUNDARY_CLEARANCE * spacing[nearest]
    return clear


def _triangles_inside(points: Array, loops: Sequence[Array]) -> NDArray[np.int64]:
    """Delaunay triangles of the domain, counter-clockwise.

    Only a triangle with all corners on the boundary can lie outside: boundary edges are Delaunay
    edges, and no triangle crosses them.
    """
    triangles = Delaunay(points).simplices.astype(np.int64)
    areas = triangle_areas(points, triangles)
    triangles[areas < 0] = triangles[areas < 0, ::-1]
    boundary_only = np.flatnonzero((triangles < sum(map(len, loops))).all(axis=1))
    outside = ~_inside(loops, points[triangles[boundary_only]].mean(axis=1))
    longest = np.ptp(points[triangles[boundary_only]], axis=1).max(axis=1)
    # Three points of one straight side make triangles whose area is rounding.
    flat = np.abs(areas[boundary_only]) < 1e-6 * longest**2
    return np.delete(triangles, boundary_only[outside | flat], axis=0)


def _wanted_lengths(
    points: Array, edges: NDArray[np.int64], size: SizeFunction
) -> tuple[Array, Array, Array]:
    """Edge vectors (E, 2), their lengths (E,), and the lengths wanted where the edges are (E,)."""
    vectors = points[edges[:, 0]] - points[edges[:, 1]]
    lengths = np.linalg.norm(vectors, axis=1)
    sizes = size(0.5 * (points[edges[:, 0]] + points[edges[:, 1]]))
    # Scaled to the points there are, and 20 % longer, so that nearly every edge pushes.
    scale = 1.2 * np.sqrt((lengths**2).sum() / (sizes**2).sum())
    return vectors, lengths, scale * sizes


def _repulsion(points: Array, edges: NDArray[np.int64], size: SizeFunction) -> Array:
    """One relaxation step (N, 2): edges shorter than wanted push their ends apart."""
    vectors, lengths, wanted = _wanted_lengths(points, edges, size)
    push = (0.2 * np.maximum(wanted - lengths, 0.0) / lengths)[:, None] * vectors
    return np.column_stack(
        [
            np.bincount(edges[:, 0], push[:, axis], minlength=len(points))
            - np.bincount(edges[:, 1], push[:, axis], minlength=len(points))
            for axis in range(2)
        ]
    )


def _thin(points: Array, edges: NDArray[np.int64], size: SizeFunction, first: int) -> Array:
    """Leave out the interior end of every edge shorter than half of what is wanted."""
    _, lengths, wanted = _wanted_lengths(points, edges, size)
    crowded = np.unique(edges[wanted > 2 * lengths].max(axis=1))
    return np.delete(points, crowded[crowded >= first], axis=0)


def _check_area(points: Array, triangles: NDArray[np.int64], loops: Sequence[Array]) -> None:
    """The triangles cover the polygon between the loops exactly, or the boundary was cut."""
    wanted = abs(_loop_area(loops[0])) - sum(abs(_loop_area(hole)) for hole in loops[1:])
    found = triangle_areas(points, triangles).sum()
    if not np.isclose(found, wanted, rtol=1e-6):
        raise PhysgtError(
            f"triangulation: the triangles cover an area of {found:.6g}, but the boundary encloses "
            f"{wanted:.6g}. Give a smaller mesh size, so that gaps between boundaries are resolved."
        )


def _loop_area(loop: Array) -> float:
    x, y = loop.T
    return float(0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1)))
