"""Fluent's older files: meshes (.msh) and cases (.cas) with their data (.dat), text or binary.

VTK makes cells of the faces; zones and data are read here, since VTK takes whatever a damaged data
file holds.
Source: Ansys Fluent User's Guide, appendix "Case and Data File Formats".
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyvista as pv
from vtkmodules.vtkCommonDataModel import vtkCompositeDataSet, vtkMultiBlockDataSet
from vtkmodules.vtkIOGeometry import vtkFLUENTReader

from physgt.datasets.fluent_data import read_fluent_data
from physgt.datasets.parts import Parts
from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.datasets.vtk_files import snapshot_of_grid, vtk_errors
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory

CELL_ZONES = ("fluid", "solid")
INTERIOR = 2

_NAMES = re.compile(rb"\((?:39|45)\s*\(\s*(\d+)\s+([\w-]+)\s+([^\s()]+)[^()]*\)")
_CELLS = re.compile(rb"\(\s*(?:20|30)?12\s*\(([0-9a-fA-F\s]+)\)")
_FACES = re.compile(rb"\(\s*(20|30)?13\s*\(([0-9a-fA-F\s]+)\)\s*\(")


def is_fluent_legacy(path: Path) -> bool:
    """Sections of Fluent begin with a parenthesis and a number; other .msh files don't."""
    if not path.is_file() or path.suffix.lower() not in (".cas", ".msh"):
        return False
    with path.open("rb") as file:
        return re.match(rb"\s*\(\d+\s", file.read(64)) is not None


def read_fluent_legacy(path: Path) -> Trajectory:
    """One time: the case or mesh, with the fields of NAME.dat beside it, on cells.

    Zones of cells become cell sets; those of boundary faces node sets, and cell sets of the cells
    behind.
    """
    with vtk_errors(path):
        output = _cells_by_vtk(path)
        data = path.read_bytes()
        names = {
            int(number): (kind.decode(), name.decode(errors="replace"))
            for number, kind, name in _NAMES.findall(data)
        }
        snapshot = _joined(output, _cell_zones(data, names))
        node_sets, cell_sets = _boundary_sets(data, names, snapshot)
    mesh = snapshot.mesh
    mesh = replace(mesh, node_sets=node_sets, cell_sets={**cell_sets, **mesh.cell_sets})
    values = path.with_suffix(".dat")
    fields = {}
    if values.is_file():
        numbers = {number for number, (kind, _) in names.items() if kind in CELL_ZONES}
        fields = read_fluent_data(values, numbers, mesh.num_cells)
    whole = Snapshot(mesh, cell=fields)
    return trajectory_of(path, [0.0], lambda _: whole)


def _cells_by_vtk(path: Path) -> vtkMultiBlockDataSet:
    # VTK reads the data beside a case as well: so it gets the case under a name that has none.
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "case.cas"
        alone.symlink_to(path.resolve())
        reader = vtkFLUENTReader()
        reader.SetFileName(str(alone))
        reader.Update()
        return reader.GetOutput()


def _joined(output: vtkMultiBlockDataSet, zones: list[str]) -> Snapshot:
    """The zones of cells one after the other; each comes with all points of the file."""
    # "NAME:TYPE"; blocks of faces hold what isn't faces, so they stay unread.
    numbers = range(output.GetNumberOfBlocks())
    texts = [output.GetMetaData(i).Get(vtkCompositeDataSet.NAME()) for i in numbers]
    blocks = {
        text.split(":")[0]: output.GetBlock(i) for i, text in zip(numbers, texts, strict=True)
    }
    missing = [name for name in zones if name not in blocks]
    if missing or not zones:
        raise PhysgtError(
            f"no zone of cells that VTK can read{f' ({missing[0]})' if missing else ''}."
        )
    found = [snapshot_of_grid(pv.wrap(blocks[name])) for name in zones]
    parts = Parts(
        [np.arange(part.mesh.num_points) for part in found],
        np.arange(sum(part.mesh.num_cells for part in found)),
    )
    named = [
        replace(part, mesh=replace(part.mesh, cell_sets={name: np.arange(part.mesh.num_cells)}))
        for name, part in zip(zones, found, strict=True)
    ]
    return parts.joined(named)


def _cell_zones(data: bytes, names: dict[int, tuple[str, str]]) -> list[str]:
    """Names of the zones of cells, in the order of their cells."""
    zones = []
    for words in (found.split() for found in _CELLS.findall(data)):
        zone, first = int(words[0], 16), int(words[1], 16)
        if zone in names and names[zone][0] in CELL_ZONES:
            zones.append((first, names[zone][1]))
    return [name for _, name in sorted(zones)]


def _boundary_sets(
    data: bytes, names: dict[int, tuple[str, str]], whole: Snapshot
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    node_sets: dict[str, np.ndarray] = {}
    cell_sets: dict[str, np.ndarray] = {}
    for found in _FACES.finditer(data):
        zone, first, last, kind, *rest = (int(word, 16) for word in found[2].split())
        if kind == INTERIOR or zone not in names:
            continue
        numbers = _numbers(data, found.end(), binary=found[1] is not None)
        nodes, cells = _faces(numbers, last - first + 1, rest[0] if rest else 0)
        limits = (nodes, whole.mesh.num_points, "nodes"), (cells, whole.mesh.num_cells, "cells")
        for ids, size, what in limits:
            if ids.size and (ids.min() < 1 or ids.max() > size):
                raise PhysgtError(f"zone '{names[zone][1]}' names {what} beyond {size}; damaged.")
        node_sets[names[zone][1]] = np.unique(nodes) - 1
        cell_sets[names[zone][1]] = np.unique(cells) - 1
    return node_sets, cell_sets


def _numbers(data: bytes, start: int, binary: bool) -> np.ndarray:
    """The numbers of a section's body: hexadecimal, or binary up to its end mark."""
    if binary:
        end = data.find(b")End of Binary Section", start)
        return np.frombuffer(data[start:end], "<i4", (end - start) // 4).astype(np.int64)
    words = data[start : data.find(b")", start)].split()
    return np.array([int(word, 16) for word in words], dtype=np.int64)


def _faces(numbers: np.ndarray, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(nodes, cells at either side) of faces of one size, or of sizes that precede them."""
    if size in (2, 3, 4):
        rows = numbers[: count * (size + 2)].reshape(-1, size + 2)
        nodes, cells = rows[:, :size].ravel(), rows[:, size:].ravel()
        complete = len(rows) == count
    else:
        parts = list(_mixed(numbers, count))
        nodes = np.concatenate([np.empty(0, np.int64), *(part[:-2] for part in parts)])
        cells = np.concatenate([np.empty(0, np.int64), *(part[-2:] for part in parts)])
        complete = len(parts) == count
    if not complete:
        raise PhysgtError(f"a zone promises {count} faces and holds fewer; truncated or damaged.")
    return nodes, cells[cells > 0]


def _mixed(numbers: np.ndarray, count: int) -> Iterator[np.ndarray]:
    place = 0
    while count and place < len(numbers):
        stop = place + int(numbers[place]) + 3
        if stop > len(numbers):
            return
        yield numbers[place + 1 : stop]
        place, count = stop, count - 1
