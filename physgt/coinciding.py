"""Points at one place: of parts that were stored apart, and of cells with nodes of their own."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from physgt.errors import PhysgtError
from physgt.mesh import Mesh

COINCIDE = 1e-9
"""Points this near, in extents of the mesh, are at one place."""


def coinciding_pairs(points: np.ndarray) -> np.ndarray:
    """(P, 2): the numbers of all two points that are nearer than COINCIDE extents."""
    near = COINCIDE * np.ptp(points, axis=0).max()
    return cKDTree(points).query_pairs(near, output_type="ndarray")


def one_number_each(pairs: np.ndarray, num_points: int) -> np.ndarray:
    """(N,) each point's new number where the two of a pair become one; they keep their order."""
    joined = coo_array((np.ones(len(pairs)), pairs.T), shape=(num_points, num_points))
    return connected_components(joined, directed=False)[1].astype(np.int64)


def stand_alone(mesh: Mesh) -> bool:
    """Whether no cell shares a node with another, though nodes coincide.

    So deal.II and discontinuous methods write their results.
    """
    if mesh.num_cells < 2 or np.bincount(mesh.connectivity).max() > 1:
        return False
    return len(coinciding_pairs(mesh.points)) > 0


def require_joined(mesh: Mesh) -> None:
    """Raise PhysgtError for cells that stand alone: no edge of the graph would lead to another."""
    if stand_alone(mesh):
        raise PhysgtError(
            f"no two of the {mesh.num_cells} cells share a node, though nodes coincide: each cell "
            "was written with nodes of its own. `physgt convert FILE --join-points -o OUTPUT` "
            "makes one node of those at one place."
        )
