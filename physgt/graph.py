"""The graph a model sees: nodes, edges and geometry, as tensors."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from physgt.contact import Contact, ContactSearch
from physgt.mesh import Mesh, mesh_edges
from physgt.ops.neighbours import Neighbours, batch_neighbours
from physgt.ops.segment import segment_offsets
from physgt.ordering import lexicographic_rank

NodeFunction = Callable[[Mesh], np.ndarray]
"""A mesh -> an array with a row for each node, or edges: see attention_masks and encodings."""


class WorldEdges(NamedTuple):
    """Edges between nodes that are close in the current configuration, see physgt.contact.

    edge_index    (2, W) int64, sorted and in both directions, as the mesh's
    edge_vectors  (W, D) in the current configuration
    oriented      (W/2,) int64, as the mesh's: by the points of the reference configuration
    """

    edge_index: Tensor
    edge_vectors: Tensor
    oriented: Tensor


@dataclass(frozen=True, eq=False)
class Graph:
    """What doesn't change along a trajectory on a fixed mesh. Graphs of a batch lie end to end.

    On a mesh that moves, all but the last lines describe its reference configuration; `moved` adds
    the current one.

    points        (N, D) coordinates
    edge_index    (2, E) int64, both directions of every edge, sorted by receiver, then sender;
                  row 0 senders, row 1 receivers
    edge_vectors  (E, D) points[senders] - points[receivers]
    oriented      (E/2,) int64, the columns of edge_index that hold each edge once: from the
                  lexicographically larger point to the smaller, whatever the numbering
    node_type     (N,) int64
    free          (N, S) bool, the state components that the model advances
    graph_index   (N,) int64, the number of the node's graph in the batch; ascending
    order         (N,) int64, node i is node order[i] of the mesh, or of the meshes end to end
    encodings     (N, P) further inputs that the model asked for; P may be 0
    attention     the neighbour lists that the model's attention asked for, beyond the mesh's edges
    num_graphs    how many graphs lie end to end
    contact       what finds the world edges of each graph of the batch; may be empty
    moved_points, moved_edge_vectors, world    the same as points and edge_vectors where the nodes
                  are now, and the world edges there; None unless `moved`
    """

    points: Tensor
    edge_index: Tensor
    edge_vectors: Tensor
    oriented: Tensor
    node_type: Tensor
    free: Tensor
    graph_index: Tensor
    order: Tensor
    encodings: Tensor
    attention: tuple[Neighbours, ...] = ()
    num_graphs: int = 1
    contact: tuple[ContactSearch, ...] = ()
    moved_points: Tensor | None = None
    moved_edge_vectors: Tensor | None = None
    world: WorldEdges | None = None

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
        return segment_offsets(self.receivers, self.num_nodes)

    @cached_property
    def graph_offsets(self) -> Tensor:
        """(num_graphs+1,) int64: nodes graph_offsets[g] to graph_offsets[g+1] are graph g."""
        return segment_offsets(self.graph_index, self.num_graphs)

    @cached_property
    def neighbours(self) -> Neighbours:
        """The edges of the mesh as neighbour lists."""
        return Neighbours.symmetric(self.edge_index, self.num_nodes)

    @property
    def current_points(self) -> Tensor:
        """(N, D) where the nodes are now, as far as the graph knows."""
        return self.points if self.moved_points is None else self.moved_points

    @property
    def configurations(self) -> tuple[Tensor, ...]:
        """The edge vectors (E, D) of the reference and, if it `moved`, the current configuration.

        Source: Pfaff et al., section A.1: mesh space and world space.
        """
        if self.moved_edge_vectors is None:
            return (self.edge_vectors,)
        return self.edge_vectors, self.moved_edge_vectors

    def moved(self, displacement: Tensor) -> Graph:
        """The same graph, its nodes displaced (N, D) from `points`, in the units of `points`.

        Who is whose neighbour on the mesh stays; the geometry of the current configuration is new,
        and world edges are searched for anew.
        """
        # Differences of displacements: those of positions would lose the digits of small strains.
        stretch = displacement.index_select(0, self.senders)
        stretch = stretch - displacement.index_select(0, self.receivers)
        moved = replace(
            self,
            moved_points=self.points + displacement,
            moved_edge_vectors=self.edge_vectors + stretch,
        )
        return replace(moved, world=moved._find_world_edges()) if self.contact else moved

    def _find_world_edges(self) -> WorldEdges:
        """Of a graph that moved. Its positions go to the processor: the search is scipy's."""
        positions = self.current_points.detach().double().cpu().numpy()
        found, oriented, first, count = [], [], 0, 0
        for search in self.contact:
            senders, receivers = search.edges(positions[first : first + search.num_nodes])
            down = search.rank[senders] > search.rank[receivers]
            found.append(first + np.stack([senders, receivers]))
            oriented.append(count + np.flatnonzero(down))
            first, count = first + search.num_nodes, count + len(senders)
        device = self.points.device
        edge_index = torch.as_tensor(np.concatenate(found, axis=1), device=device)
        senders, receivers = (self.current_points.index_select(0, end) for end in edge_index)
        return WorldEdges(
            edge_index,
            senders - receivers,
            torch.as_tensor(np.concatenate(oriented), device=device),
        )

    def from_mesh(self, values: np.ndarray) -> Tensor:
        """Values (..., N, C) in the order of the mesh -> tensor in the order of the graph.

        It has the graph's device and floating-point type; `to_mesh` is the inverse.
        """
        tensor = torch.as_tensor(values, dtype=self.points.dtype, device=self.points.device)
        return tensor.index_select(-2, self.order)

    def to_mesh(self, values: Tensor) -> np.ndarray:
        """The inverse of from_mesh: a tensor (..., N, C) -> array in the order of the mesh."""
        ordered = torch.empty_like(values).index_copy_(-2, self.order, values)
        return ordered.detach().cpu().numpy()

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Graph:
        """The same graph on another device, its floating-point tensors in `dtype`.

        Where it has moved to is left behind.
        """

        def move(value: Tensor) -> Tensor:
            return value.to(device, dtype if value.is_floating_point() else None)

        tensors: dict[str, Any] = {name: move(getattr(self, name)) for name in _TENSORS}
        attention = tuple(neighbours.to(device) for neighbours in self.attention)
        return Graph(
            **tensors, attention=attention, num_graphs=self.num_graphs, contact=self.contact
        )

    def scaled(self, origin: Tensor, extent: Tensor, edge_length: Tensor) -> Graph:
        """Without units: points as (points - origin) / extent, edge vectors over `edge_length`."""
        scaled = replace(
            self,
            points=(self.points - origin) / extent,
            edge_vectors=self.edge_vectors / edge_length,
        )
        if self.moved_points is None or self.moved_edge_vectors is None:
            return scaled
        return replace(
            scaled,
            moved_points=(self.moved_points - origin) / extent,
            moved_edge_vectors=self.moved_edge_vectors / edge_length,
            world=self.world
            and self.world._replace(edge_vectors=self.world.edge_vectors / edge_length),
        )


_TENSORS = (
    "points", "edge_index", "edge_vectors", "oriented", "node_type", "free", "graph_index",
    "order", "encodings",
)  # fmt: skip


def build_graph(
    mesh: Mesh,
    free: np.ndarray | None = None,
    dtype: torch.dtype = torch.float32,
    *,
    order: np.ndarray | None = None,
    origin: np.ndarray | None = None,
    masks: Sequence[NodeFunction] = (),
    encodings: Sequence[NodeFunction] = (),
    contact: Contact | None = None,
) -> Graph:
    """The graph of a mesh: its nodes and cell edges.

    free: (N, S) bool, see Task.free_mask; without it everything is free, S = 1.
    order: the mesh's node numbers in the order of the graph, see hilbert_order; without it the
        graph has the mesh's numbering.
    origin: (D,) where the graph's coordinates are 0; without it where the mesh's are.
    masks: whom attention sees beyond the mesh's edges, see physgt.attention_masks.
    encodings: further inputs, see physgt.encodings.
    contact: which nodes are joined by world edges once the graph has moved.
    """
    if order is None:
        order = np.arange(mesh.num_points)
    if free is None:
        free = np.ones((mesh.num_points, 1), dtype=bool)
    edge_index = _renumbered(mesh_edges(mesh), order)
    points = mesh.points[order]
    senders, receivers = edge_index
    # Vectors are taken in float64: neighbours may agree in all but the last digits of float32.
    vectors = points[senders] - points[receivers]
    rank = lexicographic_rank(points)
    if origin is not None:
        points = points - origin
    columns = [np.empty((mesh.num_points, 0)), *(encoding(mesh) for encoding in encodings)]
    return Graph(
        points=torch.as_tensor(points, dtype=dtype),
        edge_index=torch.as_tensor(edge_index),
        edge_vectors=torch.as_tensor(vectors, dtype=dtype),
        oriented=torch.as_tensor(np.flatnonzero(rank[senders] > rank[receivers])),
        node_type=torch.as_tensor(mesh.node_type[order], dtype=torch.int64),
        free=torch.as_tensor(free[order]),
        graph_index=torch.zeros(mesh.num_points, dtype=torch.int64),
        order=torch.as_tensor(order, dtype=torch.int64),
        encodings=torch.as_tensor(np.concatenate(columns, axis=1)[order], dtype=dtype),
        attention=tuple(
            Neighbours.directed(torch.as_tensor(_renumbered(mask(mesh), order)), mesh.num_points)
            for mask in masks
        ),
        contact=() if contact is None else (contact.on(mesh, order),),
    )


def batch_graphs(graphs: Sequence[Graph]) -> Graph:
    """Graphs end to end, as one graph of several parts that share no edge; no padding."""
    if len(graphs) == 1:
        return graphs[0]
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
        order=torch.cat([g.order + node for g, node, _, _ in numbered]),
        encodings=torch.cat([g.encodings for g in graphs]),
        attention=tuple(
            batch_neighbours(lists) for lists in zip(*(g.attention for g in graphs), strict=True)
        ),
        num_graphs=sum(g.num_graphs for g in graphs),
        contact=tuple(search for g in graphs for search in g.contact),
    )


def _starts(sizes: list[int]) -> list[int]:
    """Where each of several things of these sizes begins when they lie end to end."""
    return [0, *itertools.accumulate(sizes)][:-1]


def _renumbered(edge_index: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Edges between nodes of a mesh as edges of the graph; sorted by receiver, then sender."""
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    senders, receivers = number[edge_index]
    receivers, senders = np.divmod(np.sort(receivers * len(order) + senders), len(order))
    return np.stack([senders, receivers])
