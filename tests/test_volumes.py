"""Sizes of cells, judged by VTK."""

import numpy as np
import pytest

from physgt.cells import corners_of_cells
from physgt.datasets.vtk_bridge import to_pyvista
from physgt.mesh import Mesh
from physgt.volumes import cell_centres, cell_volumes, node_volumes
from sample_trajectories import planar_mesh, polyhedral_mesh, solid_mesh


def skewed(mesh: Mesh) -> Mesh:
    """The same mesh, sheared and stretched by an affine map, which keeps faces plane."""
    shear = np.eye(mesh.dimension) + 0.3 * np.triu(np.ones((mesh.dimension,) * 2))
    return Mesh(
        mesh.points @ shear, mesh.connectivity, mesh.offsets, mesh.cell_types, mesh.node_type,
        polyhedra=mesh.polyhedra,
    )  # fmt: skip


@pytest.mark.parametrize("mesh", [planar_mesh(), solid_mesh(), polyhedral_mesh()])
def test_cells_are_as_large_as_vtk_says(mesh):
    mesh = skewed(mesh)
    sizes = to_pyvista(mesh).compute_cell_sizes()
    # VTK gives a wedge whose faces point inward a negative volume.
    expected = np.abs(sizes["Volume" if mesh.dimension == 3 else "Area"])
    np.testing.assert_allclose(cell_volumes(mesh), expected, rtol=1e-6, atol=1e-12)


def test_a_straight_quadratic_cell_is_as_large_as_its_linear_one():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=float)
    ends = [(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)]
    middles = [(corners[a] + corners[b]) / 2 for a, b in ends]
    tetra10 = Mesh.from_blocks(np.array([*corners, *middles]), [("tetra10", [range(10)])])
    np.testing.assert_allclose(cell_volumes(tetra10), [1 / 6])
    line3 = Mesh.from_blocks(np.array([[0.0], [2.0], [1.0]]), [("line3", [[0, 1, 2]])])
    np.testing.assert_allclose(cell_volumes(line3), [2.0])


def test_a_cell_that_is_not_convex_is_no_larger_than_it_is():
    """By the shoelace formula: a dart, and a U of width 3 with a notch of 1 by 2."""
    dart = [[0, 0], [2, -1], [0.2, 0], [2, 1]]
    u = [[0, 0], [3, 0], [3, 3], [2, 3], [2, 1], [1, 1], [1, 3], [0, 3]]
    mesh = Mesh.from_blocks(
        np.array([*dart, *u]), [("quad", [[0, 1, 2, 3]]), ("polygon", [range(11, 3, -1)])]
    )
    np.testing.assert_allclose(cell_volumes(mesh), [0.2, 3 * 3 - 1 * 2])


def test_a_strip_of_triangles_is_as_large_as_they_are():
    points = np.array([[0, 0], [0, 1], [1, 0], [1.5, 1], [2, 0]])
    strip = Mesh.from_blocks(points, [("triangle_strip", [[0, 1, 2, 3, 4]])])
    triangles = Mesh.from_blocks(points, [("triangle", [[0, 1, 2], [1, 2, 3], [2, 3, 4]])])
    np.testing.assert_allclose(cell_volumes(strip), [cell_volumes(triangles).sum()])
    assert corners_of_cells(6, np.arange(5)[None]).tolist() == [[0, 2, 4, 3, 1]]


def test_the_shares_of_the_nodes_add_up_to_the_whole():
    # The square's four nodes get a quarter each, the triangle's three a sixth of a half.
    np.testing.assert_allclose(
        node_volumes(planar_mesh()), [1 / 4, 1 / 4 + 1 / 6, 1 / 4 + 1 / 6, 1 / 4, 1 / 6]
    )
    mesh = solid_mesh()
    assert node_volumes(mesh).sum() == pytest.approx(cell_volumes(mesh).sum())


def test_a_centre_is_the_mean_of_its_nodes():
    np.testing.assert_allclose(cell_centres(planar_mesh())[:2], [[0.5, 0.5], [4 / 3, 0.5]])
