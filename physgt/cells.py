"""Every cell type that physgt knows: its VTK number, name, dimension and edges.

Numbers and local node order are VTK's ("VTK File Formats", linear and quadratic cell figures);
names are meshio's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Edges = tuple[tuple[int, int], ...]

_LINE: Edges = ((0, 1),)
_TRIANGLE: Edges = ((0, 1), (1, 2), (2, 0))
_QUAD: Edges = ((0, 1), (1, 2), (2, 3), (3, 0))
_TETRA: Edges = (*_TRIANGLE, (0, 3), (1, 3), (2, 3))
_HEXAHEDRON: Edges = (
    *_QUAD, (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7),
)  # fmt: skip
_WEDGE: Edges = (*_TRIANGLE, (3, 4), (4, 5), (5, 3), (0, 3), (1, 4), (2, 5))
_PYRAMID: Edges = (*_QUAD, (0, 4), (1, 4), (2, 4), (3, 4))


def _prism(sides: int) -> Edges:
    ring = [(i, (i + 1) % sides) for i in range(sides)]
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
_HEXAHEDRON_FACES = (
    (11, 16, 15, 19), (9, 17, 13, 18), (8, 17, 12, 16), (10, 18, 14, 19), (8, 9, 10, 11),
    (12, 13, 14, 15),
)  # fmt: skip


@dataclass(frozen=True)
class CellType:
    """`num_nodes` is None where it varies from cell to cell (then `edges` is None as well)."""

    name: str
    dimension: int
    num_nodes: int | None
    edges: Edges | None


CELL_TYPES: dict[int, CellType] = {
    1: CellType("vertex", 0, 1, ()),
    2: CellType("poly_vertex", 0, None, None),
    3: CellType("line", 1, 2, _LINE),
    4: CellType("polyline", 1, None, None),
    5: CellType("triangle", 2, 3, _TRIANGLE),
    6: CellType("triangle_strip", 2, None, None),
    7: CellType("polygon", 2, None, None),
    8: CellType("pixel", 2, 4, ((0, 1), (1, 3), (3, 2), (2, 0))),
    9: CellType("quad", 2, 4, _QUAD),
    10: CellType("tetra", 3, 4, _TETRA),
    11: CellType(
        "voxel", 3, 8,
        ((0, 1), (1, 3), (3, 2), (2, 0), (4, 5), (5, 7), (7, 6), (6, 4),
         (0, 4), (1, 5), (2, 6), (3, 7)),
    ),
    12: CellType("hexahedron", 3, 8, _HEXAHEDRON),
    13: CellType("wedge", 3, 6, _WEDGE),
    14: CellType("pyramid", 3, 5, _PYRAMID),
    15: CellType("penta_prism", 3, 10, _prism(5)),
    16: CellType("hexa_prism", 3, 12, _prism(6)),
    21: CellType("line3", 1, 3, _quadratic(_LINE, 2)),
    22: CellType("triangle6", 2, 6, _quadratic(_TRIANGLE, 3)),
    23: CellType("quad8", 2, 8, _quadratic(_QUAD, 4)),
    24: CellType("tetra10", 3, 10, _quadratic(_TETRA, 4)),
    25: CellType("hexahedron20", 3, 20, _quadratic(_HEXAHEDRON, 8)),
    26: CellType("wedge15", 3, 15, _quadratic(_WEDGE, 6)),
    27: CellType("pyramid13", 3, 13, _quadratic(_PYRAMID, 5)),
    28: CellType("quad9", 2, 9, _quadratic(_QUAD, 4) + _spokes(8, (4, 5, 6, 7))),
    29: CellType(
        "hexahedron27", 3, 27,
        _quadratic(_HEXAHEDRON, 8)
        + tuple(e for face, rim in enumerate(_HEXAHEDRON_FACES) for e in _spokes(20 + face, rim))
        + _spokes(26, (20, 21, 22, 23, 24, 25)),
    ),
    34: CellType("triangle7", 2, 7, _quadratic(_TRIANGLE, 3) + _spokes(6, (3, 4, 5))),
}  # fmt: skip

VTK_NUMBERS: dict[str, int] = {cell.name: number for number, cell in CELL_TYPES.items()}


def edges_of_cells(number: int, nodes: np.ndarray) -> np.ndarray:
    """The edges (2, cells * edges per cell) of cells of one type and size.

    `nodes` (cells, nodes per cell) holds global node numbers. Each edge comes once per cell.
    """
    local = CELL_TYPES[number].edges
    if local is None:
        local = _edges_of_variable_cell(CELL_TYPES[number].name, nodes.shape[1])
    pairs = np.asarray(local, dtype=np.int64).reshape(-1, 2)
    return nodes[:, pairs].reshape(-1, 2).T


def _edges_of_variable_cell(name: str, size: int) -> Edges:
    path = tuple((i, i + 1) for i in range(size - 1))
    match name:
        case "poly_vertex":
            return ()
        case "polyline":
            return path
        case "polygon":
            return (*path, (size - 1, 0))
        case "triangle_strip":
            return (*path, *((i, i + 2) for i in range(size - 2)))
        case _:
            raise AssertionError(f"cells of type {name} have a fixed number of nodes")
