"""Attention in which every query sees every key, for many nodes and few tokens."""

# No `from __future__ import annotations`: torch reads the operators' schemas from the annotations.

import ctypes

import torch
from torch import Tensor
from torch.nn import functional as F

from physgt.ops.attention_operator import new_gradients, register_gradient
from physgt.ops.library import (
    ACCUMULATED_IN,
    Rows,
    call,
    is_available,
    operator_or_kernel,
    with_dense_rows,
)


def full_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """query (Q, H, c), key and value (K, H, c), K > 0 -> (Q, H, c), softmax over all K.

    Torch's scaled_dot_product_attention, to rounding; by a kernel on the CPU, faster and with
    sums in float32 or wider, and of parts of wider rows without copies.
    """
    if not torch.compiler.is_compiling() and is_available(query, key, value):
        out: Tensor
        out, _ = operator_or_kernel(_attention, _attend)(query, key, value)
        return out
    query, key, value = (rows.transpose(0, 1)[None] for rows in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value)[0].transpose(0, 1)


class _FullAttention(ctypes.Structure):
    """`struct FullAttention` of full_attention.cpp."""

    _fields_ = (
        ("num_queries", ctypes.c_int64),
        ("num_keys", ctypes.c_int64),
        ("num_heads", ctypes.c_int64),
        ("num_channels", ctypes.c_int64),
        ("num_threads", ctypes.c_int64),
        ("query", Rows),
        ("key", Rows),
        ("value", Rows),
        ("out", Rows),
        ("log_sum", ctypes.c_void_p),
        ("gradient", Rows),
        ("query_gradient", Rows),
        ("key_gradient", Rows),
        ("value_gradient", Rows),
    )


def _call(function: str, log_sum: Tensor, **rows: Tensor) -> None:
    """Call the library; rows are the operands under their names in `_FullAttention`."""
    query, key, value = rows["query"], rows["key"], rows["value"]
    if not (key.shape == value.shape and query.shape[1:] == key.shape[1:]):
        raise ValueError(f"query {query.shape}, key {key.shape}, value {value.shape}")
    # Copies, if any are needed, live in `dense` until the call is over.
    dense = {name: with_dense_rows(tensor) for name, tensor in rows.items()}
    arguments = _FullAttention(
        len(query),
        *key.shape,
        torch.get_num_threads(),
        log_sum=log_sum.data_ptr(),
        **{name: Rows.of(tensor) for name, tensor in dense.items()},
    )
    call(function, query.dtype, arguments)


def _attend(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """The attention (Q, H, c), and the logarithm of each sum of exponentials (H, Q)."""
    out, log_sum = _new_outputs(query)
    _call("full_attention", log_sum, query=query, key=key, value=value, out=out)
    return out, log_sum


_attention = torch.library.custom_op(
    "physgt::full_attention", _attend, mutates_args=(), device_types="cpu"
)


@torch.library.custom_op("physgt::full_attention_backward", mutates_args=(), device_types="cpu")
def _attention_backward(
    gradient: Tensor, out: Tensor, log_sum: Tensor, query: Tensor, key: Tensor, value: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients with respect to query, key and value."""
    found = new_gradients(query, key)
    _call(
        "full_attention_backward",
        log_sum,
        query=query,
        key=key,
        value=value,
        out=out,
        gradient=gradient,
        query_gradient=found[0],
        key_gradient=found[1],
        value_gradient=found[2],
    )
    return found


def _new_outputs(query: Tensor) -> tuple[Tensor, Tensor]:
    queries, heads, _ = query.shape
    log_sum = query.new_empty(heads, queries, dtype=ACCUMULATED_IN[query.dtype])
    return query.new_empty(query.shape), log_sum


register_gradient(_attention, _attention_backward, _new_outputs)
