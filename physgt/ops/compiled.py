"""Attention over neighbours by kernels.cpp, as an operator of torch with gradients."""

# No `from __future__ import annotations`: torch reads the operators' schemas from the annotations.

import ctypes

import torch
from torch import Tensor

from physgt.ops.attention_operator import new_gradients, new_outputs, register_gradient
from physgt.ops.library import Rows, call, operator_or_kernel, with_dense_rows
from physgt.ops.neighbours import Neighbours


def neighbour_attention(
    query: Tensor, key: Tensor, value: Tensor, neighbours: Neighbours
) -> Tensor:
    """As physgt.ops.neighbour_attention, by the kernels. Only where library.is_available."""
    out: Tensor
    attend = operator_or_kernel(_attention, _attend)
    out, _ = attend(
        query,
        key,
        value,
        neighbours.senders,
        neighbours.offsets,
        neighbours.seen_by,
        neighbours.seen_by_offsets,
    )
    return out


class _Lists(ctypes.Structure):
    _fields_ = (("nodes", ctypes.c_void_p), ("offsets", ctypes.c_void_p))


class _Attention(ctypes.Structure):
    """`struct Attention` of kernels.cpp."""

    _fields_ = (
        ("num_nodes", ctypes.c_int64),
        ("num_heads", ctypes.c_int64),
        ("num_channels", ctypes.c_int64),
        ("num_threads", ctypes.c_int64),
        ("seen", _Lists),
        ("seen_by", _Lists),
        ("query", Rows),
        ("key", Rows),
        ("value", Rows),
        ("out", Rows),
        ("log_sum", ctypes.c_void_p),
        ("gradient", Rows),
        ("correction", ctypes.c_void_p),
        ("query_gradient", Rows),
        ("key_gradient", Rows),
        ("value_gradient", Rows),
    )


def _attend(
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
    lists = (senders, offsets, seen_by, seen_by_offsets)
    _call("neighbour_attention", lists, log_sum, query=query, key=key, value=value, out=out)
    return out, log_sum


_attention = torch.library.custom_op(
    "physgt::neighbour_attention", _attend, mutates_args=(), device_types="cpu"
)


@torch.library.custom_op(
    "physgt::neighbour_attention_backward", mutates_args=(), device_types="cpu"
)
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
    gradients = new_gradients(query, key)
    _call(
        "neighbour_attention_backward",
        (senders, offsets, seen_by, seen_by_offsets),
        log_sum,
        correction=torch.empty_like(log_sum),
        query=query,
        key=key,
        value=value,
        out=out,
        gradient=gradient,
        query_gradient=gradients[0],
        key_gradient=gradients[1],
        value_gradient=gradients[2],
    )
    return gradients


def _call(
    function: str,
    lists: tuple[Tensor, ...],
    log_sum: Tensor,
    *,
    correction: Tensor | None = None,
    **rows: Tensor,
) -> None:
    """Call the library; rows are the operands (N, H, c) under their names in `_Attention`."""
    num_nodes, num_heads, num_channels = rows["query"].shape
    for name, tensor in rows.items():
        if tensor.shape != rows["query"].shape:
            raise ValueError(f"{name} {tuple(tensor.shape)}, query {(*rows['query'].shape,)}")
    if len(lists[1]) != num_nodes + 1:
        raise ValueError(f"{num_nodes} nodes, but neighbours of {len(lists[1]) - 1}")
    # Copies, if any are needed, live in `dense` until the call is over.
    dense = {name: with_dense_rows(tensor) for name, tensor in rows.items()}
    senders, offsets, seen_by, seen_by_offsets = (values.data_ptr() for values in lists)
    attention = _Attention(
        num_nodes,
        num_heads,
        num_channels,
        torch.get_num_threads(),
        seen=_Lists(senders, offsets),
        seen_by=_Lists(seen_by, seen_by_offsets),
        log_sum=log_sum.data_ptr(),
        correction=None if correction is None else correction.data_ptr(),
        **{name: Rows.of(tensor) for name, tensor in dense.items()},
    )
    call(function, rows["query"].dtype, attention)


register_gradient(_attention, _attention_backward)
