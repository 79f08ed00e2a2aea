"""The only module that calls meshio: meshes of many programs, and meshio's own XDMF series."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TypeVar

import meshio
import numpy as np
from meshio.abaqus._abaqus import read_buffer as read_abaqus
from meshio.gmsh.main import read_buffer as read_gmsh
from meshio.nastran._nastran import read_buffer as read_nastran
from meshio.xdmf import TimeSeriesReader

from physgt.datasets.abaqus import read_mesh, read_sets
from physgt.datasets.gmsh_data import check_data
from physgt.datasets.main_cells import keep_main_cells
from physgt.datasets.naming import errors_name
from physgt.datasets.snapshots import Snapshot
from physgt.datasets.su2_counts import read_markers
from physgt.errors import PhysgtError
from physgt.mesh import Mesh

Result = TypeVar("Result")

PHYSICAL_GROUPS = "gmsh:physical"

NUMBERED = {"su2:tag": "marker", "nastran:ref": "property", "medit:ref": "reference"}
"""Cell data of meshio that number groups, and what the groups are called."""

LINES_BEYOND = 10
"""So often a reader may find that a file has ended."""

ABAQUS = (".inp",)
TECPLOT = (".dat", ".tec")
NASTRAN = (".bdf", ".nas", ".fem")


def suffixes() -> tuple[str, ...]:
    """Endings of the files that meshio reads."""
    return tuple(meshio.extension_to_filetypes)


def read_mesh_file(path: Path) -> Snapshot:
    """One mesh with its data; named groups of cells of lower dimension become node sets."""
    names = read_markers(path) if path.suffix.lower() == ".su2" else {}
    mesh = _guarded(path, lambda: _read(path))
    return _guarded(path, lambda: _snapshot(mesh, mesh.point_data, mesh.cell_data, names))


def _read(path: Path) -> meshio.Mesh:
    if path.suffix.lower() in NASTRAN:
        return _nastran(path)
    if path.suffix.lower() in ABAQUS:
        return _abaqus(path)
    if path.suffix.lower() == ".msh":
        with _EndingFile(io.FileIO(path)) as file:
            # Ansys has meshes of this name as well; Gmsh's begin with $.
            if file.peek(1)[:1] == b"$":
                check_data(path)
                return read_gmsh(file)
    if path.suffix.lower() in TECPLOT:
        _check_one_zone(path)
    return meshio.read(path)


def _abaqus(path: Path) -> meshio.Mesh:
    """Cells by meshio; it takes the last card of nodes for all, and sets of the wrong blocks."""
    found = read_mesh(path)
    cards = [("*NODE", found.nodes)]
    cards += [(f"*ELEMENT, TYPE={kind}", lines) for kind, lines in found.elements if lines]
    rows = [row for head, lines in cards for row in (head, *map(",".join, lines))]
    mesh = read_abaqus(io.StringIO("\n".join((*rows, ""))))
    nodes, elements = found.node_numbers(), found.element_numbers()
    ends = np.cumsum([len(block.data) for block in mesh.cells])
    if len(elements) != ends[-1]:
        raise PhysgtError("a line of an element goes on in the next without a comma at its end.")
    node_sets, element_sets = read_sets(path)
    mesh.point_sets = {
        name: np.flatnonzero(np.isin(nodes, numbers)) for name, numbers in node_sets.items()
    }
    mesh.cell_sets = {
        name: [np.flatnonzero(part) for part in np.split(np.isin(elements, numbers), ends[:-1])]
        for name, numbers in element_sets.items()
    }
    return mesh


class _EndingFile(io.BufferedReader):
    """A file that has an end also for who asks for as many lines as a damaged count says."""

    _beyond = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self._beyond += not line
        if self._beyond > LINES_BEYOND:
            raise EOFError("the file ends before what its counts say")
        return line


def _nastran(path: Path) -> meshio.Mesh:
    bulk = _bulk_data(path)
    mesh = read_nastran(io.StringIO(bulk))
    # meshio tells the coordinate system of each node, and takes its coordinates as they are.
    systems = mesh.point_data.pop("nastran:ref", np.zeros(1))
    if systems.any() or re.search(r"^GRDSET", bulk, re.MULTILINE):
        raise PhysgtError(
            "has nodes in coordinate systems of their own (CP of GRID, or GRDSET), which aren't "
            "read; export the mesh in the basic system."
        )
    return mesh


def _check_one_zone(path: Path) -> None:
    text = path.read_text(errors="replace")
    count = len(re.findall(r"^[ \t]*ZONE\b", text, re.MULTILINE | re.IGNORECASE))
    if count > 1:
        raise PhysgtError(
            f"holds {count} zones, of which meshio reads the first; write one file a zone, or all "
            "as .vtm."
        )


def _bulk_data(path: Path) -> str:
    """Nastran's cards with the line before them, which Gmsh and others leave out."""
    text = path.read_text(errors="replace")
    begin = re.search(r"^[ \t]*BEGIN BULK", text, re.MULTILINE)
    bulk = text[begin.start() :] if begin else f"BEGIN BULK\n{text}"
    # meshio looks for the first card beyond the end, for ever.
    if not re.search(r"^ENDDATA", bulk, re.MULTILINE):
        raise PhysgtError(f"{path}: no line ENDDATA at its end; truncated.")
    return bulk


class XDMFSeries:
    """A temporal collection in the layout that meshio writes: one mesh beside many times."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = _guarded(path, lambda: TimeSeriesReader(path))
        points, cells = _guarded(path, self._reader.read_points_cells)
        self._mesh = _guarded(path, lambda: meshio.Mesh(points, cells))

    @property
    def times(self) -> list[float]:
        return _guarded(
            self.path, lambda: [float(g.find("Time").get("Value")) for g in self._reader.collection]
        )

    def read(self, i: int) -> Snapshot:
        _, point_data, cell_data = _guarded(self.path, lambda: self._reader.read_data(i))
        return _guarded(self.path, lambda: _snapshot(self._mesh, point_data, cell_data))


def _guarded(path: Path, call: Callable[[], Result]) -> Result:
    """The result of `call`, or a PhysgtError that names the file; meshio may even exit Python."""
    printed = io.StringIO()
    try:
        with redirect_stderr(printed), redirect_stdout(printed), errors_name(path):
            return call()
    except PhysgtError:
        raise
    except (Exception, SystemExit) as error:
        reason = " ".join(printed.getvalue().split()) or str(error) or type(error).__name__
        raise PhysgtError(
            f"{path}: meshio can't read it, it is damaged or not what its name says ({reason})."
        ) from error


def _snapshot(
    found: meshio.Mesh,
    point_data: Mapping[str, Any],
    cell_data: Mapping[str, Any],
    names: Mapping[int, str] | None = None,
) -> Snapshot:
    mesh = Mesh.from_blocks(
        np.pad(found.points, ((0, 0), (0, 3 - found.points.shape[1]))),
        [(block.type, block.data) for block in found.cells],
        node_sets={name: np.asarray(ids) for name, ids in found.point_sets.items()},
        cell_sets=_cell_sets(found) | _numbered_sets(found, names or {}),
    )
    node = _numbers(point_data, mesh.num_points, "points")
    # meshio holds a list of arrays, one for each block of cells.
    joined = {name: np.concatenate(arrays) for name, arrays in cell_data.items()}
    mesh, cell = keep_main_cells(mesh, _numbers(joined, mesh.num_cells, "cells"))
    return Snapshot(mesh, node, cell)


def _cell_sets(found: meshio.Mesh) -> dict[str, np.ndarray]:
    """Named groups over all blocks: sets, Gmsh's physical groups and MED's families."""
    starts = np.cumsum([0, *(len(block.data) for block in found.cells)])
    sets = {
        name: np.concatenate(
            [np.asarray(ids, dtype=np.int64) + s for ids, s in zip(blocks, starts, strict=False)]
        )
        for name, blocks in found.cell_sets.items()
        if not name.startswith("gmsh:")
    }
    if PHYSICAL_GROUPS in found.cell_data:
        groups = np.concatenate(found.cell_data[PHYSICAL_GROUPS])
        dimensions = np.repeat([block.dim for block in found.cells], np.diff(starts))
        for name, (tag, dimension) in found.field_data.items():
            # A cell may be in several groups, of which this data has one; meshio's set has all.
            of_tag = np.flatnonzero((groups == tag) & (dimensions == dimension))
            sets[name] = np.union1d(sets.get(name, []), of_tag).astype(np.int64)
    if "cell_tags" in found.cell_data:
        families = np.concatenate(found.cell_data["cell_tags"])
        tags: dict[int, list[str]] = getattr(found, "cell_tags", {})
        for name in sorted({name for names in tags.values() for name in names}):
            of_name = [tag for tag, names in tags.items() if name in names]
            sets[name] = np.flatnonzero(np.isin(families, of_name))
    return sets


def _numbered_sets(found: meshio.Mesh, names: Mapping[int, str]) -> dict[str, np.ndarray]:
    """Groups that have numbers and, in SU2, names. 0 is no group."""
    sets = {}
    for key, label in NUMBERED.items():
        numbers = np.concatenate(found.cell_data.get(key, [np.empty(0, int)])).astype(int)
        for number in np.unique(numbers[numbers != 0]).tolist():
            sets[names.get(number, f"{label} {number}")] = np.flatnonzero(numbers == number)
    return sets


def _numbers(data: Mapping[str, Any], count: int, entities: str) -> dict[str, np.ndarray]:
    """Arrays of numbers as (n,) or (n, C), in this machine's byte order."""
    found = {}
    for name, given in data.items():
        values = np.asarray(given)
        if values.dtype.kind not in "biuf":
            continue
        if len(values) != count:
            raise PhysgtError(
                f"field '{name}' has {len(values)} values, but the mesh has {count} {entities}."
            )
        values = values.astype(np.uint8 if values.dtype == bool else values.dtype.newbyteorder("="))
        columns = values.reshape(count, -1)
        found[name] = columns[:, 0] if columns.shape[1] == 1 else columns
    return found
