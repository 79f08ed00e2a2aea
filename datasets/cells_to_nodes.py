"""Fields of cells as fields of nodes."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from physgt.fields import field_dataset, field_variable
from physgt.mesh import Mesh
from physgt.task import Field
from physgt.trajectory import Frame, Trajectory


def cells_to_nodes(trajectory: Trajectory) -> Trajectory:
    """The same trajectory with its cell fields on nodes: the mean over the cells around each node.

    Whole numbers become float64. A node in no cell gets nan.
    """
    weights = _cells_around_nodes(trajectory.mesh)
    in_no_cell = np.diff(weights.indptr) == 0
    series, still = trajectory.declared(over_time=True), trajectory.declared(over_time=False)
    on_cells = {field.name for field in (*series, *still) if field.location == "cell"}

    def moved(frame: Frame) -> Frame:
        found = dict(frame)
        for name in on_cells & found.keys():
            found[name] = weights @ frame[name]
            found[name][in_no_cell] = np.nan
        return found

    # All fields of a time are asked for one after the other.
    @lru_cache(maxsize=1)
    def read_frame(i: int) -> Frame:
        return moved(trajectory.frame(i, [field.name for field in series]))

    values = moved(trajectory.frame(0, [field.name for field in still]))
    static = {
        field.name: field_variable(_on_nodes(field), values[field.name], over_time=False)
        for field in still
    }
    return Trajectory.from_frames(
        trajectory.mesh,
        trajectory.times,
        [_on_nodes(field) for field in series],
        read_frame,
        static=field_dataset(static, trajectory.times),
        attributes=trajectory.attributes,
    )


def _on_nodes(field: Field) -> Field:
    if field.location != "cell":
        return field
    whole = np.dtype(field.dtype).kind in "iu"
    return replace(field, location="node", dtype="float64" if whole else field.dtype)


def _cells_around_nodes(mesh: Mesh) -> csr_array:
    """(N, M): row i holds 1 / (number of cells around node i) for each of them."""
    cells = np.repeat(np.arange(mesh.num_cells), np.diff(mesh.offsets))
    # A collapsed cell has a node several times, and is one cell around it.
    nodes, cells = np.divmod(np.unique(mesh.connectivity * mesh.num_cells + cells), mesh.num_cells)
    counts = np.bincount(nodes, minlength=mesh.num_points)
    return csr_array((1 / counts[nodes], (nodes, cells)), shape=(mesh.num_points, mesh.num_cells))
