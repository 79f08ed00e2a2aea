"""Attention of every node over a list of its neighbours."""

from __future__ import annotations

from importlib.util import find_spec
from math import sqrt

import torch
from torch import Tensor

from physgt.ops import compiled, library
from physgt.ops.neighbours import Neighbours
from physgt.ops.segment import segment_softmax, segment_sum

TRITON = find_spec("triton") is not None
"""Whether Triton is installed: torch for CUDA brings it along on Linux."""


def neighbour_attention(
    query: Tensor, key: Tensor, value: Tensor, neighbours: Neighbours
) -> Tensor:
    """Multi-head attention in which a node sees the neighbours of its list, nothing else.

    query, key, value: (N, H, c), H heads of c channels. Returns (N, H, c); a node without
    neighbours gets 0.

    The softmax runs over the neighbours alone: it equals dense attention with every other score at
    minus infinity, at the cost of E instead of N^2 scores.
    """
    # An exported model must run where physgt isn't.
    if not torch.compiler.is_exporting():
        if library.is_available(query, key, value):
            return compiled.neighbour_attention(query, key, value, neighbours)
        if query.is_cuda and TRITON:
            # Only here, so that nothing else waits for Triton to be imported.
            from physgt.ops.triton_attention import triton_neighbour_attention

            return triton_neighbour_attention(query, key, value, neighbours)
    return plain_neighbour_attention(query, key, value, neighbours)


def plain_neighbour_attention(
    query: Tensor, key: Tensor, value: Tensor, neighbours: Neighbours
) -> Tensor:
    """`neighbour_attention` in torch's own operators: any device and type, tensors of E rows."""
    dtype = query.dtype
    if dtype in (torch.bfloat16, torch.float16):
        query, key, value = query.float(), key.float(), value.float()
    senders, receivers = neighbours.edge_index
    num_nodes, _, channels = query.shape
    products = query.index_select(0, receivers) * key.index_select(0, senders)  # (E, H, c)
    scores = products.sum(-1) / sqrt(channels)  # (E, H)
    weights = segment_softmax(scores, receivers, num_nodes)  # (E, H)
    weighted = weights[..., None] * value.index_select(0, senders)  # (E, H, c)
    return segment_sum(weighted, receivers, num_nodes).to(dtype)
