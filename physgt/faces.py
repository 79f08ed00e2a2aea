"""What the cells of a mesh share: the faces of solids, the sides of areas, the ends of lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from physgt.cells import CELL_TYPES, POLYHEDRON, corners_of_cells, faces_of_cells
from physgt.mesh import Mesh


@dataclass(frozen=True, eq=False)
class CellFaces:
    """Every face of every cell of one dimension: a face that two share comes twice.

    nodes    (K,)   int64, the corners of all faces, end to end, in order around each face
    offsets  (F+1,) int64, face i has nodes[offsets[i]:offsets[i+1]]
    cells    (F,)   int64, the cell of each
    numbers  (F,)   int64, equal for faces with the same corners: 0 to num_distinct - 1

    Nodes between corners (quadratic cells) are no part of a face here, and a cell that is collapsed
    to a simpler one by repeating nodes has that one's faces.
    """

    nodes: np.ndarray
    offsets: np.ndarray
    cells: np.ndarray
    numbers: np.ndarray

    @property
    def num_distinct(self) -> int:
        return int(self.numbers.max(initial=-1)) + 1

    def on_boundary(self) -> np.ndarray:
        """(F,) bool: faces that no other cell has."""
        return np.bincount(self.numbers, minlength=self.num_distinct)[self.numbers] == 1

    def size_groups(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Faces with equally many corners together: (face numbers (f,), nodes (f, k))."""
        sizes = np.diff(self.offsets)
        for size in np.unique(sizes):
            faces = np.flatnonzero(sizes == size)
            yield faces, self.nodes[self.offsets[faces][:, None] + np.arange(size)]


def cell_faces(mesh: Mesh, dimension: int | None = None) -> CellFaces:
    """The faces of all cells, polyhedra among them, and which of them coincide.

    dimension: only those of the cells of this dimension, the mesh's highest without it.
    """
    dimensions = {CELL_TYPES[number].dimension for number in np.unique(mesh.cell_types).tolist()}
    wanted = max(dimensions) if dimension is None else dimension
    nodes, sizes, cells = [], [], []
    for number, of_block, block in mesh.blocks():
        if number == POLYHEDRON or CELL_TYPES[number].dimension != wanted:
            continue
        for face in faces_of_cells(number, block):
            nodes.append(face.ravel())
            sizes.append(np.full(len(face), face.shape[1]))
            cells.append(of_block)
    if mesh.polyhedra is not None and wanted == 3:
        of_polyhedra = mesh.polyhedra.faces()
        nodes.append(of_polyhedra[0])
        sizes.append(np.diff(of_polyhedra[1]))
        cells.append(of_polyhedra[2])
    joined = (np.concatenate([np.empty(0, np.int64), *arrays]) for arrays in (nodes, sizes, cells))
    corners, counts, of_cells = _without_repeats(wanted, *joined)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return CellFaces(corners, offsets, of_cells, _same_corners(corners, offsets))


def cell_graph(mesh: Mesh) -> np.ndarray:
    """Every pair of cells that share a face, in both directions: (2, E) int64.

    Row 0 holds senders, row 1 receivers; no self-loops, no repeats; sorted by receiver, then
    sender, as mesh_edges are. In a planar mesh a shared side counts, on lines a shared end. Cells
    of a lower dimension than the mesh's highest have no neighbours.

    This is the graph of a finite-volume method: its edges are the faces that fluxes pass.
    """
    faces = cell_faces(mesh)
    shape = (mesh.num_cells, faces.num_distinct)
    has = csr_array((np.ones(len(faces.cells), np.int32), (faces.cells, faces.numbers)), shape)
    shared = (has @ has.T).tocoo()
    apart = shared.row != shared.col
    receivers, senders = shared.row[apart].astype(np.int64), shared.col[apart].astype(np.int64)
    order = np.lexsort((senders, receivers))
    return np.stack([senders[order], receivers[order]])


def cells_behind(mesh: Mesh, surface: Mesh) -> np.ndarray:
    """Numbers of the cells of `mesh` that have a cell of `surface` as a face.

    surface: triangles, quadrilaterals, ... on a mesh of solids, lines on a planar one, with the
    node numbers of `mesh`.
    """
    faces = cell_faces(mesh)
    nodes, offsets = [faces.nodes], [faces.offsets]
    for number, _, block in surface.blocks():
        corners = corners_of_cells(number, block)
        nodes.append(corners.ravel())
        offsets.append(offsets[-1][-1] + np.arange(1, len(corners) + 1) * corners.shape[1])
    numbers = _same_corners(np.concatenate(nodes), np.concatenate(offsets))
    own, marked = np.split(numbers, [len(faces.cells)])
    return np.unique(faces.cells[np.isin(own, marked)])


def _without_repeats(
    fewest: int, nodes: np.ndarray, sizes: np.ndarray, cells: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The faces with a corner that follows itself once; those left with less than `fewest`: none.

    A collapsed cell, such as a quadrilateral that repeats a node to be a triangle, so has the faces
    of what it is.
    """
    ends = np.cumsum(sizes)
    before = np.arange(-1, len(nodes) - 1)
    before[ends - sizes] = ends - 1
    kept = (nodes != nodes[before]) | (np.repeat(sizes, sizes) == 1)
    if kept.all():
        return nodes, sizes, cells
    counts = np.add.reduceat(kept.astype(np.int64), ends - sizes)
    whole = counts >= fewest
    return nodes[kept & np.repeat(whole, sizes)], counts[whole], cells[whole]


def _same_corners(nodes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """A number for each face that two faces share where their corners are the same, in any order.

    Each node gets 128 random bits, and a face the sums of its nodes' bits: equal corners have
    equal sums, and others differ but for odds of 1e-25 even on a mesh of 1e6 cells.
    """
    if not len(nodes):
        return np.empty(0, np.int64)
    random = np.random.default_rng(0)
    bits = random.integers(0, 2**64, (2, nodes.max() + 1), dtype=np.uint64)
    first, second = np.add.reduceat(bits[:, nodes], offsets[:-1], axis=1)
    order = np.lexsort((second, first))
    new = np.diff(first[order], prepend=0).astype(bool) | np.diff(second[order], prepend=0).astype(
        bool
    )
    new[0] = False
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(new)
    return numbers
