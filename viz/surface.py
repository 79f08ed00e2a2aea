"""The triangles that are seen of a mesh: its planar cells, or the skin of its volume cells."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from physgt.cells import CELL_TYPES
from physgt.datasets.vtk_bridge import to_pyvista
from physgt.errors import PhysgtError
from physgt.higher_order import FIRST_BEZIER, FIRST_LAGRANGE, SHAPES
from physgt.mesh import Mesh


@dataclass(frozen=True)
class Surface:
    """triangles (F, 3): the mesh's node numbers, neighbours the same way round; cells (F,): which
    cell each is a part of."""

    triangles: np.ndarray
    cells: np.ndarray

    def outline(self) -> np.ndarray:
        """(B, 2) node numbers of the edges that one triangle alone has: the rim and its holes."""
        sides = np.sort(self.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        edges, count = np.unique(sides, axis=0, return_counts=True)
        return edges[count == 1]


def seen_surface(mesh: Mesh) -> Surface:
    """Raises PhysgtError where the mesh has neither faces nor volumes, only lines and points."""
    dimensions = np.array([CELL_TYPES[number].dimension for number in mesh.cell_types.tolist()])
    faces_and_volumes = dimensions >= 2
    if not faces_and_volumes.any():
        raise PhysgtError("the mesh has no faces to draw, only lines and points.")
    drawn = replace(mesh, cell_types=_through_nodes(mesh.cell_types))
    grid = to_pyvista(
        drawn, {"node": np.arange(mesh.num_points)}, {"cell": np.arange(mesh.num_cells)}
    )
    # Nodes between the corners of quadratic and higher cells become corners of smaller triangles:
    # subdivision 1.
    faces = grid.extract_cells(faces_and_volumes)  # type: ignore[arg-type]
    skin = faces.extract_surface(nonlinear_subdivision=1, algorithm="dataset_surface")
    # Some meshers leave tetrahedra inside out: between a triangle and one that is turned the other
    # way round, each edge would be a sharp one.
    triangles = skin.triangulate().compute_normals(
        point_normals=False, split_vertices=False, consistent_normals=True
    )
    nodes = np.asarray(triangles.point_data["node"])
    return Surface(nodes[triangles.regular_faces], np.asarray(triangles.cell_data["cell"]))


def _through_nodes(cell_types: np.ndarray) -> np.ndarray:
    """Bezier cells pass by most of their nodes; in their place Lagrange cells, which don't."""
    bezier = (cell_types >= FIRST_BEZIER) & (cell_types < FIRST_BEZIER + len(SHAPES))
    return np.where(bezier, cell_types - FIRST_BEZIER + FIRST_LAGRANGE, cell_types)
