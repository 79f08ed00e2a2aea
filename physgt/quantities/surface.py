"""The boundary of a mesh: the faces of its cells that no other cell shares.

In a planar mesh the faces of the cells are their edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physgt.cells import CELL_TYPES
from physgt.errors import PhysgtError
from physgt.faces import CellFaces, cell_faces
from physgt.mesh import Mesh
from physgt.volumes import cell_centres

_LINEAR = (
    "triangle", "quad", "pixel", "polygon", "tetra", "voxel", "hexahedron", "wedge", "pyramid",
    "penta_prism", "hexa_prism", "polyhedron",
)  # fmt: skip

NO_FACE = (
    "no face of the boundary has all its nodes in the set '{}', so that nothing can be integrated "
    "over it; name a set that holds a part of the boundary."
)


def boundary_faces(mesh: Mesh, on: str | None = None) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Faces of the boundary by their number of nodes k: (nodes (F, k), cell of each (F,)).

    on: only those whose nodes all lie in this node set. Cells of a lower dimension than the mesh's
    own don't count. Raises PhysgtError for cells that aren't linear.
    """
    inside = np.zeros(mesh.num_points, dtype=bool)
    inside[slice(None) if on is None else mesh.nodes_of(on)] = True
    boundary: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    faces = linear_faces(mesh)
    single = faces.on_boundary()
    for numbers, nodes in faces.size_groups():
        kept = single[numbers] & inside[nodes].all(axis=1)
        if kept.any():
            boundary[nodes.shape[1]] = nodes[kept], faces.cells[numbers[kept]]
    return boundary


def boundary_normals(mesh: Mesh, on: str) -> tuple[np.ndarray, np.ndarray]:
    """Of the faces of a part of the boundary: normals (F, D) outward, as long as the face is large,
    and cells (F,). Raises PhysgtError where the set holds no whole face.
    """
    found = boundary_faces(mesh, on)
    if not found:
        raise PhysgtError(NO_FACE.format(on))
    normals, cells = [], []
    centres = cell_centres(mesh)
    for nodes, behind in found.values():
        fan = (
            [nodes]
            if nodes.shape[1] == 2
            else [nodes[:, [0, k, k + 1]] for k in range(1, nodes.shape[1] - 1)]
        )
        normal = np.sum([_area_normals(mesh.points[corners]) for corners in fan], axis=0)
        outward = mesh.points[nodes].mean(axis=1) - centres[behind]
        normals.append(np.where((normal * outward).sum(axis=1, keepdims=True) < 0, -normal, normal))
        cells.append(behind)
    return np.concatenate(normals), np.concatenate(cells)


def linear_faces(mesh: Mesh) -> CellFaces:
    """Every face of every cell that fills the mesh's space; none of a surface in 3-D.

    Raises PhysgtError for cells that aren't linear.
    """
    filling = [n for n in np.unique(mesh.cell_types) if CELL_TYPES[n].dimension >= mesh.dimension]
    for number in filling:
        if CELL_TYPES[number].name not in _LINEAR:
            raise PhysgtError(
                f"the mesh has cells of type {CELL_TYPES[number].name}; boundaries are known of "
                f"{', '.join(_LINEAR)}. Convert the mesh to linear cells."
            )
    return cell_faces(mesh, mesh.dimension)


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
            raise PhysgtError(NO_FACE.format(on))
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
    """(M, D+1, D) the gradients of the linear shape functions of simplices (M, D+1, D).

    Raises PhysgtError where one of them has no volume.
    """
    ones = np.ones((*corners.shape[:2], 1))
    matrices = np.concatenate([ones, corners], axis=2)
    try:
        coefficients = np.linalg.inv(matrices)
    except np.linalg.LinAlgError as error:
        flat = corners[np.abs(np.linalg.det(matrices)).argmin()]
        raise PhysgtError(
            f"the cell with the corners {flat.tolist()} has no volume, so that no gradient can be "
            "taken in it; mend the mesh."
        ) from error
    return coefficients[:, 1:, :].transpose(0, 2, 1)


def _area_normals(corners: np.ndarray) -> np.ndarray:
    """(F, D) normals of edges (F, 2, 2) or triangles (F, 3, 3), as long as these are large."""
    along = corners[:, 1:] - corners[:, :1]
    if corners.shape[2] == 2:
        return np.stack([along[:, 0, 1], -along[:, 0, 0]], axis=1)
    return np.cross(along[:, 0], along[:, 1]) / 2
