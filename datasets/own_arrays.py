"""HDF5 (netCDF-4 and MATLAB 7.3 among it) and npz files of a user's own layout.

A mapping file in TOML tells which array is what, see array_map.py and docs/formats.md.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from physgt.datasets.array_map import ArrayMap, Cells, FieldMap, read_array_map
from physgt.datasets.hdf5_file import take_rows
from physgt.datasets.naming import errors_name
from physgt.datasets.npz_file import NpzFile
from physgt.errors import PhysgtError
from physgt.fields import field_dataset, field_variable, lazy_variable
from physgt.mesh import Mesh
from physgt.task import Field, Location
from physgt.trajectory import Trajectory

PACKED = {"scale_factor", "add_offset"}
"""Attributes of netCDF by which the numbers of an array stand for others."""


def members(path: Path) -> list[str]:
    """Names of the files of a family; none where the mapping file names one file."""
    pattern = read_array_map(path).files
    return [_name(file) for file in _files(path)] if any(s in pattern for s in "*?[") else []


def read_own_arrays(path: Path, member: str = "") -> Trajectory:
    """The trajectory of one file, read time by time from HDF5, whole from npz.

    Raises PhysgtError that names the file and the array where one is missing or where its size
    fits neither nodes nor cells nor times.
    """
    said = read_array_map(path)
    files = [file for file in _files(path) if member in ("", _name(file))]
    if not files:
        raise PhysgtError(f"{path}: no file is called '{member}'.")
    file = files[0]
    with errors_name(file):
        return _Reader(said, _open(file)).trajectory()


def _files(path: Path) -> list[Path]:
    pattern = read_array_map(path).files
    found = [path.parent / pattern] if (path.parent / pattern).is_file() else []
    if not Path(pattern).is_absolute():
        found = found or sorted(file for file in path.parent.glob(pattern) if file.is_file())
    if not found:
        raise PhysgtError(f"{path}: files = '{pattern}' matches no file beside it.")
    return found


def _name(file: Path) -> str:
    return file.stem


def _open(file: Path) -> Any:
    if file.suffix.lower() == ".npz":
        return NpzFile(file)
    try:
        return h5py.File(file)
    except OSError as error:
        raise PhysgtError(f"neither npz nor HDF5, or truncated ({error}).") from error


class _Reader:
    """Of one open file: anything that gives arrays by name."""

    def __init__(self, said: ArrayMap, arrays: Any) -> None:
        self.said, self.arrays = said, arrays
        self.fields = self._fields()
        self.mesh = self._mesh()
        self.times = self._times()

    def trajectory(self) -> Trajectory:
        variables = {}
        for name, told in self.fields.items():
            variables[name] = self._variable(name, told)
        given = dict(self.arrays.attrs) if isinstance(self.arrays, h5py.File) else {}
        attributes = {
            name: value if isinstance(value, str) else value.item()
            for name, value in given.items()
            if isinstance(value, str | np.number)
        }
        return Trajectory(self.mesh, field_dataset(variables, self.times), attributes)

    def _array(self, name: str) -> Any:
        found = self.arrays.get(name)
        if not hasattr(found, "shape"):
            raise PhysgtError(f"no array '{name}'; there are {', '.join(self._there()) or 'none'}.")
        if found.dtype.kind not in "biuf":
            raise PhysgtError(f"array '{name}' holds {found.dtype}, expected numbers.")
        packed = sorted(PACKED & getattr(found, "attrs", {}).keys())
        if packed:
            raise PhysgtError(
                f"array '{name}' is packed ({', '.join(packed)}); write what it stands for."
            )
        return found

    def _there(self) -> list[str]:
        if not isinstance(self.arrays, h5py.File):
            return sorted(self.arrays)
        found: list[str] = []
        self.arrays.visititems(lambda name, item: found.append(name) if _is_array(item) else None)
        return found

    def _whole(self, name: str) -> np.ndarray:
        found = self._array(name)
        of_file = isinstance(found, h5py.Dataset) and bool(found.shape)
        return take_rows(found) if of_file else np.asarray(found[()])

    def _fields(self) -> dict[str, FieldMap]:
        """The fields by name; `*` stands for all arrays that its pattern matches and no other."""
        found = {name: told for name, told in self.said.fields.items() if name != "*"}
        named = {
            n for t in found.values() for n in ([t.array] if type(t.array) is str else t.array)
        }
        star = self.said.fields.get("*")
        if star is not None:
            pattern = star.arrays[0]
            for array in fnmatch.filter(self._there(), pattern):
                if array not in named:
                    found[array[pattern.index("*") :]] = star.model_copy(update={"array": array})
        return found

    def _mesh(self) -> Mesh:
        said = self.said.mesh
        points = self._whole(said.points)
        blocks = [(cells.type, self._cells(cells)) for cells in said.blocks]
        num_cells = sum(len(nodes) for _, nodes in blocks)
        return Mesh.from_blocks(
            points,
            blocks,
            node_type=None if said.node_type is None else self._whole(said.node_type).ravel(),
            node_sets={n: self._ids(array, len(points)) for n, array in said.node_sets.items()},
            cell_sets={n: self._ids(array, num_cells) for n, array in said.cell_sets.items()},
        )

    def _cells(self, said: Cells) -> np.ndarray:
        found = self._whole(said.array)
        if found.ndim != 2 or found.dtype.kind not in "iu":
            raise PhysgtError(
                f"array '{said.array}' is {found.dtype} of shape {found.shape}, expected the node "
                "numbers (m, k) of m cells."
            )
        return found.astype(np.int64) - said.first

    def _ids(self, name: str, count: int) -> np.ndarray:
        """Numbers, or a mask, of `count` nodes or cells."""
        found = self._whole(name).ravel()
        # HDF5 has no truth values: MATLAB's and netCDF's are bytes.
        is_mask = found.dtype == bool or (found.size == count > 2 and np.isin(found, (0, 1)).all())
        return np.flatnonzero(found) if is_mask else found

    def _times(self) -> np.ndarray:
        said = self.said.time
        if said.array is not None:
            return said.unit * self._whole(said.array).ravel().astype(np.float64)
        for told in self.fields.values():
            if "time" in told.dims:
                shape = self._array(told.arrays[0]).shape
                if len(shape) > told.dims.index("time"):
                    steps = np.arange(shape[told.dims.index("time")])
                    return said.unit * (said.start + (said.dt or 0) * steps)
        return np.array([said.unit * said.start])

    def _variable(self, name: str, told: FieldMap) -> xr.Variable:
        names = told.arrays
        arrays = [self._array(n) for n in names]
        dims = list(told.dims)
        if "component" in dims and (len(names) > 1 or len(arrays[0].shape) == len(dims) - 1):
            dims.remove("component")  # Numbers need no axis for it, and arrays side by side none.
        for array_name, array in zip(names, arrays, strict=True):
            self._check_shape(name, array_name, array.shape, dims)
        location: Location = "node" if "node" in dims else "cell" if "cell" in dims else "global"
        components = (
            arrays[0].shape[dims.index("component")] if "component" in dims else len(arrays)
        )
        dtype = np.result_type(*(array.dtype for array in arrays))
        field = Field(name, components, told.units, location, _stored_type(dtype))
        frames = _Frames(arrays, dims, field.frame_shape(self.mesh))
        if "time" not in dims:
            return field_variable(field, frames(0).astype(field.dtype), over_time=False)
        return lazy_variable(field, (len(self.times), *frames.shape), frames)

    def _check_shape(
        self, field: str, array: str, shape: tuple[int, ...], dims: Sequence[str]
    ) -> None:
        sizes = {"time": len(self.times), "node": self.mesh.num_points, "cell": self.mesh.num_cells}
        fits = len(shape) == len(dims) and all(
            sizes.get(dim, size) == size for dim, size in zip(dims, shape, strict=True)
        )
        if not fits:
            counts = ", ".join(f"{size} {name}s" for name, size in sizes.items())
            raise PhysgtError(
                f"field '{field}': array '{array}' has shape {shape}, which is not dims = {dims}; "
                f"there are {counts}. State the dims that it has."
            )


class _Frames:
    """Reads one time of one array, or of one array a component."""

    def __init__(self, arrays: list[Any], dims: Sequence[str], shape: tuple[int, ...]) -> None:
        self.arrays, self.dims, self.shape = arrays, dims, shape

    def __call__(self, index: int) -> np.ndarray:
        key = tuple(index if d == "time" else slice(None) for d in self.dims)
        found = [np.asarray(array[key]) for array in self.arrays]
        if len(found) > 1:
            return np.stack(found, axis=-1).reshape(self.shape)
        left = [d for d in self.dims if d != "time"]
        values = found[0]
        if left[:1] == ["component"]:
            values = np.moveaxis(values, 0, -1)
        return values.reshape(self.shape)


def _stored_type(dtype: np.dtype) -> str:
    return {"bool": "uint8", "float16": "float32"}.get(dtype.name, dtype.name)


def _is_array(item: Any) -> bool:
    return isinstance(item, h5py.Dataset)
