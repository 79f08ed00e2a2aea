"""The examples run as they stand."""

from __future__ import annotations

import runpy
from pathlib import Path

import h5py
import numpy as np
import pytest

from physgt.datasets import open_trajectory

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.parametrize(
    "name",
    [
        "cylinder/traj_020",
        "heat/traj_000",
        "hyperelastic/traj_000",
        "block3d/heat_0",
        "block3d/beam_1",
        "block3d/pipe_2",
    ],
)
def test_a_users_own_hdf5_becomes_a_trajectory_of_the_same_numbers(
    name: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = shared_data / "solver" / f"{name}.h5", tmp_path / "own.vtkhdf"
    monkeypatch.setattr("sys.argv", ["own_hdf5.py", str(source), str(target)])
    runpy.run_path(str(EXAMPLES / "own_hdf5.py"), run_name="__main__")
    trajectory = open_trajectory(target)
    with h5py.File(source) as file:
        np.testing.assert_array_equal(trajectory.times, file["time"][:])
        np.testing.assert_array_equal(trajectory.mesh.points, file["mesh/pos"][:])
        np.testing.assert_array_equal(trajectory.mesh.node_type, file["mesh/node_type"][:])
        np.testing.assert_array_equal(trajectory.mesh.connectivity, file["mesh/cells"][:].ravel())
        assert trajectory.moving == ("world_pos" in file["fields"])
        for field_name, values in file["fields"].items():
            found = trajectory.fields["points" if field_name == "world_pos" else field_name]
            np.testing.assert_array_equal(found.values.reshape(values.shape), values[:])


@pytest.mark.parametrize("family", ["cylinder", "heat"])
def test_the_mapping_file_reads_a_family_of_hdf5_files_with_all_their_fields(
    family: str, shared_data: Path, tmp_path: Path
) -> None:
    text = (EXAMPLES / "own_hdf5.toml").read_text()
    if family == "heat":
        text = "\n".join(line for line in text.splitlines() if not line.startswith("velocity"))
    (tmp_path / "own_hdf5.toml").write_text(text)
    source = shared_data / "solver" / family / "traj_020.h5"
    source = source if source.is_file() else source.with_name("traj_000.h5")
    (tmp_path / source.name).symlink_to(source)
    trajectory = open_trajectory(f"{tmp_path / 'own_hdf5.toml'}#{source.stem}")
    with h5py.File(source) as file:
        np.testing.assert_array_equal(trajectory.times, file["time"][:])
        assert {field.name for field in trajectory.declared()} == set(file["fields"])
        for name, values in file["fields"].items():
            np.testing.assert_array_equal(trajectory.fields[name].values, values[:].squeeze())
