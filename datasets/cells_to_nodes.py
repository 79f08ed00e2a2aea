"""Fields of cells as fields of nodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from physgt.datasets.moved_fields import with_moved_fields
from physgt.mesh import Mesh
from physgt.task import Field
from physgt.trajectory import Trajectory


def cells_to_nodes(trajectory: Trajectory) -> Trajectory:
    """The same trajectory with its cell fields on nodes: the mean over the cells around each node.

    Whole numbers become float64. A node in no cell gets nan.
    """
    weights = _cells_around_nodes(trajectory.mesh)
    in_no_cell = np.diff(weights.indptr) == 0

    def moved(field: Field, values: np.ndarray) -> np.ndarray:
        if field.location != "cell":
            return values
        found: np.ndarray = weights @ values
        found[in_no_cell] = np.nan
        return found

    return with_moved_fields(trajectory, trajectory.mesh, _on_nodes, moved)


def _on_nodes(field: Field) -> Field:
    if field.location != "cell":
        return field
    whole = np.dtype(field.dtype).kind in "iu"
    return replace(field, location="node", dtype="float64" if whole else field.dtype)


def _cells_around_nodes(mesh: Mesh) -> csr_array:
    """(N, M): row i holds 1 / (number of cells around node i) for each of them."""
    cells = np.repeat(np.arange(mesh.num_cells), np.diff(mesh.offsets))
    # A collapsed cell has a node several times, and is one cell around it.
    nodes, cells = np.divmod(np.unique(mesh.connectivity * mesh.num_cells + cells), mesh.num_cells)
    counts = np.bincount(nodes, minlength=mesh.num_points)
    return csr_array((1 / counts[nodes], (nodes, cells)), shape=(mesh.num_points, mesh.num_cells))
