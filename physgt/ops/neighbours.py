"""Lists of neighbours: which nodes each node sees, and which nodes see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from physgt.errors import PhysgtError
from physgt.ops.segment import segment_offsets

MOST_EDGES = torch.iinfo(torch.int32).max


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Node i sees senders[offsets[i]:offsets[i+1]], as compressed sparse rows and columns.

    edge_index       (2, E) int64, senders and receivers, sorted by receiver, then sender
    senders          (E,) int32, row 0 of edge_index
    offsets          (N+1,) int32
    seen_by          (E,) int32, receivers sorted by sender: the transpose
    seen_by_offsets  (N+1,) int32: node j is seen by seen_by[seen_by_offsets[j]:...[j+1]]

    Both directions are kept because gradients flow from the seen to the seeing and back. Kernels
    read the narrow integers: half the memory traffic. Raises PhysgtError for more than MOST_EDGES.
    """

    edge_index: Tensor
    senders: Tensor
    offsets: Tensor
    seen_by: Tensor
    seen_by_offsets: Tensor

    def __post_init__(self) -> None:
        # Compilers must not settle on a number of edges.
        if not torch.compiler.is_compiling() and self.num_edges > MOST_EDGES:
            raise PhysgtError(
                f"nodes would see {self.num_edges} neighbours together, but attention counts to "
                f"{MOST_EDGES}; lower the model's k_hop, dilations or global_nodes, or the batch."
            )

    @classmethod
    def symmetric(cls, edge_index: Tensor, num_nodes: int) -> Neighbours:
        """From edges that all exist in both directions, so that the lists are their transpose."""
        senders = edge_index[0].to(torch.int32)
        offsets = segment_offsets(edge_index[1], num_nodes).to(torch.int32)
        return cls(edge_index, senders, offsets, senders, offsets)

    @classmethod
    def directed(cls, edge_index: Tensor, num_nodes: int) -> Neighbours:
        """From any edges, sorted by receiver."""
        senders, receivers = edge_index
        by_sender = torch.argsort(senders, stable=True)
        return cls(
            edge_index,
            senders.to(torch.int32),
            segment_offsets(receivers, num_nodes).to(torch.int32),
            receivers[by_sender].to(torch.int32),
            segment_offsets(senders, num_nodes).to(torch.int32),
        )

    @property
    def num_nodes(self) -> int:
        return len(self.offsets) - 1

    @property
    def num_edges(self) -> int:
        return len(self.senders)

    def to(self, device: torch.device | str | None) -> Neighbours:
        return Neighbours(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def batch_neighbours(lists: Sequence[Neighbours]) -> Neighbours:
    """The lists of graphs that lie end to end and don't see each other."""
    if len(lists) == 1:
        return lists[0]
    node = edge = 0
    shifted = []
    for part in lists:
        starts = slice(None if node == 0 else 1, None)  # a list ends where the next begins
        shifted.append(
            (
                part.edge_index + node,
                part.senders + node,
                part.offsets[starts] + edge,
                part.seen_by + node,
                part.seen_by_offsets[starts] + edge,
            )
        )
        node += part.num_nodes
        edge += part.num_edges
    return Neighbours(*(torch.cat(tensors, dim=-1) for tensors in zip(*shifted, strict=True)))
