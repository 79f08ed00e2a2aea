"""Rows of an HDF5 data set that grow time by time, and the tables that say where a time begins."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from physgt.datasets.byte_planes import LARGE, packed

ROWS_AHEAD = 1024
"""Times for which the tables of row numbers are written in advance."""


class RowTable:
    """A data set whose line i says where time i begins: first + i * rows."""

    def __init__(
        self, parent: h5py.Group, name: str, first: int | tuple[int, ...], rows: int
    ) -> None:
        self.first, self.rows = np.array(first), rows
        tail = self.first.shape
        if name not in parent:
            shape: dict[str, Any] = {"shape": (0, *tail), "maxshape": (None, *tail)}
            parent.create_dataset(name, dtype="int64", chunks=(ROWS_AHEAD, *tail), **shape)
        self.dataset = parent[name]

    def extend(self, num_times: int) -> None:
        start = len(self.dataset)
        lines = np.arange(start, num_times).reshape(-1, *[1] * self.first.ndim)
        self.dataset.resize(num_times, axis=0)
        self.dataset[start:] = self.first + self.rows * lines


def write_rows(dataset: h5py.Dataset, index: int, rows: np.ndarray) -> None:
    """Write the rows of time number `index`, and drop those behind."""
    start = index * len(rows)
    dataset.resize(start + len(rows), axis=0)
    if dataset.compression and dataset.chunks == rows.shape and rows.nbytes >= LARGE:
        dataset.id.write_direct_chunk((start, *[0] * (rows.ndim - 1)), packed(rows))
    else:
        dataset[start:] = rows
