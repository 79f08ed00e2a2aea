"""One point in place of several at one place: cells that were written with nodes of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from physgt.coinciding import coinciding_pairs, one_number_each
from physgt.datasets.moved_fields import with_moved_fields
from physgt.mesh import Mesh
from physgt.task import Field
from physgt.trajectory import Trajectory


def join_points(trajectory: Trajectory) -> Trajectory:
    """The same trajectory with the points that coincide in its mesh joined, see coinciding_pairs.

    A joined point has the mean of their node values, as float64 where these are whole numbers, the
    node type of the first and all their sets. Cells keep their numbers.
    """
    mesh = trajectory.mesh
    new = one_number_each(coinciding_pairs(mesh.points), mesh.num_points)
    counts = np.bincount(new)
    means = csr_array((1 / counts[new], (new, np.arange(len(new)))), shape=(len(counts), len(new)))

    def joined(field: Field, values: np.ndarray) -> np.ndarray:
        return means @ values if field.location == "node" else values

    return with_moved_fields(trajectory, _joined_mesh(mesh, new), _of_means, joined)


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
