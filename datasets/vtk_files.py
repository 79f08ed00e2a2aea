"""VTK's own files, and AVS UCD, which VTK reads best: one grid a file.

Source: "VTK File Formats", the appendix of The VTK User's Guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyvista as pv
from vtkmodules.vtkCommonCore import vtkLogger
from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
from vtkmodules.vtkIOGeometry import vtkAVSucdReader

from physgt.datasets.legacy_ascii import check_ascii_end
from physgt.datasets.main_cells import keep_main_cells
from physgt.datasets.naming import errors_name
from physgt.datasets.parts import Parts
from physgt.datasets.snapshots import Snapshot
from physgt.datasets.vtk_bridge import from_pyvista
from physgt.datasets.vtk_xml import XML_SUFFIXES, check_components
from physgt.errors import PhysgtError

VTK_SUFFIXES = (".vtu", ".vtk", ".vtp", ".vts", ".vtr", ".vti", ".pvtu", ".pvtp")

PIECES = (".pvtu", ".pvtp")
"""Formats whose pieces repeat the points that they share."""

TIME = "TimeValue"
"""Where VTK and ParaView keep the time of a file, in its field data."""

GHOSTS, REPEATED = "vtkGhostType", 1
"""Cell data, and its bit that says that another piece of a parallel run has the cell as well."""

LEGACY_TIME = re.compile(rb"^TimeValue 1 1 (\w+)\s*?\n([^\n]*)", re.MULTILINE)
LEGACY_TYPES = {b"double": ">f8", b"float": ">f4"}
LEGACY_HEAD = 4096
"""Bytes in which a legacy file tells its time."""


def read_vtk_file(path: Path) -> Snapshot:
    """The grid of one file, without ghost cells. Pieces are joined where points of two coincide.
    Global values are arrays of the field data with one tuple.

    Raises PhysgtError for whatever VTK reports while reading, for an empty grid and for unknown
    cell types.
    """
    with vtk_errors(path):
        if path.suffix.lower() not in PIECES:
            return snapshot_of(_read_grid(path))
        grids = [_read_grid(file) for file in _pieces(path)]
        pieces = [snapshot_of_grid(grid) for grid in grids if grid.n_cells]
        if not pieces:
            raise PhysgtError("none of its pieces has cells.")
        whole = Parts.coinciding([piece.mesh for piece in pieces]).joined(pieces)
        mesh, cell = keep_main_cells(whole.mesh, whole.cell)
        return replace(whole, mesh=mesh, cell=cell)


def _pieces(path: Path) -> list[Path]:
    try:
        listed = [piece.get("Source", "") for piece in ElementTree.parse(path).iter("Piece")]
    except ElementTree.ParseError as error:
        raise PhysgtError(f"truncated or damaged XML, {error}.") from error
    for name in listed:
        if not (path.parent / name).is_file():
            raise PhysgtError(f"names {name}, which isn't there; copy it as well.")
    return [path.parent / name for name in listed]


def _read_grid(path: Path) -> pv.DataSet:
    if path.suffix.lower() in (".inp", ".ucd"):
        reader = vtkAVSucdReader()
        reader.SetFileName(str(path))
        reader.Update()
        return pv.wrap(reader.GetOutput())
    if path.suffix.lower() == ".vtk":
        check_ascii_end(path)
    if path.suffix.lower() in XML_SUFFIXES:
        check_components(path)
    return pv.get_reader(path).read()


def snapshot_of(grid: pv.DataSet) -> Snapshot:
    """Cells of highest dimension; lower ones mark node sets."""
    found = snapshot_of_grid(grid)
    mesh, cell = keep_main_cells(found.mesh, found.cell)
    return replace(found, mesh=mesh, cell=cell)


def snapshot_of_grid(grid: pv.DataSet) -> Snapshot:
    """All cells but ghosts, with their data and the arrays of one tuple of the field data."""
    if (np.asarray(grid.cell_data.get(GHOSTS, 0)) & REPEATED).any():
        grid = grid.cast_to_unstructured_grid()
        grid.RemoveGhostCells()
    mesh, node, cell = from_pyvista(grid, planar=False)
    constant = {
        name: np.squeeze(np.asarray(values))
        for name, values in grid.field_data.items()
        if np.asarray(values).dtype.kind in "iuf" and len(values) == 1 and name != TIME
    }
    for arrays in (node, cell):
        arrays.pop(GHOSTS, None)
    return Snapshot(mesh, node, cell, constant)


def time_of_vtk_file(path: Path) -> float | None:
    """The time that a file says it belongs to, from its head alone."""
    if path.suffix.lower() not in VTK_SUFFIXES:
        return None
    if path.suffix.lower() == ".vtk":
        return _time_of_legacy_file(path)
    if path.suffix.lower() in PIECES:
        with errors_name(path):
            return next(map(time_of_vtk_file, _pieces(path)), None)
    with vtk_errors(path):
        reader = pv.get_reader(path).reader
        reader.UpdateInformation()
        times = reader.GetOutputInformation(0).Get(vtkStreamingDemandDrivenPipeline.TIME_STEPS())
    return None if not times else float(times[0])


def _time_of_legacy_file(path: Path) -> float | None:
    with path.open("rb") as file:
        head = file.read(LEGACY_HEAD)
    found = LEGACY_TIME.search(head)
    if found is None:
        return None
    try:
        if head.splitlines()[2].strip().upper() == b"ASCII":
            return float(found[2].split()[0])
        return float(np.frombuffer(head, LEGACY_TYPES[found[1]], 1, found.start(2))[0])
    except (ValueError, KeyError, IndexError) as error:
        raise PhysgtError(f"{path}: tells its time in a way that can't be read.") from error


@contextmanager
def vtk_errors(path: Path) -> Iterator[None]:
    """Turn all that goes wrong in VTK, which prints errors and goes on, into a PhysgtError."""
    caught = pv.VtkErrorCatcher(send_to_logging=False)
    problem: Exception | None = None
    verbosity = vtkLogger.GetCurrentVerbosityCutoff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        with caught, errors_name(path):
            yield
    except Exception as error:
        problem = error
    finally:
        vtkLogger.SetStderrVerbosity(verbosity)
    # Readers of the older formats only warn: "Error reading binary data!"
    serious = [event for event in caught.warning_events if "Error reading" in event.alert]
    reported = [" ".join(event.alert.split()) for event in (*caught.error_events, *serious)]
    # "Algorithm ... returned failure" says no more than that another message exists.
    telling = [alert for alert in reported if not alert.startswith("Algorithm")]
    if reported:
        reason = f": {telling[0]}" if telling else ""
        raise PhysgtError(f"{path}: VTK can't read it, truncated or damaged{reason}") from problem
    if isinstance(problem, PhysgtError):
        raise problem
    if problem is not None:
        told = " ".join(str(problem).split())
        raise PhysgtError(f"{path}: can't be read ({told}).") from problem
