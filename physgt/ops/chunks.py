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

Gathered = tuple[Tensor, Tensor]
"""A table (N, C) and an index (rows,) into it: for each row, the table's row of that number."""


def in_chunks(
    function: nn.Module, rows: Sequence[Tensor], gathered: Sequence[Gathered] = ()
) -> Tensor:
    """function(*rows, *(table[index] for table, index in gathered)), a chunk of rows at a time.

    `function` must treat each row by itself and return one tensor with a row for each.
    """
    # Compilers fuse by themselves, and must not settle on a number of rows (as len() would, too).
    if torch.compiler.is_compiling() or rows[0].shape[0] <= most_whole_rows():
        return _whole(function, rows, gathered)
    tables = [table for table, _ in gathered]
    indices = [index for _, index in gathered]
    parameters = tuple(function.parameters())
    if not torch.is_grad_enabled():
        return _forward(function, rows, tables, indices)
    counts = len(rows), len(tables)
    result: Tensor = _InChunks.apply(function, counts, indices, *rows, *tables, *parameters)
    return result


def in_chunks_if_many(function: nn.Module, rows: Sequence[Tensor]) -> Tensor:
    """in_chunks where there are many rows or gradients are recorded, else function(*rows).

    For functions whose temporaries are no larger than what they return: to keep these in cache
    saves less time than it takes to copy the results of chunks together.
    """
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or rows[0].shape[0] > MANY_ROWS:
        return in_chunks(function, rows)
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


def _whole(function: nn.Module, rows: Sequence[Tensor], gathered: Sequence[Gathered]) -> Tensor:
    result: Tensor = function(*rows, *(table.index_select(0, index) for table, index in gathered))
    return result


def _forward(
    function: nn.Module, rows: Sequence[Tensor], tables: Sequence[Tensor], indices: Sequence[Tensor]
) -> Tensor:
    out: Tensor | None = None
    num_rows = len(rows[0])
    for chunk in slices(num_rows):
        part = _whole(
            function,
            [row[chunk] for row in rows],
            [(table, index[chunk]) for table, index in zip(tables, indices, strict=True)],
        )
        if out is None:
            out = part.new_empty(num_rows, *part.shape[1:])
        out[chunk] = part
    assert out is not None, "in_chunks calls this with rows"
    return out


class _InChunks(torch.autograd.Function):
    """in_chunks while gradients are recorded: inputs are kept, the rest is computed again."""

    @staticmethod
    def forward(
        ctx: Any,
        function: nn.Module,
        counts: tuple[int, int],
        indices: list[Tensor],
        *tensors: Tensor,
    ) -> Tensor:
        num_rows_tensors, num_tables = counts
        ctx.function, ctx.counts, ctx.indices = function, counts, indices
        ctx.autocast = current_autocast(tensors[0])
        ctx.save_for_backward(*tensors)
        # For those who watch modules, as counters of operations do: there is no graph here.
        tensors = tuple(tensor.detach() for tensor in tensors)
        rows = tensors[:num_rows_tensors]
        tables = tensors[num_rows_tensors : num_rows_tensors + num_tables]
        return _forward(function, rows, tables, indices)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (out_gradient,) = gradients
        num_rows_tensors, num_tables = ctx.counts
        tensors = ctx.saved_tensors
        rows, rest = tensors[:num_rows_tensors], tensors[num_rows_tensors:]
        tables, parameters = rest[:num_tables], rest[num_tables:]
        needed = ctx.needs_input_grad[3:]
        totals = [
            torch.zeros_like(t) if need else None for t, need in zip(tensors, needed, strict=True)
        ]
        for chunk in slices(len(out_gradient)):
            indices = [index[chunk] for index in ctx.indices]
            inputs = [row[chunk].detach() for row in rows]
            inputs += [t.index_select(0, i) for t, i in zip(tables, indices, strict=True)]
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
                if k < num_rows_tensors:
                    total[chunk] = gradient
                elif k < num_rows_tensors + num_tables:
                    total.index_add_(0, indices[k - num_rows_tensors], gradient)
                else:
                    total += gradient
        return None, None, None, *totals
