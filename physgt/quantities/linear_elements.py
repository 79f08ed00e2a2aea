"""Matrices of linear finite elements on triangles and tetrahedra."""

from __future__ import annotations

from math import factorial

import numpy as np
from scipy import sparse

from physgt.cells import CELL_TYPES
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.quantities.surface import shape_gradients

_SIMPLICES = {2: 5, 3: 10}
"""VTK's numbers of triangles and tetrahedra, by the dimension of the mesh."""


def simplices(mesh: Mesh) -> np.ndarray:
    """(M, D+1) all triangles or tetrahedra of a mesh, which may have other cells as well.

    Raises PhysgtError where there are none.
    """
    number = _SIMPLICES.get(mesh.dimension)
    cells = [nodes for found, _, nodes in mesh.blocks() if found == number]
    if not cells:
        raise PhysgtError("outputs over the mesh need triangles or tetrahedra.")
    return np.concatenate(cells)


def only_simplices(mesh: Mesh, ids: np.ndarray | None = None) -> np.ndarray:
    """(M, D+1) all cells, or those that have one of some nodes.

    Raises PhysgtError where one of them isn't a triangle or tetrahedron: what is integrated over
    the others alone would lack its part.
    """
    cells = simplices(mesh)
    wanted = np.ones(mesh.num_points, dtype=bool)
    if ids is not None:
        wanted[:] = False
        wanted[ids] = True
    for number, numbers, nodes in mesh.blocks():
        kind = CELL_TYPES[number]
        others = wanted[nodes].any(axis=1)
        fills = kind.dimension == mesh.dimension and number != _SIMPLICES[mesh.dimension]
        if fills and others.any():
            raise PhysgtError(
                f"cell {numbers[others][0]} is a {kind.name}, but this quantity needs "
                f"{'triangles' if mesh.dimension == 2 else 'tetrahedra'} alone; split the others "
                "first."
            )
    return np.asarray(cells[wanted[cells].any(axis=1)])


def volumes(mesh: Mesh, cells: np.ndarray) -> np.ndarray:
    """(M,) m^3; m^2 in a planar mesh."""
    edges = mesh.points[cells[:, 1:]] - mesh.points[cells[:, :1]]
    return np.abs(np.linalg.det(edges)) / factorial(mesh.dimension)


def stiffness_and_mass(
    mesh: Mesh, cells: np.ndarray | None = None
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """(N, N) integrals of grad phi_i . grad phi_j and of phi_i phi_j, over all or some cells."""
    cells = only_simplices(mesh) if cells is None else cells
    size, volume = cells.shape[1], volumes(mesh, cells)
    gradients = shape_gradients(mesh.points[cells])
    stiffness = volume[:, None, None] * (gradients @ gradients.transpose(0, 2, 1))
    mass = volume[:, None, None] * (1 + np.eye(size)) / (size * (size + 1))
    return _assembled(mesh, cells, stiffness), _assembled(mesh, cells, mass)


def divergences(mesh: Mesh, cells: np.ndarray) -> list[sparse.csr_array]:
    """D of (N, N), one an axis: the integrals of d phi_i / dx_k times phi_j over some cells."""
    size, gradients = cells.shape[1], shape_gradients(mesh.points[cells])
    weighted = gradients * (volumes(mesh, cells) / size)[:, None, None]
    return [
        _assembled(mesh, cells, np.repeat(weighted[:, :, k, None], size, axis=2))
        for k in range(mesh.dimension)
    ]


class Convection:
    """(u, q) -> (N[, C]) the integrals of (u . grad) q times phi_i over some cells.

    u (N, D) and q (N[, C]) are linear in each cell.
    """

    def __init__(self, mesh: Mesh, cells: np.ndarray) -> None:
        size, volume = cells.shape[1], volumes(mesh, cells)
        self._cells, self._gradients = cells, shape_gradients(mesh.points[cells])
        self._mass = volume[:, None, None] * (1 + np.eye(size)) / (size * (size + 1))
        nodes = cells.ravel()
        shape = mesh.num_points, len(nodes)
        self._scatter = sparse.csr_array(
            (np.ones(len(nodes)), (nodes, np.arange(len(nodes)))), shape
        )

    def __call__(self, flow: np.ndarray, values: np.ndarray) -> np.ndarray:
        columns = values.reshape(len(values), -1)
        slopes = np.einsum("mad,mac->mdc", self._gradients, columns[self._cells])
        loads = (self._mass @ flow[self._cells]) @ slopes
        found = self._scatter @ loads.reshape(-1, columns.shape[1])
        return np.asarray(found.reshape(values.shape))


def _assembled(mesh: Mesh, cells: np.ndarray, of_cells: np.ndarray) -> sparse.csr_array:
    size = cells.shape[1]
    rows, columns = np.repeat(cells, size, axis=1), np.tile(cells, size)
    shape = (mesh.num_points, mesh.num_points)
    return sparse.csr_array((of_cells.ravel(), (rows.ravel(), columns.ravel())), shape)
