"""Where the fields of a task live on a mesh: its nodes or, for finite volumes, its cells."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from physgt.errors import PhysgtError
from physgt.faces import CellFaces, cell_faces, cell_graph
from physgt.mesh import NUM_NODE_TYPES, Mesh

_of_mesh: WeakKeyDictionary[Mesh, Mesh] = WeakKeyDictionary()


def cell_sites(mesh: Mesh) -> Mesh:
    """The cells of a mesh as points of another: to graphs, models and boundaries they are nodes.

    points      the mean of each cell's nodes
    cells       a line between two cells that share a face (a side in 2-D, an end in 1-D): its
                edges are the faces that fluxes pass
    node_sets   the mesh's cell sets and, under names that these don't have, the cells at each node
                set: those with a face on the mesh's boundary whose nodes are all in the set, and
                those whose nodes are all in it
    node_type   the type that most nodes of a cell's boundary faces have, the smallest of several;
                NORMAL in the interior

    The result is kept for as long as the mesh lives. Raises PhysgtError where the mesh has cells
    of a lower dimension than its others, which share no faces with them.
    """
    if mesh not in _of_mesh:
        _of_mesh[mesh] = _cell_sites(mesh)
    return _of_mesh[mesh]


def _cell_sites(mesh: Mesh) -> Mesh:
    faces = cell_faces(mesh)
    without = np.setdiff1d(np.arange(mesh.num_cells), faces.cells)
    if without.size:
        raise PhysgtError(
            f"{without.size} of the {mesh.num_cells} cells have a lower dimension than the others, "
            f"the first is cell {without[0]}; a task on cells needs cells of one dimension: "
            "physgt convert makes named sets of the others."
        )
    senders, receivers = cell_graph(mesh)
    once = senders < receivers
    alone = np.setdiff1d(np.arange(mesh.num_cells), senders)
    names = sorted(set(mesh.node_sets) - set(mesh.cell_sets))
    at_nodes = {name: _cells_at(mesh, faces, mesh.node_sets[name]) for name in names}
    return Mesh.from_blocks(
        _centres(mesh),
        [
            ("line", np.stack([senders[once], receivers[once]], axis=1)),
            ("vertex", alone[:, None]),
        ],
        node_type=_types(mesh, faces),
        node_sets={**mesh.cell_sets, **at_nodes},
    )


def _centres(mesh: Mesh) -> np.ndarray:
    sizes = np.diff(mesh.offsets)
    return np.add.reduceat(mesh.points[mesh.connectivity], mesh.offsets[:-1]) / sizes[:, None]


def _cells_at(mesh: Mesh, faces: CellFaces, nodes: np.ndarray) -> np.ndarray:
    inside = np.zeros(mesh.num_points, dtype=bool)
    inside[nodes] = True
    of_faces = np.logical_and.reduceat(inside[faces.nodes], faces.offsets[:-1])
    whole = np.logical_and.reduceat(inside[mesh.connectivity], mesh.offsets[:-1])
    at_boundary = faces.cells[of_faces & faces.on_boundary()]
    return np.union1d(at_boundary, np.flatnonzero(whole))


def _types(mesh: Mesh, faces: CellFaces) -> np.ndarray:
    """(M,) types by vote: NORMAL nodes have none."""
    of_nodes = np.repeat(faces.on_boundary(), np.diff(faces.offsets))
    cells = np.repeat(faces.cells, np.diff(faces.offsets))[of_nodes]
    votes = np.zeros((mesh.num_cells, NUM_NODE_TYPES), dtype=np.int64)
    np.add.at(votes, (cells, mesh.node_type[faces.nodes[of_nodes]]), 1)
    votes[:, 0] = 0
    return votes.argmax(axis=1)
