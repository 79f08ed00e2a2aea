"""Results on one mesh from results on another, by interpolation in the cells of the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyvista as pv
from vtkmodules.vtkCommonCore import mutable

from physgt.datasets.vtk_bridge import to_pyvista
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, mesh_edges

NEAR = 0.5
"""So many mean edge lengths may a point lie outside of a mesh: two meshes of one curved boundary
don't meet exactly. It takes the value at the closest point."""

Arrays = dict[str, np.ndarray]


def interpolate(mesh: Mesh, node: Arrays, cell: Arrays, target: Mesh) -> tuple[Arrays, Arrays]:
    """(node fields, cell fields) on `target`.

    Node fields are interpolated as VTK's cells do; a cell takes the value of the cell that its
    centre lies in. Raises PhysgtError that names the first point of `target` that lies outside of
    `mesh`, and how many do: nothing is made up there.
    """
    source = to_pyvista(mesh, node, cell)
    onto = to_pyvista(target)
    edge_length = _edge_length(mesh)
    nodes = _Places(source, edge_length, np.asarray(onto.points), "node")
    found = {name: nodes.interpolate(values) for name, values in node.items()}
    if not cell:
        return found, {}
    centres = _Places(source, edge_length, np.asarray(onto.cell_centers().points), "cell centre")
    return found, {name: values[centres.cells] for name, values in cell.items()}


class _Places:
    """Where points lie in a grid: in which cell, and with which weights of its nodes."""

    def __init__(
        self, grid: pv.UnstructuredGrid, edge_length: float, points: np.ndarray, what: str
    ) -> None:
        found: Any = grid.find_closest_cell(points, return_closest_point=True)
        self.cells, closest = np.atleast_1d(found[0]), np.atleast_2d(found[1])
        distance = np.linalg.norm(closest - points, axis=1)
        far = np.flatnonzero((distance > NEAR * edge_length) | (self.cells < 0))
        if far.size:
            where = ", ".join(f"{x:g}" for x in points[far[0]])
            raise PhysgtError(
                f"{far.size} points lie outside of the mesh, the first is {what} {far[0]} at "
                f"({where}), {distance[far[0]]:.3g} away; choose a mesh inside of all others."
            )
        self.nodes, self.weights = _weights(grid, self.cells, closest)

    def interpolate(self, values: np.ndarray) -> np.ndarray:
        weights = self.weights.reshape(*self.weights.shape, *[1] * (values.ndim - 1))
        return (
            (weights * values[self.nodes])
            .sum(axis=1)
            .astype(values.dtype if values.dtype.kind == "f" else np.float64)
        )


def _edge_length(mesh: Mesh) -> float:
    senders, receivers = mesh_edges(mesh)
    return float(np.linalg.norm(mesh.points[senders] - mesh.points[receivers], axis=1).mean())


def _weights(
    grid: pv.UnstructuredGrid, cells: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(nodes, weights), each (n, most nodes of a cell); where a cell has fewer, weights 0."""
    most = int(np.diff(grid.offset).max())
    nodes, weights = np.zeros((len(cells), most), dtype=np.int64), np.zeros((len(cells), most))
    closest, parametric, distance = [0.0] * 3, [0.0] * 3, mutable(0.0)
    sub, found = mutable(0), [0.0] * most
    for i, (cell, point) in enumerate(zip(cells.tolist(), points, strict=True)):
        of = grid.GetCell(cell)
        of.EvaluatePosition(point, closest, sub, parametric, distance, found)
        count = of.GetNumberOfPoints()
        nodes[i, :count] = [of.GetPointId(k) for k in range(count)]
        weights[i, :count] = found[:count]
    return nodes, weights
