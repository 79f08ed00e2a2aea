"""Fields as xarray variables: in memory, or read from where they lie one frame at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from physgt.formulas import AXES
from physgt.task import Field


def component_suffix(field: Field, column: int) -> str:
    """What the name of a field's component ends in."""
    if field.components == 1:
        return ""
    return f"_{AXES[column]}" if field.components <= len(AXES) else f"_{column}"


def field_variable(declared: Field, values: Any, *, over_time: bool) -> xr.Variable:
    """Values of a field, an array or lazy, with the names of their dimensions and the units."""
    dims = ["time"] if over_time else []
    if declared.location != "global":
        dims.append(declared.location)
    if declared.components > 1:
        dims.append(f"{declared.name}_component")
    return xr.Variable(dims, values, attrs={"units": declared.units})


def field_dataset(variables: Mapping[str, xr.Variable], times: np.ndarray) -> xr.Dataset:
    """The variables of a trajectory with the coordinates of their dimensions."""
    coordinates: dict[str, Any] = {
        "time": xr.Variable("time", np.asarray(times, dtype=np.float64), {"units": "s"})
    }
    for name, variable in variables.items():
        dim = f"{name}_component"
        if variable.sizes.get(dim) in (2, 3):
            coordinates[dim] = list(AXES[: variable.sizes[dim]])
    return xr.Dataset(variables, coordinates)


class FrameArray(BackendArray):
    """xarray's view of an array (time, ...) that is read one time at a time.

    read(i) gives what lies at time number i, of the shape and dtype promised. An array whose
    `read` can be pickled can be as well.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: str, read: Callable[[int], np.ndarray]
    ) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.read = read

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )

    def _read(self, key: tuple[int | slice, ...]) -> np.ndarray:
        times, rest = key[0], key[1:]
        if not isinstance(times, slice):
            return self._frame(int(times))[rest]
        frames = [self._frame(i)[rest] for i in range(*times.indices(self.shape[0]))]
        return np.stack(frames) if frames else np.empty((0, *self.shape[1:]), self.dtype)[:, *rest]

    def _frame(self, index: int) -> np.ndarray:
        """In this machine's byte order, whatever the file's is."""
        return np.asarray(self.read(index), dtype=self.dtype)


def lazy_variable(
    declared: Field, shape: tuple[int, ...], read: Callable[[int], np.ndarray]
) -> xr.Variable:
    """A field over time whose frames are read when they are asked for; shape (times, ...)."""
    frames = FrameArray(shape, declared.dtype, read)
    return field_variable(declared, indexing.LazilyIndexedArray(frames), over_time=True)
