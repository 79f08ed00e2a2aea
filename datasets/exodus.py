"""Exodus II, the results of Sandia's codes, MOOSE and Cubit.

Source: Schoof and Yarberry, "EXODUS II: A Finite Element Data Model", SAND92-2137.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyvista as pv
from scipy.io import netcdf_file
from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
from vtkmodules.vtkIOExodus import vtkExodusIIReader

from physgt.datasets.main_cells import keep_main_cells
from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.datasets.vtk_bridge import from_pyvista, named_blocks
from physgt.datasets.vtk_files import vtk_errors
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.trajectory import Trajectory

BLOCKS, SIDE_SETS, NODE_SETS = "Element Blocks", "Side Sets", "Node Sets"
KINDS = {BLOCKS: "block", SIDE_SETS: "side set", NODE_SETS: "node set"}
OBJECTS = (
    vtkExodusIIReader.ELEM_BLOCK, vtkExodusIIReader.SIDE_SET, vtkExodusIIReader.NODE_SET,
)  # fmt: skip
VARIABLES = (
    vtkExodusIIReader.NODAL, vtkExodusIIReader.ELEM_BLOCK, vtkExodusIIReader.GLOBAL,
)  # fmt: skip


def read_exodus(path: Path) -> Trajectory:
    """Element blocks together as one mesh, with all times of the file.

    Element blocks become cell sets, node and side sets node sets; a set without a name is called
    after its number. Element variables are taken where all blocks have them. Points are the
    original ones: displacements are a field and don't move the mesh.
    """
    with vtk_errors(path):
        _check_whole(path)
        reader = _reader(path)
        times = reader.GetOutputInformation(0).Get(vtkStreamingDemandDrivenPipeline.TIME_STEPS())
        number = reader.GetNumberOfObjectArrays(vtkExodusIIReader.GLOBAL)
        globals_ = [reader.GetObjectArrayName(vtkExodusIIReader.GLOBAL, i) for i in range(number)]
    steps = times or (0.0,)

    def read(i: int) -> Snapshot:
        with vtk_errors(path):
            reader.UpdateTimeStep(steps[i])
            return _snapshot(pv.wrap(reader.GetOutput()), i, globals_)

    return trajectory_of(path, steps, read)


def _check_whole(path: Path) -> None:
    """VTK takes what is missing at the end of a netCDF-3 file for zeros; scipy doesn't."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic not in (b"CDF\x01", b"CDF\x02", b"CDF\x05", b"\x89HDF"):
        raise PhysgtError("not an Exodus II file: it begins neither as netCDF nor as HDF5.")
    problem = ""
    if magic in (b"CDF\x01", b"CDF\x02"):
        # scipy warns that arrays still refer to the file while it closes it.
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
            try:
                netcdf_file(path, mmap=True).close()
            except ValueError as error:
                problem = str(error)
    if problem:
        raise PhysgtError(f"truncated Exodus II file ({problem}); copy or write it again.")


def _reader(path: Path) -> vtkExodusIIReader:
    reader = vtkExodusIIReader()
    if not reader.CanReadFile(str(path)):
        raise PhysgtError("not an Exodus II file, or damaged; copy or write it again.")
    reader.SetFileName(str(path))
    reader.SetApplyDisplacements(False)
    # Every block then has all points of the file, numbered as there.
    reader.SetSqueezePoints(False)
    reader.SetGenerateObjectIdCellArray(False)
    reader.UpdateInformation()
    for kind in OBJECTS:
        for i in range(reader.GetNumberOfObjects(kind)):
            reader.SetObjectStatus(kind, i, 1)
    for kind in VARIABLES:
        for i in range(reader.GetNumberOfObjectArrays(kind)):
            reader.SetObjectArrayStatus(kind, reader.GetObjectArrayName(kind, i), 1)
    return reader


def _snapshot(output: pv.MultiBlock, step: int, global_names: list[str]) -> Snapshot:
    blocks = list(_grids(output, BLOCKS))
    parts = [(name, *from_pyvista(grid, planar=False)) for name, grid in blocks]
    if not parts:
        raise PhysgtError("no element block with cells; it has no mesh to compute on.")
    names, meshes, node_data, cell_data = zip(*parts, strict=True)
    counts = [mesh.num_cells for mesh in meshes]
    ends = np.cumsum(counts)
    node_sets: dict[str, np.ndarray] = {}
    for kind in (NODE_SETS, SIDE_SETS):
        for name, grid in _grids(output, kind):
            name = f"{name} (sides)" if name in node_sets else name
            node_sets[name] = np.unique(grid.cast_to_unstructured_grid().cell_connectivity)
    mesh = Mesh(
        points=meshes[0].points,
        connectivity=np.concatenate([mesh.connectivity for mesh in meshes]),
        offsets=np.concatenate([[0], np.cumsum([s for m in meshes for s in np.diff(m.offsets)])]),
        cell_types=np.concatenate([mesh.cell_types for mesh in meshes]),
        node_type=np.zeros(meshes[0].num_points),
        node_sets=node_sets,
        cell_sets={
            name: np.arange(end - count, end)
            for name, count, end in zip(names, counts, ends, strict=True)
        },
    )
    in_all = [name for name in cell_data[0] if all(name in data for data in cell_data)]
    cell = {name: np.concatenate([data[name] for data in cell_data]) for name in in_all}
    mesh, cell = keep_main_cells(mesh, cell)
    # VTK gives global variables at all times at once, beside notes about the file.
    series = {name: np.asarray(blocks[0][1].field_data[name]) for name in global_names}
    constant = {name: values[step] for name, values in series.items()}
    return Snapshot(mesh, node_data[0], cell, constant)


def _grids(output: pv.MultiBlock, kind: str) -> Iterator[tuple[str, pv.DataSet]]:
    """The blocks or sets of a kind that have cells, with their names."""
    for name, grid in named_blocks(named_blocks(output).get(kind)).items():
        # VTK calls a nameless one "Unnamed set ID: 3"; it is "node set 3" here.
        nameless = re.fullmatch(r"Unnamed \w+ ID: (\d+)", name)
        if grid.n_cells:
            yield f"{KINDS[kind]} {nameless[1]}" if nameless else name, grid
