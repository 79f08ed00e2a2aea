"""Virtual nodes: learned nodes of a graph that see all its nodes and are seen by all.

Gilmer et al., "Neural Message Passing for Quantum Chemistry", ICML 2017, section 5.2, as one
master node.
"""

from __future__ import annotations

import torch
from torch import Tensor

from physgt.graph import Graph
from physgt.ops.neighbours import Neighbours


def with_virtual_nodes(neighbours: Neighbours, graph: Graph, count: int) -> Neighbours:
    """The lists of N nodes, extended by `count` virtual nodes for each graph of the batch.

    Virtual node v of graph g has the number N + g * count + v. Virtual nodes don't see each other.
    """
    senders, offsets = _extended(neighbours.senders, neighbours.offsets, graph, count)
    if neighbours.seen_by is neighbours.senders:
        seen_by, seen_by_offsets = senders, offsets
    else:
        seen_by, seen_by_offsets = _extended(
            neighbours.seen_by, neighbours.seen_by_offsets, graph, count
        )
    edge_index = torch.stack([senders.long(), _rows(offsets, len(senders))])
    return Neighbours(edge_index, senders, offsets, seen_by, seen_by_offsets)


def _extended(columns: Tensor, offsets: Tensor, graph: Graph, count: int) -> tuple[Tensor, Tensor]:
    """Compressed rows (columns, offsets) of N nodes -> those with the virtual nodes.

    Every row gets its graph's virtual nodes at its end; below follow the virtual nodes' own rows.
    Each entry's place is known, so nothing is sorted.
    """
    num_nodes, num_columns = graph.num_nodes, len(columns)
    virtual_rows = num_columns + num_nodes * count  # where they begin
    node = torch.arange(num_nodes, device=columns.device)[:, None]  # (N, 1)
    virtual = torch.arange(count, device=columns.device)  # (V,)
    graph_index = graph.graph_index[:, None]
    sizes = graph.graph_offsets.diff()
    first, size = graph.graph_offsets[graph_index], sizes[graph_index]  # (N, 1), of its graph

    extended = columns.new_empty(virtual_rows + num_nodes * count)
    kept = torch.arange(num_columns, device=columns.device)
    extended[kept + count * _rows(offsets, num_columns)] = columns
    sees = offsets[1:, None] + count * node + virtual  # (N, V)
    extended[sees] = (num_nodes + count * graph_index + virtual).to(columns.dtype)
    seen = virtual_rows + count * first + size * virtual + node - first  # (N, V)
    extended[seen] = node.expand_as(seen).to(columns.dtype)

    shifts = count * torch.arange(num_nodes + 1, device=columns.device)
    ends = virtual_rows + sizes.repeat_interleave(count).cumsum(0)
    return extended, torch.cat([offsets + shifts, ends]).to(offsets.dtype)


def _rows(offsets: Tensor, num_columns: int) -> Tensor:
    """(num_columns,) int64: the row of every entry of compressed rows."""
    rows = torch.arange(len(offsets) - 1, device=offsets.device)
    return rows.repeat_interleave(offsets.diff(), output_size=num_columns)
