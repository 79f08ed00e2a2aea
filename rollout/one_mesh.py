"""What lies on two meshes is compared and exchanged by number: they have to be one."""

from __future__ import annotations

import numpy as np

from physgt.errors import PhysgtError
from physgt.mesh import Mesh

APART = 1e-4
"""Nodes of one mesh are closer than this share of its extent: files round coordinates."""


def require_same_points(ours: Mesh, theirs: Mesh, where: tuple[str, str]) -> None:
    """Raise PhysgtError where a node of one lies elsewhere in the other.

    where: what each of them is the mesh of, for the message.
    """
    apart = np.linalg.norm(ours.points - theirs.points, axis=1)
    node = int(apart.argmax())
    if apart[node] > APART * np.ptp(theirs.points, axis=0).max():
        raise PhysgtError(
            f"node {node} lies at {ours.points[node].tolist()} in {where[0]}, at "
            f"{theirs.points[node].tolist()} in {where[1]}; both must lie on one mesh, with its "
            "nodes in one order."
        )


def require_one_mesh(ours: Mesh, theirs: Mesh, where: tuple[str, str]) -> None:
    """Raise PhysgtError unless both have the same nodes and cells, each under the same number."""
    sizes = [(m.num_points, m.num_cells, m.dimension) for m in (ours, theirs)]
    if sizes[0] != sizes[1]:
        told = ["{} nodes and {} cells in {} dimensions".format(*size) for size in sizes]
        raise PhysgtError(
            f"{where[0]} lie on {told[0]}, but {where[1]} on {told[1]}; both must lie on one mesh."
        )
    require_same_points(ours, theirs, where)
    names = ("cell_types", "offsets", "connectivity")
    if not all(np.array_equal(getattr(ours, name), getattr(theirs, name)) for name in names):
        raise PhysgtError(
            f"{where[0]} and {where[1]} have the same nodes, but other cells; both must lie on "
            "one mesh, with its cells in one order."
        )
