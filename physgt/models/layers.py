"""Layers that more than one model is built from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import pi

import torch
from torch import Tensor, nn

from physgt.errors import PhysgtError
from physgt.graph import Graph
from physgt.ops.edges import pass_messages
from physgt.ops.linear import Linear, linear, linear_onto
from physgt.ops.rows import LayerNorm, rms_norm


def mlp(
    inputs: int, hidden: int, outputs: int, hidden_layers: int, activation: type[nn.Module]
) -> nn.Sequential:
    """hidden_layers + 1 linear maps with an activation between any two."""
    widths = [inputs, *[hidden] * hidden_layers, outputs]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


class Residual(nn.Sequential):
    """x + its layers' function of x."""

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + super().forward(x)
        return result


def with_length(vectors: Tensor) -> Tensor:
    """(E, D) -> (E, D + 1): the vectors and their lengths."""
    return torch.cat([vectors, torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)], -1)


def both_ways(vectors: Tensor) -> Tensor:
    """(E, D), sender minus receiver -> (E, 2 D + 1): [-vectors | vectors | lengths]."""
    return torch.cat([-vectors, with_length(vectors)], -1)


def edge_features(graph: Graph) -> Tensor:
    """[vector | length] of every edge, once for each configuration that the graph has."""
    return torch.cat([with_length(vectors) for vectors in graph.configurations], -1)


def world_features(graph: Graph) -> Tensor:
    """(W, D + 1): [vector | length] of every world edge, in the current configuration."""
    assert graph.world is not None, "models with world edges are called on graphs that have moved"
    return with_length(graph.world.edge_vectors)


def num_configurations(moving: bool) -> int:
    """How many configurations a graph has: a mesh that moves has a reference and a current one."""
    return 2 if moving else 1


class EdgeMLP(nn.Module):
    """A message `layers`(W [v_sender | v_receiver | e] + b) along every edge e.

    W is split by columns, (W_s v)_sender + (W_r v)_receiver + W_e e, and the concatenation never
    built; how, see ops/edges.py.

    layers: from `hidden` channels on, the activation first; each acts on an edge by itself.
    """

    def __init__(self, node_width: int, edge_width: int, hidden: int, *layers: nn.Module) -> None:
        super().__init__()
        joined = Linear(2 * node_width + edge_width, hidden)  # for its initial values
        from_sender, from_receiver, from_edge = joined.weight.detach().split(
            [node_width, node_width, edge_width], dim=1
        )
        # Rows: what a node sends, then what it receives; one product for both.
        self.from_node = nn.Parameter(torch.cat([from_sender, from_receiver]))
        self.per_edge = PerEdge(from_edge.clone(), joined.bias.detach().clone(), layers)

    def forward(
        self,
        nodes: Tensor,
        edges: Tensor,
        senders: Tensor,
        receivers: Tensor,
        *,
        to_senders: int = 0,
        known: Tensor | None = None,
        edge_product: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The sums of messages at nodes (N, C), and edges + messages (E, C).

        nodes (N, node_width), edges (E, C = edge_width); the last layer has width C. Of a message,
        the first `to_senders` channels are summed by the edge's sender, the others by its receiver.
        known: `contribution` of the nodes' last inputs, then `nodes` holds the others alone.
        edge_product: that of the edges, where it is known and no gradients are recorded.
        """
        if known is None:
            products = linear(nodes, self.from_node, self._bias())  # (N, 2 hidden)
        else:
            products = linear_onto(known, nodes, self.from_node[:, : nodes.shape[1]])
        sent, received = products.chunk(2, dim=1)
        weight, layers = self.per_edge.weight, self.per_edge.layers
        ends = senders, receivers
        return pass_messages(weight, layers, edges, sent, received, *ends, to_senders, edge_product)

    def product(self, edges: Tensor) -> Tensor:
        """(E, hidden): what the edges' own inputs (E, edge_width) add to their messages."""
        return linear(edges, self.per_edge.weight)

    def contribution(self, inputs: Tensor) -> Tensor:
        """(N, 2 hidden): what the last inputs of nodes (N, K) add to what they send and receive."""
        return linear(inputs, self.from_node[:, -inputs.shape[1] :], self._bias())

    def _bias(self) -> Tensor:
        return torch.cat([torch.zeros_like(self.per_edge.bias), self.per_edge.bias])


class PerEdge(nn.Module):
    """The parameters of what EdgeMLP does to an edge."""

    def __init__(self, weight: Tensor, bias: Tensor, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)
        self.layers = nn.Sequential(*layers)


class NodeMLP(nn.Sequential):
    """An MLP of [node | position | condition | what the node heard], split as EdgeMLP is."""

    def __init__(self, inputs: int, hidden: int, width: int) -> None:
        super().__init__(*mlp(inputs, hidden, width, 1, nn.GELU), LayerNorm(width))
        self.width = width

    def contribution(self, inputs: Tensor) -> Tensor:
        """(N, hidden) of position and condition (N, P + C)."""
        columns = slice(self.width, self.width + inputs.shape[1])
        return linear(inputs, self.first.weight[:, columns], self.first.bias)

    def forward(self, others: Tensor, known: Tensor) -> Tensor:  # type: ignore[override]  # split
        """Node and heard (N, C + C), or (N, C + 2 C) with world edges, and known -> (N, C)."""
        heard = others.shape[1] - self.width
        weight = self.first.weight
        weight = torch.cat([weight[:, : self.width], weight[:, -heard:]], 1)
        x = linear_onto(known, others, weight)
        for layer in list(self)[1:]:
            x = layer(x)
        return x

    @property
    def first(self) -> Linear:
        layer = self[0]
        assert isinstance(layer, Linear)
        return layer


class RMSNorm(nn.Module):
    """scale * x / (rms(x) + 1e-8).

    Unlike torch.nn.RMSNorm, the small number is added to the root mean square, not under the root
    (Zhang and Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019, their code).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.scale)


def channels_per_head(width: int, heads: int) -> int:
    """Raises PhysgtError where the heads can't share the channels equally."""
    if width % heads:
        raise PhysgtError(
            f"width = {width} isn't a multiple of heads = {heads}. Choose width = "
            f"{heads * max(round(width / heads), 1)}, or another number of heads."
        )
    return width // heads


def one_hot_node_type(graph: Graph, num_node_types: int) -> Tensor:
    """(N, num_node_types), in the graph's floating-point type."""
    kinds = torch.arange(num_node_types, device=graph.node_type.device)
    return (graph.node_type[:, None] == kinds).to(graph.points.dtype)


def fourier_positions(points: Tensor, frequencies: int) -> Tensor:
    """Each coordinate as cos(2^i pi x), then sin(2^i pi x), i < frequencies; last the points.

    points (N, D), about in [0, 1]: further out, the high frequencies alias. Returns
    (N, D (2 frequencies + 1)); with frequencies = 0 the points themselves.
    """
    octaves = 2.0 ** torch.arange(frequencies, dtype=points.dtype, device=points.device)
    angles = pi * points[..., None] * octaves  # (N, D, frequencies)
    waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
    return torch.cat([waves.flatten(1), points], dim=-1)


def fourier_width(space_dimension: int, frequencies: int) -> int:
    """How many numbers `fourier_positions` makes of a point."""
    return space_dimension * (2 * frequencies + 1)
