"""The boundary of a mesh: the faces of its cells that no other cell shares.

In a planar mesh the faces of the cells are their edges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from physgt.cells import CELL_TYPES, edges_of_cells
from physgt.errors import PhysgtError
from physgt.mesh import Mesh

_FACES: dict[str, tuple[tuple[int, ...], ...]] = {
    "tetra": ((0, 1, 3), (1, 2, 3), (2, 0, 3), (0, 2, 1)),
    "voxel": (
        (0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5),
    ),
    "hexahedron": (
        (0, 4, 7, 3), (1, 2, 6, 5), (0, 1, 5, 4), (3, 7, 6, 2), (0, 3, 2, 1), (4, 5, 6, 7),
    ),
    "wedge": ((0, 1, 2), (3, 5, 4), (0, 3, 4, 1), (1, 4, 5, 2), (2, 5, 3, 0)),
    "pyramid": ((0, 3, 2, 1), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)),
}  # fmt: skip
_PLANAR = ("triangle", "quad", "pixel", "polygon")


def boundary_faces(mesh: Mesh, on: str | None = None) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Faces of the boundary by their number of nodes k: (nodes (F, k), cell of each (F,)).

    on: only those whose nodes all lie in this node set. Cells of a lower dimension than the mesh's
    own don't count. Raises PhysgtError for cells that aren't linear.
    """
    inside = np.zeros(mesh.num_points, dtype=bool)
    inside[slice(None) if on is None else mesh.nodes_of(on)] = True
    found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for nodes, cells in faces_of_cells(mesh):
        found.setdefault(nodes.shape[1], []).append((nodes, cells))
    boundary = {}
    for size, parts in found.items():
        nodes = np.concatenate([part[0] for part in parts])
        cells = np.concatenate([part[1] for part in parts])
        _, first, count = np.unique(
            np.sort(nodes, axis=1), axis=0, return_index=True, return_counts=True
        )
        single = np.sort(first[count == 1])
        single = single[inside[nodes[single]].all(axis=1)]
        if len(single):
            boundary[size] = nodes[single], cells[single]
    return boundary


def faces_of_cells(mesh: Mesh) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every face of every cell: (nodes (F, k), cell of each (F,)), one k at a time."""
    for number, cells, nodes in mesh.blocks():
        cell_type = CELL_TYPES[number]
        if cell_type.dimension < mesh.dimension:
            continue
        if cell_type.name in _PLANAR:
            edges = edges_of_cells(number, nodes).T
            yield edges, np.repeat(cells, len(edges) // len(cells))
        elif cell_type.name in _FACES:
            for face in _FACES[cell_type.name]:
                yield nodes[:, face], cells
        else:
            raise PhysgtError(
                f"the mesh has cells of type {cell_type.name}; boundaries are known of "
                f"{', '.join((*_PLANAR, *_FACES))}. Convert the mesh to linear cells."
            )


@dataclass(frozen=True, eq=False)
class SimplexSurface:
    """A named part of the boundary of triangles or tetrahedra, for integrals over it.

    nodes      (F, D) the nodes of each face
    cells      (F, D+1) the nodes of the cell behind it
    normals    (F, D) outward, as long as the face is large (m^2; m in a planar mesh)
    gradients  (F, D+1, D) of the linear shape functions of `cells`
    """

    nodes: np.ndarray
    cells: np.ndarray
    normals: np.ndarray
    gradients: np.ndarray

    @classmethod
    def of(cls, mesh: Mesh, on: str) -> SimplexSurface:
        """Raises PhysgtError where the set holds no whole face, or its cells are others."""
        size = mesh.dimension
        faces = boundary_faces(mesh, on) if size in (2, 3) else {}
        if not faces:
            raise PhysgtError(
                f"no face of the boundary has all its nodes in the set '{on}', so that nothing can "
                "be integrated over it; name a set that holds a part of the boundary."
            )
        numbers = np.concatenate([cells for _, cells in faces.values()])
        if set(faces) != {size} or (np.diff(mesh.offsets)[numbers] != size + 1).any():
            raise PhysgtError(
                f"the cells at '{on}' must be {'triangles' if size == 2 else 'tetrahedra'} for "
                "integrals over it; split them first."
            )
        nodes, numbers = faces[size]
        cells = mesh.connectivity[mesh.offsets[numbers][:, None] + np.arange(size + 1)]
        gradients = shape_gradients(mesh.points[cells])
        normals = _area_normals(mesh.points[nodes])
        outward = mesh.points[nodes].mean(axis=1) - mesh.points[cells].mean(axis=1)
        normals[(normals * outward).sum(axis=1) < 0] *= -1
        return cls(nodes, cells, normals, gradients)

    @property
    def areas(self) -> np.ndarray:
        """(F,) m^2; m in a planar mesh."""
        return np.linalg.norm(self.normals, axis=1)

    def shape_products(self) -> np.ndarray:
        """(F, D, D) the integrals of phi_i * phi_j over each face, exact."""
        size = self.nodes.shape[1]
        return self.areas[:, None, None] * (1 + np.eye(size)) / (size * (size + 1))

    def scattered(self, loads: np.ndarray, num_points: int) -> np.ndarray:
        """Loads (F, D[, C]) at the nodes of each face, summed at the nodes of the mesh."""
        total = np.zeros((num_points, *loads.shape[2:]))
        np.add.at(total, self.nodes, loads)
        return total


def shape_gradients(corners: np.ndarray) -> np.ndarray:
    """(M, D+1, D) the gradients of the linear shape functions of simplices (M, D+1, D)."""
    ones = np.ones((*corners.shape[:2], 1))
    coefficients = np.linalg.inv(np.concatenate([ones, corners], axis=2))
    return coefficients[:, 1:, :].transpose(0, 2, 1)


def _area_normals(corners: np.ndarray) -> np.ndarray:
    """(F, D) normals of edges (F, 2, 2) or triangles (F, 3, 3), as long as these are large."""
    along = corners[:, 1:] - corners[:, :1]
    if corners.shape[2] == 2:
        return np.stack([along[:, 0, 1], -along[:, 0, 0]], axis=1)
    return np.cross(along[:, 0], along[:, 1]) / 2
