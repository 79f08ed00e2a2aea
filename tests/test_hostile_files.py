"""Damaged copies of good files end in an error or are read: no traceback, crash, hang or lie."""

import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import pyvista as pv

from physgt.datasets import isolation, open_trajectory, write_trajectory
from physgt.errors import PhysgtError
from sample_trajectories import solid

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))
from hostile_files import EXAMPLES, MUTATIONS, attack


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_kind_of_damage_ends_in_an_error_that_names_the_file_or_is_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "SECONDS", 2)
    outcomes, wrong = attack(name, tmp_path, len(MUTATIONS), seed=1)
    assert wrong == []
    assert sum(outcomes.values()) == len(MUTATIONS)


def test_a_compressed_array_of_16_gibibytes_of_zeros_is_refused_before_it_is_unpacked(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bomb.vtkhdf"
    write_trajectory(solid(), path)
    rows = 2**24
    chunk = zlib.compress(bytes(8 * rows))
    with h5py.File(path, "r+") as file:
        root = file["VTKHDF"]
        units = dict(root["Points"].attrs)
        del root["Points"]
        points = root.create_dataset(
            "Points", (rows * 42, 3), "f8", chunks=(rows // 3, 3), compression="gzip"
        )
        points.attrs.update(units)
        for i in range(0, 42 * rows, rows // 3):
            if i + rows // 3 <= len(points):
                points.id.write_direct_chunk((i, 0), chunk)
        root["NumberOfPoints"][0] = len(points)
    assert path.stat().st_size < 2**24
    with pytest.raises(PhysgtError, match=r"bomb\.vtkhdf: '/VTKHDF/Points' claims 15.* GiB"):
        open_trajectory(path)


def test_enormous_counts_are_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "counts.vtkhdf"
    write_trajectory(solid(), path)
    with h5py.File(path, "r+") as file:
        file["VTKHDF/Steps"].attrs.modify("NSteps", np.int64(2**40))
        file["VTKHDF/NumberOfCells"][0] = 2**50
    trajectory = open_trajectory(path)
    assert (trajectory.num_times, trajectory.mesh.num_cells) == (4, solid().mesh.num_cells)


@pytest.mark.parametrize("name", ["block.vtu", "blocks.vtm"])
def test_an_array_of_too_many_components_is_refused_before_vtk_counts_to_them(
    tmp_path: Path, name: str
) -> None:
    grid = pv.ImageData(dimensions=(3, 3, 2)).cast_to_unstructured_grid()
    grid["u"] = np.ones((18, 3))
    (pv.MultiBlock({"a": grid}) if name.endswith(".vtm") else grid).save(tmp_path / name)
    (file,) = tmp_path.rglob("*.vtu")
    whole = file.read_bytes()
    assert whole.count(b'NumberOfComponents="3"') == 2
    file.write_bytes(whole.replace(b'NumberOfComponents="3"', b'NumberOfComponents="99999999999"'))
    with pytest.raises(PhysgtError, match=rf"{file.name}: NumberOfComponents='99999999999', exp"):
        open_trajectory(tmp_path / name)
