"""Linear maps of rows in single precision by oneDNN, where that is the faster of torch's libraries.

Torch multiplies float32 matrices by Intel's MKL, which uses no AVX-512 on processors of other
makers: there oneDNN, which torch has along for bfloat16 and for torch.compile, is twice as fast. It
computes in float32 as well; results differ by rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def has_onednn() -> bool:
    """Whether oneDNN can be asked for a product, on a processor on which that pays."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    if not torch.backends.mkldnn.is_available():
        return False
    # torch.compile's operator, not promised to stay: it is used while it does what it did.
    x, weight = torch.eye(3), torch.arange(6.0).reshape(2, 3)
    try:
        found = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
    except (AttributeError, RuntimeError):
        return False
    return torch.equal(found, weight.T)


USE_ONEDNN = has_onednn()

FEWEST_MULTIPLICATIONS = 1 << 21
"""Of a product for oneDNN: a call costs it 10 to 20 us, and the gradient a function in Python."""


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """torch.nn.functional.linear: x (rows, K), weight (C, K), bias (C) -> (rows, C)."""
    if not _takes(x, weight):
        return F.linear(x, weight, bias)
    if torch.is_grad_enabled():
        result: Tensor = _Linear.apply(x, weight, bias)
        return result
    return _product(x, weight, bias)


def linear_onto(sum_so_far: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """sum_so_far (rows, C) + linear(x, weight), without another pass over memory in bfloat16."""
    if not _takes(x, weight):
        return torch.addmm(sum_so_far, x, weight.T)
    product = linear(x, weight)
    product += sum_so_far
    return product


def _takes(x: Tensor, weight: Tensor) -> bool:
    return (
        USE_ONEDNN
        and not torch.compiler.is_compiling()  # before sizes, which a program is not to depend on
        and x.ndim == 2
        and x.shape[0] * weight.numel() >= FEWEST_MULTIPLICATIONS
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == weight.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, _dense(weight), bias, "none", [], "")
    return result


def _dense(weight: Tensor) -> Tensor:
    """Contiguous by rows or by columns: weights that lie apart take oneDNN a hundred times longer.

    Of x it makes a contiguous copy itself, where it isn't.
    """
    return weight if weight.is_contiguous() or weight.T.is_contiguous() else weight.contiguous()


class _Linear(torch.autograd.Function):
    """The operator has no gradient of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            linear(gradient, weight.T) if of_x else None,
            linear(gradient.T, x.T) if of_weight else None,
            gradient.sum(0) if of_bias else None,
        )


class Linear(nn.Linear):
    """torch.nn.Linear by `linear`."""

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)
