"""Messages along the edges of a mesh: what PhysGTO and MeshGraphNet have in common.

An edge's first linear map acts on its two nodes and on itself: W_s v_sender + W_r v_receiver +
W_e e. The products with nodes are taken once a node. What remains runs over a few thousand edges at
a time, from the product W_e e to the sums over nodes, so that no temporary of the edges' size is
written to memory; while gradients are recorded, only inputs are kept (see ops/chunks.py).
Letters: N nodes, E edges, C channels.
"""

# No `from __future__ import annotations`: torch reads the operators' schemas from the annotations.

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from physgt.ops import chunks, compiled_rows, library
from physgt.ops.linear import linear
from physgt.ops.neighbour_attention import TRITON
from physgt.ops.segment import segment_sum

ACTIVATIONS = {nn.ReLU: "relu", nn.SiLU: "silu", nn.GELU: "gelu"}
"""What the kernels know; GELU is the exact one."""


def edge_activation(
    product: Tensor,
    sent: Tensor,
    received: Tensor,
    senders: Tensor,
    receivers: Tensor,
    activation: nn.Module,
) -> Tensor:
    """activation(product + sent[senders] + received[receivers]).

    product (E, C); sent, received (N, C): what a node adds to the edges that it sends and receives;
    senders, receivers (E,). Returns (E, C). In a kernel one pass over memory, computed in float32
    or wider.
    """
    name = ACTIVATIONS.get(type(activation))
    if isinstance(activation, nn.GELU) and activation.approximate != "none":
        name = None
    # Compilers fuse by themselves.
    if name and not torch.compiler.is_compiling() and _have_kernel(product, sent, received):
        activate = library.operator_or_kernel(_edge_activation, _kernels(product).edge_activation)
        out: Tensor = activate(product, sent, received, senders, receivers, name)
        return out
    total = product + sent.index_select(0, senders) + received.index_select(0, receivers)
    activated: Tensor = activation(total)
    return activated


def pass_messages(
    weight: Tensor,
    layers: nn.Sequential,
    edges: Tensor,
    sent: Tensor,
    received: Tensor,
    senders: Tensor,
    receivers: Tensor,
    to_senders: int,
    product: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The sums of messages at nodes, and edges + messages.

    message = layers(edge @ weight.T + sent[sender] + received[receiver]); layers begin with an
    activation, and each treats an edge by itself. Of a message, the first `to_senders` channels
    are summed by the edge's sender, the others by its receiver.
    product: linear(edges, weight) where that is known and no gradients are recorded.
    Returns (N, C), (E, C).
    """
    ends = senders, receivers
    if torch.compiler.is_compiling() or edges.shape[0] <= chunks.most_whole_rows():
        product = linear(edges, weight) if product is None else product
        messages = _finish(layers, product, sent, received, *ends)
        parts = zip(_split(messages.to(_wide(messages)), to_senders), ends, strict=True)
        heard = [segment_sum(part, index, sent.shape[0]) for part, index in parts]
        return torch.cat(heard, dim=1), edges + messages
    parameters = weight, *layers.parameters()
    if not torch.is_grad_enabled():
        return _in_chunks(weight, layers, edges, sent, received, *ends, to_senders, product)
    result: tuple[Tensor, Tensor] = _Messages.apply(
        layers, ends, to_senders, edges, sent, received, *parameters
    )
    return result


def _finish(
    layers: nn.Sequential, product: Tensor, sent: Tensor, received: Tensor,
    senders: Tensor, receivers: Tensor,
) -> Tensor:  # fmt: skip
    activation, *others = layers.children()
    messages = edge_activation(product, sent, received, senders, receivers, activation)
    for layer in others:
        messages = layer(messages)
    return messages


def _in_chunks(
    weight: Tensor, layers: nn.Sequential, edges: Tensor, sent: Tensor, received: Tensor,
    senders: Tensor, receivers: Tensor, to_senders: int, product: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    heard = updated = None
    for chunk in chunks.slices(len(edges)):
        ends = senders[chunk], receivers[chunk]
        own = linear(edges[chunk], weight) if product is None else product[chunk]
        messages = _finish(layers, own, sent, received, *ends)
        if heard is None or updated is None:
            width = messages.shape[1]
            heard = messages.new_zeros(len(sent), width, dtype=_wide(messages))
            dtype = torch.promote_types(edges.dtype, messages.dtype)
            updated = messages.new_empty(len(edges), width, dtype=dtype)
        parts = zip(ends, _split(heard, to_senders), _split(messages, to_senders), strict=True)
        for index, sums, part in parts:
            add_rows(sums, index, part)
        torch.add(edges[chunk], messages, out=updated[chunk])
    assert heard is not None, "pass_messages calls this with edges"
    assert updated is not None
    return heard, updated


class _Messages(torch.autograd.Function):
    """pass_messages while gradients are recorded: inputs are kept, the rest is computed again."""

    @staticmethod
    def forward(
        ctx: Any,
        layers: nn.Sequential,
        ends: tuple[Tensor, Tensor],
        to_senders: int,
        edges: Tensor,
        sent: Tensor,
        received: Tensor,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        ctx.layers, ctx.ends, ctx.to_senders = layers, ends, to_senders
        ctx.autocast = chunks.current_autocast(edges)
        ctx.save_for_backward(edges, sent, received, *parameters)
        ctx.set_materialize_grads(False)
        return _in_chunks(parameters[0], layers, edges, sent, received, *ends, to_senders)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        of_sums, of_updated = gradients
        saved = ctx.saved_tensors  # read once: checkpointing computes them when they are asked for
        edges, sent, received = (tensor.detach() for tensor in saved[:3])
        parameters = saved[3:]
        needed = ctx.needs_input_grad[6:]
        wanted = [p for p, need in zip(parameters, needed, strict=True) if need]
        totals = [torch.zeros_like(parameter) for parameter in wanted]
        at_edges = torch.empty_like(edges)
        at_nodes = [torch.zeros_like(table, dtype=_wide(table)) for table in (sent, received)]
        for chunk in chunks.slices(len(edges)):
            ends = [index[chunk] for index in ctx.ends]
            own = edges[chunk].requires_grad_()
            with torch.enable_grad(), ctx.autocast():
                product = linear(own, parameters[0])
                messages = _finish(ctx.layers, product, sent, received, *ends)
            gradient = torch.zeros_like(messages) if of_updated is None else of_updated[chunk]
            if of_sums is not None:
                gradient = gradient + _gathered(of_sums, ends, ctx.to_senders)
            found = torch.autograd.grad(
                messages, [own, product, *wanted], gradient.to(messages.dtype)
            )
            at_edges[chunk] = found[0]
            if of_updated is not None:
                at_edges[chunk] += of_updated[chunk]
            for table, index in zip(at_nodes, ends, strict=True):
                add_rows(table, index, found[1])
            for total, part in zip(totals, found[2:], strict=True):
                total += part
        rest = iter(totals)
        of_parameters = [next(rest) if need else None for need in needed]
        return None, None, None, at_edges, *(t.to(sent.dtype) for t in at_nodes), *of_parameters


def _gathered(of_sums: Tensor, ends: Sequence[Tensor], to_senders: int) -> Tensor:
    """The gradient with respect to messages that comes from their sums."""
    parts = zip(_split(of_sums, to_senders), ends, strict=True)
    return torch.cat([part.index_select(0, index) for part, index in parts], dim=1)


def _split(rows: Tensor, to_senders: int) -> tuple[Tensor, ...]:
    return rows.tensor_split([to_senders], dim=1)


def _wide(rows: Tensor) -> torch.dtype:
    """The type that sums of such rows are added up in."""
    half = rows.dtype in (torch.bfloat16, torch.float16)
    return torch.float32 if half else rows.dtype


def add_rows(sums: Tensor, index: Tensor, rows: Tensor) -> None:
    """sums[index[e]] += rows[e], in place; sums (N, C), index (E,), rows (E, C)."""
    if rows.shape[1] == 0:
        return
    if sums.dtype == _wide(rows) and library.is_available(rows):
        compiled_rows.add_rows(sums, index, rows)
    else:
        sums.index_add_(0, index, rows.to(sums.dtype))


def _have_kernel(*tensors: Tensor) -> bool:
    on_gpu = all(tensor.is_cuda and tensor.dtype == tensors[0].dtype for tensor in tensors)
    return library.is_available(*tensors) or (TRITON and on_gpu)


def _kernels(tensor: Tensor) -> ModuleType:
    """What computes edge_activation where this tensor lies."""
    if tensor.is_cuda:
        # Only here, so that nothing else waits for Triton to be imported.
        from physgt.ops import triton_edges

        return triton_edges
    return compiled_rows


@torch.library.custom_op("physgt::edge_activation", mutates_args=(), device_types=("cpu", "cuda"))
def _edge_activation(
    product: Tensor,
    sent: Tensor,
    received: Tensor,
    senders: Tensor,
    receivers: Tensor,
    activation: str,
) -> Tensor:
    activate = _kernels(product).edge_activation
    out: Tensor = activate(product, sent, received, senders, receivers, activation)
    return out


@torch.library.custom_op(
    "physgt::edge_activation_backward", mutates_args=(), device_types=("cpu", "cuda")
)
def _edge_activation_backward(
    gradient: Tensor,
    product: Tensor,
    sent: Tensor,
    received: Tensor,
    senders: Tensor,
    receivers: Tensor,
    activation: str,
) -> Tensor:
    """The gradient with respect to `product`, and so to what the ends of each edge add to it."""
    activate = _kernels(product).edge_activation
    found: Tensor = activate(product, sent, received, senders, receivers, activation, gradient)
    return found


@_edge_activation.register_fake
def _(product: Tensor, *_: Any) -> Tensor:
    return product.new_empty(product.shape)


@_edge_activation_backward.register_fake
def _(gradient: Tensor, product: Tensor, *_: Any) -> Tensor:
    return product.new_empty(product.shape)


def _save_for_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.activation = inputs
    ctx.save_for_backward(*tensors)


def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    saved = ctx.saved_tensors
    _, sent, _, senders, receivers = saved
    found = _edge_activation_backward(gradient, *saved, ctx.activation)
    summed = found.to(_wide(found))
    at_nodes = (
        segment_sum(summed, index, sent.shape[0]).to(found.dtype) if needed else None
        for index, needed in zip((senders, receivers), ctx.needs_input_grad[1:3], strict=True)
    )
    return found, *at_nodes, None, None, None


_edge_activation.register_autograd(_gradients, setup_context=_save_for_backward)
