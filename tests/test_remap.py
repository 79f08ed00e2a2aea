"""A mesh that changes from time to time, interpolated onto one."""

from pathlib import Path

import meshio
import numpy as np
import pytest
import pyvista as pv
from vtkmodules.util.vtkAlgorithm import VTKPythonAlgorithmBase
from vtkmodules.vtkCommonDataModel import vtkDataObject
from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
from vtkmodules.vtkIOHDF import vtkHDFWriter

from physgt.datasets import open_trajectory, write_trajectory
from physgt.datasets.convert import convert
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory


def write(path: Path, n: int, width: float = 1.0) -> None:
    """A square of n x n x 2 triangles with the field 1 + 2 x + 3 y, and on cells the side of x."""
    axis = np.linspace(0, width, n + 1)
    x, y = (a.ravel() for a in np.meshgrid(axis, axis, indexing="ij"))
    corner = np.add.outer(np.arange(n) * (n + 1), np.arange(n)).ravel()
    square = corner[:, None] + [0, n + 1, n + 2, 1]
    triangles = square[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
    right = (x[triangles].mean(axis=1) > 0.5).astype(float)
    points = np.stack([x, y, 0 * x], axis=1)
    data = {"p": 1 + 2 * x + 3 * y, "u": np.stack([x, y, 0 * x], axis=1)}
    meshio.write_points_cells(
        path, points, [("triangle", triangles)], point_data=data, cell_data={"side": [right]}
    )


def test_linear_fields_are_exact_on_the_mesh_of_the_first_time(tmp_path: Path) -> None:
    for i, n in enumerate((4, 7, 3)):
        write(tmp_path / f"a_{i}.vtu", n)
    with pytest.raises(PhysgtError, match=r"time number 1 .* physgt convert --remap"):
        open_trajectory(tmp_path)
    convert(tmp_path, tmp_path / "out.vtkhdf", remap="first")
    trajectory = open_trajectory(tmp_path / "out.vtkhdf")
    x, y = trajectory.mesh.points.T
    assert trajectory.mesh.num_points == 25
    for i in range(3):
        frame = trajectory.frame(i)
        np.testing.assert_allclose(frame["p"], 1 + 2 * x + 3 * y, rtol=1e-6)
        np.testing.assert_allclose(frame["u"], trajectory.mesh.points, atol=1e-7)
    # The seven by seven mesh has a cell across the middle; the others agree with the first.
    np.testing.assert_array_equal(trajectory.frame(0)["side"], trajectory.frame(0)["side"].round())
    assert set(np.unique(trajectory.frame(2)["side"])) == {0, 1}


def test_the_mesh_of_a_file_may_be_finer(tmp_path: Path) -> None:
    write(tmp_path / "a_0.vtu", 4)
    write(tmp_path / "a_1.vtu", 5)
    write(tmp_path / "fine.vtu", 16)
    convert(f"{tmp_path}/a_*.vtu", tmp_path / "out.vtkhdf", remap=tmp_path / "fine.vtu")
    trajectory = open_trajectory(tmp_path / "out.vtkhdf")
    x, y = trajectory.mesh.points.T
    assert trajectory.mesh.num_points == 17 * 17
    np.testing.assert_allclose(trajectory.frame(0)["p"], 1 + 2 * x + 3 * y, rtol=1e-6)


def test_what_lies_outside_is_named_and_not_made_up(tmp_path: Path) -> None:
    write(tmp_path / "a_0.vtu", 4)
    write(tmp_path / "a_1.vtu", 4, width=0.6)
    with pytest.raises(PhysgtError, match=r"time number 1 .* 16 points lie outside .* node 3 at"):
        convert(tmp_path, tmp_path / "out.vtkhdf", remap="first")
    assert not (tmp_path / "out.vtkhdf").exists()


def test_real_results_whose_mesh_adapts_stay_within_their_range(
    shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "files" / "ucd_changing_mesh"
    convert(source, tmp_path / "out.vtkhdf", remap="first")
    trajectory = open_trajectory(tmp_path / "out.vtkhdf")
    assert trajectory.num_times == 3
    for i, file in enumerate(sorted(source.glob("*.inp"))):
        original = open_trajectory(file)
        for name, values in trajectory.frame(i).items():
            expected = original.frame(0)[name]
            assert expected.min() - 1e-6 <= values.min()
            assert values.max() <= expected.max() + 1e-6


class Series(VTKPythonAlgorithmBase):
    """A grid of VTK for each of the times 0, 1, ..."""

    def __init__(self, grids: list[pv.UnstructuredGrid]) -> None:
        super().__init__(nInputPorts=0, outputType="vtkUnstructuredGrid")
        self.grids = grids

    def RequestInformation(self, request, inputs, outputs):
        times = list(map(float, range(len(self.grids))))
        information = outputs.GetInformationObject(0)
        information.Set(vtkStreamingDemandDrivenPipeline.TIME_STEPS(), times, len(times))
        information.Set(vtkStreamingDemandDrivenPipeline.TIME_RANGE(), [0, times[-1]], 2)
        return 1

    def RequestData(self, request, inputs, outputs):
        information = outputs.GetInformationObject(0)
        time = information.Get(vtkStreamingDemandDrivenPipeline.UPDATE_TIME_STEP())
        output = self.GetOutputData(outputs, 0)
        output.ShallowCopy(self.grids[int(time or 0)])
        output.GetInformation().Set(vtkDataObject.DATA_TIME_STEP(), time or 0.0)
        return 1


def test_vtkhdf_whose_mesh_changes_as_vtk_writes_it(tmp_path: Path) -> None:
    for i, n in enumerate((4, 7, 3)):
        write(tmp_path / f"a_{i}.vtu", n)
    writer = vtkHDFWriter()
    series = Series([pv.read(tmp_path / f"a_{i}.vtu") for i in range(3)])
    writer.SetInputConnection(series.GetOutputPort())
    writer.SetWriteAllTimeSteps(True)
    writer.SetFileName(str(tmp_path / "changing.vtkhdf"))
    writer.Write()
    with pytest.raises(PhysgtError, match=r"time number 1 .* physgt convert --remap"):
        open_trajectory(tmp_path / "changing.vtkhdf")
    convert(tmp_path / "changing.vtkhdf", tmp_path / "out.vtkhdf", remap="first")
    trajectory = open_trajectory(tmp_path / "out.vtkhdf")
    x, y = trajectory.mesh.points.T
    assert (trajectory.mesh.num_points, trajectory.num_times) == (25, 3)
    for i in range(3):
        np.testing.assert_allclose(trajectory.frame(i)["p"], 1 + 2 * x + 3 * y, rtol=1e-6)


def moving(tmp_path: Path) -> Path:
    """A square that grows from time to time, with a linear field, a static one and a number."""
    write(tmp_path / "start.vtu", 4)
    mesh = open_trajectory(tmp_path / "start.vtu").mesh
    growth = np.array([1.0, 1.2, 1.5])
    points = growth[:, None, None] * mesh.points
    fields = {"points": points, "p": points @ [2.0, 3.0], "u": points, "load": growth}
    static = {"k": mesh.points[:, 0]}
    made = Trajectory.from_arrays(mesh, np.arange(3.0), fields, static=static, units={"p": "Pa"})
    write_trajectory(made, tmp_path / "moving.vtkhdf")
    return tmp_path / "moving.vtkhdf"


def test_physgts_own_file_is_interpolated_where_its_mesh_is_at_each_time(tmp_path: Path) -> None:
    write(tmp_path / "other.vtu", 5)
    convert(moving(tmp_path), tmp_path / "out.vtkhdf", remap=tmp_path / "other.vtu")
    trajectory = open_trajectory(tmp_path / "out.vtkhdf")
    points = trajectory.mesh.points
    assert trajectory.mesh.num_points == 36
    assert not trajectory.moving
    assert trajectory.fields["p"].attrs["units"] == "Pa"
    np.testing.assert_allclose(trajectory.fields["k"], points[:, 0], atol=1e-12)
    for i in range(3):
        frame = trajectory.frame(i)
        np.testing.assert_allclose(frame["p"], points @ [2.0, 3.0], atol=1e-6)
        np.testing.assert_allclose(frame["u"], points, atol=1e-6)
        assert frame["load"] == [1.0, 1.2, 1.5][i]


def test_own_arrays_are_interpolated_onto_a_mesh_beyond_which_is_named(tmp_path: Path) -> None:
    write(tmp_path / "start.vtu", 4)
    mesh = open_trajectory(tmp_path / "start.vtu").mesh
    times = np.arange(2)[:, None]
    np.savez(
        tmp_path / "a.npz",
        points=mesh.points,
        cells=mesh.connectivity.reshape(-1, 3),
        p=mesh.points @ [2.0, 3.0] + times,
    )
    (tmp_path / "a.toml").write_text(
        'files = "a.npz"\n[mesh]\npoints = "points"\n'
        'cells = { array = "cells", type = "triangle", first = 0 }\n[time]\ndt = 0.5\n'
        '[fields]\np = { array = "p", dims = ["time", "node"] }\n'
    )
    write(tmp_path / "small.vtu", 5, width=0.7)
    convert(tmp_path / "a.toml", tmp_path / "out.vtkhdf", remap=tmp_path / "small.vtu")
    trajectory = open_trajectory(tmp_path / "out.vtkhdf")
    expected = trajectory.mesh.points @ [2.0, 3.0] + times
    np.testing.assert_allclose(trajectory.fields["p"], expected, rtol=1e-6)
    write(tmp_path / "large.vtu", 5, width=1.5)
    with pytest.raises(PhysgtError, match=r"a\.toml: at time number 0, 20 points lie outside"):
        convert(tmp_path / "a.toml", tmp_path / "out.vtkhdf", remap=tmp_path / "large.vtu")
