"""Whatever page is the last that is written, HDF5 finds in the file what was said to be there."""

from __future__ import annotations

import io
import shutil
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

from cut_file import CutFile, chunk_nodes
from physgt.datasets.ordered_file import OrderedFile, ordered_hdf5, within_a_page


def test_b_trees_of_three_levels_lose_nothing_while_their_nodes_are_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(io, "FileIO", CutFile)
    path, copy, counts = tmp_path / "a.h5", tmp_path / "copy.h5", set()

    def read(path: Path) -> None:
        shutil.copyfile(path, copy)
        with h5py.File(copy, locking=False) as opened:
            count = opened.attrs["count"]
            # Chunks that are missing are zeros; those that may move are among the last.
            found = opened["a"][count - 130 : count]
            np.testing.assert_array_equal(found, np.arange(count - 130, count) + 1)
        counts.add(int(count))

    first = 3590
    with OrderedFile(path, "w+") as file, ordered_hdf5(file, "w") as hdf5:
        hdf5.attrs["count"] = first
        values = hdf5.create_dataset("a", data=np.arange(first) + 1, chunks=(1,), maxshape=(None,))
        hdf5.flush()
        assert {level for _, level in chunk_nodes(path)} == {0, 1}
        CutFile.after_write = read
        # 64 entries fill a node, so at least two leaves are divided, the second below a node that
        # was itself divided and lies behind it.
        for number in range(first, first + 130):
            values.resize(number + 1, axis=0)
            values[number] = number + 1
            hdf5.flush()
            hdf5.attrs.modify("count", number + 1)
            hdf5.flush()
        CutFile.after_write = None
    assert counts == set(range(first, first + 131))
    assert {level for _, level in chunk_nodes(path)} == {0, 1, 2}


def test_headers_that_change_lie_within_a_page(tmp_path: Path) -> None:
    with (
        OrderedFile(tmp_path / "a.h5", "w+") as file,
        ordered_hdf5(file, "w") as hdf5,
    ):
        for number in range(100):
            name = f"{number:03}"
            hdf5[name] = within_a_page(
                lambda: hdf5.create_dataset(None, (0, 3), "f4", maxshape=(None, 3), chunks=(8, 3))
            )
        found = [h5py.h5o.get_info(dataset.id) for dataset in hdf5.values()]
    headers = sorted((header.addr, header.addr + header.hdr.space.total) for header in found)
    assert all(first // 4096 == (last - 1) // 4096 for first, last in headers)
    assert all(last <= following for (_, last), (following, _) in pairwise(headers))
    assert headers[-1][1] > 100 * 200
