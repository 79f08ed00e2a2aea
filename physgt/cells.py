"""Every cell type that physgt knows: its VTK number, name, dimension, edges and faces.

Numbers and local node order are VTK's ("VTK File Formats", linear and quadratic cell figures);
names are meshio's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from physgt.higher_order import FIRST_BEZIER, FIRST_LAGRANGE, SHAPES, joined_nodes, orders

Edges = tuple[tuple[int, int], ...]
Faces = tuple[tuple[int, ...], ...]

_LINE: Edges = ((0, 1),)
_TRIANGLE: Edges = ((0, 1), (1, 2), (2, 0))
_QUAD: Edges = ((0, 1), (1, 2), (2, 3), (3, 0))
_TETRA: Edges = (*_TRIANGLE, (0, 3), (1, 3), (2, 3))
_HEXAHEDRON: Edges = (
    *_QUAD, (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7),
)  # fmt: skip
_WEDGE: Edges = (*_TRIANGLE, (3, 4), (4, 5), (5, 3), (0, 3), (1, 4), (2, 5))
_PYRAMID: Edges = (*_QUAD, (0, 4), (1, 4), (2, 4), (3, 4))


def _ring(size: int) -> Edges:
    return tuple((i, (i + 1) % size) for i in range(size))


def _prism(sides: int) -> Edges:
    ring = _ring(sides)
    top = [(a + sides, b + sides) for a, b in ring]
    return (*ring, *top, *((i, i + sides) for i in range(sides)))


def _quadratic(edges: Edges, corners: int) -> Edges:
    """Each edge of the linear cell passes through its mid-edge node; those follow the corners."""
    halves: list[tuple[int, int]] = []
    for middle, (a, b) in enumerate(edges, start=corners):
        halves += [(a, middle), (middle, b)]
    return tuple(halves)


def _spokes(centre: int, rim: tuple[int, ...]) -> Edges:
    """A node inside a face or cell has no cell edge of its own; it joins its nearest nodes."""
    return tuple((centre, node) for node in rim)


# Mid-edge nodes around the face centres 20 to 25.
_HEXAHEDRON_RIMS = (
    (11, 16, 15, 19), (9, 17, 13, 18), (8, 17, 12, 16), (10, 18, 14, 19), (8, 9, 10, 11),
    (12, 13, 14, 15),
)  # fmt: skip


_TETRA_FACES: Faces = ((0, 1, 3), (1, 2, 3), (2, 0, 3), (0, 2, 1))
_VOXEL_FACES: Faces = (
    (0, 2, 6, 4), (1, 5, 7, 3), (0, 4, 5, 1), (2, 3, 7, 6), (0, 1, 3, 2), (4, 6, 7, 5),
)  # fmt: skip
_HEXAHEDRON_FACES: Faces = (
    (0, 4, 7, 3), (1, 2, 6, 5), (0, 1, 5, 4), (3, 7, 6, 2), (0, 3, 2, 1), (4, 5, 6, 7),
)  # fmt: skip
_WEDGE_FACES: Faces = ((0, 1, 2), (3, 5, 4), (0, 3, 4, 1), (1, 4, 5, 2), (2, 5, 3, 0))
_PYRAMID_FACES: Faces = ((0, 3, 2, 1), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4))


def _prism_faces(sides: int) -> Faces:
    ring = tuple(range(sides))
    walls = tuple((i, (i + 1) % sides, (i + 1) % sides + sides, i + sides) for i in ring)
    return (ring[::-1], tuple(i + sides for i in ring), *walls)


@dataclass(frozen=True)
class CellType:
    """`num_nodes` is None where it varies from cell to cell (then `edges` is None as well).

    faces: what two neighbours share, as corners in order around each: the faces of a cell with a
    volume, the sides of one with an area, the ends of a line. None where it varies.
    shape: of a cell of any order, one of SHAPES.
    """

    name: str
    dimension: int
    num_nodes: int | None
    edges: Edges | None
    faces: Faces | None = None
    shape: str | None = None

    def sizes(self) -> tuple[int, ...]:
        """All numbers of nodes that such a cell may have; none where it may have any."""
        if self.shape is not None:
            return tuple(sorted(orders(self.shape)))
        return () if self.num_nodes is None else (self.num_nodes,)


_ENDS: Faces = ((0,), (1,))
_PIXEL: Edges = ((0, 1), (1, 3), (3, 2), (2, 0))


def _of_any_order(first: int, family: str) -> dict[int, CellType]:
    """By VTK's numbers, from that of curves on. The corners come first, as in linear cells."""
    faces = (_ENDS, _TRIANGLE, _QUAD, _TETRA_FACES, _HEXAHEDRON_FACES, _WEDGE_FACES)
    return {
        number: CellType(f"{family}_{shape}", sum(SHAPES[shape]), None, None, of_shape, shape)
        for number, (shape, of_shape) in enumerate(zip(SHAPES, faces, strict=True), start=first)
    }


CELL_TYPES: dict[int, CellType] = {
    1: CellType("vertex", 0, 1, (), ()),
    2: CellType("poly_vertex", 0, None, None),
    3: CellType("line", 1, 2, _LINE, _ENDS),
    4: CellType("polyline", 1, None, None),
    5: CellType("triangle", 2, 3, _TRIANGLE, _TRIANGLE),
    6: CellType("triangle_strip", 2, None, None),
    7: CellType("polygon", 2, None, None),
    8: CellType("pixel", 2, 4, _PIXEL, _PIXEL),
    9: CellType("quad", 2, 4, _QUAD, _QUAD),
    10: CellType("tetra", 3, 4, _TETRA, _TETRA_FACES),
    11: CellType(
        "voxel", 3, 8,
        (*_PIXEL, (4, 5), (5, 7), (7, 6), (6, 4), (0, 4), (1, 5), (2, 6), (3, 7)),
        _VOXEL_FACES,
    ),
    12: CellType("hexahedron", 3, 8, _HEXAHEDRON, _HEXAHEDRON_FACES),
    13: CellType("wedge", 3, 6, _WEDGE, _WEDGE_FACES),
    14: CellType("pyramid", 3, 5, _PYRAMID, _PYRAMID_FACES),
    15: CellType("penta_prism", 3, 10, _prism(5), _prism_faces(5)),
    16: CellType("hexa_prism", 3, 12, _prism(6), _prism_faces(6)),
    21: CellType("line3", 1, 3, _quadratic(_LINE, 2), _ENDS),
    22: CellType("triangle6", 2, 6, _quadratic(_TRIANGLE, 3), _TRIANGLE),
    23: CellType("quad8", 2, 8, _quadratic(_QUAD, 4), _QUAD),
    24: CellType("tetra10", 3, 10, _quadratic(_TETRA, 4), _TETRA_FACES),
    25: CellType("hexahedron20", 3, 20, _quadratic(_HEXAHEDRON, 8), _HEXAHEDRON_FACES),
    26: CellType("wedge15", 3, 15, _quadratic(_WEDGE, 6), _WEDGE_FACES),
    27: CellType("pyramid13", 3, 13, _quadratic(_PYRAMID, 5), _PYRAMID_FACES),
    28: CellType("quad9", 2, 9, _quadratic(_QUAD, 4) + _spokes(8, (4, 5, 6, 7)), _QUAD),
    29: CellType(
        "hexahedron27", 3, 27,
        _quadratic(_HEXAHEDRON, 8)
        + tuple(e for face, rim in enumerate(_HEXAHEDRON_RIMS) for e in _spokes(20 + face, rim))
        + _spokes(26, (20, 21, 22, 23, 24, 25)),
        _HEXAHEDRON_FACES,
    ),
    30: CellType("quad6", 2, 6, (*_quadratic(((0, 1), (2, 3)), 4), (1, 2), (3, 0)), _QUAD),
    31: CellType(
        "wedge12", 3, 12, (*_quadratic(_WEDGE[:6], 6), *_WEDGE[6:]), _WEDGE_FACES
    ),
    32: CellType(
        "wedge18", 3, 18,
        _quadratic(_WEDGE, 6)
        + _spokes(15, (6, 13, 9, 12)) + _spokes(16, (7, 14, 10, 13)) + _spokes(17, (8, 12, 11, 14)),
        _WEDGE_FACES,
    ),
    33: CellType(
        "hexahedron24", 3, 24,
        _quadratic(_HEXAHEDRON, 8)
        + tuple(e for i, rim in enumerate(_HEXAHEDRON_RIMS[:4]) for e in _spokes(20 + i, rim)),
        _HEXAHEDRON_FACES,
    ),
    34: CellType("triangle7", 2, 7, _quadratic(_TRIANGLE, 3) + _spokes(6, (3, 4, 5)), _TRIANGLE),
    35: CellType("line4", 1, 4, ((0, 2), (2, 3), (3, 1)), _ENDS),
    36: CellType("quadratic_polygon", 2, None, None),
    37: CellType(
        "pyramid19", 3, 19,
        _quadratic(_PYRAMID, 5)
        + _spokes(13, (5, 6, 7, 8)) + _spokes(14, (5, 10, 9)) + _spokes(15, (6, 11, 10))
        + _spokes(16, (7, 12, 11)) + _spokes(17, (8, 9, 12)) + _spokes(18, (13, 14, 15, 16, 17)),
        _PYRAMID_FACES,
    ),
    42: CellType("polyhedron", 3, None, None),
    **_of_any_order(FIRST_LAGRANGE, "lagrange"),
    **_of_any_order(FIRST_BEZIER, "bezier"),
}  # fmt: skip

POLYHEDRON = 42
"""The cell type whose faces differ from cell to cell: Mesh.polyhedra holds them."""

VTK_NUMBERS: dict[str, int] = {cell.name: number for number, cell in CELL_TYPES.items()}


def edges_of_cells(number: int, nodes: np.ndarray) -> np.ndarray:
    """The edges (2, cells * edges per cell) of cells of one type and size.

    `nodes` (cells, nodes per cell) holds global node numbers. Each edge comes once per cell.
    """
    cell, size = CELL_TYPES[number], nodes.shape[1]
    local = cell.edges
    if cell.shape is not None:
        local = joined_nodes(number, cell.shape, size)
    elif local is None:
        local = _edges_of_variable_cell(cell.name, size)
    pairs = np.asarray(local, dtype=np.int64).reshape(-1, 2)
    return nodes[:, pairs].reshape(-1, 2).T


def faces_of_cells(number: int, nodes: np.ndarray) -> list[np.ndarray]:
    """The corners (cells, k) of each face of cells of one type and size, but for polyhedra.

    `nodes` (cells, nodes per cell) holds global node numbers; see CellType.faces.
    """
    local = CELL_TYPES[number].faces
    if local is None:
        local = _faces_of_variable_cell(CELL_TYPES[number].name, nodes.shape[1])
    return [nodes[:, corners] for corners in local]


def corners_of_cells(number: int, nodes: np.ndarray) -> np.ndarray:
    """The corners (cells, k) of cells without volume, in order around them: no mid-edge nodes."""
    ends = [face[:, 0] for face in faces_of_cells(number, nodes)]
    return np.stack(ends, axis=1) if ends else nodes


def _edges_of_variable_cell(name: str, size: int) -> Edges:
    path = tuple((i, i + 1) for i in range(size - 1))
    match name:
        case "poly_vertex":
            return ()
        case "polyline":
            return path
        case "polygon":
            return _ring(size)
        case "quadratic_polygon":
            return _quadratic(_ring(size // 2), size // 2)
        case "triangle_strip":
            return (*path, *((i, i + 2) for i in range(size - 2)))
        case _:
            raise AssertionError(f"cells of type {name} have no edges of their own")


def _faces_of_variable_cell(name: str, size: int) -> Faces:
    match name:
        case "poly_vertex":
            return ()
        case "polyline":
            return ((0,), (size - 1,))
        case "polygon":
            return _ring(size)
        case "quadratic_polygon":
            return _ring(size // 2)
        case "triangle_strip":
            around = (*range(0, size, 2), *reversed(range(1, size, 2)))
            return tuple(pairwise((*around, around[0])))
        case _:
            raise AssertionError(f"cells of type {name} have no faces of their own")
