"""The library of kernels in C++ that this processor runs, and how its functions are called.

setup.py builds one library for each instruction set; the widest that this processor has is loaded
here. There may be none: the package installs without a C++ compiler too.
"""

from __future__ import annotations

import ctypes
import functools
import warnings
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

INTERFACE = 4
"""Of the library that this file knows how to call; the same number stands in kernels.cpp."""

INSTRUCTION_SETS = {"DEFAULT": "baseline", "AVX2": "avx2", "AVX512": "avx512"}
"""Torch's names of what a processor can do (further ones count as DEFAULT), and the libraries'."""

ACCUMULATED_IN = {
    torch.float32: torch.float32,
    torch.bfloat16: torch.float32,
    torch.float64: torch.float64,
}
"""Types that the kernels take, and in which type they add them up."""


def is_available(*tensors: Tensor) -> bool:
    """Whether the kernels take these tensors; where they are missing, one warning says why."""
    dtype = tensors[0].dtype
    if dtype not in ACCUMULATED_IN or any(
        tensor.dtype != dtype or tensor.device.type != "cpu" for tensor in tensors
    ):
        return False
    if LIBRARY is None and not torch.compiler.is_compiling():
        _tell_why_not()
    return LIBRARY is not None


@functools.cache
def _tell_why_not() -> None:
    warnings.warn(
        f"physgt computes in plain torch, several times slower: {_WHY_NOT}. "
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


LIBRARY, _WHY_NOT = load_library(torch.backends.cpu.get_cpu_capability())


def operator_or_kernel(operator: Callable[..., Any], kernel: Callable[..., Any]) -> Any:
    """Which of the two to call: an operator of torch where gradients are recorded or compiled.

    A call of the operator costs some twenty microseconds more than the kernel within, and the first
    one seconds: torch then imports its compiler.
    """
    recorded = torch.is_grad_enabled() or torch.compiler.is_compiling()
    return operator if recorded else kernel


class Rows(ctypes.Structure):
    """`struct Rows` of numbers.h."""

    _fields_ = (("data", ctypes.c_void_p), ("stride", ctypes.c_int64))

    @classmethod
    def of(cls, tensor: Tensor) -> Rows:
        """Those of a tensor `with_dense_rows`, which must live until the call is over."""
        return cls(tensor.data_ptr(), tensor.stride(0))


def with_dense_rows(tensor: Tensor) -> Tensor:
    """Rows may lie apart, as in a part of a wider tensor; within a row, numbers must not."""
    inner = tensor.stride()[1:]
    expected = (tensor.shape[2], 1) if tensor.ndim == 3 else (1,)
    return tensor if inner == expected else tensor.contiguous()


def call(function: str, dtype: torch.dtype, arguments: ctypes.Structure) -> None:
    """Call the kernel of this name for numbers of this type."""
    name = f"{function}_{str(dtype).removeprefix('torch.')}"
    getattr(LIBRARY, name)(ctypes.byref(arguments))
