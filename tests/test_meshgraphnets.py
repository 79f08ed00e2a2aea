"""The layout of the public MeshGraphNets data sets."""

import json
import shutil
import struct
from pathlib import Path

import google_crc32c
import h5py
import numpy as np
import pytest

from physgt.cli import main
from physgt.datasets import open_trajectory
from physgt.datasets.formats import trajectory_names
from physgt.errors import PhysgtError


@pytest.fixture
def published(shared_data: Path) -> Path:
    return shared_data / "deepmind_tfrecord"


def write_record(path: Path, features: dict[str, bytes]) -> None:
    """One tf.train.Example, spelled out: every message below 128 bytes has a length of one byte."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    def checksum(content: bytes) -> bytes:
        crc = google_crc32c.value(content)
        return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)

    entries = b"".join(
        field(1, field(1, name.encode()) + field(2, field(1, field(1, values))))
        for name, values in features.items()
    )
    record = b"\x0a" + bytes([len(entries) & 0x7F | 0x80, len(entries) >> 7]) + entries
    length = struct.pack("<Q", len(record))
    path.write_bytes(length + checksum(length) + record + checksum(record))


def test_the_trajectories_are_those_that_the_solver_wrote(published: Path) -> None:
    assert trajectory_names(published) == [
        "test/0000", "train/0000", "train/0001", "train/0002", "valid/0000",
    ]  # fmt: skip
    assert trajectory_names(published / "train.tfrecord")[-1] == "train/0002"
    trajectory = open_trajectory(f"{published}#train/0000")
    same = open_trajectory(f"{published / 'train.tfrecord'}#train/0000")
    np.testing.assert_array_equal(same.frame(7)["velocity"], trajectory.frame(7)["velocity"])
    np.testing.assert_allclose(trajectory.times, 0.01 * np.arange(100))
    # Cylinder flow: no slip on the walls, and the mean inflow carries through.
    velocity = trajectory.frame(50)["velocity"]
    assert velocity.shape == (trajectory.mesh.num_points, 2)
    assert np.abs(velocity[trajectory.mesh.node_type == 6]).max() < 1e-6
    assert velocity[trajectory.mesh.node_type == 4, 0].max() > 0.5
    assert np.isfinite(trajectory.frame(99)["pressure"]).all()


def test_one_command_makes_a_folder_for_each_split(published: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["convert", str(published), "-o", str(tmp_path / "data"), "--stop", "0.02"])
    made = sorted(str(p.relative_to(tmp_path / "data")) for p in tmp_path.rglob("*.vtkhdf"))
    assert made == [
        "test/0000.vtkhdf", "train/0000.vtkhdf", "train/0001.vtkhdf", "train/0002.vtkhdf",
        "valid/0000.vtkhdf",
    ]  # fmt: skip
    converted = open_trajectory(tmp_path / "data" / "train" / "0002.vtkhdf")
    source = open_trajectory(f"{published}#train/0002")
    assert converted.num_times == 3
    np.testing.assert_array_equal(converted.mesh.connectivity, source.mesh.connectivity)
    np.testing.assert_array_equal(converted.frame(2)["velocity"], source.frame(2)["velocity"])


def test_a_source_of_several_trajectories_asks_which(published: Path) -> None:
    with pytest.raises(PhysgtError, match=r"5 trajectories; take one, such as '.*#test/0000'"):
        open_trajectory(published)
    with pytest.raises(PhysgtError, match=r"no trajectory .train/7.; it has test/0000 to"):
        open_trajectory(f"{published}#train/7")


def test_the_same_in_hdf5_whether_static_features_have_a_time_or_not(
    published: Path, tmp_path: Path
) -> None:
    expected = open_trajectory(f"{published}#train/0001")
    mesh, times = expected.mesh, 5
    velocity = np.stack([expected.frame(i)["velocity"] for i in range(times)])
    cells = mesh.connectivity.reshape(-1, 3)
    shutil.copy(published / "meta.json", tmp_path)
    with h5py.File(tmp_path / "train.h5", "w") as file:
        for number, repeated in (("0", 1), ("1", times), ("10", None)):
            group = file.create_group(number)
            group["velocity"] = velocity
            for name, values in (
                ("cells", cells), ("mesh_pos" if repeated else "pos", mesh.points),
                ("node_type", mesh.node_type[:, None]),
            ):  # fmt: skip
                group[name] = values if repeated is None else np.stack([values] * repeated)
    assert trajectory_names(tmp_path) == ["train/0000", "train/0001", "train/0002"]
    for name in trajectory_names(tmp_path):
        found = open_trajectory(f"{tmp_path}#{name}")
        np.testing.assert_array_equal(found.mesh.points, mesh.points)
        np.testing.assert_array_equal(found.mesh.node_type, mesh.node_type)
        np.testing.assert_array_equal(found.mesh.connectivity, mesh.connectivity)
        np.testing.assert_allclose(found.times, 0.01 * np.arange(times))
        np.testing.assert_array_equal(found.frame(4)["velocity"], velocity[4])


def cloth(folder: Path, cells_type: str = "static") -> dict[str, bytes]:
    """A triangle in the plane that moves through space, at two times."""
    rest = np.array([[0, 0], [1, 0], [0, 1]], dtype="<f4")
    moved = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 0, 1], [0, 1, 2]]], "<f4")
    shapes = {
        "cells": ([1, -1, 3], "int32", cells_type), "mesh_pos": ([1, -1, 2], "float32", "static"),
        "world_pos": ([2, -1, 3], "float32", "dynamic"),
    }  # fmt: skip
    features = {n: {"shape": s, "dtype": d, "type": t} for n, (s, d, t) in shapes.items()}
    meta = {"dt": 0.02, "trajectory_length": 2, "features": features}
    (folder / "meta.json").write_text(json.dumps(meta))
    values = np.array([[0, 1, 2]], dtype="<i4")
    return {"cells": values.tobytes(), "mesh_pos": rest.tobytes(), "world_pos": moved.tobytes()}


def test_a_cloth_moves_and_rests_in_the_plane(tmp_path: Path) -> None:
    write_record(tmp_path / "test.tfrecord", cloth(tmp_path))
    trajectory = open_trajectory(f"{tmp_path}#test/0000")
    assert trajectory.moving
    assert trajectory.mesh.points.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert trajectory.points_at(1).tolist() == [[0, 0, 1], [1, 0, 1], [0, 1, 2]]
    assert trajectory.times.tolist() == [0, 0.02]


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    features = cloth(tmp_path)
    path = tmp_path / "test.tfrecord"
    for wrong, told in (
        ({"cells": np.arange(4, dtype="<i4").tobytes()}, r"'cells' has 4 numbers"),
        ({"world_pos": bytes(48)}, r"'world_pos' has 2 values a time, but the mesh has 3 nodes"),
        ({"cells": np.array([0, 1, 7], "<i4").tobytes()}, "cells name nodes 0 to 7"),
    ):
        write_record(path, features | wrong)
        with pytest.raises(PhysgtError, match=rf"test\.tfrecord.*{told}"):
            open_trajectory(f"{tmp_path}#test/0000")
    write_record(path, {"cells": features["cells"]})
    with pytest.raises(PhysgtError, match=r"record 0 has no feature 'mesh_pos'"):
        open_trajectory(f"{tmp_path}#test/0000")
    write_record(path, cloth(tmp_path, "dynamic_varlen"))
    with pytest.raises(PhysgtError, match="'cells' has another length at each time"):
        open_trajectory(f"{tmp_path}#test/0000")
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    with pytest.raises(PhysgtError, match=r"test\.tfrecord: record 0 is damaged"):
        open_trajectory(f"{tmp_path}#test/0000")
    path.write_bytes(whole[:-10])
    with pytest.raises(PhysgtError, match=r"test\.tfrecord: truncated in record 0"):
        open_trajectory(f"{tmp_path}#test/0000")
