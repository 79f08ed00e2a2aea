"""Row-wise functions of tall tensors, a few thousand rows at a time.

The edges of a large mesh make tensors that no cache holds, and their temporaries rule both the time
and the memory of a step. In chunks the temporaries stay in cache. While gradients are recorded,
only the inputs are kept, and every chunk is computed again on the way back: activation
checkpointing (Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

CHUNK_ROWS = 2048
"""Rows of a chunk: a few hundred channels of them fit the second level of cache."""

RECOMPUTE_ROWS = 4 * CHUNK_ROWS
"""With fewer rows, keeping the temporaries for the gradient is faster than computing them again."""

MANY_ROWS = 16 * CHUNK_ROWS
"""Of which even a function's smaller temporaries count in the memory of a step."""


def in_chunks(function: nn.Module, *rows: Tensor) -> Tensor:
    """function(*rows), a chunk of rows at a time.

    `function` must treat each row by itself and return one tensor with a row for each.
    """
    # Compilers fuse by themselves, and must not settle on a number of rows (as len() would, too).
    if torch.compiler.is_compiling() or rows[0].shape[0] <= most_whole_rows():
        whole: Tensor = function(*rows)
        return whole
    if not torch.is_grad_enabled():
        return _forward(function, rows)
    result: Tensor = _InChunks.apply(function, len(rows), *rows, *function.parameters())
    return result


def updated_in_chunks(function: nn.Module, rows: Tensor, *others: Tensor) -> Tensor:
    """in_chunks(function, rows, *others), whose result may take the place of `rows` in memory.

    For callers who alone hold `rows`, and need them no more. It does where no gradients are
    recorded and the result is of the same type and width.
    """
    recorded = torch.compiler.is_compiling() or torch.is_grad_enabled()
    if recorded or rows.shape[0] <= most_whole_rows():
        return in_chunks(function, rows, *others)
    return _forward(function, [rows, *others], rows)


def in_chunks_if_many(function: nn.Module, *rows: Tensor) -> Tensor:
    """in_chunks where there are many rows or gradients are recorded, else function(*rows).

    For functions whose temporaries are no larger than what they return: to keep these in cache
    saves less time than it takes to copy the results of chunks together.
    """
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or rows[0].shape[0] > MANY_ROWS:
        return in_chunks(function, *rows)
    result: Tensor = function(*rows)
    return result


def most_whole_rows() -> int:
    """With more rows than these, chunks are worth their while."""
    return RECOMPUTE_ROWS if torch.is_grad_enabled() else CHUNK_ROWS


def slices(num_rows: int) -> Iterator[slice]:
    """The chunks of so many rows."""
    return (slice(start, start + CHUNK_ROWS) for start in range(0, num_rows, CHUNK_ROWS))


def current_autocast(tensor: Tensor) -> Callable[[], torch.autocast]:
    """A function that makes the same context again, of the device of `tensor`."""
    device = tensor.device.type
    return partial(
        torch.autocast,
        device,
        torch.get_autocast_dtype(device),
        enabled=torch.is_autocast_enabled(device),
    )


def _forward(function: nn.Module, rows: Sequence[Tensor], place: Tensor | None = None) -> Tensor:
    """`place`: where the result goes, if it fits."""
    out: Tensor | None = None
    num_rows = len(rows[0])
    for chunk in slices(num_rows):
        part = function(*(row[chunk] for row in rows))
        if out is None:
            fits = place is not None and _kind(place) == _kind(part)
            out = place if fits else part.new_empty(num_rows, *part.shape[1:])
        assert out is not None
        out[chunk] = part
    assert out is not None, "in_chunks calls this with rows"
    return out


def _kind(rows: Tensor) -> tuple[torch.dtype, torch.Size]:
    return rows.dtype, rows.shape[1:]


class _InChunks(torch.autograd.Function):
    """in_chunks while gradients are recorded: inputs are kept, the rest is computed again."""

    @staticmethod
    def forward(ctx: Any, function: nn.Module, num_rows_tensors: int, *tensors: Tensor) -> Tensor:
        ctx.function, ctx.num_rows_tensors = function, num_rows_tensors
        ctx.autocast = current_autocast(tensors[0])
        ctx.save_for_backward(*tensors)
        # For those who watch modules, as counters of operations do: there is no graph here.
        return _forward(function, [tensor.detach() for tensor in tensors[:num_rows_tensors]])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (out_gradient,) = gradients
        tensors = ctx.saved_tensors  # read once: checkpointing computes them when asked for
        rows, parameters = tensors[: ctx.num_rows_tensors], tensors[ctx.num_rows_tensors :]
        needed = ctx.needs_input_grad[2:]
        totals = [
            torch.zeros_like(t) if need else None for t, need in zip(tensors, needed, strict=True)
        ]
        for chunk in slices(len(out_gradient)):
            inputs = [row[chunk].detach() for row in rows]
            for tensor, need in zip(inputs, needed, strict=False):
                tensor.requires_grad_(need)
            with torch.enable_grad(), ctx.autocast():
                part = ctx.function(*inputs)
            wanted = [t for t, need in zip([*inputs, *parameters], needed, strict=True) if need]
            at_part = out_gradient[chunk].to(part.dtype)
            # Of its parameters, a function may leave some to others.
            found = iter(torch.autograd.grad(part, wanted, at_part, allow_unused=True))
            for k, total in enumerate(totals):
                if total is None or (gradient := next(found)) is None:
                    continue
                if k < ctx.num_rows_tensors:
                    total[chunk] = gradient
                else:
                    total += gradient
        return None, None, *totals
