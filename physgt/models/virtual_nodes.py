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
    receivers = neighbours.edge_index[1]
    senders, receivers, offsets = _extended(
        neighbours.senders, receivers, neighbours.offsets, graph, count
    )
    if neighbours.seen_by is neighbours.senders:
        seen_by, seen_by_offsets = senders, offsets
    else:
        rows = _rows(neighbours.seen_by_offsets, neighbours.num_edges)
        seen_by, _, seen_by_offsets = _extended(
            neighbours.seen_by, rows, neighbours.seen_by_offsets, graph, count
        )
    edge_index = torch.stack([senders.long(), receivers])
    return Neighbours(edge_index, senders, offsets, seen_by, seen_by_offsets)


def _extended(
    columns: Tensor, rows: Tensor, offsets: Tensor, graph: Graph, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Compressed rows (columns, offsets) of N nodes -> those with the virtual nodes.

    rows: of every entry, int64; they are extended as well. Every row gets its graph's virtual nodes
    at its end; below follow the virtual nodes' own rows. Each entry's place is known, so nothing is
    sorted.
    """
    # shape rather than len(), on which an exported program would settle.
    num_nodes, num_columns = graph.num_nodes, columns.shape[0]
    virtual_rows = num_columns + num_nodes * count  # where they begin
    node = torch.arange(num_nodes, device=columns.device)[:, None]  # (N, 1)
    virtual = torch.arange(count, device=columns.device)  # (V,)
    graph_index = graph.graph_index[:, None]
    sizes = graph.graph_offsets.diff()
    first, size = graph.graph_offsets[graph_index], sizes[graph_index]  # (N, 1), of its graph

    kept = torch.arange(num_columns, device=columns.device) + count * rows
    sees = offsets[1:, None] + count * node + virtual  # (N, V)
    seen = virtual_rows + count * first + size * virtual + node - first  # (N, V)
    number = num_nodes + count * graph_index + virtual  # (N, V)
    nodes = node.expand_as(number)

    def joined(own: Tensor, at_sees: Tensor, at_seen: Tensor) -> Tensor:
        entries = own.new_empty(virtual_rows + num_nodes * count)
        entries[kept] = own
        entries[sees] = at_sees.to(own.dtype)
        entries[seen] = at_seen.to(own.dtype)
        return entries

    shifts = count * torch.arange(num_nodes + 1, device=columns.device)
    ends = virtual_rows + sizes[:, None].expand(-1, count).flatten().cumsum(0)
    extended_offsets = torch.cat([offsets + shifts, ends]).to(offsets.dtype)
    return joined(columns, number, nodes), joined(rows, nodes, number), extended_offsets


def _rows(offsets: Tensor, num_columns: int) -> Tensor:
    """(num_columns,) int64: the row of every entry of compressed rows."""
    rows = torch.arange(len(offsets) - 1, device=offsets.device)
    return rows.repeat_interleave(offsets.diff(), output_size=num_columns)
