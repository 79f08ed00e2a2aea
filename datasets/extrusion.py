"""Tetrahedra between copies of a triangulation: blocks, beams and pipes.

Each prism between two levels is cut into three tetrahedra, the diagonals of its sides running from
the lower copy of the point with the smaller number, so that neighbours fit.

Source: Dompierre et al., "How to Subdivide Pyramids, Prisms and Hexahedra into Tetrahedra", 8th
International Meshing Roundtable, 1999.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def extrude(
    points: Array, triangles: NDArray[np.int64], levels: Array
) -> tuple[Array, NDArray[np.int64]]:
    """The triangulation at each of the increasing levels, and the tetrahedra between.

    (P, 2), (M, 3), (L,) -> points (L P, 3), level by level, and tetrahedra (3 M (L - 1), 4) in
    VTK's order. A tetrahedron has a point of each column of its triangle: where no triangle has
    all its corners on the rim, no tetrahedron has all of its on the mantle.
    """
    count = len(points)
    solid = np.column_stack([np.tile(points, (len(levels), 1)), np.repeat(levels, count)])
    ordered = np.sort(triangles, axis=1)
    a, b, c = ordered.T
    above_a, above_b, above_c = ordered.T + count
    layer = np.vstack(
        [
            np.column_stack([a, b, c, above_c]),
            np.column_stack([a, b, above_b, above_c]),
            np.column_stack([a, above_a, above_b, above_c]),
        ]
    )
    first, second, third, fourth = np.moveaxis(solid[layer], 1, 0)
    volume = (np.cross(second - first, third - first) * (fourth - first)).sum(axis=1)
    layer[volume < 0] = layer[volume < 0][:, [0, 2, 1, 3]]
    shifts = count * np.arange(len(levels) - 1)
    return solid, (layer + shifts[:, None, None]).reshape(-1, 4)


def rectangle_triangles(
    width: float, height: float, columns: int, rows: int
) -> tuple[Array, NDArray[np.int64]]:
    """A rectangle from (0, 0) in 2 columns x rows equal triangles: points (P, 2), (M, 3)."""
    x, y = np.meshgrid(np.linspace(0, width, columns + 1), np.linspace(0, height, rows + 1))
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    a, b, c, d = corner, corner + 1, corner + columns + 2, corner + columns + 1
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    return np.column_stack([x.ravel(), y.ravel()]), triangles


def even_levels(length: float, size: float) -> Array:
    """Levels from 0 to `length`, about `size` apart."""
    return np.linspace(0.0, length, max(1, round(length / size)) + 1)
