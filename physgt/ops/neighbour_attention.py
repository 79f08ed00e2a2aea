"""Attention of every node over a list of its neighbours."""

from __future__ import annotations

from math import sqrt

from torch import Tensor

from physgt.ops.neighbours import Neighbours
from physgt.ops.segment import segment_softmax, segment_sum


def neighbour_attention(
    query: Tensor, key: Tensor, value: Tensor, neighbours: Neighbours
) -> Tensor:
    """Multi-head attention in which a node sees the neighbours of its list, nothing else.

    query, key, value: (N, H, c), H heads of c channels. Returns (N, H, c); a node without
    neighbours gets 0.

    The softmax runs over the neighbours alone: it equals dense attention with every other score at
    minus infinity, at the cost of E instead of N^2 scores.
    """
    senders, receivers = neighbours.edge_index
    num_nodes, _, channels = query.shape
    products = query.index_select(0, receivers) * key.index_select(0, senders)  # (E, H, c)
    scores = products.sum(-1) / sqrt(channels)  # (E, H)
    weights = segment_softmax(scores, receivers, num_nodes)  # (E, H)
    return segment_sum(weights[..., None] * value.index_select(0, senders), receivers, num_nodes)
