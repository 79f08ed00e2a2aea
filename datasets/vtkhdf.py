"""VTKHDF, physgt's own storage: one HDF5 file a trajectory, which ParaView opens as it is.

Reads what VTKHDFWriter and other programs write: an unstructured grid of one part, with or without
times, still or moving. Each frame is read when it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import h5py
import numpy as np
from xarray.backends import CachingFileManager

from physgt.datasets.hdf5_file import HDF5File, take_rows
from physgt.datasets.lagrange_cells import DEGREES, with_plain_names
from physgt.datasets.vtkhdf_polyhedra import read_polyhedra, row_table
from physgt.datasets.vtkhdf_rows import NUMBERS
from physgt.datasets.vtkhdf_writer import GROUPS, VTKHDFWriter, write_vtkhdf
from physgt.errors import PhysgtError
from physgt.fields import field_dataset, field_variable, lazy_variable
from physgt.mesh import Mesh, is_planar
from physgt.task import Field, Location
from physgt.trajectory import Trajectory

__all__ = ["VTKHDFWriter", "read_vtkhdf", "write_vtkhdf"]


def read_vtkhdf(path: str | PathLike[str]) -> Trajectory:
    """Open a file, also one that is still being written: its times are those complete by now.

    Handles are kept open and shared by xarray's cache of files (xarray.set_options changes its
    size, 128), so thousands of trajectories can be open at once; a trajectory can be pickled, and
    opens its file again in another process.

    Raises PhysgtError for a file that is not VTKHDF, is truncated, holds several parts or holds a
    mesh that changes.
    """
    path = Path(path)
    _check_file(path)
    files = CachingFileManager(HDF5File, path, mode="r")
    try:
        with files.acquire_context() as opened:
            return opened.read(lambda current: _trajectory(path, current.file, files))
    except Exception as error:
        raise _in_words(path, error) from error


@dataclass(frozen=True)
class _Stored:
    """A field and where it lies; the rows of time i begin at starts[i]."""

    field: Field
    location: str
    starts: np.ndarray
    over_time: bool


@dataclass(frozen=True)
class _FrameReader:
    """Reads a field of one time from the file; can be pickled."""

    path: Path
    files: CachingFileManager
    stored: _Stored
    frame_shape: tuple[int, ...]

    def __call__(self, index: int) -> np.ndarray:
        start, where = self.stored.starts[index], self.stored.location
        stop = start + (1 if self.stored.field.location == "global" else self.frame_shape[0])
        try:
            with self.files.acquire_context() as opened:
                rows = opened.read(lambda file: take_rows(file.dataset(where), start, stop))
        except Exception as error:
            raise _in_words(self.path, error) from error
        # Planar vectors have a third component on disk.
        kept = rows[:, : self.stored.field.components] if rows.ndim == 2 else rows
        return kept.reshape(self.frame_shape)


def _trajectory(path: Path, file: h5py.File, files: CachingFileManager) -> Trajectory:
    root, own = _root(path, file), file.get("physgt")
    times = np.zeros(1)
    if "Steps" in root:
        times = take_rows(root["Steps/Values"], 0, root["Steps"].attrs["NSteps"])
    if not len(times):
        raise PhysgtError(f"{path}: no time is complete; the program that wrote it stopped before.")
    _check_one_part(path, root, len(times))
    mesh = _read_mesh(root, own, len(times))
    variables = {}
    for stored in _stored_fields(path, root, mesh, len(times)):
        shape = stored.field.frame_shape(mesh)
        read = _FrameReader(path, files, stored, shape)
        variables[stored.field.name] = (
            lazy_variable(stored.field, (len(times), *shape), read)
            if stored.over_time
            else field_variable(stored.field, read(0), over_time=False)
        )
    attributes = {} if own is None else json.loads(own["attributes"].asstr()[()])
    return Trajectory(mesh, field_dataset(variables, times), attributes)


def _read_mesh(root: h5py.Group, own: h5py.Group | None, num_times: int) -> Mesh:
    starts = row_table(root, "PointOffsets", num_times)
    num_points = root["NumberOfPoints"][0]
    connectivity, offsets, cell_types = _read_cells(root, *_cell_starts(root, num_times)[0])
    points = take_rows(root["Points"], starts[0], starts[0] + num_points)
    node_type = np.zeros(num_points)
    if "PointData/node_type" in root:
        node_type = take_rows(root["PointData/node_type"], 0, num_points)
    if own is None:
        last = take_rows(root["Points"], starts[-1], starts[-1] + num_points)
        dimension = 2 if is_planar(points, cell_types) and is_planar(last, cell_types) else 3
    else:
        dimension = own.attrs["dimension"]
        points = take_rows(own["reference_points"]) if "reference_points" in own else points
    return Mesh(
        points=points[:, :dimension],
        connectivity=connectivity,
        offsets=offsets,
        cell_types=cell_types,
        node_type=node_type,
        node_sets=_read_sets(own, "node_sets"),
        cell_sets=_read_sets(own, "cell_sets"),
        polyhedra=read_polyhedra(root, num_times, 0),
    )


def _read_sets(own: h5py.Group | None, kind: str) -> dict[str, np.ndarray]:
    if own is None or kind not in own:
        return {}
    return {dataset.attrs["name"]: take_rows(dataset) for dataset in own[kind].values()}


def _stored_fields(path: Path, root: h5py.Group, mesh: Mesh, num_times: int) -> Iterator[_Stored]:
    """All fields of numbers, the points of a moving mesh among them."""
    names = {"node_type"}
    points = root["Points"]
    starts = row_table(root, "PointOffsets", num_times)
    if points.attrs.get("over_time", np.ptp(starts) > 0):
        components = points.attrs.get("components", mesh.dimension)
        names.add("points")
        yield _Stored(_field("points", points, "node", components), points.name, starts, True)
    for location, group in GROUPS.items():
        for name, dataset in root.get(group, {}).items():
            if (location, name) == ("node", "node_type") or not _holds_numbers(dataset):
                continue
            if location == "global" and not _one_value_a_time(root, name, num_times):
                continue
            starts = row_table(root, f"{group}Offsets/{name}", num_times)
            varies = np.ptp(starts) > 0 or (num_times == 1 and location != "global")
            components = dataset.shape[1] if dataset.ndim == 2 else 1
            field = _field(
                # Other programs may give point and cell data the same name.
                name if name not in names else f"{name}_{location}",
                dataset, location, dataset.attrs.get("components", components),
            )  # fmt: skip
            names.add(field.name)
            rows = 1 if location == "global" else field.frame_shape(mesh)[0]
            if len(dataset) < starts.max() + rows:
                raise PhysgtError(
                    f"{path}: field '{name}' has {len(dataset)} rows, "
                    f"but its {num_times} times and the mesh need {starts.max() + rows}."
                )
            yield _Stored(field, dataset.name, starts, dataset.attrs.get("over_time", varies))


def _field(name: str, dataset: h5py.Dataset, location: Location, components: int) -> Field:
    units = dataset.attrs.get("units", "")
    return Field(name, int(components), units, location, dtype=dataset.dtype.name)


def _holds_numbers(dataset: h5py.Dataset) -> bool:
    return dataset.dtype.name in NUMBERS and dataset.ndim in (1, 2)


def _one_value_a_time(root: h5py.Group, name: str, num_times: int) -> bool:
    """Whether an array of /FieldData holds one tuple a time; others are notes of their program."""
    if f"Steps/FieldDataSizes/{name}" in root:
        return bool((root[f"Steps/FieldDataSizes/{name}"][:num_times, 1] == 1).all())
    return len(root[f"FieldData/{name}"]) == 1


def _cell_starts(root: h5py.Group, num_times: int) -> np.ndarray:
    """(T, 3): the part, the first cell and the first connectivity entry of each time."""
    names = ("PartOffsets", "CellOffsets", "ConnectivityIdOffsets")
    return np.stack([row_table(root, name, num_times) for name in names], axis=1)


def _read_cells(
    root: h5py.Group, part: int, cell: int, entry: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(connectivity, offsets, VTK cell types) of one part."""
    num_cells = root["NumberOfCells"][part]
    num_entries = root["NumberOfConnectivityIds"][part]
    # Each part before has one offset more than it has cells.
    offsets = take_rows(root["Offsets"], cell + part, cell + part + num_cells + 1)
    degrees = root.get(f"CellData/{DEGREES}")
    rows = (cell, cell + num_cells)
    if degrees is not None:
        degrees = take_rows(degrees, *rows)
    return (
        take_rows(root["Connectivity"], entry, entry + num_entries),
        offsets,
        with_plain_names(take_rows(root["Types"], *rows), offsets, degrees),
    )


def _check_one_part(path: Path, root: h5py.Group, num_times: int) -> None:
    """Other programs write several parts at one time, or a new mesh at each."""
    if "Steps/NumberOfParts" in root:
        parts = int(root["Steps/NumberOfParts"][:num_times].max())
    else:
        parts = len(root["NumberOfPoints"])
    if parts > 1:
        raise PhysgtError(
            f"{path}: the grid is stored in {parts} parts; merge them into one, for example with "
            "ParaView's filters 'Merge Blocks' and 'Clean to Grid', and save it again."
        )
    starts = _cell_starts(root, num_times)
    for time in np.flatnonzero((starts != starts[0]).any(axis=1)):
        same_points = root["NumberOfPoints"][starts[time, 0]] == root["NumberOfPoints"][0]
        first, later = _read_cells(root, *starts[0]), _read_cells(root, *starts[time])
        faces, later_faces = (read_polyhedra(root, num_times, i) for i in (0, int(time)))
        same_faces = faces is None or (later_faces is not None and faces.equals(later_faces))
        if not (same_points and same_faces and all(map(np.array_equal, first, later))):
            raise PhysgtError(
                f"{path}: the mesh at time number {time} is not that of the first time; "
                "physgt needs one mesh for all times. Interpolate the results onto one mesh."
            )


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise PhysgtError(f"{path}: there is no such file.")
    if not h5py.is_hdf5(path):
        raise PhysgtError(f"{path}: not an HDF5 file, so it can't be VTKHDF.")


def _root(path: Path, file: h5py.File) -> h5py.Group:
    if "VTKHDF" not in file:
        raise PhysgtError(
            f"{path}: an HDF5 file without the group /VTKHDF; it holds "
            f"{sorted(file) or 'nothing'}. For a layout of your own see docs/formats.md."
        )
    root = file["VTKHDF"]
    kind = root.attrs.get("Type", b"none")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if kind != "UnstructuredGrid":
        raise PhysgtError(
            f"{path}: VTKHDF of type {kind}, expected UnstructuredGrid; convert the data set to "
            "an unstructured grid, for example with ParaView's filter 'Append Datasets'."
        )
    return root


def _in_words(path: Path, error: Exception) -> PhysgtError:
    """HDF5 tells of damage by exceptions of every kind."""
    if isinstance(error, PhysgtError):
        told = str(error)
        return PhysgtError(told if told.startswith(str(path)) else f"{path}: {told}")
    if isinstance(error, KeyError):
        return PhysgtError(f"{path}: incomplete VTKHDF file: {error.args[0]}.")
    return PhysgtError(f"{path}: truncated or damaged HDF5 file ({error}); copy or write it again.")
