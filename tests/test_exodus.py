"""Exodus II, against the same file read as the netCDF that it is."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.io import netcdf_file

from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory


@pytest.fixture(scope="module")
def path(shared_data: Path) -> Path:
    return shared_data / "files" / "exodus" / "mug.e"


@pytest.fixture(scope="module")
def mug(path: Path) -> Trajectory:
    return open_trajectory(path)


@pytest.fixture(scope="module")
def raw(path: Path) -> Iterator[dict[str, np.ndarray]]:
    with netcdf_file(path, mmap=False) as file:
        yield {name: variable[:].copy() for name, variable in file.variables.items()}


def test_all_element_blocks_are_one_mesh_and_side_sets_add_no_cells(
    mug: Trajectory, raw: dict[str, np.ndarray]
) -> None:
    cells = np.concatenate([raw["connect1"], raw["connect2"]]) - 1
    assert (mug.mesh.num_points, mug.mesh.num_cells) == (3774, 1716 + 760)
    np.testing.assert_array_equal(mug.mesh.connectivity.reshape(-1, 8), cells)
    coordinates = np.stack([raw["coordx"], raw["coordy"], raw["coordz"]], axis=1)
    np.testing.assert_array_equal(mug.mesh.points, coordinates)
    assert set(mug.mesh.cell_types) == {12}


def test_every_value_at_every_time_is_that_of_the_file(
    mug: Trajectory, raw: dict[str, np.ndarray]
) -> None:
    np.testing.assert_array_equal(mug.times, raw["time_whole"])
    elements = np.concatenate([raw["vals_elem_var1eb1"], raw["vals_elem_var1eb2"]], axis=1)
    for i in range(21):
        frame = mug.frame(i)
        np.testing.assert_array_equal(frame["convected"], raw["vals_nod_var1"][i])
        np.testing.assert_array_equal(frame["diffused"], raw["vals_nod_var2"][i])
        np.testing.assert_array_equal(frame["aux_elem"], elements[i])
        assert frame["func_pp"] == raw["vals_glo_var"][i, 0]


def test_blocks_are_cell_sets_and_node_and_side_sets_are_node_sets(
    mug: Trajectory, raw: dict[str, np.ndarray]
) -> None:
    np.testing.assert_array_equal(mug.mesh.cell_sets["block 1"], np.arange(1716))
    np.testing.assert_array_equal(mug.mesh.cell_sets["block 76"], np.arange(1716, 2476))
    for number in (1, 2):
        of_file = np.sort(raw[f"node_ns{number}"]) - 1
        name = f"node set {raw['ns_prop1'][number - 1]}"
        np.testing.assert_array_equal(mug.mesh.node_sets[name], of_file)
    # The node sets of this file hold the nodes of its side sets.
    np.testing.assert_array_equal(mug.mesh.node_sets["bottom"], mug.mesh.node_sets["node set 1"])
    np.testing.assert_array_equal(mug.mesh.node_sets["top"], mug.mesh.node_sets["node set 2"])


def test_components_that_the_file_keeps_apart_are_one_vector(shared_data: Path) -> None:
    path = shared_data / "files" / "exodus" / "disk_out_ref.ex2"
    disk = open_trajectory(path)
    with netcdf_file(path, mmap=False) as file:
        names = [b"".join(name).decode().strip("\0 ") for name in file.variables["name_nod_var"]]
        series = file.variables["vals_nod_var"][:].copy()
    for component, name in enumerate(("VX", "VY", "VZ")):
        np.testing.assert_array_equal(
            disk.frame(0)["V"][:, component], series[0, names.index(name)]
        )


@pytest.mark.parametrize("kept", [0.001, 0.5, 0.99])
def test_a_truncated_file_is_an_error_although_vtk_would_read_zeros(
    path: Path, tmp_path: Path, kept: float, capfd: pytest.CaptureFixture[str]
) -> None:
    data = path.read_bytes()
    cut = tmp_path / "cut.e"
    cut.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(PhysgtError, match=f"{cut}: truncated Exodus II file"):
        open_trajectory(cut)
    assert capfd.readouterr().err == ""


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.e").write_text("not a mesh")
    with pytest.raises(PhysgtError, match=r"notes.e: not an Exodus II file"):
        open_trajectory(tmp_path / "notes.e")
