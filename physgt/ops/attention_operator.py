"""What torch must know of an operator that attends: shapes, and which operator differentiates it.

Such an operator maps query (Q, H, c), key and value (K, H, c) and what else it needs to its output
and the logarithm of each sum of exponentials; its gradient takes [gradient, output, logarithms,
query, key, value, ...].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Outputs = tuple[Tensor, Tensor]
Gradients = tuple[Tensor, Tensor, Tensor]


def new_outputs(query: Tensor) -> Outputs:
    """Room for the output (Q, H, c) and the logarithms (Q, H)."""
    wide = torch.float64 if query.dtype == torch.float64 else torch.float32
    return query.new_empty(query.shape), query.new_empty(query.shape[:2], dtype=wide)


def new_gradients(query: Tensor, key: Tensor) -> Gradients:
    return query.new_empty(query.shape), key.new_empty(key.shape), key.new_empty(key.shape)


def register_gradient(
    attention: Any, backward: Any, outputs: Callable[[Tensor], Outputs] = new_outputs
) -> None:
    """Of two operators of torch.library: `backward` differentiates `attention`."""

    def fake(query: Tensor, *_: Tensor) -> Outputs:
        return outputs(query)

    def fake_backward(
        gradient: Tensor, out: Tensor, log_sum: Tensor, query: Tensor, key: Tensor, *_: Tensor
    ) -> Gradients:
        return new_gradients(query, key)

    def save(ctx: Any, inputs: tuple[Tensor, ...], output: Outputs) -> None:
        out, log_sum = output
        ctx.mark_non_differentiable(log_sum)
        ctx.save_for_backward(out, log_sum, *inputs)

    def differentiate(ctx: Any, gradient: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # read once: checkpointing computes them when they are asked for
        found = backward(gradient, *saved)
        num_others = len(saved) - len(("out", "log_sum", "query", "key", "value"))
        return (*found, *[None] * num_others)

    attention.register_fake(fake)
    backward.register_fake(fake_backward)
    attention.register_autograd(differentiate, setup_context=save)
