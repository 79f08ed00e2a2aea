"""The layout of the public MeshGraphNets data sets: many trajectories, each with its own mesh.

A folder holds meta.json and train.tfrecord, valid.tfrecord, test.tfrecord. Many convert it to
train.h5, valid.h5 and test.h5: a group for each trajectory with one data set a feature.

Source: Pfaff et al., "Learning Mesh-Based Simulation with Graph Networks", ICLR 2021, and the data
sets published with it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from physgt.datasets.hdf5_file import take_rows
from physgt.datasets.naming import errors_name
from physgt.datasets.tfrecord import RecordFile, example_features
from physgt.errors import PhysgtError
from physgt.fields import field_dataset, field_variable, lazy_variable
from physgt.mesh import Mesh
from physgt.task import Field
from physgt.trajectory import Trajectory

META = "meta.json"
SPLITS = (".tfrecord", ".tfrecords", ".h5", ".hdf5")
REST, MOVED, CELLS, NODE_TYPE = ("mesh_pos", "pos"), "world_pos", "cells", "node_type"

Features = dict[str, Any]
"""Name -> an array or an HDF5 data set (1 or T, N or M, C): one time for what stays."""


def is_meshgraphnets(path: Path) -> bool:
    """A folder with meta.json beside splits, a .tfrecord file, or HDF5 with groups of meshes."""
    if path.is_dir():
        return (path / META).is_file() and any(map(_is_split, path.iterdir()))
    return _is_split(path)


def members(path: Path) -> list[str]:
    """SPLIT/NUMBER of each trajectory, such as train/0000."""
    files = sorted(filter(_is_split, path.iterdir())) if path.is_dir() else [path]
    return [f"{file.stem}/{i:04d}" for file in files for i in range(len(_names(file)))]


def read_member(path: Path, member: str) -> Trajectory:
    """One trajectory. Its times are numbers times the `dt` of meta.json, or numbers without it.

    `world_pos` becomes the field `points`: the mesh moves. Features of one time are static fields.
    """
    split, _, number = member.rpartition("/")
    folder = path if path.is_dir() else path.parent
    files = [f for f in folder.iterdir() if _is_split(f) and f.stem == split]
    file = path if path.is_file() else files[0]
    with errors_name(file):
        meta = _meta(folder)
        read = _read_record if file.suffix.startswith(".tf") else _read_group
        features, length = read(file, int(number), meta)
        with errors_name(Path(f"{file}#{member}")):
            return _trajectory(features, length, float(meta.get("dt") or 1.0))


def _is_split(path: Path) -> bool:
    if path.suffix.lower() not in SPLITS or not path.is_file():
        return False
    return path.suffix.lower().startswith(".tf") or bool(_groups(path))


def _names(file: Path) -> list[str] | RecordFile:
    return RecordFile(file) if file.suffix.startswith(".tf") else _groups(file)


def _groups(path: Path) -> list[str]:
    """Names of the groups that hold a mesh; none in a file that can't be read."""
    return _groups_of(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _groups_of(path: Path, changed: int) -> list[str]:
    try:
        with h5py.File(path) as file:
            names = sorted(file, key=lambda name: (len(name), name))
            return [name for name in names if _is_trajectory(file[name])]
    except Exception:
        return []


def _is_trajectory(group: Any) -> bool:
    """Whether cells and points lie beside features over time."""
    features = [name for name, data in group.items() if getattr(data, "ndim", 0) == 3]
    has_mesh = CELLS in group and any(name in group for name in REST)
    return has_mesh and bool({*features} - {CELLS, NODE_TYPE, *REST})


def _meta(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / META).read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise PhysgtError(f"{folder / META}: not JSON ({error}).") from error
    if not isinstance(found, dict):
        raise PhysgtError(f"{folder / META}: expected an object with 'features' and 'dt'.")
    return found


def _read_record(file: Path, number: int, meta: Mapping[str, Any]) -> tuple[Features, int]:
    stored = example_features(RecordFile(file)[number])
    features = {}
    if not meta.get("features"):
        raise PhysgtError(f"needs {META} beside it, which tells shapes and types of the features.")
    for name, told in meta["features"].items():
        if told.get("type") == "dynamic_varlen":
            raise PhysgtError(
                f"feature '{name}' has another length at each time: the mesh changes, which physgt "
                "can't interpolate (--remap) in this format; write the times as files of VTK."
            )
        if name not in stored:
            raise PhysgtError(f"record {number} has no feature '{name}', which {META} tells of.")
        features[name] = _decoded(name, stored[name], told)
    return features, int(meta["trajectory_length"])


def _decoded(name: str, stored: memoryview, told: Mapping[str, Any]) -> np.ndarray:
    """Raw little-endian numbers in the shape that meta.json tells; one of its sizes is -1."""
    try:
        dtype, shape = np.dtype(told["dtype"]).newbyteorder("<"), [int(n) for n in told["shape"]]
        known = math.prod(n for n in shape if n != -1)
        values = np.frombuffer(stored, dtype)
    except (TypeError, ValueError, KeyError) as error:
        raise PhysgtError(f"feature '{name}' of {META}: {error}.") from error
    if len(shape) != 3 or known < 1 or len(values) % known or shape.count(-1) > 1:
        raise PhysgtError(
            f"feature '{name}' has {len(values)} numbers, which {META} can't shape as {shape}."
        )
    return values.reshape(shape)


def _read_group(file: Path, number: int, meta: Mapping[str, Any]) -> tuple[Features, int]:
    names = _groups(file)
    if number >= len(names):
        raise PhysgtError(f"has {len(names)} trajectories, no number {number}.")
    # The file stays open for the frames to come.
    group = h5py.File(file)[names[number]]
    found = {name: data for name, data in group.items() if _is_array(data)}
    # Of a static feature some write one time, some none, and some repeat it.
    shaped = {name: take_rows(a)[None] if a.ndim == 2 else a for name, a in found.items()}
    return shaped, max(len(values) for values in shaped.values())


def _is_array(data: Any) -> bool:
    return isinstance(data, h5py.Dataset) and data.dtype.kind in "biuf" and data.ndim in (2, 3)


def _trajectory(features: Features, length: int, dt: float) -> Trajectory:
    rest = next((features[name] for name in REST if name in features), None)
    if rest is None or CELLS not in features:
        raise PhysgtError(f"holds {sorted(features)}, but no mesh: 'cells' and 'mesh_pos'.")
    points, moved = rest[0].astype(np.float64), features.get(MOVED)
    if moved is None and not np.array_equal(rest[-1], rest[0]):
        moved = features[MOVED] = rest
    if moved is not None:
        points = np.pad(points, ((0, 0), (0, max(0, moved.shape[2] - points.shape[1]))))
    mesh = Mesh.from_blocks(
        points,
        [_block(features[CELLS], rest.shape[2])],
        node_type=_node_type(features, len(points)),
    )
    variables = {}
    for name, values in features.items():
        if name in (CELLS, NODE_TYPE, *REST):
            continue
        if len(values) not in (1, length):
            raise PhysgtError(f"feature '{name}' has {len(values)} times, others {length}.")
        if values.shape[1] != mesh.num_points:
            raise PhysgtError(
                f"feature '{name}' has {values.shape[1]} values a time, but the mesh has "
                f"{mesh.num_points} nodes."
            )
        over_time = len(values) > 1 or length == 1
        own = "points" if name == MOVED else name
        field = Field(own, values.shape[2], "m" if name == MOVED else "", dtype=values.dtype.name)
        variables[own] = _variable(field, values, mesh, over_time)
    return Trajectory(mesh, field_dataset(variables, dt * np.arange(length)))


def _variable(field: Field, values: Any, mesh: Mesh, over_time: bool) -> xr.Variable:
    shape = field.frame_shape(mesh)

    def read(i: int) -> np.ndarray:
        return np.asarray(values[i]).reshape(shape)

    if over_time:
        return lazy_variable(field, (len(values), *shape), read)
    return field_variable(field, read(0), over_time=False)


def _block(cells: Any, dimension: int) -> tuple[str, np.ndarray]:
    changed = [i for i, later in enumerate(cells) if not np.array_equal(later, cells[0])]
    if changed:
        raise PhysgtError(
            f"the cells at time number {changed[0]} are not those of the first time, which physgt "
            "can't interpolate (--remap) in this format; write the times as files of VTK."
        )
    kinds = {2: "line", 3: "triangle", 4: "quad" if dimension == 2 else "tetra", 8: "hexahedron"}
    if cells.shape[2] not in kinds:
        raise PhysgtError(f"cells have {cells.shape[2]} nodes; known are {sorted(kinds)}.")
    return kinds[cells.shape[2]], cells[0]


def _node_type(features: Features, num_points: int) -> np.ndarray:
    return features[NODE_TYPE][0].reshape(-1) if NODE_TYPE in features else np.zeros(num_points)
