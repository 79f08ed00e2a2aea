"""One point in place of several at one place: cells that were written with nodes of their own."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import xarray as xr
from scipy.sparse import csr_array

from physgt.coinciding import coinciding_pairs, one_number_each
from physgt.fields import field_variable
from physgt.mesh import Mesh
from physgt.task import Field
from physgt.trajectory import Frame, Trajectory


def join_points(trajectory: Trajectory) -> Trajectory:
    """The same trajectory with the points that coincide in its mesh joined, see coinciding_pairs.

    A joined point has the mean of their node values, as float64 where these are whole numbers, the
    node type of the first and all their sets. Cells keep their numbers.
    """
    mesh = trajectory.mesh
    new = one_number_each(coinciding_pairs(mesh.points), mesh.num_points)
    counts = np.bincount(new)
    means = csr_array((1 / counts[new], (new, np.arange(len(new)))), shape=(len(counts), len(new)))
    series, still = trajectory.declared(over_time=True), trajectory.declared(over_time=False)
    on_nodes = {field.name for field in (*series, *still) if field.location == "node"}

    def joined(frame: Frame) -> Frame:
        return {
            name: means @ values if name in on_nodes else values for name, values in frame.items()
        }

    # All fields of a time are asked for one after the other.
    @lru_cache(maxsize=1)
    def read_frame(i: int) -> Frame:
        return joined(trajectory.frame(i, [field.name for field in series]))

    values = joined(trajectory.frame(0, [field.name for field in still]))
    static = {
        field.name: field_variable(_of_means(field), values[field.name], over_time=False)
        for field in still
    }
    return Trajectory.from_frames(
        _joined_mesh(mesh, new),
        trajectory.times,
        [_of_means(field) for field in series],
        read_frame,
        static=xr.Dataset(static),
        attributes=trajectory.attributes,
    )


def _joined_mesh(mesh: Mesh, new: np.ndarray) -> Mesh:
    first = np.unique(new, return_index=True)[1]
    return replace(
        mesh,
        points=mesh.points[first],
        connectivity=new[mesh.connectivity],
        node_type=mesh.node_type[first],
        node_sets={name: np.unique(new[nodes]) for name, nodes in mesh.node_sets.items()},
        polyhedra=None if mesh.polyhedra is None else mesh.polyhedra.renumbered(new),
    )


def _of_means(field: Field) -> Field:
    whole = field.location == "node" and np.dtype(field.dtype).kind in "iu"
    return replace(field, dtype="float64") if whole else field
