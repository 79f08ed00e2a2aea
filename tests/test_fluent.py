"""Fluent's files: a real case in HDF5, and an older one that OpenFOAM exported."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError

CAVITY = Path(__file__).parent / "data" / "fluent" / "cavity.cas"
"""The tutorial cavity of 4 x 3 cells, by blockMesh, icoFoam, foamMeshToFluent, foamDataToFluent."""


@pytest.fixture
def room(shared_data: Path, tmp_path: Path) -> Path:
    """A copy of the case with its data, to change."""
    for name in ("room.cas.h5", "room.dat.h5"):
        shutil.copyfile(shared_data / "files" / "fluent_cff" / name, tmp_path / name)
    return tmp_path / "room.cas.h5"


def set_flow_time(file: Path, time: float) -> None:
    with h5py.File(file, "r+") as content:
        settings = content["settings/Data Variables"]
        text = settings[0].replace(b"(flow-time 0)", f"(flow-time {time})".encode())
        del content["settings/Data Variables"]
        content["settings/Data Variables"] = np.array([text])


def test_a_case_and_its_data_are_one_planar_trajectory_with_zones_as_sets(room: Path) -> None:
    found = open_trajectory(room)
    mesh = found.mesh
    assert (mesh.num_points, mesh.num_cells, mesh.dimension) == (4565, 4338, 2)
    # Faces of each zone, from minId and maxId in the file; a line has one node more than faces.
    faces = {"wall-4": 232, "wall-5": 100, "wall-6": 100, "inlet": 10, "outlet": 10}
    for name in ("wall-5", "wall-6", "inlet", "outlet"):
        assert len(mesh.cell_sets[name]) == faces[name]
    assert len(mesh.node_sets["inlet"]) == 11
    assert (np.ptp(mesh.points[mesh.node_sets["inlet"]], axis=0) == 0).any()
    assert set(mesh.node_sets) == set(faces)
    assert len(mesh.cell_sets["fluid"]) == 4338
    with h5py.File(room.with_name("room.dat.h5")) as data:
        for name in ("SV_P", "SV_T", "SV_BF_V"):
            values = data[f"results/1/phase-1/cells/{name}/1"][:]
            np.testing.assert_array_equal(found.frame(0)[name], values)


def test_autosaved_data_are_times_in_the_order_of_their_flow_time(room: Path) -> None:
    data = room.with_name("room.dat.h5")
    for number, time in ((10, 0.1), (20, 0.2), (5, 0.05)):
        copy = Path(shutil.copyfile(data, room.with_name(f"room-{number:05d}.dat.h5")))
        set_flow_time(copy, time)
        with h5py.File(copy, "r+") as content:
            content["results/1/phase-1/cells/SV_P/1"][:] = 1000 * time
    found = open_trajectory(room)
    np.testing.assert_allclose(found.times, [0.05, 0.1, 0.2])
    for i, time in enumerate(found.times):
        assert (found.frame(i)["SV_P"] == np.float32(1000 * time)).all()
    single = open_trajectory(room.with_name("room-00020.dat.h5"))
    assert single.times.tolist() == [0.2]
    for copy in room.parent.glob("room-*.dat.h5"):  # a steady run tells no time
        set_flow_time(copy, 0)
        with h5py.File(copy, "r+") as content:
            del content["settings/Data Variables"]
    assert open_trajectory(room).times.tolist() == [5, 10, 20]


def test_data_of_one_flow_time_are_named_rather_than_numbered(room: Path) -> None:
    for number, time in ((10, 0.1), (20, 0.2), (21, 0.2)):
        copy = room.with_name(f"room-{number:05d}.dat.h5")
        set_flow_time(Path(shutil.copyfile(room.with_name("room.dat.h5"), copy)), time)
    with pytest.raises(PhysgtError, match=r"21\.dat\.h5: has the flow time 0\.2 s, as room-00020"):
        open_trajectory(room)


def test_data_of_another_case_whose_name_goes_on_are_not_times_of_this_one(room: Path) -> None:
    data = room.with_name("room.dat.h5")
    for name, time in (("room-00010", 0.1), ("room-00020", 0.2), ("room-hot-00030", 0.3)):
        set_flow_time(Path(shutil.copyfile(data, room.with_name(f"{name}.dat.h5"))), time)
    for name in ("room-hot", "room-00010"):
        shutil.copyfile(room, room.with_name(f"{name}.cas.h5"))
    np.testing.assert_allclose(open_trajectory(room).times, [0.1, 0.2])
    np.testing.assert_allclose(open_trajectory(room.with_name("room-hot.cas.h5")).times, [0.3])


def test_fields_of_some_cells_are_named_and_those_of_another_size_refused(room: Path) -> None:
    data = room.with_name("room.dat.h5")
    with h5py.File(data, "r+") as content:
        section = content["results/1/phase-1/cells/SV_K/1"]
        values, attributes = section[:4000], dict(section.attrs)
        del content["results/1/phase-1/cells/SV_K/1"]
        section = content.create_dataset("results/1/phase-1/cells/SV_K/1", data=values)
        section.attrs.update(attributes | {"maxId": np.array([4000], np.uint64)})
    found = open_trajectory(room)
    assert found.attributes["fields_not_on_all_cells"] == ["SV_K"]
    assert "SV_K" not in found.fields
    with h5py.File(data, "r+", locking=False) as content:
        content["results/1/phase-1/cells/SV_K/1"].attrs["maxId"] = np.array([4338], np.uint64)
    with pytest.raises(
        PhysgtError, match=r"room\.dat\.h5: field 'SV_K' has 4000 values for the cells"
    ):
        open_trajectory(room)


def test_data_without_a_case_and_truncated_files_are_named(room: Path) -> None:
    data = room.with_name("room.dat.h5")
    whole = data.read_bytes()
    data.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PhysgtError, match=r"room\.dat\.h5: truncated or damaged"):
        open_trajectory(room)
    data.write_bytes(whole)
    whole = room.read_bytes()
    room.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PhysgtError, match=r"room\.cas\.h5"):
        open_trajectory(room)
    room.unlink()
    with pytest.raises(PhysgtError, match=r"no case \(\*\.cas\.h5\) lies beside it"):
        open_trajectory(data)


def test_an_older_case_has_its_zones_as_sets_and_its_data_on_cells() -> None:
    found = open_trajectory(CAVITY)
    mesh = found.mesh
    assert (mesh.num_points, mesh.num_cells) == (2 * 5 * 4, 12)
    assert {name: len(ids) for name, ids in mesh.node_sets.items()} == {
        "movingWall": 2 * 5, "fixedWalls": 2 * (5 + 4 + 4 - 2), "frontAndBack": 40,
    }  # fmt: skip
    assert {name: len(ids) for name, ids in mesh.cell_sets.items()} == {
        "movingWall": 4, "fixedWalls": 4 + 2 * 2, "frontAndBack": 12, "fluid-1": 12,
    }  # fmt: skip
    assert mesh.cell_sets["movingWall"].tolist() == [8, 9, 10, 11]
    # The sections (300 (1 ...)) and (300 (2 ...)) of the data: pressure and momentum of 12 cells.
    text = CAVITY.with_suffix(".dat").read_text()
    pressure, momentum = (
        np.array(text.split(head)[1].split("\n))")[0].split(), dtype=float)
        for head in ("(300 (1 1 1 0 0 1 12)(", "(300 (2 1 3 0 0 1 12)(")
    )
    frame = found.frame(0)
    np.testing.assert_allclose(frame["PRESSURE"], pressure)
    np.testing.assert_allclose(frame["MOMENTUM"].ravel(), momentum)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_older_data_are_named_rather_than_read(tmp_path: Path, share: float) -> None:
    shutil.copyfile(CAVITY, tmp_path / "cavity.cas")
    text = CAVITY.with_suffix(".dat").read_text()
    (tmp_path / "cavity.dat").write_text(text[: int(share * len(text))])
    with pytest.raises(PhysgtError, match=r"cavity\.dat: .*truncated"):
        open_trajectory(tmp_path / "cavity.cas")


def test_a_truncated_older_case_is_named(tmp_path: Path) -> None:
    text = CAVITY.read_text()
    for share in (0.2, 0.5, 0.9):
        (tmp_path / "cut.cas").write_text(text[: int(share * len(text))])
        with pytest.raises(PhysgtError, match=r"cut\.cas"):
            open_trajectory(tmp_path / "cut.cas")
