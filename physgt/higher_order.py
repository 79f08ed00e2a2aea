"""Cells of any order, Lagrange's and Bezier's: their numbers of nodes, and which nodes are joined.

VTK says where the nodes of such a cell lie; it is imported only where a mesh has one.
"""

from __future__ import annotations

from functools import cache
from math import comb, prod

import numpy as np
from scipy.spatial import cKDTree

SHAPES: dict[str, tuple[int, ...]] = {
    "curve": (1,), "triangle": (2,), "quadrilateral": (1, 1), "tetrahedron": (3,),
    "hexahedron": (1, 1, 1), "wedge": (2, 1),
}  # fmt: skip
"""Each is a product of simplices of these dimensions; in the order of VTK's numbers."""

FIRST_LAGRANGE, FIRST_BEZIER = 68, 75
"""VTK's numbers of the two curves."""

HIGHEST_ORDER = 10
"""VTK has no room for the shape functions of more."""

WITH_CENTRES = {"triangle": 7, "tetrahedron": 15, "wedge": 21}
"""Nodes of the cells of second order that have one in the centre of each face and cell as well."""

WEIGHTS = "RationalWeights"
"""Node data (N,) of rational Bezier cells, under VTK's name for them."""


@cache
def orders(shape: str) -> dict[int, int]:
    """Number of nodes -> order."""
    found = {
        prod(comb(order + d, d) for d in SHAPES[shape]): order
        for order in range(1, HIGHEST_ORDER + 1)
    }
    return found | ({WITH_CENTRES[shape]: 2} if shape in WITH_CENTRES else {})


@cache
def joined_nodes(number: int, shape: str, size: int) -> tuple[tuple[int, int], ...]:
    """The edges of a cell of `size` nodes with VTK's number `number`, in local node numbers.

    Nodes a step apart are joined along the cell's edges; off these, where one of them lies inside
    of a face or of the cell and the other in the same or on its rim. For second order that is a
    mid-edge node between two corners, and a centre amid those around it.
    """
    weights = _barycentric(_places(number, size), SHAPES[shape])
    on_side = weights < 1e-6
    near = cKDTree(weights * orders(shape)[size]).query_pairs(2 + 1e-6, p=1, output_type="ndarray")
    a, b = on_side[near[:, 0]], on_side[near[:, 1]]
    shared = (a & b).sum(axis=1)
    on_edge = shared == sum(SHAPES[shape]) - 1
    inside = (shared == a.sum(axis=1)) | (shared == b.sum(axis=1))
    return tuple((int(first), int(second)) for first, second in near[on_edge | inside])


def _barycentric(places: np.ndarray, simplices: tuple[int, ...]) -> np.ndarray:
    """(n, W) the barycentric coordinates in each simplex of the product, side by side.

    One of them is 0 on each side of the cell, and a step moves one share from one to another.
    """
    columns, first = [], 0
    for dimension in simplices:
        own = places[:, first : first + dimension]
        columns += [own, 1 - own.sum(axis=1, keepdims=True)]
        first += dimension
    return np.hstack(columns)


def _places(number: int, size: int) -> np.ndarray:
    """(size, 3) where the nodes lie in the reference cell, from 0 to 1."""
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkUnstructuredGrid

    points, grid = vtkPoints(), vtkUnstructuredGrid()
    points.SetNumberOfPoints(size)
    grid.SetPoints(points)
    grid.InsertNextCell(number, size, range(size))
    return np.array(grid.GetCell(0).GetParametricCoords()).reshape(size, 3)
