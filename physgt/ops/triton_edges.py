"""What the ends of an edge add to it, and the activation, on GPUs, in Triton: one pass over edges.

The first layer of an edge's MLP is W_e e + (W_s v)_sender + (W_r v)_receiver + b. Plain torch
writes both gathered rows, their sum and the activation to memory, here only the last is written.
Letters: N nodes, E edges, C channels.
"""

# mypy: disable-error-code="no-untyped-def, import-untyped, import-not-found"
# Triton's kernels are a language of their own: its arguments have no Python types.

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

MOST_CHANNELS = 128
"""That a program looks at; wider rows are shared out."""

NUMBERS = 2048
"""Of a program's block of edges: 16 for each thread of four warps."""


def edge_activation(
    product: Tensor,
    sent: Tensor,
    received: Tensor,
    senders: Tensor,
    receivers: Tensor,
    activation: str,
    gradient: Tensor | None = None,
) -> Tensor:
    """edges.edge_activation; with `gradient`, that with respect to it, its gradient."""
    num_edges, channels = product.shape
    if not sent.shape[1] == received.shape[1] == channels:
        raise ValueError(f"product {product.shape}, sent {sent.shape}, received {received.shape}")
    if not senders.shape == receivers.shape == (num_edges,):
        raise ValueError(f"{num_edges} edges, {len(senders)} senders, {len(receivers)} receivers")
    out = product.new_empty(product.shape)
    function, derivative = ACTIVATIONS[activation]
    ends, rows = (senders, receivers), (product, sent, received)
    if gradient is None:
        _launch(_activate, ends, rows, (out,), function)
    else:
        _launch(_differentiate, ends, rows, (gradient.contiguous(), out), derivative)
    return out


def _launch(
    kernel: Any,
    ends: tuple[Tensor, Tensor],
    rows: tuple[Tensor, ...],
    tensors: tuple[Tensor, ...],
    function: Any,
) -> None:
    """A program for each block of edges and each MOST_CHANNELS channels; rows: the operands."""
    num_edges, channels = rows[0].shape
    if num_edges == 0:
        return
    width = min(triton.next_power_of_2(channels), MOST_CHANNELS)
    block = NUMBERS // width
    rows = tuple(_with_dense_rows(tensor) for tensor in rows)
    with torch.cuda.device_of(rows[0]):  # Triton launches on the current device
        kernel[(triton.cdiv(num_edges, block), triton.cdiv(channels, width))](
            *ends,
            *rows,
            *tensors,
            num_edges,
            *(tensor.stride(0) for tensor in rows),
            CHANNELS=channels,
            WIDTH=width,
            BLOCK=block,
            FUNCTION=function,
            WIDE=tl.float64 if rows[0].dtype == torch.float64 else tl.float32,
            enable_fp_fusion=True,
        )


def _with_dense_rows(tensor: Tensor) -> Tensor:
    """Rows may lie apart, as in a part of a wider tensor; within a row, numbers must not."""
    return tensor if tensor.stride(1) == 1 else tensor.contiguous()


@triton.jit
def _activate(
    senders, receivers, edges, sent, received, out, num_edges,
    edge_stride, sent_stride, received_stride,
    CHANNELS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, FUNCTION: tl.constexpr,
    WIDE: tl.constexpr,
):  # fmt: skip
    total, own, real = _total(
        senders, receivers, edges, sent, received, num_edges,
        edge_stride, sent_stride, received_stride, CHANNELS, WIDTH, BLOCK, WIDE,
    )  # fmt: skip
    tl.store(out + own, FUNCTION(total), mask=real)


@triton.jit
def _differentiate(
    senders, receivers, edges, sent, received, gradient, edge_gradient, num_edges,
    edge_stride, sent_stride, received_stride,
    CHANNELS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, FUNCTION: tl.constexpr,
    WIDE: tl.constexpr,
):  # fmt: skip
    total, own, real = _total(
        senders, receivers, edges, sent, received, num_edges,
        edge_stride, sent_stride, received_stride, CHANNELS, WIDTH, BLOCK, WIDE,
    )  # fmt: skip
    g = tl.load(gradient + own, mask=real, other=0.0).to(WIDE)
    tl.store(edge_gradient + own, g * FUNCTION(total), mask=real)


@triton.jit
def _total(
    senders, receivers, edges, sent, received, num_edges,
    edge_stride, sent_stride, received_stride,
    CHANNELS: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """edges + sent[senders] + received[receivers] of this program, their places in (E, C), and
    which of them are real."""
    edge = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    channel = (tl.program_id(1) * WIDTH + tl.arange(0, WIDTH))[None, :]
    real = (edge < num_edges)[:, None] & (channel < CHANNELS)
    sender = tl.load(senders + edge, mask=edge < num_edges, other=0).to(tl.int64)[:, None]
    receiver = tl.load(receivers + edge, mask=edge < num_edges, other=0).to(tl.int64)[:, None]
    edge = edge[:, None]
    total = tl.load(edges + edge * edge_stride + channel, mask=real, other=0.0).to(WIDE)
    total += tl.load(sent + sender * sent_stride + channel, mask=real, other=0.0).to(WIDE)
    total += tl.load(received + receiver * received_stride + channel, mask=real, other=0.0).to(WIDE)
    return total, edge * CHANNELS + channel, real


@triton.jit
def _relu(x):
    return tl.where(x < 0, 0.0, x)  # so written, a NaN stays one


@triton.jit
def _relu_derivative(x):
    return tl.where(x <= 0, 0.0, 1.0)


@triton.jit
def _silu(x):
    return x / (1 + tl.exp(-x))


@triton.jit
def _silu_derivative(x):
    sigmoid = 1 / (1 + tl.exp(-x))
    return sigmoid * (1 + x * (1 - sigmoid))


@triton.jit
def _gelu(x):
    return x * _normal_distribution(x)


@triton.jit
def _gelu_derivative(x):
    # Density of the normal distribution: 1 / sqrt(2 pi) is 0.398942...
    return _normal_distribution(x) + x * 0.3989422804014327 * tl.exp(-0.5 * x * x)


@triton.jit
def _normal_distribution(x):
    return 0.5 * (1 + tl.erf(0.7071067811865476 * x))


ACTIVATIONS = {
    "relu": (_relu, _relu_derivative),
    "silu": (_silu, _silu_derivative),
    "gelu": (_gelu, _gelu_derivative),
}
"""What computes an activation, by its name in edges.ACTIVATIONS, and its derivative."""
