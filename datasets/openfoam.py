"""OpenFOAM case directories, serial and decomposed.

Source: OpenFOAM User Guide, sections "File structure of OpenFOAM cases" and "Mesh description".
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyvista as pv
from scipy.spatial import cKDTree
from vtkmodules.vtkIOParallel import vtkPOpenFOAMReader

from physgt.datasets.planar_case import PlanarCase
from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.datasets.vtk_bridge import from_pyvista, named_blocks
from physgt.datasets.vtk_files import merge_points, vtk_errors
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory

BASE_UNITS = ("kg", "m", "s", "K", "mol", "A", "cd")
"""The order of OpenFOAM's `dimensions`."""

HEAD = 4096
"""Bytes in which a field file tells its dimensions."""


def is_openfoam(path: Path) -> bool:
    if path.is_dir():
        meshes = [path / "constant" / "polyMesh", *path.glob("processor*/constant/polyMesh")]
        return any(mesh.is_dir() for mesh in meshes)
    return path.suffix.lower() in (".foam", ".openfoam")


def read_openfoam(path: Path) -> Trajectory:
    """All times of a case, the 0 directory among them, where fields of cells stay on cells.

    Patches become node sets: all points of their faces. A case of one cell's thickness between
    patches of type `empty` becomes the planar mesh of its front faces; the `empty` patches are
    no sets then. Units come from the files' `dimensions`.

    Raises PhysgtError for what VTK reports while reading, and for polyhedra.
    """
    case = path if path.is_dir() else path.parent
    with vtk_errors(path):
        reader, steps = _reader(case)
        reader.UpdateTimeStep(steps[0])
        grid = _internal_mesh(reader)
        patches = _patches(reader, grid)
        empty = [name for name in _empty_patches(case) if name in patches]
        planar = None
        if empty:
            layer = from_pyvista(grid, planar=False)[0]
            planar = PlanarCase.of(layer, [patches.pop(name) for name in empty])
        names = [reader.GetCellArrayName(i) for i in range(reader.GetNumberOfCellArrays())]

    def read(i: int) -> Snapshot:
        with vtk_errors(path):
            reader.UpdateTimeStep(steps[i])
            grid = _internal_mesh(reader)
            snapshot = Snapshot(*from_pyvista(grid, planar=False))
            snapshot = replace(snapshot, mesh=replace(snapshot.mesh, node_sets=patches))
            return planar.front(snapshot) if planar else snapshot

    return trajectory_of(path, steps, read, units=_units(case, names))


def _reader(case: Path) -> tuple[vtkPOpenFOAMReader, list[float]]:
    reader = vtkPOpenFOAMReader()
    # VTK looks only at the folder of this name; the file need not exist.
    reader.SetFileName(str(case / "case.foam"))
    if not (case / "constant" / "polyMesh").is_dir():
        reader.SetCaseType(vtkPOpenFOAMReader.DECOMPOSED_CASE)
    reader.SkipZeroTimeOff()
    reader.CreateCellToPointOff()
    reader.UpdateInformation()
    reader.EnableAllCellArrays()
    reader.EnableAllPointArrays()
    reader.EnableAllPatchArrays()
    times = reader.GetTimeValues()
    return reader, [times.GetValue(i) for i in range(times.GetNumberOfTuples())]


def _internal_mesh(reader: vtkPOpenFOAMReader) -> pv.UnstructuredGrid:
    grid = named_blocks(pv.wrap(reader.GetOutput())).get("internalMesh")
    if grid is None or not grid.n_cells:
        raise PhysgtError("the mesh is empty: constant/polyMesh has no cells that can be read.")
    decomposed = reader.GetCaseType() == vtkPOpenFOAMReader.DECOMPOSED_CASE
    return merge_points(grid) if decomposed else grid


def _patches(reader: vtkPOpenFOAMReader, grid: pv.UnstructuredGrid) -> dict[str, np.ndarray]:
    """Patches by name: the numbers in the internal mesh of all points of their faces."""
    boundary = named_blocks(named_blocks(pv.wrap(reader.GetOutput())).get("boundary"))
    tree = cKDTree(grid.points)
    return {
        # The same numbers from the same file: the distance is 0.
        name: np.unique(tree.query(patch.points)[1])
        for name, patch in boundary.items()
        if not name.startswith("procBoundary")
    }


def _empty_patches(case: Path) -> list[str]:
    """Names of the patches of type `empty`: the two sides of a 2-D case."""
    for folder in (case, *sorted(case.glob("processor*"))):
        text = _head(folder / "constant" / "polyMesh" / "boundary", size=-1)
        if text:
            return re.findall(r"([^\s{}();]+)\s*\{[^{}]*?\btype\s+empty\s*;", text)
    return []


def _units(case: Path, names: list[str]) -> Mapping[str, str]:
    """The unit of each field, from any of its files."""
    found = {}
    for name in names:
        for file in (*case.glob(f"[0-9]*/{name}"), *case.glob(f"[0-9]*/{name}.gz")):
            powers = re.search(r"\bdimensions\s*\[([^\]]*)\]", _head(file, HEAD))
            if powers:
                found[name] = _unit([float(power) for power in powers[1].split()])
                break
    return found


def _unit(powers: list[float]) -> str:
    """As in "kg m^-1 s^-2": [1 -1 -2 0 0 0 0]."""
    pairs = zip(BASE_UNITS, powers, strict=False)
    return " ".join(base if power == 1 else f"{base}^{power:g}" for base, power in pairs if power)


def _head(file: Path, size: int) -> str:
    packed = file.with_name(f"{file.name}.gz")
    if file.suffix == ".gz" or (packed.is_file() and not file.is_file()):
        with gzip.open(file if file.suffix == ".gz" else packed) as stream:
            return stream.read(size).decode(errors="replace")
    if not file.is_file():
        return ""
    with file.open("rb") as stream:
        return stream.read(size).decode(errors="replace")
