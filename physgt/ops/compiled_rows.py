"""The kernels of rows.cpp, without gradients, for tensors that library.is_available accepts."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from physgt.ops.library import ACCUMULATED_IN, Rows, call, with_dense_rows

ROWS_AT_ONCE = 128
"""Rows whose gradients share a sum in rms_norm_backward; the same number stands in rows.cpp."""

NO_ROWS = Rows(None, 0)


class _Size(ctypes.Structure):
    _fields_ = (
        ("rows", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("threads", ctypes.c_int64),
    )

    @classmethod
    def of(cls, rows: Tensor) -> _Size:
        return cls(*rows.shape, torch.get_num_threads())


class _Edges(ctypes.Structure):
    _fields_ = (
        ("size", _Size),
        ("senders", ctypes.c_void_p),
        ("receivers", ctypes.c_void_p),
        ("product", Rows),
        ("sent", Rows),
        ("received", Rows),
        ("gradient", Rows),
        ("out", Rows),
    )


class _Sums(ctypes.Structure):
    _fields_ = (("size", _Size), ("index", ctypes.c_void_p), ("rows", Rows), ("sums", Rows))


class _Norm(ctypes.Structure):
    _fields_ = (
        ("size", _Size),
        ("x", Rows),
        ("scale", ctypes.c_void_p),
        ("gradient", Rows),
        ("out", Rows),
        ("scale_gradients", ctypes.c_void_p),
    )


class _LayerNorm(ctypes.Structure):
    _fields_ = (
        ("size", _Size),
        ("epsilon", ctypes.c_double),
        ("x", Rows),
        ("weight", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("out", Rows),
    )


class _Gate(ctypes.Structure):
    _fields_ = (
        ("size", _Size),
        ("gate", Rows),
        ("value", Rows),
        ("gradient", Rows),
        ("out", Rows),
        ("value_gradient", Rows),
    )


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
    if not product.shape[1] == sent.shape[1] == received.shape[1]:
        raise ValueError(f"product {product.shape}, sent {sent.shape}, received {received.shape}")
    if not len(product) == len(senders) == len(receivers):
        raise ValueError(f"{len(product)} rows, {len(senders)} senders, {len(receivers)} receivers")
    out = product.new_empty(product.shape)
    # Copies, if any are needed, live in these names until the call is over.
    product, sent, received = (with_dense_rows(t) for t in (product, sent, received))
    senders, receivers = senders.contiguous(), receivers.contiguous()
    gradient = None if gradient is None else with_dense_rows(gradient)
    arguments = _Edges(
        _Size.of(product),
        senders.data_ptr(),
        receivers.data_ptr(),
        Rows.of(product),
        Rows.of(sent),
        Rows.of(received),
        NO_ROWS if gradient is None else Rows.of(gradient),
        Rows.of(out),
    )
    backward = "" if gradient is None else "_backward"
    call(f"edge_{activation}{backward}", product.dtype, arguments)
    return out


def add_rows(sums: Tensor, index: Tensor, rows: Tensor) -> None:
    """sums[index[e]] += rows[e]; sums (N, C) in ACCUMULATED_IN of the rows' type, rows dense."""
    if not (len(index) == len(rows) and sums.shape[1] == rows.shape[1]):
        raise ValueError(f"sums {sums.shape}, index {index.shape}, rows {rows.shape}")
    rows, index = with_dense_rows(rows), index.contiguous()
    arguments = _Sums(_Size.of(rows), index.data_ptr(), Rows.of(rows), Rows.of(sums))
    call("add_rows", rows.dtype, arguments)


def rms_norm(x: Tensor, scale: Tensor) -> Tensor:
    out = x.new_empty(x.shape)
    x, scale = with_dense_rows(x), scale.contiguous()
    call(
        "rms_norm",
        x.dtype,
        _Norm(_Size.of(x), Rows.of(x), scale.data_ptr(), NO_ROWS, Rows.of(out), None),
    )
    return out


def rms_norm_backward(gradient: Tensor, x: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """With respect to x, and to the scale."""
    out = x.new_empty(x.shape)
    x, gradient, scale = with_dense_rows(x), with_dense_rows(gradient), scale.contiguous()
    shares = -(-len(x) // ROWS_AT_ONCE)
    sums = x.new_empty(shares, x.shape[1], dtype=ACCUMULATED_IN[x.dtype])
    arguments = _Norm(
        _Size.of(x),
        Rows.of(x),
        scale.data_ptr(),
        Rows.of(gradient),
        Rows.of(out),
        sums.data_ptr(),
    )
    call("rms_norm_backward", x.dtype, arguments)
    return out, sums.sum(0).to(scale.dtype)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """weight and bias in ACCUMULATED_IN of the type of x."""
    out = x.new_empty(x.shape)
    x, weight, bias = with_dense_rows(x), weight.contiguous(), bias.contiguous()
    parameters = weight.data_ptr(), bias.data_ptr()
    call(
        "layer_norm",
        x.dtype,
        _LayerNorm(_Size.of(x), epsilon, Rows.of(x), *parameters, Rows.of(out)),
    )
    return out


def gelu_gate(gate: Tensor, value: Tensor) -> Tensor:
    out = gate.new_empty(gate.shape)
    gate, value = with_dense_rows(gate), with_dense_rows(value)
    arguments = _Gate(_Size.of(gate), Rows.of(gate), Rows.of(value), NO_ROWS, Rows.of(out), NO_ROWS)
    call("gelu_gate", gate.dtype, arguments)
    return out


def gelu_gate_backward(gradient: Tensor, gate: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """With respect to the gate, and to the value."""
    gradients = gate.new_empty(gate.shape), gate.new_empty(gate.shape)
    gradient, gate, value = (with_dense_rows(t) for t in (gradient, gate, value))
    operands = (Rows.of(tensor) for tensor in (gate, value, gradient, *gradients))
    call("gelu_gate_backward", gate.dtype, _Gate(_Size.of(gate), *operands))
    return gradients
