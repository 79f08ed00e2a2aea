"""Frames packed outside of HDF5 are what its own filters read and would write."""

import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from physgt.datasets.byte_planes import LARGE, packed
from physgt.datasets.vtkhdf_rows import write_rows

GZIP = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
X = np.linspace(0, 1, 20_000)
FRAMES = {
    "waves": np.stack([np.sin(9 * X), np.cos(7 * X * X), np.exp(-X)], axis=1).astype(np.float32),
    "waves in the plane": np.stack([np.sin(9 * X), np.cos(7 * X), 0 * X], axis=1),
    "rest": np.zeros((20_000, 3), np.float32),
    "noise": np.random.default_rng(0).random(20_000),
    "counts": np.arange(20_000),
    "marks": np.random.default_rng(0).integers(0, 4, 80_000, dtype=np.uint8),
    "not a number": np.where(X > 0.5, np.nan, X),
}


def data_set(path: Path, rows: np.ndarray) -> h5py.Dataset:
    options = {"maxshape": (None, *rows.shape[1:]), "chunks": rows.shape, "dtype": rows.dtype}
    return h5py.File(path, "w").create_dataset("a", (0, *rows.shape[1:]), **options, **GZIP)


@pytest.mark.parametrize("rows", FRAMES.values(), ids=FRAMES.keys())
def test_hdf5_reads_what_was_packed(rows: np.ndarray, tmp_path: Path) -> None:
    assert rows.nbytes >= LARGE
    written = data_set(tmp_path / "a.h5", rows)
    for index in range(3):
        write_rows(written, index, rows + index if rows.dtype.kind == "f" else rows)
    written.file.close()
    with h5py.File(tmp_path / "a.h5") as file:
        for index in range(3):
            expected = rows + index if rows.dtype.kind == "f" else rows
            np.testing.assert_array_equal(file["a"][index * len(rows) :][: len(rows)], expected)


@pytest.mark.parametrize("rows", FRAMES.values(), ids=FRAMES.keys())
def test_the_size_is_that_of_gzip_within_a_few_percent_or_little_is_lost(
    rows: np.ndarray, tmp_path: Path
) -> None:
    by_hdf5 = data_set(tmp_path / "a.h5", rows)
    by_hdf5.resize(len(rows), axis=0)
    by_hdf5[:] = rows
    size = by_hdf5.id.get_chunk_info(0).size
    found = packed(rows)
    if found is None:
        assert size > 0.6 * rows.nbytes
    else:
        assert len(found) <= 1.06 * size + 100


def test_noise_is_written_as_it_is(tmp_path: Path) -> None:
    noise = FRAMES["noise"]
    written = data_set(tmp_path / "a.h5", noise)
    write_rows(written, 0, noise)
    assert written.id.get_chunk_info(0).size == noise.nbytes


def test_planes_of_noise_are_copied_and_the_stream_is_whole() -> None:
    rows = np.random.default_rng(0).integers(0, 2**16, 20_000)  # the two lowest bytes are any
    stream = packed(rows)
    assert stream is not None
    planes = rows.view(np.uint8).reshape(-1, 8).T
    assert zlib.decompress(stream) == planes.tobytes()
    assert all(plane.tobytes()[:1000] in stream for plane in planes[:2])
    assert len(stream) < 0.26 * rows.nbytes


def test_a_time_that_is_written_again_replaces_those_behind(tmp_path: Path) -> None:
    rows = FRAMES["waves"]
    written = data_set(tmp_path / "a.h5", rows)
    for index in (0, 1, 2, 1):
        write_rows(written, index, rows * (1 + index))
    assert len(written) == 2 * len(rows)
    np.testing.assert_array_equal(written[len(rows) :], 2 * rows)
