"""Which cells of a mixed mesh are the mesh."""

import numpy as np

from physgt.datasets.main_cells import keep_main_cells
from physgt.mesh import Mesh

POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=float)
BLOCKS = [
    ("triangle", np.array([[0, 1, 2], [0, 1, 3]])),
    ("tetra", np.array([[0, 1, 2, 3]])),
    ("line", np.array([[2, 3]])),
    ("tetra", np.array([[1, 2, 3, 4]])),
]


def test_a_mesh_of_tetrahedra_with_boundary_triangles_does_not_become_its_skin() -> None:
    mesh, data = keep_main_cells(Mesh.from_blocks(POINTS, BLOCKS), {"heat": np.arange(5) * 10})
    assert mesh.cell_types.tolist() == [10, 10]
    assert mesh.connectivity.tolist() == [0, 1, 2, 3, 1, 2, 3, 4]
    assert mesh.offsets.tolist() == [0, 4, 8]
    assert data["heat"].tolist() == [20, 40]
    assert mesh.num_points == 5


def test_lower_cells_become_node_sets_by_their_set_or_else_by_their_type() -> None:
    sets = {"inlet": [1], "fluid": [2, 4], "everything": [0, 1, 2, 3, 4]}
    whole = Mesh.from_blocks(POINTS, BLOCKS, cell_sets=sets)
    mesh, _ = keep_main_cells(whole, {})
    assert {name: ids.tolist() for name, ids in mesh.node_sets.items()} == {
        "inlet": [0, 1, 3],
        "everything": [0, 1, 2, 3],
    }
    assert {name: ids.tolist() for name, ids in mesh.cell_sets.items()} == {
        "fluid": [0, 1],
        "everything": [0, 1],
    }
    unnamed, _ = keep_main_cells(Mesh.from_blocks(POINTS, BLOCKS), {})
    assert {name: ids.tolist() for name, ids in unnamed.node_sets.items()} == {
        "line": [2, 3],
        "triangle": [0, 1, 2, 3],
    }


def test_a_mesh_of_one_dimension_stays_what_it_is() -> None:
    mesh = Mesh.from_blocks(POINTS, BLOCKS[:1])
    assert keep_main_cells(mesh, {})[0] is mesh
