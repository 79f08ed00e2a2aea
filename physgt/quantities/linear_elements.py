"""Matrices of linear finite elements on triangles and tetrahedra."""

from __future__ import annotations

from math import factorial

import numpy as np
from scipy import sparse

from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.quantities.surface import shape_gradients


def simplices(mesh: Mesh) -> np.ndarray:
    """(M, D+1) all cells of a mesh of triangles or tetrahedra.

    Raises PhysgtError where there are none.
    """
    number = {2: 5, 3: 10}.get(mesh.dimension)
    cells = [nodes for found, _, nodes in mesh.blocks() if found == number]
    if not cells:
        raise PhysgtError("outputs over the mesh need triangles or tetrahedra.")
    return np.concatenate(cells)


def volumes(mesh: Mesh, cells: np.ndarray) -> np.ndarray:
    """(M,) m^3; m^2 in a planar mesh."""
    edges = mesh.points[cells[:, 1:]] - mesh.points[cells[:, :1]]
    return np.abs(np.linalg.det(edges)) / factorial(mesh.dimension)


def stiffness_and_mass(mesh: Mesh) -> tuple[sparse.csr_array, sparse.csr_array]:
    """(N, N) the integrals of grad phi_i . grad phi_j, and of phi_i phi_j, over the mesh."""
    cells = simplices(mesh)
    size, volume = cells.shape[1], volumes(mesh, cells)
    gradients = shape_gradients(mesh.points[cells])
    stiffness = volume[:, None, None] * (gradients @ gradients.transpose(0, 2, 1))
    mass = volume[:, None, None] * (1 + np.eye(size)) / (size * (size + 1))
    rows, columns = np.repeat(cells, size, axis=1), np.tile(cells, size)
    shape = (mesh.num_points, mesh.num_points)
    return (
        sparse.csr_array((stiffness.ravel(), (rows.ravel(), columns.ravel())), shape),
        sparse.csr_array((mass.ravel(), (rows.ravel(), columns.ravel())), shape),
    )
