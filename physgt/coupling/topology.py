"""Edges and faces of a mesh with numbers of their own, as UGRID and BMI have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physgt.cells import CELL_TYPES
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, mesh_edges
from physgt.quantities.surface import linear_faces


@dataclass(frozen=True, eq=False)
class Topology:
    """
    edge_nodes      (E, 2) each edge once, the smaller node number first
    nodes_per_face  (F,)
    face_nodes      (K,) the nodes of all faces, end to end, around each
    face_edges      (K,) the edges of all faces: from each node of face_nodes to the next around
    """

    edge_nodes: np.ndarray
    nodes_per_face: np.ndarray
    face_nodes: np.ndarray
    face_edges: np.ndarray

    @classmethod
    def of(cls, mesh: Mesh) -> Topology:
        """Faces are the cells of planar and surface meshes and the cells' faces of solid ones.

        Raises PhysgtError for cells that aren't linear.
        """
        senders, receivers = mesh_edges(mesh)
        # Sorted by receiver, then sender: the keys below are sorted as well.
        once = receivers < senders
        edge_nodes = np.stack([receivers[once], senders[once]], axis=1)
        solid = any(CELL_TYPES[number].dimension == 3 for number in np.unique(mesh.cell_types))
        sizes, nodes = _faces_of_solids(mesh) if solid else _planar_cells(mesh)
        following = np.arange(1, len(nodes) + 1)
        ends = np.cumsum(sizes)
        following[ends - 1] = ends - sizes
        pairs = np.sort(np.stack([nodes, nodes[following]], axis=1), axis=1)
        keys = edge_nodes @ [mesh.num_points, 1]
        return cls(edge_nodes, sizes, nodes, np.searchsorted(keys, pairs @ [mesh.num_points, 1]))


def _planar_cells(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """(F,) and (K,) numbers of nodes and nodes of the cells with an area, in their order."""
    for number in np.unique(mesh.cell_types).tolist():
        cell = CELL_TYPES[number]
        if cell.dimension == 2 and cell.name not in ("triangle", "quad", "polygon"):
            raise PhysgtError(
                f"the mesh has cells of type {cell.name}; faces are known of triangles, quads and "
                "polygons. Convert the mesh to these."
            )
    sizes = np.diff(mesh.offsets)
    areal = np.array([CELL_TYPES[n].dimension == 2 for n in mesh.cell_types.tolist()], dtype=bool)
    return sizes[areal], mesh.connectivity[np.repeat(areal, sizes)]


def _faces_of_solids(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """The faces of the cells with a volume, each once: triangles first, then quadrilaterals."""
    faces = linear_faces(mesh)
    sizes, nodes = [], []
    for numbers, of_size in faces.size_groups():
        _, first = np.unique(faces.numbers[numbers], return_index=True)
        sizes.append(np.full(len(first), of_size.shape[1]))
        nodes.append(of_size[np.sort(first)].ravel())
    return np.concatenate(sizes), np.concatenate(nodes)
