"""Cases in a mirror: where physics knows no left and right, as true as the cases themselves.

In a mirror one coordinate of points, and of the fields that are vectors, changes its sign; scalars
stay, and so does who is whose neighbour. A model that learns from both learns from twice the cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from physgt.declared_fields import Field
from physgt.errors import PhysgtError
from physgt.formulas import AXES
from physgt.graph import Graph
from physgt.ordering import lexicographic_rank
from physgt.rates import motion_directions
from physgt.task import Task


@dataclass(frozen=True, eq=False)
class Mirror:
    """Normal to one axis, in the middle of whatever mesh is held before it.

    state    (S + R,) 1 or -1, by which a state's columns are multiplied
    forcing  (F + K,) the same of what a step is given, see physgt.rates
    """

    axis: int
    state: np.ndarray
    forcing: np.ndarray

    def graph(self, graph: Graph) -> Graph:
        """The mirrored graph of one mesh: its boundary is that of the mesh as it was."""
        points, edge_vectors = graph.points.clone(), graph.edge_vectors.clone()
        coordinates = points[:, self.axis]
        points[:, self.axis] = coordinates.min() + coordinates.max() - coordinates
        edge_vectors[:, self.axis] *= -1
        rank = lexicographic_rank(points.cpu().numpy())
        at_ends = torch.as_tensor(rank, device=points.device)[graph.edge_index]  # (2, E)
        return replace(
            graph,
            points=points,
            edge_vectors=edge_vectors,
            oriented=(at_ends[0] > at_ends[1]).nonzero().flatten(),
            contact=tuple(replace(search, rank=rank) for search in graph.contact),
        )


def mirrors_along(axes: Sequence[str], task: Task, dimension: int) -> list[Mirror]:
    """Mirrors normal to these axes, x, y or z.

    A field of one component is a scalar, one of as many as the space has dimensions a vector.
    Raises PhysgtError for other fields, for an axis that the space hasn't and for one named twice.
    """
    if len(set(axes)) < len(axes):
        raise PhysgtError(f"training.mirror names an axis twice: {', '.join(axes)}.")
    found = []
    for name in axes:
        axis = AXES.index(name)
        if axis >= dimension:
            raise PhysgtError(
                f"training.mirror: the meshes have {dimension} dimensions, no axis {name}."
            )
        targets = list(_signs(task.targets, axis, dimension))
        state = [*targets, *(targets[column] for column in task.second_order)]
        motion = [1.0 if k is None else targets[k] for k in motion_directions(task)]
        forcing = [*_signs(task.forcings, axis, dimension), *motion]
        found.append(Mirror(axis, *(np.array(signs, np.float32) for signs in (state, forcing))))
    return found


def _signs(fields: Sequence[Field], axis: int, dimension: int) -> Iterator[float]:
    """1 or -1 of each component of these fields, one after the other."""
    for field in fields:
        if field.components not in (1, dimension):
            raise PhysgtError(
                f"training.mirror: field '{field.name}' has {field.components} components; how it "
                f"looks in a mirror is known of scalars and of vectors, with {dimension}."
            )
        for component in range(field.components):
            yield -1.0 if component == axis and field.components > 1 else 1.0
