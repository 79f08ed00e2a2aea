"""Neighbour attention on GPUs, in Triton: no tensor of the edges' size, forward or backward.

One program is one head of one node. The softmax is the online one (Milakov and Gimelshein, arXiv
1805.02867); the backward pass makes the weights again from the logarithm of each sum, as
FlashAttention does (Dao et al., arXiv 2205.14135, appendix B). Gradients of a node's key and value
come from the nodes that see it, so nothing is added atomically and results repeat to the bit.
Letters: N nodes, H heads of c channels.
"""

# mypy: disable-error-code="no-untyped-def, import-untyped, import-not-found"
# Triton's kernels are a language of their own: its arguments have no Python types.

# No `from __future__ import annotations`: torch reads the operators' schemas from the annotations.

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from physgt.ops.attention_operator import new_gradients, new_outputs, register_gradient
from physgt.ops.neighbours import Neighbours

BLOCK = 16
"""Neighbours that a program looks at together: most nodes of a mesh have fewer."""

NUMBERS_PER_WARP = 1024
"""Of a block of keys: up to 64 channels a program is one warp, and its sums wait for no other."""


def triton_neighbour_attention(
    query: Tensor, key: Tensor, value: Tensor, neighbours: Neighbours
) -> Tensor:
    """As physgt.ops.neighbour_attention; sums are in float32, of float64 in float64."""
    if not query.shape == key.shape == value.shape:
        raise ValueError(f"query {query.shape}, key {key.shape}, value {value.shape}")
    if neighbours.num_nodes != query.shape[0]:
        raise ValueError(f"{query.shape[0]} nodes, but neighbours of {neighbours.num_nodes}")
    out: Tensor
    out, _ = _attention(
        query,
        key,
        value,
        neighbours.senders,
        neighbours.offsets,
        neighbours.seen_by,
        neighbours.seen_by_offsets,
    )
    return out


# An operator of its own, so that torch.compile needn't look inside.
@torch.library.custom_op("physgt::triton_neighbour_attention", mutates_args=())
def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    senders: Tensor,
    offsets: Tensor,
    seen_by: Tensor,
    seen_by_offsets: Tensor,
) -> tuple[Tensor, Tensor]:
    """The attention (N, H, c), and the logarithm of each sum of exponentials (N, H)."""
    out, log_sum = new_outputs(query)
    rows = (_with_dense_rows(tensor) for tensor in (query, key, value))
    _launch(_forward, offsets, senders, *rows, out, log_sum)
    return out, log_sum


@torch.library.custom_op("physgt::triton_neighbour_attention_backward", mutates_args=())
def _attention_backward(
    gradient: Tensor,
    out: Tensor,
    log_sum: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    senders: Tensor,
    offsets: Tensor,
    seen_by: Tensor,
    seen_by_offsets: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients with respect to query, key and value."""
    gradient = gradient.contiguous()
    correction = (gradient.to(log_sum.dtype) * out).sum(-1)  # (N, H)
    found = new_gradients(query, key)
    rows = (_with_dense_rows(tensor) for tensor in (query, key, value))
    given = (*rows, gradient, log_sum, correction)
    _launch(_query_gradient, offsets, senders, *given, found[0])
    _launch(_key_value_gradient, seen_by_offsets, seen_by, *given, *found[1:])
    return found


register_gradient(_attention, _attention_backward)


def _launch(kernel: Any, offsets: Tensor, columns: Tensor, *tensors: Tensor) -> None:
    """A program for each head of each node; tensors begin with query, key and value."""
    query, key, value = tensors[:3]
    num_nodes, heads, channels = query.shape
    if num_nodes == 0:
        return
    width = triton.next_power_of_2(channels)
    with torch.cuda.device_of(query):  # Triton launches on the current device
        kernel[(num_nodes, heads)](
            offsets,
            columns,
            *tensors,
            query.stride(0),
            key.stride(0),
            value.stride(0),
            HEADS=heads,
            CHANNELS=channels,
            WIDTH=width,
            SCALE=channels**-0.5,
            BLOCK=BLOCK,
            WIDE=tl.float64 if query.dtype == torch.float64 else tl.float32,
            num_warps=max(BLOCK * width // NUMBERS_PER_WARP, 1),
            enable_fp_fusion=True,
        )


def _with_dense_rows(tensor: Tensor) -> Tensor:
    """Rows may lie apart, as in a part of a wider tensor; within a row, numbers must not."""
    if tensor.stride(2) == 1 and tensor.stride(1) == tensor.shape[2]:
        return tensor
    return tensor.contiguous()


@triton.jit
def _forward(
    offsets, senders, query, key, value, out, log_sum,
    query_stride, key_stride, value_stride,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr, SCALE: tl.constexpr,
    BLOCK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    node, head, place, real, own = _own_place(HEADS, CHANNELS, WIDTH)
    q = _load(query, node * query_stride + place, real, WIDE) * SCALE
    largest = tl.full([], -float("inf"), WIDE)
    total = tl.zeros([], WIDE)
    summed = tl.zeros([WIDTH], WIDE)
    first, last = tl.load(offsets + node), tl.load(offsets + node + 1)
    for start in range(first, last, BLOCK):
        seen, sender, both = _block_of_list(senders, start, last, real, BLOCK)
        k = _load(key, sender[:, None] * key_stride + place[None, :], both, WIDE)
        v = _load(value, sender[:, None] * value_stride + place[None, :], both, WIDE)
        score = tl.where(seen, tl.sum(k * q[None, :], 1), -float("inf"))
        larger = tl.maximum(largest, tl.max(score, 0))
        shrink = tl.exp(largest - larger)
        weight = tl.exp(score - larger)
        total = total * shrink + tl.sum(weight, 0)
        summed = summed * shrink + tl.sum(weight[:, None] * v, 0)
        largest = larger
    # A node without neighbours gets 0.
    total = tl.where(last > first, total, 1.0)
    tl.store(out + own, summed / total, mask=real)
    tl.store(log_sum + node * HEADS + head, tl.where(last > first, largest, 0.0) + tl.log(total))


@triton.jit
def _query_gradient(
    offsets, senders, query, key, value, gradient, log_sum, correction, query_gradient,
    query_stride, key_stride, value_stride,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr, SCALE: tl.constexpr,
    BLOCK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    node, head, place, real, own = _own_place(HEADS, CHANNELS, WIDTH)
    q = _load(query, node * query_stride + place, real, WIDE) * SCALE
    g = _load(gradient, own, real, WIDE)
    own_log_sum = tl.load(log_sum + node * HEADS + head)
    own_correction = tl.load(correction + node * HEADS + head)
    summed = tl.zeros([WIDTH], WIDE)
    first, last = tl.load(offsets + node), tl.load(offsets + node + 1)
    for start in range(first, last, BLOCK):
        seen, sender, both = _block_of_list(senders, start, last, real, BLOCK)
        k = _load(key, sender[:, None] * key_stride + place[None, :], both, WIDE)
        v = _load(value, sender[:, None] * value_stride + place[None, :], both, WIDE)
        weight = tl.where(seen, tl.exp(tl.sum(k * q[None, :], 1) - own_log_sum), 0.0)
        score_gradient = weight * (tl.sum(v * g[None, :], 1) - own_correction)
        summed += tl.sum(score_gradient[:, None] * k, 0)
    tl.store(query_gradient + own, summed * SCALE, mask=real)


@triton.jit
def _key_value_gradient(
    offsets, receivers, query, key, value, gradient, log_sum, correction,
    key_gradient, value_gradient, query_stride, key_stride, value_stride,
    HEADS: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr, SCALE: tl.constexpr,
    BLOCK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    node, head, place, real, own = _own_place(HEADS, CHANNELS, WIDTH)
    k = _load(key, node * key_stride + place, real, WIDE) * SCALE
    v = _load(value, node * value_stride + place, real, WIDE)
    key_summed, value_summed = tl.zeros([WIDTH], WIDE), tl.zeros([WIDTH], WIDE)
    first, last = tl.load(offsets + node), tl.load(offsets + node + 1)
    for start in range(first, last, BLOCK):
        seen, receiver, both = _block_of_list(receivers, start, last, real, BLOCK)
        q = _load(query, receiver[:, None] * query_stride + place[None, :], both, WIDE)
        g = _load(gradient, receiver[:, None] * HEADS * CHANNELS + place[None, :], both, WIDE)
        their_log_sum = _load(log_sum, receiver * HEADS + head, seen, WIDE)
        their_correction = _load(correction, receiver * HEADS + head, seen, WIDE)
        weight = tl.where(seen, tl.exp(tl.sum(q * k[None, :], 1) - their_log_sum), 0.0)
        score_gradient = weight * (tl.sum(g * v[None, :], 1) - their_correction)
        key_summed += tl.sum(score_gradient[:, None] * q, 0)
        value_summed += tl.sum(weight[:, None] * g, 0)
    tl.store(key_gradient + own, key_summed * SCALE, mask=real)
    tl.store(value_gradient + own, value_summed, mask=real)


@triton.jit
def _own_place(HEADS: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr):
    """This program's node and head, the head's place in a row, and its place in (N, H, c)."""
    node, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    channel = tl.arange(0, WIDTH)  # some more than are real: a power of two
    place = head * CHANNELS + channel
    return node, head, place, channel < CHANNELS, node * HEADS * CHANNELS + place


@triton.jit
def _block_of_list(columns, start, last, real, BLOCK: tl.constexpr):
    """BLOCK nodes of a list, which of them are on it, and which of their channels are real."""
    edge = start + tl.arange(0, BLOCK)
    seen = edge < last
    node = tl.load(columns + edge, mask=seen, other=0).to(tl.int64)
    return seen, node, seen[:, None] & real[None, :]


@triton.jit
def _load(tensor, place, mask, WIDE: tl.constexpr):
    return tl.load(tensor + place, mask=mask, other=0.0).to(WIDE)
