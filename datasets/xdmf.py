"""XDMF: XML that tells where in HDF5 or binary files meshes and fields lie.

meshio reads its own layout of time series and single grids; VTK reads the others, for example
FEniCSx's, single grids that tell a time, and files with hyperslabs.

Source: "XDMF Model and Format", xdmf.org.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import h5py
import pyvista as pv
from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
from vtkmodules.vtkIOXdmf2 import vtkXdmfReader

from physgt.datasets.meshio_bridge import XDMFSeries, read_mesh_file
from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.datasets.vtk_bridge import named_blocks
from physgt.datasets.vtk_files import snapshot_of, vtk_errors
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory


def read_xdmf(path: Path) -> Trajectory:
    """All times of a file, or its one grid.

    Several temporal collections (FEniCSx writes one for each function) are read together.
    """
    try:
        grids = ElementTree.parse(path).getroot().findall("Domain/Grid")
    except ElementTree.ParseError as error:
        raise PhysgtError(f"{path}: truncated or damaged XDMF, {error}.") from error
    series = [grid for grid in grids if grid.get("CollectionType") == "Temporal"]
    single = not series and len(grids) == 1 and grids[0].get("GridType", "Uniform") == "Uniform"
    if single and grids[0].find("Time") is None and _is_plain(grids):
        return trajectory_of(path, [0.0], lambda _: read_mesh_file(path))
    if _is_meshios(grids, series):
        own = XDMFSeries(path)
        return trajectory_of(path, own.times, own.read)
    _check_heavy_data(path, grids)
    return _read_with_vtk(
        path,
        {
            grid.get("Name", ""): {entry.get("Name", "") for entry in grid.iter("Attribute")}
            for grid in series
        },
    )


def _is_meshios(grids: list[ElementTree.Element], series: list[ElementTree.Element]) -> bool:
    """Whether one mesh stands beside one collection of times that hold plain attributes."""
    if len(series) != 1 or len(grids) != 2:
        return False
    tags = {child.tag.rpartition("}")[2] for time in series[0] for child in time}
    nested = series[0].find(".//DataItem/DataItem")
    return tags <= {"include", "Time", "Attribute"} and nested is None and _is_plain(grids)


def _is_plain(grids: list[ElementTree.Element]) -> bool:
    """Whether no binary data have what meshio ignores: another byte order, or a start."""
    items = [item for grid in grids for item in grid.iter("DataItem")]
    binary = [item for item in items if item.get("Format", "").lower() == "binary"]
    return all(
        item.get("Endian", "Native").lower() in ("native", sys.byteorder)
        and item.get("Seek", "0") == "0"
        for item in binary
    )


def _check_heavy_data(path: Path, grids: list[ElementTree.Element]) -> None:
    """Every HDF5 file named must open; VTK would go on without it."""
    texts = [item.text or "" for grid in grids for item in grid.iter("DataItem")]
    for name in sorted({text.strip().partition(":/")[0] for text in texts if ":/" in text}):
        try:
            h5py.File(path.parent / name).close()
        except OSError as error:
            raise PhysgtError(
                f"{path}: needs {name}, which is missing or truncated ({error}). "
                "Copy both files together."
            ) from error


def _read_with_vtk(path: Path, series: dict[str, set[str]]) -> Trajectory:
    with vtk_errors(path):
        reader = vtkXdmfReader()
        reader.SetFileName(str(path))
        reader.UpdateInformation()
        times = reader.GetOutputInformation(0).Get(vtkStreamingDemandDrivenPipeline.TIME_STEPS())
    steps = times or (0.0,)

    def read(i: int) -> Snapshot:
        with vtk_errors(path):
            reader.UpdateTimeStep(steps[i])
            return _together(pv.wrap(reader.GetOutputDataObject(0)), series)

    return trajectory_of(path, steps, read)


def _together(output: pv.DataSet | pv.MultiBlock, series: dict[str, set[str]]) -> Snapshot:
    """The fields of all collections, which must have one mesh; `series` tells which has which."""
    if not isinstance(output, pv.MultiBlock):
        return snapshot_of(output)
    # VTK hands on a grid outside of the collections as well, and leaves values of no time, or of
    # another collection, on grids: only what the XML puts there counts.
    grids = {name: grid for name, grid in named_blocks(output).items() if name in series}
    parts = {name: snapshot_of(grid) for name, grid in grids.items()}
    if not parts:
        raise PhysgtError("no grid over time that VTK can read.")
    first = next(iter(parts.values()))
    if any(part.mesh.num_points != first.mesh.num_points for part in parts.values()):
        raise PhysgtError(
            f"holds the grids {', '.join(parts)} of different size; write one grid a file."
        )
    node, cell = (
        {
            field: values
            for name, part in parts.items()
            for field, values in part.of(location).items()
            if field in series[name]
        }
        for location in ("node", "cell")
    )
    return Snapshot(first.mesh, node, cell)
