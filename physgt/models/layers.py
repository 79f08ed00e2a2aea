"""Layers that more than one model is built from."""

from __future__ import annotations

from itertools import pairwise
from math import pi, sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physgt.errors import PhysgtError
from physgt.graph import Graph


def mlp(
    inputs: int, hidden: int, outputs: int, hidden_layers: int, activation: type[nn.Module]
) -> nn.Sequential:
    """hidden_layers + 1 linear maps with an activation between any two."""
    widths = [inputs, *[hidden] * hidden_layers, outputs]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


class EdgeLinear(nn.Linear):
    """W [v_sender | v_receiver | e] + b, without ever building the concatenation.

    W is split by columns, (W_s v)_sender + (W_r v)_receiver + W_e e: the node-side products are
    taken once a node instead of once an edge, before the gather. The weight has the layout of an
    nn.Linear on the concatenation.
    """

    def __init__(self, node_width: int, edge_width: int, outputs: int) -> None:
        super().__init__(2 * node_width + edge_width, outputs)
        self.node_width = node_width

    def forward(  # type: ignore[override]
        self, nodes: Tensor, edges: Tensor, senders: Tensor, receivers: Tensor
    ) -> Tensor:
        """nodes (N, node_width), edges (E, edge_width) -> (E, outputs)."""
        from_sender, from_receiver, from_edge = self.weight.tensor_split(
            (self.node_width, 2 * self.node_width), dim=1
        )
        # Added in place: a new edge-sized tensor costs as much as the arithmetic on it.
        out = F.linear(edges, from_edge, self.bias)
        out += F.linear(nodes, from_sender).index_select(0, senders)
        out += F.linear(nodes, from_receiver).index_select(0, receivers)
        return out


class RMSNorm(nn.Module):
    """scale * x / (rms(x) + 1e-8).

    Unlike torch.nn.RMSNorm, the small number is added to the root mean square, not under the root
    (Zhang and Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019, their code).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        rms = torch.linalg.vector_norm(x, dim=-1, keepdim=True) / sqrt(x.shape[-1])
        return self.scale * (x / (rms + 1e-8))


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
