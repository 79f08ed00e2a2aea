"""Neighbour attention on GPUs, in Triton: no tensor of the edges' size, forward or backward.

One program is one head of one node. The softmax is the online one (Milakov and Gimelshein, arXiv
1805.02867); the backward pass makes the weights again from the logarithm of each sum, as
FlashAttention does (Dao et al., arXiv 2205.14135, appendix B). Letters: N nodes, H heads of c
channels.
"""

# mypy: disable-error-code="no-untyped-def, import-untyped, import-not-found"
# Triton's kernels are a language of their own: its arguments have no Python types.

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from physgt.ops.neighbours import Neighbours

BLOCK = 32
"""Neighbours that a program looks at together."""


def triton_neighbour_attention(
    query: Tensor, key: Tensor, value: Tensor, neighbours: Neighbours
) -> Tensor:
    """As physgt.ops.neighbour_attention; sums are in float32, of float64 in float64."""
    lists = neighbours.senders, neighbours.offsets, neighbours.seen_by, neighbours.seen_by_offsets
    rows = (_with_dense_rows(tensor) for tensor in (query, key, value))
    out: Tensor = _Attention.apply(*rows, *lists)
    return out


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, *lists: Tensor) -> Tensor:
        senders, offsets, _, _ = lists
        out = query.new_empty(query.shape)
        wide = torch.float64 if query.dtype == torch.float64 else torch.float32
        log_sum = query.new_empty(query.shape[:2], dtype=wide)
        _launch(_forward, query, offsets, senders, query, key, value, out, log_sum)
        ctx.save_for_backward(query, key, value, out, log_sum, *lists)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, log_sum, senders, offsets, seen_by, seen_by_offsets = (
            ctx.saved_tensors
        )
        gradient = gradients[0].contiguous()
        correction = (gradient.to(log_sum.dtype) * out).sum(-1)  # (N, H)
        found = [query.new_empty(query.shape) for _ in range(3)]
        given = query, key, value, gradient, log_sum, correction
        _launch(_query_gradient, query, offsets, senders, *given, found[0])
        _launch(_key_value_gradient, query, seen_by_offsets, seen_by, *given, *found[1:])
        return *found, None, None, None, None


def _launch(kernel: Any, query: Tensor, offsets: Tensor, columns: Tensor, *tensors: Tensor) -> None:
    num_nodes, heads, channels = query.shape
    if num_nodes == 0:
        return
    strides = [tensor.stride(0) for tensor in tensors[:3]]
    kernel[(num_nodes, heads)](
        offsets,
        columns,
        *tensors,
        *strides,
        channels**-0.5,
        HEADS=heads,
        CHANNELS=channels,
        WIDTH=triton.next_power_of_2(channels),
        BLOCK=BLOCK,
        WIDE=tl.float64 if query.dtype == torch.float64 else tl.float32,
    )


def _with_dense_rows(tensor: Tensor) -> Tensor:
    """Rows may lie apart, as in a part of a wider tensor; within a row, numbers must not."""
    if tensor.stride(2) == 1 and tensor.stride(1) == tensor.shape[2]:
        return tensor
    return tensor.contiguous()


@triton.jit
def _forward(
    offsets, senders, query, key, value, out, log_sum,
    query_stride, key_stride, value_stride, scale,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
):  # fmt: skip
    node, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    channel = tl.arange(0, WIDTH)
    real = channel < CHANNELS
    place = head * CHANNELS + channel
    q = tl.load(query + node * query_stride + place, mask=real, other=0.0).to(WIDE) * scale
    largest = tl.full([], -float("inf"), WIDE)
    total = tl.zeros([], WIDE)
    summed = tl.zeros([WIDTH], WIDE)
    first, last = tl.load(offsets + node), tl.load(offsets + node + 1)
    for start in range(first, last, BLOCK):
        edge = start + tl.arange(0, BLOCK)
        seen = edge < last
        both = seen[:, None] & real[None, :]
        sender = tl.load(senders + edge, mask=seen, other=0).to(tl.int64)[:, None]
        k = tl.load(key + sender * key_stride + place[None, :], mask=both, other=0.0).to(WIDE)
        v = tl.load(value + sender * value_stride + place[None, :], mask=both, other=0.0).to(WIDE)
        score = tl.where(seen, tl.sum(k * q[None, :], 1), -float("inf"))
        larger = tl.maximum(largest, tl.max(score, 0))
        shrink = tl.exp(largest - larger)
        weight = tl.exp(score - larger)
        total = total * shrink + tl.sum(weight, 0)
        summed = summed * shrink + tl.sum(weight[:, None] * v, 0)
        largest = larger
    # A node without neighbours gets 0.
    total = tl.where(last > first, total, 1.0)
    tl.store(out + (node * HEADS) * CHANNELS + place, summed / total, mask=real)
    tl.store(log_sum + node * HEADS + head, tl.where(last > first, largest, 0.0) + tl.log(total))


@triton.jit
def _query_gradient(
    offsets, senders, query, key, value, gradient, log_sum, correction, query_gradient,
    query_stride, key_stride, value_stride, scale,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
):  # fmt: skip
    node, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    channel = tl.arange(0, WIDTH)
    real = channel < CHANNELS
    place = head * CHANNELS + channel
    own = node * HEADS * CHANNELS + place
    q = tl.load(query + node * query_stride + place, mask=real, other=0.0).to(WIDE) * scale
    g = tl.load(gradient + own, mask=real, other=0.0).to(WIDE)
    row_log_sum = tl.load(log_sum + node * HEADS + head)
    row_correction = tl.load(correction + node * HEADS + head)
    summed = tl.zeros([WIDTH], WIDE)
    first, last = tl.load(offsets + node), tl.load(offsets + node + 1)
    for start in range(first, last, BLOCK):
        edge = start + tl.arange(0, BLOCK)
        seen = edge < last
        both = seen[:, None] & real[None, :]
        sender = tl.load(senders + edge, mask=seen, other=0).to(tl.int64)[:, None]
        k = tl.load(key + sender * key_stride + place[None, :], mask=both, other=0.0).to(WIDE)
        v = tl.load(value + sender * value_stride + place[None, :], mask=both, other=0.0).to(WIDE)
        weight = tl.exp(tl.sum(k * q[None, :], 1) - row_log_sum)
        score_gradient = weight * (tl.sum(v * g[None, :], 1) - row_correction)
        summed += tl.sum(tl.where(seen, score_gradient, 0.0)[:, None] * k, 0)
    tl.store(query_gradient + own, summed * scale, mask=real)


@triton.jit
def _key_value_gradient(
    offsets, receivers, query, key, value, gradient, log_sum, correction, key_gradient,
    value_gradient, query_stride, key_stride, value_stride, scale,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
    WIDE: tl.constexpr,
):  # fmt: skip
    node, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    channel = tl.arange(0, WIDTH)
    real = channel < CHANNELS
    place = head * CHANNELS + channel
    own = node * HEADS * CHANNELS + place
    k = tl.load(key + node * key_stride + place, mask=real, other=0.0).to(WIDE) * scale
    v = tl.load(value + node * value_stride + place, mask=real, other=0.0).to(WIDE)
    key_summed, value_summed = tl.zeros([WIDTH], WIDE), tl.zeros([WIDTH], WIDE)
    first, last = tl.load(offsets + node), tl.load(offsets + node + 1)
    for start in range(first, last, BLOCK):
        edge = start + tl.arange(0, BLOCK)
        seen = edge < last
        both = seen[:, None] & real[None, :]
        receiver = tl.load(receivers + edge, mask=seen, other=0).to(tl.int64)
        row = receiver * HEADS + head
        row_log_sum = tl.load(log_sum + row, mask=seen, other=0.0)
        row_correction = tl.load(correction + row, mask=seen, other=0.0)
        q = tl.load(
            query + receiver[:, None] * query_stride + place[None, :], mask=both, other=0.0
        ).to(WIDE)
        g = tl.load(
            gradient + receiver[:, None] * HEADS * CHANNELS + place[None, :], mask=both, other=0.0
        ).to(WIDE)
        weight = tl.where(seen, tl.exp(tl.sum(q * k[None, :], 1) - row_log_sum), 0.0)
        score_gradient = weight * (tl.sum(g * v[None, :], 1) - row_correction)
        key_summed += tl.sum(score_gradient[:, None] * q, 0)
        value_summed += tl.sum(weight[:, None] * g, 0)
    tl.store(key_gradient + own, key_summed * scale, mask=real)
    tl.store(value_gradient + own, value_summed, mask=real)
