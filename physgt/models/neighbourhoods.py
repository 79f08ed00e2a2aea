"""Neighbourhoods: which neighbour list every head of every block of a masked transformer sees."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from physgt.attention_masks import (
    DilatedWindow,
    GlobalNodes,
    KHop,
    Mask,
    MaxNeighbours,
    RandomJumpers,
    Union,
)
from physgt.errors import PhysgtError, require_whole
from physgt.graph import Graph
from physgt.mesh_functions import naming_option
from physgt.models.virtual_nodes import with_virtual_nodes
from physgt.ops.neighbours import Neighbours


class Neighbourhoods:
    """Near: what every head sees. Windows: what half of the heads of the last blocks see instead.

    `masks` are what graphs have to carry; `of(graph)` deals them out to blocks and heads.

    k_hop: near are all nodes within so many hops; 1 for the neighbours on the mesh.
    dilations: hops to the windows, as [2]; several share the half of the heads equally.
    dilated_blocks: how many blocks, the last ones, have windows; without it a third, at least one.
    global_nodes: nodes that all see and that see all, as a number or a share (GlobalNodes).
    global_node_sets: the node sets or node types that they come from; without any, the whole mesh.
    virtual_nodes: learned nodes of each graph, which see all and which all see, in every head.
    random_jumpers: random pairs that see each other, as a share of the mesh edges (RandomJumpers).
    max_neighbors: most nodes that k_hop adds to the mesh's own neighbours, and that a window has.
    seed: of the random choices.

    Raises PhysgtError, naming the option, for values that make no sense.
    """

    def __init__(
        self,
        heads: int,
        blocks: int,
        *,
        k_hop: int = 1,
        dilations: Sequence[int] = (),
        dilated_blocks: int | None = None,
        global_nodes: int | float = 0,
        global_node_sets: Sequence[str] = (),
        virtual_nodes: int = 0,
        random_jumpers: float = 0.0,
        max_neighbors: int | None = None,
        seed: int = 0,
    ) -> None:
        _require_list("dilations", dilations, "[2]")
        _require_list("global_node_sets", global_node_sets, '["inflow"]')
        require_whole("virtual_nodes", virtual_nodes, 0)
        require_whole("seed", seed, 0)
        if max_neighbors is not None:
            require_whole("max_neighbors", max_neighbors, 1)
        near = _near(k_hop, max_neighbors, seed)
        if global_nodes:
            with naming_option("global_nodes", global_nodes):
                near |= GlobalNodes(global_nodes, tuple(global_node_sets))
        elif global_node_sets:
            raise PhysgtError(
                "global_node_sets needs global_nodes, how many of their nodes are global: "
                "a number such as 16, or a share such as 0.05."
            )
        if random_jumpers:
            with naming_option("random_jumpers", random_jumpers):
                near |= RandomJumpers(random_jumpers, seed)
        # The mesh's own neighbours are in every graph.
        self.near = None if near == KHop(1) else near
        self.windows = _windows(dilations, max_neighbors, seed)
        self.virtual_nodes = virtual_nodes
        self.blocks = blocks
        self.dilated_blocks = self._check_dilated_blocks(dilated_blocks)
        self._check_heads(heads)

    @property
    def masks(self) -> tuple[Mask, ...]:
        """Of the graphs, see physgt.graph.build_graph."""
        return self.windows if self.near is None else (self.near, *self.windows)

    def of(self, graph: Graph) -> list[tuple[Neighbours, ...]]:
        """For each block the lists of each equal group of heads, of a graph with `masks`."""
        if len(graph.attention) != len(self.masks):
            raise PhysgtError(
                f"the graph carries {len(graph.attention)} attention lists, the model wants "
                f"{len(self.masks)}; build it with Simulator.build_graph, or with "
                "build_graph(mesh, masks=model.masks, encodings=model.encodings)."
            )
        lists = graph.attention if self.near else (graph.neighbours, *graph.attention)
        if graph.world is not None:
            lists = (_joined(lists[0], graph.world.edge_index), *lists[1:])
        if self.virtual_nodes:
            lists = tuple(with_virtual_nodes(part, graph, self.virtual_nodes) for part in lists)
        near, *windows = lists
        direct, dilated = (near,), (*[near] * len(windows), *windows)
        undilated_blocks = self.blocks - self.dilated_blocks
        return [direct] * undilated_blocks + [dilated] * self.dilated_blocks

    def _check_dilated_blocks(self, dilated_blocks: int | None) -> int:
        if not self.windows:
            return 0
        if dilated_blocks is None:
            return max(self.blocks // 3, 1)
        require_whole("dilated_blocks", dilated_blocks, 1)
        if dilated_blocks > self.blocks:
            raise PhysgtError(
                f"dilated_blocks = {dilated_blocks}; expected at most blocks = {self.blocks}."
            )
        return dilated_blocks

    def _check_heads(self, heads: int) -> None:
        groups = 2 * len(self.windows)
        if groups and heads % groups:
            raise PhysgtError(
                f"heads = {heads} with {len(self.windows)} dilations; half of the heads are shared "
                f"equally by the dilations, so heads must be a multiple of {groups}."
            )


def _joined(neighbours: Neighbours, edge_index: Tensor) -> Neighbours:
    """The lists with further edges (2, W), a pair that both have once."""
    count = neighbours.num_nodes
    senders, receivers = torch.cat([neighbours.edge_index, edge_index], dim=1)
    keys = torch.unique(receivers * count + senders)  # ascending
    joined = torch.stack([keys % count, keys // count])
    return Neighbours.directed(joined, count)


def _near(k_hop: int, max_neighbors: int | None, seed: int) -> Mask:
    """All within k_hop hops, or only so many of those that aren't neighbours on the mesh."""
    with naming_option("k_hop", k_hop):
        near = KHop(k_hop)
    if k_hop == 1 or max_neighbors is None:
        return near
    further = Union(tuple(DilatedWindow(hops) for hops in range(2, k_hop + 1)))
    return KHop(1) | MaxNeighbours(further, max_neighbors, seed)


def _windows(dilations: Sequence[int], max_neighbors: int | None, seed: int) -> tuple[Mask, ...]:
    with naming_option("dilations", dilations):
        windows = tuple(DilatedWindow(dilation) for dilation in dilations)
    if max_neighbors is None:
        return windows
    return tuple(MaxNeighbours(window, max_neighbors, seed) for window in windows)


def _require_list(option: str, value: object, example: str) -> None:
    if not isinstance(value, list | tuple):
        raise PhysgtError(f"{option} = {value!r}; expected a list, such as {example}.")
