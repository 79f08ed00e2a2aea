"""Results on one mesh from results on another, by interpolation in the cells of the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyvista as pv
import xarray as xr

from physgt.datasets.vtk_bridge import to_pyvista
from physgt.errors import PhysgtError
from physgt.fields import field_variable
from physgt.mesh import Mesh, mesh_edges
from physgt.task import Field
from physgt.trajectory import Frame, Trajectory

NEAR = 0.5
"""So many mean edge lengths may a point lie outside of a mesh: two meshes of one curved boundary
don't meet exactly. It takes the value at the closest point."""

EXACT = 1e-6
"""A point this near to a cell, in mean edge lengths, lies in it."""

INSIDE = "vtkValidPointMask"
"""VTK's name for what says whether a point lies in a cell."""

Arrays = dict[str, np.ndarray]


def interpolate(mesh: Mesh, node: Arrays, cell: Arrays, target: Mesh) -> tuple[Arrays, Arrays]:
    """(node fields, cell fields) on `target`.

    Node fields are interpolated as VTK's cells do; a cell takes the value of the cell that its
    centre lies in. Raises PhysgtError that names the first point of `target` that lies outside of
    `mesh`, and how many do: nothing is made up there.
    """
    edge_length = _edge_length(mesh)
    smooth = {name: _as_float(values) for name, values in node.items()}
    onto = to_pyvista(target)
    found = _sampled(to_pyvista(mesh, smooth), smooth, np.asarray(onto.points), edge_length, "node")
    if not cell:
        return found, {}
    centres = np.asarray(onto.cell_centers().points)
    source = to_pyvista(mesh, None, cell)
    return found, _sampled(source, cell, centres, edge_length, "cell centre")


def interpolated(trajectory: Trajectory, target: Mesh) -> Trajectory:
    """A trajectory of one mesh on another, interpolated time by time.

    A mesh that moves is taken where it is at each time; the other stays.
    """
    series = [field for field in trajectory.declared(over_time=True) if field.name != "points"]
    still = trajectory.declared(over_time=False)
    moves = "points" in trajectory.fields

    def frame(i: int, fields: list[Field]) -> Frame:
        mesh = trajectory.mesh
        mesh = replace(mesh, points=trajectory.frame(i, ["points"])["points"]) if moves else mesh
        values = trajectory.frame(i, [field.name for field in fields])
        of = {
            location: {f.name: values[f.name] for f in fields if f.location == location}
            for location in ("node", "cell")
        }
        try:
            node, cell = interpolate(mesh, of["node"], of["cell"], target)
        except PhysgtError as error:
            raise PhysgtError(f"at time number {i}, {error}") from error
        return {**values, **node, **cell}

    at_first = frame(0, [*series, *still])
    constant = {
        f.name: field_variable(_typed(f, at_first), at_first[f.name], over_time=False)
        for f in still
    }
    return Trajectory.from_frames(
        target,
        trajectory.times,
        [_typed(field, at_first) for field in series],
        lambda i: frame(i, series),
        static=xr.Dataset(constant),
        attributes=trajectory.attributes,
    )


def _typed(field: Field, frame: Frame) -> Field:
    return replace(field, dtype=frame[field.name].dtype.name)


def _sampled(
    source: pv.UnstructuredGrid, fields: Arrays, points: np.ndarray, edge_length: float, what: str
) -> Arrays:
    """The arrays `fields` of `source` at points (n, 3)."""
    found = _sample(source, points, edge_length)
    outside = np.flatnonzero(found[INSIDE] == 0)
    if outside.size:
        closest = points.copy()
        near: Any = source.find_closest_cell(points[outside], return_closest_point=True)
        closest[outside] = np.reshape(near[1], (-1, 3))
        distance = np.linalg.norm(closest - points, axis=1)
        found = _sample(source, closest, edge_length)
        far = np.flatnonzero((distance > NEAR * edge_length) | (found[INSIDE] == 0))
        if far.size:
            where = ", ".join(f"{x:g}" for x in points[far[0]])
            raise PhysgtError(
                f"{far.size} points lie outside of the mesh, the first is {what} {far[0]} at "
                f"({where}), {distance[far[0]]:.3g} away; choose a mesh inside of all others."
            )
    return {name: _as_was(found[name], values) for name, values in fields.items()}


def _sample(source: pv.UnstructuredGrid, points: np.ndarray, edge_length: float) -> Arrays:
    found = pv.PolyData(points).sample(
        source, tolerance=EXACT * edge_length, mark_blank=False, locator="static_cell"
    )
    return {name: np.array(values) for name, values in found.point_data.items()}


def _as_was(sampled: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Without the z that a planar vector had in VTK."""
    tail = values.shape[1:]
    return sampled.reshape(len(sampled), -1)[:, : int(np.prod(tail))].reshape(-1, *tail)


def _as_float(values: np.ndarray) -> np.ndarray:
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def _edge_length(mesh: Mesh) -> float:
    senders, receivers = mesh_edges(mesh)
    return float(np.linalg.norm(mesh.points[senders] - mesh.points[receivers], axis=1).mean())
