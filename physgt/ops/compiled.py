"""The kernels of kernels.cpp as operators of torch, with gradients, for tensors on the CPU.

setup.py builds one library for each instruction set; the widest that this processor has is loaded
here. There may be none: the package installs without a C++ compiler too.
"""

# No `from __future__ import annotations`: torch reads the operators' schemas from the annotations.

import ctypes
import functools
import warnings
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from physgt.ops.neighbours import Neighbours

INTERFACE = 1
"""Of the library that this file knows how to call; the same number stands in kernels.cpp."""

INSTRUCTION_SETS = {"DEFAULT": "baseline", "AVX2": "avx2", "AVX512": "avx512"}
"""Torch's names of what a processor can do (further ones count as DEFAULT), and the libraries'."""

ACCUMULATED_IN = {
    torch.float32: torch.float32,
    torch.bfloat16: torch.float32,
    torch.float64: torch.float64,
}
"""Types that the kernels take, and in which type they add them up."""


def neighbour_attention(
    query: Tensor, key: Tensor, value: Tensor, neighbours: Neighbours
) -> Tensor:
    """As physgt.ops.neighbour_attention, by the kernels. Only where `is_available`."""
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


def is_available(*tensors: Tensor) -> bool:
    """Whether the kernels take these tensors; where they are missing, one warning says why."""
    dtype = tensors[0].dtype
    if dtype not in ACCUMULATED_IN or any(
        tensor.dtype != dtype or tensor.device.type != "cpu" for tensor in tensors
    ):
        return False
    if _LIBRARY is None and not torch.compiler.is_compiling():
        _tell_why_not()
    return _LIBRARY is not None


@functools.cache
def _tell_why_not() -> None:
    warnings.warn(
        f"physgt computes attention in plain torch, an order of magnitude slower: {_WHY_NOT}. "
        "With a C++ compiler installed (Debian, Ubuntu: apt install g++), "
        "`pip install --force-reinstall --no-deps` of physgt builds its kernels.",
        stacklevel=2,
    )


def load_library(capability: str) -> tuple[ctypes.CDLL | None, str]:
    """The library for a processor that can do this, in torch's words; or the reason for none."""
    sets = list(INSTRUCTION_SETS.values())
    widest = sets.index(INSTRUCTION_SETS.get(capability, "baseline"))
    names = [
        f"_kernels_{name}{suffix}"
        for name in reversed(sets[: widest + 1])
        for suffix in EXTENSION_SUFFIXES
    ]
    paths = [path for name in names if (path := Path(__file__).with_name(name)).is_file()]
    if not paths:
        return None, "its kernels were not built when it was installed"
    try:
        library = ctypes.CDLL(str(paths[0]))
    except OSError as error:
        return None, f"its kernels can't be loaded ({error})"
    if library.kernels_interface() != INTERFACE:
        return None, f"{paths[0]} was built from another version of kernels.cpp"
    return library, ""


_LIBRARY, _WHY_NOT = load_library(torch.backends.cpu.get_cpu_capability())


class _Lists(ctypes.Structure):
    _fields_ = (("nodes", ctypes.c_void_p), ("offsets", ctypes.c_void_p))


class _Rows(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("stride", ctypes.c_int64))


class _Attention(ctypes.Structure):
    """`struct Attention` of kernels.cpp."""

    _fields_ = (
        ("num_nodes", ctypes.c_int64),
        ("num_heads", ctypes.c_int64),
        ("num_channels", ctypes.c_int64),
        ("num_threads", ctypes.c_int64),
        ("seen", _Lists),
        ("seen_by", _Lists),
        ("query", _Rows),
        ("key", _Rows),
        ("value", _Rows),
        ("out", _Rows),
        ("log_sum", ctypes.c_void_p),
        ("gradient", _Rows),
        ("correction", ctypes.c_void_p),
        ("query_gradient", _Rows),
        ("key_gradient", _Rows),
        ("value_gradient", _Rows),
    )


@torch.library.custom_op("physgt::neighbour_attention", mutates_args=(), device_types="cpu")
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
    out, log_sum = _new_outputs(query)
    lists = (senders, offsets, seen_by, seen_by_offsets)
    _call("neighbour_attention", lists, log_sum, query=query, key=key, value=value, out=out)
    return out, log_sum


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
    gradients = _new_gradients(query)
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


def _new_outputs(query: Tensor) -> tuple[Tensor, Tensor]:
    log_sum = query.new_empty(query.shape[:2], dtype=ACCUMULATED_IN[query.dtype])
    return query.new_empty(query.shape), log_sum


def _new_gradients(query: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return query.new_empty(query.shape), query.new_empty(query.shape), query.new_empty(query.shape)


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
    dense = {name: _with_dense_rows(tensor) for name, tensor in rows.items()}
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
        **{name: _Rows(tensor.data_ptr(), tensor.stride(0)) for name, tensor in dense.items()},
    )
    dtype = str(rows["query"].dtype).removeprefix("torch.")
    getattr(_LIBRARY, f"{function}_{dtype}")(ctypes.byref(attention))


def _with_dense_rows(tensor: Tensor) -> Tensor:
    """Rows may lie apart, as in a part of a wider tensor; within a row, numbers must not."""
    if tensor.stride(2) == 1 and tensor.stride(1) == tensor.shape[2]:
        return tensor
    return tensor.contiguous()


@_attention.register_fake
def _(query: Tensor, *_: Tensor) -> tuple[Tensor, Tensor]:
    return _new_outputs(query)


@_attention_backward.register_fake
def _(
    gradient: Tensor, out: Tensor, log_sum: Tensor, query: Tensor, *_: Tensor
) -> tuple[Tensor, ...]:
    return _new_gradients(query)


def _save_for_backward(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
    out, log_sum = output
    ctx.mark_non_differentiable(log_sum)
    ctx.save_for_backward(out, log_sum, *inputs)


def _differentiate(ctx: Any, gradient: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
    gradients = _attention_backward(gradient, *ctx.saved_tensors)
    return (*gradients, None, None, None, None)


_attention.register_autograd(_differentiate, setup_context=_save_for_backward)
