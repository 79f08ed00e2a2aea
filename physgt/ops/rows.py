"""What networks do to each row between two matrix products, in one pass over memory.

Kernels on the CPU; elsewhere, and where a compiler fuses by itself, the same in torch's operators.
"""

# No `from __future__ import annotations`: torch reads the operators' schemas from the annotations.

from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physgt.ops import compiled_rows
from physgt.ops.library import ACCUMULATED_IN, is_available, operator_or_kernel

SMALL = 1e-8
"""What rms_norm adds to the root mean square; the same number stands in rows.cpp."""


def rms_norm(x: Tensor, scale: Tensor) -> Tensor:
    """scale * x / (rms(x) + SMALL), rms over the last of two dimensions; a zero row stays zero."""
    if _have_kernel(x, scale):
        out: Tensor = operator_or_kernel(_rms_norm, compiled_rows.rms_norm)(x, scale)
        return out
    rms = torch.linalg.vector_norm(x, dim=-1, keepdim=True) / sqrt(x.shape[-1])
    return scale * (x / (rms + SMALL))


def gelu_gate(gate: Tensor, value: Tensor) -> Tensor:
    """GELU(gate) * value, of two tensors of the same two dimensions."""
    if _have_kernel(gate, value):
        out: Tensor = operator_or_kernel(_gelu_gate, compiled_rows.gelu_gate)(gate, value)
        return out
    return F.gelu(gate) * value


class LayerNorm(nn.LayerNorm):
    """torch.nn.LayerNorm with weight and bias; by a kernel where no gradients are recorded."""

    def forward(self, input: Tensor) -> Tensor:
        if torch.is_grad_enabled() or not _have_kernel(input):
            return super().forward(input)
        if self.weight.dtype != ACCUMULATED_IN[input.dtype]:
            return super().forward(input)
        return compiled_rows.layer_norm(input, self.weight, self.bias, self.eps)


def _have_kernel(x: Tensor, *others: Tensor) -> bool:
    return x.ndim == 2 and not torch.compiler.is_compiling() and is_available(x, *others)


@torch.library.custom_op("physgt::rms_norm", mutates_args=(), device_types="cpu")
def _rms_norm(x: Tensor, scale: Tensor) -> Tensor:
    return compiled_rows.rms_norm(x, scale)


@torch.library.custom_op("physgt::rms_norm_backward", mutates_args=(), device_types="cpu")
def _rms_norm_backward(gradient: Tensor, x: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    return compiled_rows.rms_norm_backward(gradient, x, scale)


@torch.library.custom_op("physgt::gelu_gate", mutates_args=(), device_types="cpu")
def _gelu_gate(gate: Tensor, value: Tensor) -> Tensor:
    return compiled_rows.gelu_gate(gate, value)


@torch.library.custom_op("physgt::gelu_gate_backward", mutates_args=(), device_types="cpu")
def _gelu_gate_backward(gradient: Tensor, gate: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    return compiled_rows.gelu_gate_backward(gradient, gate, value)


def _fake(x: Tensor, _: Tensor) -> Tensor:
    return x.new_empty(x.shape)


def _fake_backward(_: Tensor, x: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), other.new_empty(other.shape)


def _save_for_backward(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


for operator, backward in ((_rms_norm, _rms_norm_backward), (_gelu_gate, _gelu_gate_backward)):
    operator.register_fake(_fake)
    backward.register_fake(_fake_backward)
    operator.register_autograd(
        lambda ctx, gradient, backward=backward: backward(gradient, *ctx.saved_tensors),
        setup_context=_save_for_backward,
    )
