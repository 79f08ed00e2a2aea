"""One mesh of OpenFOAM with its fields, as VTK reads it: a whole case, or a processor's part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyvista as pv
from scipy.spatial import cKDTree
from vtkmodules.vtkCommonDataModel import vtkCompositeDataSet, vtkMultiBlockDataSet
from vtkmodules.vtkIOGeometry import vtkOpenFOAMReader

from physgt.datasets.openfoam_files import Patch, is_uniform, read_labels, read_patches, read_zones
from physgt.datasets.remembered import Remembered
from physgt.datasets.snapshots import Snapshot
from physgt.datasets.vtk_bridge import MeshKeeper, named_blocks
from physgt.errors import PhysgtError
from physgt.mesh import Mesh

SYMMETRIC = [0, 3, 5, 1, 4, 2]
"""Where in OpenFOAM's order, xx xy xz yy yz zz, VTK's xx yy zz xy yz xz stand."""


class FoamPiece:
    """root: the folder with constant/ and the times. region: the name of a region, "" for the main.

    polymesh  the folder of the mesh
    patches   what its file `boundary` lists
    times     in s, those of the folders in root
    """

    def __init__(self, root: Path, region: str) -> None:
        self.root, self.region = root, region
        self.polymesh = root / "constant" / region / "polyMesh"
        self.patches: list[Patch] = read_patches(self.polymesh)
        self._keeper = MeshKeeper()
        self._with_sets: Remembered[Mesh, Mesh] = Remembered(
            lambda mesh: replace(mesh, node_sets=self._sets[0], cell_sets=self._sets[1])
        )
        self._reader = _reader(root, region)
        values = self._reader.GetTimeValues()
        self.times = [values.GetValue(i) for i in range(values.GetNumberOfTuples())]

    @property
    def field_names(self) -> list[str]:
        count = self._reader.GetNumberOfCellArrays()
        cells = [self._reader.GetCellArrayName(i) for i in range(count)]
        count = self._reader.GetNumberOfPointArrays()
        return cells + [self._reader.GetPointArrayName(i) for i in range(count)]

    def snapshot(self, i: int) -> Snapshot:
        """The mesh, with its sets, and the fields at time number i."""
        self._reader.UpdateTimeStep(self.times[i])
        grid = _internal_mesh(self._reader.GetOutput(), self.region)
        if grid is None or not grid.n_cells:
            raise PhysgtError(f"the mesh is empty: {self.polymesh} has no cells that can be read.")
        mesh, node, cell = self._keeper(grid)
        names = self._reader.GetTimeNames()
        time = names.GetValue(i) if names.GetNumberOfValues() else ""
        for fields in (node, cell):
            for name, values in fields.items():
                # VTK sorts the components of a symmetric tensor, but for those of a uniform field.
                if values.shape[1:] == (6,) and is_uniform(self.root / time / self.region / name):
                    fields[name] = values[:, SYMMETRIC]
        return Snapshot(self._with_sets(mesh), node, cell)

    @cached_property
    def _sets(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Node and cell sets of the patches and zones, from the mesh that was read first."""
        blocks = _blocks(self._reader, self.region)
        tree = cKDTree(blocks["internalMesh"].points)
        patches = [p for p in self.patches if p.num_faces and p.neighbour is None]
        faces = named_blocks(blocks.get("boundary"))
        node_sets = {p.name: _nodes(tree, faces.get(p.name)) for p in patches}
        owner = read_labels(self.polymesh / "owner")
        if owner is None:
            raise PhysgtError(f"{self.polymesh / 'owner'}: there is no such file.")
        cell_sets = {}
        for patch in patches:
            touching = owner[patch.first_face : patch.first_face + patch.num_faces]
            if len(touching) != patch.num_faces:
                raise PhysgtError(
                    f"{self.polymesh / 'boundary'}: patch '{patch.name}' has the faces from "
                    f"{patch.first_face} to {patch.first_face + patch.num_faces}, but the mesh has "
                    f"{len(owner)} faces."
                )
            cell_sets[patch.name] = np.unique(touching)
        zones = named_blocks(blocks.get("zones"))
        for kind in ("faceZones", "pointZones"):
            for name, zone in named_blocks(zones.get(kind)).items():
                node_sets[unlike(name, node_sets)] = _nodes(tree, zone)
        for name, cells in read_zones(self.polymesh / "cellZones").items():
            cell_sets[unlike(name, cell_sets)] = cells
        self._reader.ReadZonesOff()
        return node_sets, cell_sets


def unlike(name: str, taken: Mapping[str, np.ndarray]) -> str:
    """A zone may have the name of a patch, whose set is there already."""
    return f"{name} (zone)" if name in taken else name


def _reader(root: Path, region: str) -> vtkOpenFOAMReader:
    reader = vtkOpenFOAMReader()
    # VTK looks only at the folder of this name; the file need not exist.
    reader.SetFileName(str(root / "case.foam"))
    reader.SkipZeroTimeOff()
    reader.CreateCellToPointOff()
    reader.ReadZonesOn()
    reader.UpdateInformation()
    reader.EnableAllCellArrays()
    reader.EnableAllPointArrays()
    reader.DisableAllPatchArrays()
    for name in _parts(reader):
        of_region = name.startswith(f"/{region}/") if region else not name.startswith("/")
        reader.SetPatchArrayStatus(name, int(of_region))
    return reader


def _parts(reader: vtkOpenFOAMReader) -> Iterator[str]:
    """The inner mesh, patches and groups of all regions; those of another region as /REGION/..."""
    for i in range(reader.GetNumberOfPatchArrays()):
        name = reader.GetPatchArrayName(i)
        if "/group/" not in f"/{name}":
            yield name


def _blocks(reader: vtkOpenFOAMReader, region: str) -> dict[str, pv.DataSet | pv.MultiBlock]:
    blocks = named_blocks(pv.wrap(reader.GetOutput()))
    return named_blocks(blocks.get(region)) if region else blocks


def _internal_mesh(output: vtkMultiBlockDataSet, region: str) -> pv.UnstructuredGrid | None:
    """The block of the cells alone: to wrap all patches at each time would take longer."""
    blocks = _named(output)
    found = (_named(blocks.get(region)) if region else blocks).get("internalMesh")
    return None if found is None else pv.wrap(found)


def _named(group: vtkMultiBlockDataSet | None) -> dict[str, Any]:
    numbers = range(group.GetNumberOfBlocks() if group is not None else 0)
    return {
        group.GetMetaData(i).Get(vtkCompositeDataSet.NAME()).strip(): group.GetBlock(i)
        for i in numbers
        if group is not None and group.HasMetaData(i)
    }


def _nodes(tree: cKDTree, part: pv.DataSet | None) -> np.ndarray:
    """The numbers in the inner mesh of the points of a patch or zone."""
    if part is None:
        return np.empty(0, np.int64)
    # A zone may come with all points of the mesh.
    used = np.unique(part.cast_to_unstructured_grid().cell_connectivity)
    # The same coordinates from the same file: the distance is 0.
    return np.unique(tree.query(part.points[used])[1])
