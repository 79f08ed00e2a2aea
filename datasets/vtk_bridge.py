"""Between physgt's meshes and pyvista's grids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyvista as pv
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from physgt.cells import POLYHEDRON
from physgt.datasets.lagrange_cells import DEGREES, with_plain_names
from physgt.errors import PhysgtError
from physgt.higher_order import WEIGHTS
from physgt.mesh import Mesh, is_planar
from physgt.polyhedra import Polyhedra

Arrays = Mapping[str, np.ndarray]


def to_pyvista(
    mesh: Mesh,
    point_data: Arrays | None = None,
    cell_data: Arrays | None = None,
    *,
    points: np.ndarray | None = None,
) -> pv.UnstructuredGrid:
    """The mesh as VTK knows it: three coordinates a point, three components a planar vector.

    point_data, cell_data: (N[, C]) and (M[, C]) by name. points: (N, D) coordinates to use instead
    of mesh.points, those of a moving mesh at one time.
    """
    grid = pv.UnstructuredGrid()
    grid.points = with_three_components(mesh.points if points is None else points)
    cells = pv.CellArray.from_arrays(mesh.offsets, mesh.connectivity)
    cell_types = numpy_to_vtk(mesh.cell_types, deep=True)
    if mesh.polyhedra is None:
        grid.SetCells(cell_types, cells)
    else:
        own = mesh.polyhedra
        faces_of_cells = pv.CellArray.from_arrays(own.cell_offsets, own.cell_faces)
        faces = pv.CellArray.from_arrays(own.offsets, own.connectivity)
        grid.SetPolyhedralCells(cell_types, cells, faces_of_cells, faces)
    for name, values in (point_data or {}).items():
        grid.point_data[name] = with_z_of_vector(values)
    for name, values in (cell_data or {}).items():
        grid.cell_data[name] = with_z_of_vector(values)
    if WEIGHTS in grid.point_data:
        grid.GetPointData().SetRationalWeights(grid.GetPointData().GetArray(WEIGHTS))
    return grid


def from_pyvista(
    grid: pv.DataSet, *, planar: bool = True
) -> tuple[Mesh, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(mesh, point data, cell data) of any single pyvista data set.

    A mesh without volume cells at one z becomes planar (D = 2) and loses that z, unless `planar`
    is false. Arrays that hold no numbers are left out; truth values become uint8.

    Raises PhysgtError for what Mesh refuses, for several blocks in one data set and for arrays
    that are longer or shorter than the mesh.
    """
    if not isinstance(grid, pv.DataSet):
        raise PhysgtError(
            f"expected one grid, found a {type(grid).__name__}; combine its blocks first."
        )
    if not grid.n_cells:
        raise PhysgtError(f"the grid is empty: {grid.n_points} points, no cells.")
    cells = grid.cast_to_unstructured_grid()
    points = np.asarray(cells.points, dtype=np.float64)
    offsets = vtk_to_numpy(cells.GetCells().GetOffsetsArray())
    cell_data = _numbers(cells.cell_data)
    cell_types = with_plain_names(cells.celltypes, offsets, cell_data.get(DEGREES))
    flat = planar and is_planar(points, cell_types)
    mesh = Mesh(
        points=points[:, :2] if flat else points,
        connectivity=cells.cell_connectivity,
        offsets=offsets,
        cell_types=cell_types,
        node_type=np.zeros(len(points)),
        polyhedra=_polyhedra(cells),
    )
    return mesh, _numbers(cells.point_data), cell_data


class MeshKeeper:
    """from_pyvista for a grid that is read again and again: one Mesh while VTK's stays the same."""

    def __init__(self) -> None:
        self._state: tuple[int, ...] = ()
        self._mesh: Mesh | None = None

    def __call__(
        self, grid: pv.UnstructuredGrid
    ) -> tuple[Mesh, dict[str, np.ndarray], dict[str, np.ndarray]]:
        # VTK stamps each change of any object with the next number of one count.
        state = tuple(
            part.GetMTime()
            for part in (grid.GetPoints(), grid.GetPoints().GetData(), grid.GetCells())
        )
        if self._mesh is None or state != self._state:
            self._mesh = from_pyvista(grid, planar=False)[0]
            self._state = state
        return self._mesh, _numbers(grid.point_data), _numbers(grid.cell_data)


def named_blocks(group: Any) -> dict[str, Any]:
    """The blocks of a multi-block data set by name, but for empty ones; none for anything else."""
    if not isinstance(group, pv.MultiBlock):
        return {}
    return {
        str(group.get_block_name(i)).strip(): block
        for i, block in enumerate(group)
        if block is not None and (isinstance(block, pv.MultiBlock) or block.n_points)
    }


def with_three_components(points: np.ndarray) -> np.ndarray:
    """(N, D) coordinates or vectors with zeros up to three components: (N, 3)."""
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1])))


def with_z_of_vector(values: np.ndarray) -> np.ndarray:
    """A planar vector (N, 2) with z = 0, since VTK takes only (N, 3) for vectors; others as is."""
    values = np.asarray(values)
    return with_three_components(values) if values.shape[1:] == (2,) else values


def _polyhedra(grid: pv.UnstructuredGrid) -> Polyhedra | None:
    if grid.GetPolyhedronFaceLocations() is None or not (grid.celltypes == POLYHEDRON).any():
        return None
    return Polyhedra(
        grid.polyhedron_face_connectivity,
        grid.polyhedron_face_offsets,
        grid.polyhedron_face_location_connectivity,
        grid.polyhedron_face_location_offsets,
    )


def _numbers(data: pv.DataSetAttributes) -> dict[str, np.ndarray]:
    found = {}
    for name, array in data.items():
        values = np.array(array)
        if len(values) != data.valid_array_len:
            raise PhysgtError(
                f"field '{name}' has {len(values)} values, but the mesh needs "
                f"{data.valid_array_len} of them."
            )
        if values.dtype.kind in "biuf":
            found[name] = values.astype(np.uint8) if values.dtype == bool else values
    return found
