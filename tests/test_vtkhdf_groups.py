"""VTKHDF in several parts and of other kinds, as VTK writes it, is read as VTK reads the whole."""

from pathlib import Path

import numpy as np
import pytest
import pyvista as pv
from vtkmodules.vtkCommonDataModel import vtkPartitionedDataSet
from vtkmodules.vtkIOHDF import vtkHDFWriter

from physgt.datasets import open_trajectory
from physgt.volumes import cell_volumes


def whole_grid() -> pv.UnstructuredGrid:
    grid = pv.ImageData(dimensions=(5, 4, 3)).cast_to_unstructured_grid()
    grid["temperature"] = grid.points @ [10.0, 3.0, 1.0]
    grid.cell_data["density"] = grid.cell_centers().points @ [1.0, 2.0, 4.0]
    return grid


def write(data: object, path: Path) -> Path:
    writer = vtkHDFWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(data)
    writer.Write()
    return path


def test_parts_become_one_mesh_whose_points_are_not_twice(tmp_path):
    grid = whole_grid()
    left = grid.cell_centers().points[:, 0] < 2
    parts = vtkPartitionedDataSet()
    parts.SetNumberOfPartitions(2)
    for i, chosen in enumerate((left, ~left)):
        parts.SetPartition(i, grid.extract_cells(np.flatnonzero(chosen)))
    found = open_trajectory(write(parts, tmp_path / "parts.vtkhdf"))
    assert (found.mesh.num_points, found.mesh.num_cells) == (grid.n_points, grid.n_cells)
    assert cell_volumes(found.mesh).sum() == pytest.approx(grid.volume)
    temperature = found.frame(0, ["temperature"])["temperature"]
    np.testing.assert_allclose(temperature, found.mesh.points @ [10.0, 3.0, 1.0])
    corners = found.mesh.connectivity.reshape(-1, 8)
    centres = found.mesh.points[corners].mean(axis=1)
    density = found.frame(0, ["density"])["density"]
    np.testing.assert_allclose(density, centres @ [1.0, 2.0, 4.0])


def test_a_surface_is_read_with_its_fields(tmp_path):
    sphere = pv.Sphere(theta_resolution=8, phi_resolution=8)
    sphere["height"] = sphere.points[:, 2]
    found = open_trajectory(write(sphere, tmp_path / "surface.vtkhdf"))
    assert found.mesh.num_cells == sphere.n_cells
    assert cell_volumes(found.mesh).sum() == pytest.approx(sphere.area, rel=1e-5)
    np.testing.assert_allclose(found.frame(0)["height"], found.mesh.points[:, 2], atol=1e-7)
