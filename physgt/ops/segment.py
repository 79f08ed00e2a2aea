"""Sums, means and softmaxes over segments: the rows of an edge tensor that share a node.

`index` (E,) names the segment of every row, usually the receiving node of an edge. Any order gives
the right result; an ascending one is several times faster, because a row then adds to memory that
is still in cache. Graph.edge_index is sorted so that `receivers` ascends.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def segment_sum(values: Tensor, index: Tensor, num_segments: int) -> Tensor:
    """(E, ...) -> (num_segments, ...); an empty segment has sum 0."""
    if values.requires_grad and torch.is_grad_enabled():
        summed: Tensor = _SegmentSum.apply(values, index, num_segments)
        return summed
    return _sum(values, index, num_segments)


def _sum(values: Tensor, index: Tensor, num_segments: int) -> Tensor:
    # Only contiguous rows take the fast path of index_add_.
    sums = values.new_zeros((num_segments, *values.shape[1:]))
    return sums.index_add_(0, index, values.contiguous())


class _SegmentSum(torch.autograd.Function):
    """index_add_ keeps the values for its gradient, which needs the index alone."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, index: Tensor, num_segments: int) -> Tensor:
        ctx.save_for_backward(index)
        return _sum(values, index, num_segments)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return gradients[0].index_select(0, index), None, None


def segment_mean(values: Tensor, index: Tensor, num_segments: int) -> Tensor:
    """(E, ...) -> (num_segments, ...); an empty segment has mean 0."""
    counts = segment_sum(values.new_ones(index.shape[0]), index, num_segments).clamp(min=1)
    sums = segment_sum(values, index, num_segments)
    return sums / counts.view(-1, *(1 for _ in values.shape[1:]))


def segment_softmax(scores: Tensor, index: Tensor, num_segments: int) -> Tensor:
    """(E, H) -> (E, H): in every column, the weights of a segment are positive and sum to 1."""
    # Subtracting the largest score keeps exp from overflowing and cancels in the quotient, so no
    # gradient has to pass through it.
    with torch.no_grad():
        largest = scores.new_full((num_segments, scores.shape[1]), -torch.inf)
        largest.scatter_reduce_(0, index[:, None].expand_as(scores), scores, "amax")
    weights = (scores - largest.index_select(0, index)).exp()
    return weights / segment_sum(weights, index, num_segments).index_select(0, index)


def segment_offsets(index: Tensor, num_segments: int) -> Tensor:
    """(num_segments + 1,) int64: segment i has offsets[i+1] - offsets[i] rows.

    Where `index` ascends, they are the rows offsets[i] to offsets[i+1].
    """
    counts = segment_sum(torch.ones_like(index), index, num_segments)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])
