"""How large cells are, and the share of each node: weights of means and norms over a mesh."""

from __future__ import annotations

import numpy as np

from physgt.faces import cell_faces
from physgt.mesh import Mesh


def cell_volumes(mesh: Mesh) -> np.ndarray:
    """(M,) the volume of each cell; the area in a mesh of faces, the length in one of lines.

    Cells of a lower dimension than the mesh's highest have 0. A cell is measured as the simplices
    between its centre and its faces: exact in the plane, and in space where all of its boundary is
    seen from there. Curved cells count as the straight ones between their corners.
    """
    faces, centres = cell_faces(mesh), cell_centres(mesh)
    volumes = np.zeros(mesh.num_cells)
    for numbers, nodes in faces.size_groups():
        cells, rim = faces.cells[numbers], mesh.points[nodes]  # (f,), (f, k, D)
        if rim.shape[1] <= 2:
            sizes = _simplex_sizes(np.concatenate([centres[cells][:, None], rim], axis=1))
            if rim.shape[1:] == (
                2,
                2,
            ):  # sides in order around a cell: the signs tell what sticks out
                sizes *= np.sign(np.linalg.det(rim - centres[cells][:, None]))
        else:
            ends = np.stack([centres[cells], rim.mean(axis=1)], axis=1)  # of cell and face
            sides = [np.stack([rim[:, i - 1], rim[:, i]], axis=1) for i in range(rim.shape[1])]
            parts = [_simplex_sizes(np.concatenate([ends, side], axis=1)) for side in sides]
            sizes = np.sum(parts, axis=0)
        volumes += np.bincount(cells, sizes, mesh.num_cells)
    return np.abs(volumes)


def node_volumes(mesh: Mesh) -> np.ndarray:
    """(N,) the cells' volumes, each shared equally among the nodes of its cell."""
    sizes = np.diff(mesh.offsets)
    shares = np.repeat(cell_volumes(mesh) / sizes, sizes)
    return np.bincount(mesh.connectivity, shares, mesh.num_points)


def cell_centres(mesh: Mesh) -> np.ndarray:
    """(M, D) the mean of each cell's nodes."""
    sizes = np.diff(mesh.offsets)
    cells = np.repeat(np.arange(mesh.num_cells), sizes)
    columns = mesh.points[mesh.connectivity].T
    sums = [np.bincount(cells, column, mesh.num_cells) for column in columns]
    return np.stack(sums, axis=1) / sizes[:, None]


def _simplex_sizes(corners: np.ndarray) -> np.ndarray:
    """(F,) lengths, areas or volumes of simplices (F, d+1, D), by the determinant of Gram."""
    along = corners[:, 1:] - corners[:, :1]
    gram = along @ along.transpose(0, 2, 1)
    factorial = (1, 1, 2, 6)[along.shape[1]]
    sizes: np.ndarray = np.sqrt(np.linalg.det(gram).clip(min=0)) / factorial
    return sizes
