"""Fluent's HDF5 files: a case NAME.cas.h5 with its data NAME.dat.h5, or a series of data.

VTK makes cells of the case's faces; zones and data are read here, file by file.
Source: "Common Fluids Format", Ansys Fluent User's Guide, appendix on file formats; the groups and
attributes are those found in files of Fluent 2020 to 2024.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pyvista as pv
from vtkmodules.vtkIOFLUENTCFF import vtkFLUENTCFFReader

from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.datasets.vtk_bridge import from_pyvista
from physgt.datasets.vtk_files import vtk_errors
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.polyhedra import ragged_rows
from physgt.trajectory import Trajectory

CASE, DATA = ".cas.h5", ".dat.h5"
INTERIOR = 2
"""The type of zones of faces between cells."""

DAMAGED = (
    OSError, KeyError, ValueError, IndexError, TypeError, AttributeError, RuntimeError,
    OverflowError,
)  # fmt: skip
"""What h5py and numpy raise where a file isn't what it says."""

FLOW_TIME = re.compile(rb"\(flow-time\s+([^\s()]+)\)")
NUMBER = re.compile(r"(\d+)$")


def is_fluent(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith((CASE, DATA))


def read_fluent(path: Path) -> Trajectory:
    """A case with all its data beside it: NAME.cas.h5, NAME.dat.h5 and NAME-*.dat.h5 (autosaved).

    A data file alone is one time of the case of its name, or of the only case there. Fields have
    Fluent's names (SV_P, SV_T, ...) and lie on cells; those of the second phase on end in
    `_phase-2`. Zones of cells become cell sets; those of boundary faces node sets, and cell sets
    of the cells behind. Times are the files' flow times or, where these don't differ (iterations
    of a steady run), the numbers in their names. Fields that not all cells have are named in the
    attribute `fields_not_on_all_cells`.
    """
    case, data = _files(path)
    mesh = _mesh(case)
    times = _times(data)
    partial: set[str] = set()

    def read(i: int) -> Snapshot:
        return (
            Snapshot(mesh, cell=_fields(data[i], mesh.num_cells, partial))
            if data
            else Snapshot(mesh)
        )

    found = trajectory_of(path, times, read)
    if not partial:
        return found
    return replace(
        found, attributes={**found.attributes, "fields_not_on_all_cells": sorted(partial)}
    )


def _files(path: Path) -> tuple[Path, list[Path]]:
    stem, folder = path.name[: -len(CASE)], path.parent
    if path.name.lower().endswith(CASE):
        numbered = [f for f in _data_of(folder, stem) if _number(f) is not None]
        exact = folder / f"{stem}{DATA}"
        return path, numbered or ([exact] if exact.is_file() else [])
    cases = sorted(folder.glob(f"*{CASE}"))
    own = [case for case in cases if stem.startswith(case.name[: -len(CASE)])] or cases
    longest = max(own, key=lambda case: len(case.name), default=None)
    if longest is None or (len(cases) > 1 and own == cases):
        raise PhysgtError(
            f"{path}: {'no' if not cases else 'more than one'} case (*{CASE}) lies beside it; put "
            f"{stem}{CASE} there."
        )
    return longest, [path]


def _data_of(folder: Path, stem: str) -> list[Path]:
    """The data whose names go on from a case's, but for those of run-hot.cas.h5 beside run.cas.h5;
    run-00010.cas.h5 is the same run, saved with its data."""
    same_run = re.compile(re.escape(stem) + r"(-\d+)*")
    stems = [case.name[: -len(CASE)] for case in folder.glob(f"*{CASE}")]
    others = tuple(other for other in stems if not same_run.fullmatch(other) and other > stem)
    files = (file for file in folder.glob(f"*{DATA}") if file.name.startswith(f"{stem}-"))
    return sorted(file for file in files if not file.name.startswith(others))


def _number(file: Path) -> int | None:
    found = NUMBER.search(file.name[: -len(DATA)])
    return int(found[1]) if found else None


def _times(data: list[Path]) -> list[float]:
    if len(data) < 2:
        return [_flow_time(file) or 0.0 for file in data] or [0.0]
    times = [_flow_time(file) for file in data]
    if len(set(times)) == 1:
        return [float(_number(file) or 0) for file in data]
    first = dict(zip(reversed(times), reversed(data), strict=True))
    for time, file in zip(times, data, strict=True):
        if time is None or first[time] != file:
            raise PhysgtError(
                f"{file}: tells no flow time, which others do; remove it."
                if time is None
                else f"{file}: has the flow time {time:g} s, as {first[time].name} has; remove one."
            )
    return [time for time in times if time is not None]


def _flow_time(file: Path) -> float | None:
    with _opened(file) as content:
        settings = content.get("settings/Data Variables")
        found = FLOW_TIME.search(settings[0]) if settings is not None else None
    return float(found[1]) if found else None


def _mesh(case: Path) -> Mesh:
    with vtk_errors(case):
        reader = vtkFLUENTCFFReader()
        reader.SetFileName(str(case))
        reader.UpdateInformation()
        reader.DisableAllCellArrays()
        reader.Update()
        blocks = reader.GetOutput()
        if not blocks.GetNumberOfBlocks():
            raise PhysgtError("no mesh that VTK can read; write the case again.")
        mesh = from_pyvista(pv.wrap(blocks.GetBlock(0)), planar=False)[0]
    with _opened(case) as content:
        root = content["meshes/1"]
        counts = int(root.attrs["nodeCount"][0]), int(root.attrs["cellCount"][0])
        if counts != (mesh.num_points, mesh.num_cells):
            raise PhysgtError(
                f"{case}: promises {counts[0]} nodes and {counts[1]} cells, found "
                f"{mesh.num_points} and {mesh.num_cells}; damaged."
            )
        node_sets, cell_sets = _sets(case, root)
    return replace(mesh, node_sets=node_sets, cell_sets=cell_sets)


def _sets(case: Path, root: h5py.Group) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    cell_sets = {name: ids for name, _, ids in _zones(root["cells/zoneTopology"])}
    node_sets: dict[str, np.ndarray] = {}
    num_faces = int(root.attrs["faceCount"][0])
    sizes = _sections({k: v["nnodes"] for k, v in root["faces/nodes"].items()}, num_faces)
    nodes = np.concatenate([part["nodes"][:] for part in root["faces/nodes"].values()])
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    behind = _sections(root["faces/c0"], num_faces)
    if len(nodes) != offsets[-1]:
        raise PhysgtError(f"{case}: faces have {len(nodes)} nodes, not {offsets[-1]}; damaged.")
    for name, kind, faces in _zones(root["faces/zoneTopology"]):
        if kind != INTERIOR and faces.size:
            ids = nodes[ragged_rows(offsets, faces)].astype(np.int64) - 1
            node_sets[name] = np.unique(ids)
            cells = np.unique(behind[faces].astype(np.int64)) - 1
            cell_sets.setdefault(name, cells[cells >= 0])
    return node_sets, cell_sets


def _zones(topology: h5py.Group) -> Iterator[tuple[str, int, np.ndarray]]:
    """(name, type, numbers of its cells or faces) of each zone."""
    names = topology["name"][0].decode().split(";")
    kinds, first, last = (topology[key][:] for key in ("zoneType", "minId", "maxId"))
    for name, kind, start, stop in zip(names, kinds, first, last, strict=True):
        yield name, int(kind), np.arange(int(start) - 1, int(stop))


def _sections(group: h5py.Group | dict[str, h5py.Dataset], count: int) -> np.ndarray:
    """Numbers that are stored in sections, each with the ids that it holds; 0 where none does."""
    whole = np.zeros(count, np.int64)
    for section in group.values():
        limits = section.attrs if "minId" in section.attrs else section.parent.attrs
        whole[int(limits["minId"][0]) - 1 : int(limits["maxId"][0])] = section[:]
    return whole


def _fields(file: Path, num_cells: int, partial: set[str]) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with _opened(file) as content:
        for phase, group in content["results/1"].items():
            for name, sections in group.get("cells", {}).items():
                if not isinstance(sections, h5py.Group):
                    continue
                own = name if phase == "phase-1" else f"{name}_{phase}"
                values = _field(file, own, sections, num_cells)
                if values is None:
                    partial.add(own)
                else:
                    found[own] = values
    return found


def _field(file: Path, name: str, sections: h5py.Group, num_cells: int) -> np.ndarray | None:
    """(M[, C]) the values of a field, None where some cells have none."""
    parts = sorted(sections.values(), key=lambda part: int(part.attrs["minId"][0]))
    covered = 0
    for part in parts:
        first, last = int(part.attrs["minId"][0]), int(part.attrs["maxId"][0])
        if len(part) != last - first + 1 or last > num_cells:
            raise PhysgtError(
                f"{file}: field '{name}' has {len(part)} values for the cells {first} to {last} of "
                f"{num_cells}; the data are of another case, or damaged."
            )
        covered += len(part)
    if covered != num_cells:
        return None
    return np.concatenate([part[:] for part in parts])


@contextmanager
def _opened(file: Path) -> Iterator[h5py.File]:
    """Whatever h5py meets in a damaged file becomes an error that names it."""
    try:
        with h5py.File(file, "r") as content:
            yield content
    except PhysgtError:
        raise
    except (
        OSError,
        KeyError,
        ValueError,
        IndexError,
        TypeError,
        RuntimeError,
        OverflowError,
    ) as error:
        told = " ".join(str(error).split())
        raise PhysgtError(f"{file}: truncated or damaged Fluent file ({told}).") from error
