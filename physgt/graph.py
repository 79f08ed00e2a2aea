"""The graph a model sees: nodes, edges and geometry, as tensors."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from physgt.mesh import Mesh, mesh_edges


@dataclass(frozen=True, eq=False)
class Graph:
    """What doesn't change along a trajectory on a fixed mesh. Graphs of a batch lie end to end.

    points        (N, D) coordinates
    edge_index    (2, E) int64, both directions of every edge, sorted by receiver, then sender;
                  row 0 senders, row 1 receivers
    edge_vectors  (E, D) points[senders] - points[receivers]
    oriented      (E/2,) int64, the columns of edge_index that hold each edge once: from the
                  lexicographically larger point to the smaller, whatever the numbering
    node_type     (N,) int64
    free          (N, S) bool, the state components that the model advances
    graph_index   (N,) int64, the number of the node's graph in the batch; ascending
    num_graphs    how many graphs lie end to end
    """

    points: Tensor
    edge_index: Tensor
    edge_vectors: Tensor
    oriented: Tensor
    node_type: Tensor
    free: Tensor
    graph_index: Tensor
    num_graphs: int = 1

    @property
    def senders(self) -> Tensor:
        return self.edge_index[0]

    @property
    def receivers(self) -> Tensor:
        return self.edge_index[1]

    @property
    def num_nodes(self) -> int:
        return self.points.shape[0]

    @property
    def num_edges(self) -> int:
        """Directed edges: twice the number of mesh edges."""
        return self.edge_index.shape[1]

    @cached_property
    def row_offsets(self) -> Tensor:
        """(N+1,) int64: senders[row_offsets[i]:row_offsets[i+1]] are the neighbours of node i."""
        return _offsets(self.receivers, self.num_nodes)

    @cached_property
    def graph_offsets(self) -> Tensor:
        """(num_graphs+1,) int64: nodes graph_offsets[g] to graph_offsets[g+1] are graph g."""
        return _offsets(self.graph_index, self.num_graphs)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Graph:
        """The same graph on another device, its floating-point tensors in `dtype`."""

        def move(value: Tensor) -> Tensor:
            return value.to(device, dtype if value.is_floating_point() else None)

        tensors = {
            f.name: move(getattr(self, f.name)) for f in fields(self) if f.name != "num_graphs"
        }
        return Graph(**tensors, num_graphs=self.num_graphs)

    def scaled(self, origin: Tensor, extent: Tensor, edge_length: Tensor) -> Graph:
        """Without units: points as (points - origin) / extent, edge vectors over `edge_length`."""
        return replace(
            self,
            points=(self.points - origin) / extent,
            edge_vectors=self.edge_vectors / edge_length,
        )


def build_graph(
    mesh: Mesh, free: np.ndarray | None = None, dtype: torch.dtype = torch.float32
) -> Graph:
    """The graph of a mesh: its nodes and cell edges.

    free: (N, S) bool, see Task.free_mask; without it everything is free, S = 1.
    """
    edge_index = mesh_edges(mesh)
    senders, receivers = edge_index
    # Vectors are taken in float64: neighbours may agree in all but the last digits of float32.
    vectors = mesh.points[senders] - mesh.points[receivers]
    rank = np.empty(mesh.num_points, dtype=np.int64)
    rank[np.lexsort(mesh.points.T[::-1])] = np.arange(mesh.num_points)
    if free is None:
        free = np.ones((mesh.num_points, 1), dtype=bool)
    return Graph(
        points=torch.as_tensor(mesh.points, dtype=dtype),
        edge_index=torch.as_tensor(edge_index),
        edge_vectors=torch.as_tensor(vectors, dtype=dtype),
        oriented=torch.as_tensor(np.flatnonzero(rank[senders] > rank[receivers])),
        node_type=torch.as_tensor(mesh.node_type, dtype=torch.int64),
        free=torch.as_tensor(free),
        graph_index=torch.zeros(mesh.num_points, dtype=torch.int64),
    )


def batch_graphs(graphs: Sequence[Graph]) -> Graph:
    """Graphs end to end, as one graph of several parts that share no edge; no padding."""
    nodes = _starts([graph.num_nodes for graph in graphs])
    edges = _starts([graph.num_edges for graph in graphs])
    parts = _starts([graph.num_graphs for graph in graphs])
    numbered = list(zip(graphs, nodes, edges, parts, strict=True))
    return Graph(
        points=torch.cat([g.points for g in graphs]),
        edge_index=torch.cat([g.edge_index + node for g, node, _, _ in numbered], dim=1),
        edge_vectors=torch.cat([g.edge_vectors for g in graphs]),
        oriented=torch.cat([g.oriented + edge for g, _, edge, _ in numbered]),
        node_type=torch.cat([g.node_type for g in graphs]),
        free=torch.cat([g.free for g in graphs]),
        graph_index=torch.cat([g.graph_index + part for g, _, _, part in numbered]),
        num_graphs=sum(g.num_graphs for g in graphs),
    )


def _starts(sizes: list[int]) -> list[int]:
    """Where each of several things of these sizes begins when they lie end to end."""
    return [0, *itertools.accumulate(sizes)][:-1]


def _offsets(sorted_index: Tensor, size: int) -> Tensor:
    counts = torch.bincount(sorted_index, minlength=size)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])
