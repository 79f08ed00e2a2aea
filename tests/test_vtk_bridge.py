"""Meshes become pyvista grids and come back."""

from __future__ import annotations

import numpy as np
import pytest
import pyvista as pv

from physgt.datasets.vtk_bridge import from_pyvista, to_pyvista
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from sample_trajectories import planar_mesh, solid_mesh


@pytest.mark.parametrize("mesh", [planar_mesh(), solid_mesh()])
def test_a_mesh_and_its_arrays_come_back_as_they_were(mesh: Mesh) -> None:
    random = np.random.default_rng(0)
    point_data = {
        "pressure": random.random(mesh.num_points),
        "velocity": random.random((mesh.num_points, 3), dtype=np.float32),
    }
    cell_data = {"material": np.arange(mesh.num_cells, dtype=np.int16)}
    grid = to_pyvista(mesh, point_data, cell_data)
    back, found_points, found_cells = from_pyvista(grid)
    for name in ("points", "connectivity", "offsets", "cell_types"):
        np.testing.assert_array_equal(getattr(back, name), getattr(mesh, name), strict=True)
    for found, expected in ((found_points, point_data), (found_cells, cell_data)):
        assert list(found) == list(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values, strict=True)


def test_the_cells_have_the_areas_and_volumes_they_should() -> None:
    areas = to_pyvista(planar_mesh()).compute_cell_sizes()
    np.testing.assert_allclose(areas["Area"][:2], [1.0, 0.5])
    volumes = to_pyvista(solid_mesh()).compute_cell_sizes()["Volume"]
    # Cube; pyramid of height 1 on it; half a cube; |det| / 6 of the tetrahedron's edge vectors.
    edges = solid_mesh().points[[6, 8, 10]] - solid_mesh().points[5]
    expected = [1, 1 / 3, 1 / 2, abs(np.linalg.det(edges)) / 6]
    np.testing.assert_allclose(np.abs(volumes), expected)


def test_planar_vectors_get_a_third_component_and_planar_points_a_z_of_0() -> None:
    grid = to_pyvista(planar_mesh(), {"velocity": np.ones((5, 2), np.float32)})
    np.testing.assert_array_equal(grid.point_data["velocity"], np.tile([1, 1, 0], (5, 1)))
    assert grid.point_data["velocity"].dtype == np.float32
    assert grid.points.dtype == np.float64
    assert not grid.points[:, 2].any()


def test_a_moving_mesh_is_shown_where_it_is() -> None:
    moved = planar_mesh().points + 1
    grid = to_pyvista(planar_mesh(), points=moved)
    np.testing.assert_array_equal(grid.points[:, :2], moved)


def test_a_grid_is_a_copy_that_may_be_changed() -> None:
    mesh = solid_mesh()
    grid = to_pyvista(mesh)
    grid.points += 1
    np.testing.assert_array_equal(mesh.points, solid_mesh().points)


@pytest.mark.parametrize(
    ("grid", "dimension"),
    [
        (pv.Plane(center=(0, 0, 0.3)), 2),
        (pv.Plane(direction=(0, 1, 0)), 3),
        (pv.Sphere(), 3),
        (pv.ImageData(dimensions=(3, 3, 1)), 2),
        (pv.ImageData(dimensions=(3, 3, 3)), 3),
    ],
)
def test_any_grid_becomes_a_mesh_planar_where_it_lies_at_one_z(
    grid: pv.DataSet, dimension: int
) -> None:
    mesh, _, _ = from_pyvista(grid)
    assert (mesh.num_points, mesh.num_cells) == (grid.n_points, grid.n_cells)
    assert mesh.dimension == dimension


def test_truth_values_become_bytes_and_texts_are_left_out() -> None:
    grid = to_pyvista(planar_mesh(), {"mask": np.array([True, False, True, False, False])})
    grid.point_data["label"] = ["a", "b", "c", "d", "e"]
    _, point_data, _ = from_pyvista(grid)
    assert list(point_data) == ["mask"]
    np.testing.assert_array_equal(point_data["mask"], np.array([1, 0, 1, 0, 0], np.uint8))


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (pv.UnstructuredGrid(), "the grid is empty: 0 points, no cells"),
        (pv.MultiBlock([pv.Plane()]), "expected one grid, found a MultiBlock"),
    ],
)
def test_what_is_no_single_mesh_is_refused(grid: pv.DataSet, message: str) -> None:
    with pytest.raises(PhysgtError, match=message):
        from_pyvista(grid)
