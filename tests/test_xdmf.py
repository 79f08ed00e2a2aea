"""XDMF of several programs, against the HDF5 files that it points to."""

import shutil
from pathlib import Path

import h5py
import meshio
import numpy as np
import pytest

from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError

POINTS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0.5, 0]], dtype=float)
CELLS = [("quad", np.array([[0, 1, 2, 3]])), ("triangle", np.array([[1, 4, 2]]))]

SINGLE_GRID = """
<Grid Name="{name}">
  <Time Value="{time}"/>
  <Topology TopologyType="Triangle" NumberOfElements="1">
    <DataItem Dimensions="1 3" NumberType="Int" Format="XML">0 1 2</DataItem>
  </Topology>
  <Geometry GeometryType="XYZ">
    <DataItem Dimensions="3 3" Format="XML">0 0 0  1 0 0  0 1 0</DataItem>
  </Geometry>
  <Attribute Name="{name}" Center="Node" AttributeType="Scalar">
    <DataItem Dimensions="3" Format="XML">{values}</DataItem>
  </Attribute>
</Grid>"""


def test_six_steps_of_a_cylinder_flow_are_those_of_the_vtu_series_beside(shared_data: Path) -> None:
    folder = shared_data / "files" / "cylinder_flow"
    xdmf = open_trajectory(folder / "mock.xdmf", time_unit=0.01)
    series = open_trajectory(folder / "cylinder_*.vtu", time_unit=0.01)
    np.testing.assert_allclose(xdmf.times, [0, 0.01, 0.02, 0.03, 0.04, 0.05])
    np.testing.assert_array_equal(xdmf.times, series.times)
    np.testing.assert_array_equal(xdmf.mesh.connectivity, series.mesh.connectivity)
    for i in range(6):
        for name, values in series.frame(i).items():
            np.testing.assert_array_equal(xdmf.frame(i)[name], values)


def test_fenicsx_times_are_the_data_sets_of_its_hdf5_file(shared_data: Path) -> None:
    folder = shared_data / "files" / "dolfinx"
    trajectory = open_trajectory(folder / "no_checkpoint.xdmf")
    with h5py.File(folder / "no_checkpoint.h5") as file:
        cells = file["Mesh/0/mesh/topology"][:]
        values = [file[f"VisualisationVector/{i}"][:, 0] for i in range(5)]
    assert trajectory.times.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(trajectory.mesh.connectivity.reshape(-1, 4), cells)
    for i in range(5):
        np.testing.assert_array_equal(trajectory.frame(i)["f_5"], values[i].astype(np.float32))


@pytest.mark.parametrize("i", [0, 150, 300])
def test_hyperslabs_are_slices_of_their_data_sets(shared_data: Path, i: int) -> None:
    folder = shared_data / "solver" / "cylinder"
    trajectory = open_trajectory(folder / "traj_020.xdmf")
    with h5py.File(folder / "traj_020.h5") as file:
        velocity, pressure = file["fields/velocity"][i], file["fields/pressure"][i, :, 0]
        times = file["time"][:]
    np.testing.assert_allclose(trajectory.times, times - times[0], atol=1e-9)
    assert trajectory.mesh.dimension == 2
    frame = trajectory.frame(i)
    np.testing.assert_array_equal(frame["velocity_x"], velocity[:, 0])
    np.testing.assert_array_equal(frame["velocity_y"], velocity[:, 1])
    np.testing.assert_array_equal(frame["pressure"], pressure)


def test_a_series_that_meshio_writes_keeps_mixed_cells_and_both_kinds_of_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # meshio puts the HDF5 file into the current directory
    with meshio.xdmf.TimeSeriesWriter("series.xdmf") as writer:
        writer.write_points_cells(POINTS, CELLS)
        for i in range(3):
            writer.write_data(
                0.5 * i,
                point_data={"pressure": i + np.arange(5.0)},
                cell_data={"heat": [np.array([10.0 + i]), np.array([20.0 + i])]},
            )
    trajectory = open_trajectory("series.xdmf")
    assert trajectory.times.tolist() == [0, 0.5, 1]
    assert trajectory.mesh.cell_types.tolist() == [9, 5]
    frame = trajectory.frame(2)
    assert frame["pressure"].tolist() == [2, 3, 4, 5, 6]
    assert frame["heat"].tolist() == [12, 22]


def test_a_single_grid_is_one_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    meshio.write_points_cells("one.xdmf", POINTS, CELLS, point_data={"p": np.arange(5.0)})
    trajectory = open_trajectory("one.xdmf")
    assert trajectory.times.tolist() == [0]
    assert trajectory.frame(0)["p"].tolist() == [0, 1, 2, 3, 4]


def test_a_single_grid_has_the_time_that_it_tells(tmp_path: Path) -> None:
    grid = SINGLE_GRID.format(name="p", time=3.5, values="1 2 3")
    path = tmp_path / "one.xdmf"
    path.write_text(f'<Xdmf Version="3.0"><Domain>{grid}</Domain></Xdmf>')
    trajectory = open_trajectory(path)
    assert trajectory.times.tolist() == [3.5]
    assert trajectory.frame(0)["p"].tolist() == [1, 2, 3]


def test_binary_data_in_another_byte_order_behind_others(tmp_path: Path) -> None:
    np.array([9, 1, 2, 3], ">f8").tofile(tmp_path / "p.bin")
    item = (
        '<DataItem Dimensions="3" NumberType="Float" Precision="8" Format="Binary" Endian="Big" '
        'Seek="8">p.bin</DataItem>'
    )
    grid = SINGLE_GRID.format(name="p", time=0, values="")
    grid = grid.replace('<DataItem Dimensions="3" Format="XML"></DataItem>', item)
    grid = grid.replace('<Time Value="0"/>', "")
    path = tmp_path / "one.xdmf"
    path.write_text(f'<Xdmf Version="3.0"><Domain>{grid}</Domain></Xdmf>')
    assert open_trajectory(path).frame(0)["p"].tolist() == [1, 2, 3]


def test_several_collections_are_the_fields_of_one_trajectory(tmp_path: Path) -> None:
    collections = ""
    for name, offset in (("velocity", 0), ("pressure", 10)):
        grids = "".join(
            SINGLE_GRID.format(name=name, time=i, values=f"{offset + i} 1 2") for i in range(2)
        )
        collections += (
            f'<Grid Name="{name}" GridType="Collection" CollectionType="Temporal">{grids}</Grid>'
        )
    path = tmp_path / "two.xdmf"
    path.write_text(f'<Xdmf Version="3.0"><Domain>{collections}</Domain></Xdmf>')
    trajectory = open_trajectory(path)
    assert trajectory.times.tolist() == [0, 1]
    assert trajectory.frame(1)["velocity"].tolist() == [1, 1, 2]
    assert trajectory.frame(1)["pressure"].tolist() == [11, 1, 2]


@pytest.mark.parametrize("name", ["dolfinx/no_checkpoint", "cylinder_flow/mock"])
def test_truncated_xml_and_truncated_or_missing_hdf5_are_errors_that_name_the_file(
    shared_data: Path, tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    source = shared_data / "files" / name
    xdmf, hdf5 = tmp_path / f"{source.name}.xdmf", tmp_path / f"{source.name}.h5"
    text = source.with_suffix(".xdmf").read_text()
    shutil.copy(source.with_suffix(".h5"), hdf5)
    xdmf.write_text(text[: len(text) // 2])
    with pytest.raises(PhysgtError, match=f"{xdmf}: truncated or damaged XDMF"):
        open_trajectory(xdmf)
    xdmf.write_text(text)
    hdf5.write_bytes(hdf5.read_bytes()[:-1000])
    with pytest.raises(PhysgtError, match=f"{xdmf}.*truncated"):
        open_trajectory(xdmf)
    hdf5.unlink()
    with pytest.raises(PhysgtError, match=f"{xdmf}.*{hdf5.name}"):
        open_trajectory(xdmf)
    assert capfd.readouterr().err == ""
