"""VTK's own files, and AVS UCD, which VTK reads best: one grid a file.

Source: "VTK File Formats", the appendix of The VTK User's Guide.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyvista as pv
from vtkmodules.vtkCommonCore import vtkLogger
from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
from vtkmodules.vtkIOGeometry import vtkAVSucdReader

from physgt.datasets.legacy_ascii import check_ascii_end
from physgt.datasets.main_cells import keep_main_cells
from physgt.datasets.naming import errors_name
from physgt.datasets.snapshots import Snapshot
from physgt.datasets.vtk_bridge import from_pyvista
from physgt.datasets.vtk_xml import XML_SUFFIXES, check_components
from physgt.errors import PhysgtError

VTK_SUFFIXES = (".vtu", ".vtk", ".vtp", ".vts", ".vtr", ".vti", ".pvtu", ".pvtp")

PIECES = (".pvtu", ".pvtp")
"""Formats whose pieces repeat the points that they share."""

TIME = "TimeValue"
"""Where VTK and ParaView keep the time of a file, in its field data."""


def read_vtk_file(path: Path) -> Snapshot:
    """The grid of one file. Global values are one-number arrays of its field data.

    Raises PhysgtError for whatever VTK reports while reading, for an empty grid and for unknown
    cell types.
    """
    with vtk_errors(path):
        return snapshot_of(_read_grid(path))


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
    grid = pv.get_reader(path).read()
    return merge_points(grid) if path.suffix.lower() in PIECES else grid


def merge_points(grid: pv.DataSet) -> pv.UnstructuredGrid:
    """The grid with one point where pieces of a parallel run repeat it, and without ghost cells."""
    grid = grid.cast_to_unstructured_grid()
    grid.RemoveGhostCells()
    return grid.clean(tolerance=0, remove_unused_points=False, produce_merge_map=False)


def snapshot_of(grid: pv.DataSet) -> Snapshot:
    """Cells of highest dimension; lower ones mark node sets."""
    found = snapshot_of_grid(grid)
    mesh, cell = keep_main_cells(found.mesh, found.cell)
    return replace(found, mesh=mesh, cell=cell)


def snapshot_of_grid(grid: pv.DataSet) -> Snapshot:
    """All cells, with their data and the one-number arrays of the field data."""
    mesh, node, cell = from_pyvista(grid, planar=False)
    constant = {
        name: np.asarray(values)[0]
        for name, values in grid.field_data.items()
        if np.asarray(values).dtype.kind in "iuf" and np.shape(values) in ((1,), (1, 1))
    }
    constant.pop(TIME, None)
    return Snapshot(mesh, node, cell, {k: np.reshape(v, ()) for k, v in constant.items()})


def time_of_vtk_file(path: Path) -> float | None:
    """The time that an XML file says it belongs to, from its head alone."""
    if path.suffix.lower() not in VTK_SUFFIXES or path.suffix.lower() == ".vtk":
        return None
    with vtk_errors(path):
        reader = pv.get_reader(path).reader
        reader.UpdateInformation()
        times = reader.GetOutputInformation(0).Get(vtkStreamingDemandDrivenPipeline.TIME_STEPS())
    return None if not times else float(times[0])


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
