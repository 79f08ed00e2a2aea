"""CGNS: structured and unstructured zones, steady or over time, in ADF or HDF5 files.

Source: "CGNS Standard Interface Data Structures", sections on zones, boundary conditions and
time-dependent flow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyvista as pv
from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
from vtkmodules.vtkIOCGNSReader import vtkCGNSReader

from physgt.datasets.blocks import named_snapshots
from physgt.datasets.parts import NamedParts
from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.datasets.vtk_bridge import named_blocks
from physgt.datasets.vtk_files import vtk_errors
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.trajectory import Trajectory

OF_THE_READER = ("ispatch", "issurface", "Base/Zone")
"""What VTK adds to the solver's fields."""

INTERNAL = "Internal"
MARKS = ("Patches", "Surfaces")
"""Where VTK puts boundary conditions of structured zones, and surface elements of others."""


def read_cgns(path: Path) -> Trajectory:
    """All zones of the file as one mesh, where they coincide joined, with all times.

    Zones become cell sets. Boundary conditions of structured zones and sections of surface
    elements become node sets, and cell sets of the cells behind; those of one name in several
    zones are one set. Vertex and cell solutions stay where they are.
    """
    with vtk_errors(path):
        reader = _reader(path)
        found = reader.GetOutputInformation(0).Get(vtkStreamingDemandDrivenPipeline.TIME_STEPS())
        times = list(found or (0.0,))
        zones, patches = _zones(reader, times[0])
        named = NamedParts.of(zones, patches)

    def read(i: int) -> Snapshot:
        with vtk_errors(path):
            return named.joined(_zones(reader, times[i])[0])

    left_out = {"parts_left_out": named.left_out} if named.left_out else {}
    return trajectory_of(path, times, read, attributes=left_out)


def _reader(path: Path) -> vtkCGNSReader:
    reader = vtkCGNSReader()
    if not reader.CanReadFile(str(path)):
        raise PhysgtError("not a CGNS file, or damaged; copy or write it again.")
    reader.SetFileName(str(path))
    reader.SetLoadBndPatch(True)
    reader.SetLoadSurfacePatch(True)
    reader.UpdateInformation()
    reader.EnableAllBases()
    reader.EnableAllFamilies()
    reader.EnableAllPointArrays()
    reader.EnableAllCellArrays()
    return reader


def _zones(reader: vtkCGNSReader, time: float) -> tuple[dict[str, Snapshot], dict[str, list[Mesh]]]:
    """(the zones with their fields, the boundary conditions as meshes by name)."""
    reader.UpdateTimeStep(time)
    zones: dict[str, Any] = {}
    patches: dict[str, list[Mesh]] = {}
    for base, of_base in named_blocks(pv.wrap(reader.GetOutput())).items():
        for zone, content in named_blocks(of_base).items():
            name = f"{base}/{zone}" if zone in zones else zone
            zones[name] = content
            if isinstance(content, pv.MultiBlock):
                parts = named_blocks(content)
                zones[name] = parts.get(INTERNAL)
                for kind in MARKS:
                    for patch, part in named_snapshots(parts.get(kind)).items():
                        patches.setdefault(patch, []).append(part.mesh)
    snapshots = {}
    for name, grid in zones.items():
        for i, part in enumerate(named_snapshots(grid).values()):
            snapshots[f"{name} {i + 1}" if i else name] = _without_notes(part)
    return snapshots, patches


def _without_notes(part: Snapshot) -> Snapshot:
    node, cell = (
        {name: values for name, values in arrays.items() if name not in OF_THE_READER}
        for arrays in (part.node, part.cell)
    )
    return Snapshot(part.mesh, node, cell)
