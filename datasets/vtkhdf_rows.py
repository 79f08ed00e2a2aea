"""Rows of an HDF5 data set that grow time by time, and the tables that say where a time begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from physgt.datasets.byte_planes import LARGE, packed
from physgt.datasets.ordered_file import within_a_page
from physgt.errors import PhysgtError
from physgt.higher_order import WEIGHTS
from physgt.mesh import Mesh
from physgt.task import Field

NUMBERS = ("float32", "float64", *(f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64)))
COMPRESSION = {"compression": "gzip", "compression_opts": 1, "shuffle": True}

UNFILTERED = 0b11
"""HDF5's mask of a chunk that neither of these filters was applied to."""

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
            shape |= {"dtype": "int64", "chunks": (ROWS_AHEAD, *tail)}
            parent[name] = within_a_page(lambda: parent.create_dataset(None, **shape))
        self.dataset = parent[name]

    def extend(self, num_times: int) -> None:
        start = len(self.dataset)
        lines = np.arange(start, num_times).reshape(-1, *[1] * self.first.ndim)
        self.dataset.resize(num_times, axis=0)
        self.dataset[start:] = self.first + self.rows * lines


def create_rows(parent: h5py.Group, name: str, row: np.ndarray, field: Field) -> h5py.Dataset:
    """A data set for the rows of a field over time, none yet; those of one time look like `row`."""
    # A chunk of global values is written many times. Compressed it would move in the file,
    # and a killed process could leave it lost.
    shared = field.location == "global"

    def create() -> h5py.Dataset:
        dataset = parent.create_dataset(
            None,
            shape=(0, *row.shape[1:]),
            maxshape=(None, *row.shape[1:]),
            chunks=(ROWS_AHEAD if shared else len(row), *row.shape[1:]),
            dtype=row.dtype,
            **({} if shared else COMPRESSION),
        )
        describe(dataset, field, over_time=True)
        return dataset

    parent[name] = within_a_page(create)
    return parent[name]


def describe(dataset: h5py.Dataset, field: Field, *, over_time: bool) -> None:
    """What numbers alone don't tell."""
    dataset.attrs["units"] = field.units
    dataset.attrs["components"] = field.components
    dataset.attrs["over_time"] = over_time
    if field.name == WEIGHTS:
        dataset.attrs["Attribute"] = np.bytes_(WEIGHTS)


def write_rows(dataset: h5py.Dataset, index: int, rows: np.ndarray) -> None:
    """Write the rows of time number `index`, and drop those behind."""
    start = index * len(rows)
    dataset.resize(start + len(rows), axis=0)
    if dataset.compression and dataset.chunks == rows.shape and rows.nbytes >= LARGE:
        place, found = (start, *[0] * (rows.ndim - 1)), packed(rows)
        if found is None:
            dataset.id.write_direct_chunk(place, np.ascontiguousarray(rows).data, UNFILTERED)
        else:
            dataset.id.write_direct_chunk(place, found)
    else:
        dataset[start:] = rows


def rows_on_disk(
    path: Path, mesh: Mesh, field: Field, values: Mapping[str, np.ndarray]
) -> np.ndarray:
    """The rows of a field at one time as they lie on disk."""
    if field.name not in values:
        raise PhysgtError(
            f"{path}: no field '{field.name}' in {sorted(values)}, but it was declared."
        )
    frame = np.asarray(values[field.name])
    expected = field.frame_shape(mesh)
    castable = np.can_cast(frame.dtype, field.dtype, "same_kind")
    if frame.shape != expected or not castable:
        raise PhysgtError(
            f"{path}: field '{field.name}' was declared as {field.dtype} of shape "
            f"{expected}, found {frame.dtype} of shape {frame.shape}."
        )
    frame = frame.astype(np.dtype(field.dtype).newbyteorder("="), copy=False)
    if field.location == "global":
        return frame[None]
    if field.name == "points" or field.components == 2:
        return with_three_components(frame.reshape(len(frame), -1))
    return frame


def with_three_components(vectors: np.ndarray) -> np.ndarray:
    """(N, D) with zeros up to (N, 3): VTK's points are 3-D, and only triples are vectors to it."""
    return np.pad(vectors, ((0, 0), (0, 3 - vectors.shape[1])))


def check_fields(path: Path, fields: Sequence[Field]) -> None:
    """Raises PhysgtError for names and numbers that the file can't hold."""
    names = [field.name for field in fields]
    for field in fields:
        if field.name in ("time", "node_type") or names.count(field.name) > 1:
            raise PhysgtError(
                f"{path}: field '{field.name}' is declared twice or has a name that the file "
                "needs for itself; rename it."
            )
        if "/" in field.name or field.name in ("", "."):
            raise PhysgtError(
                f"{path}: a field can't be called '{field.name}' in an HDF5 file; rename it."
            )
        if np.dtype(field.dtype).name not in NUMBERS:
            raise PhysgtError(
                f"{path}: field '{field.name}' is {field.dtype}, which VTK can't read; "
                f"convert it to one of {', '.join(NUMBERS)}."
            )
