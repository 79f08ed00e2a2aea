"""The masked transformer: attention in which a node sees its neighbours on the mesh.

Garnier et al., "Training Transformers for Mesh-Based Simulations", arXiv 2508.18051, section 3.
Letters: N nodes, E directed edges, d width, H heads of c channels, S state components,
F forcing components.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physgt.graph import Graph
from physgt.mesh import NUM_NODE_TYPES
from physgt.models.layers import (
    RMSNorm,
    channels_per_head,
    fourier_positions,
    fourier_width,
    mlp,
    one_hot_node_type,
)
from physgt.ops.neighbour_attention import neighbour_attention
from physgt.ops.neighbours import Neighbours


class Geometry(NamedTuple):
    """What the network derives from the mesh alone: the same at every step of a rollout."""

    inputs: Tensor  # (N, node types + encodings)
    neighbours: Sequence[Sequence[Neighbours]]  # for each block, the lists of each group of heads


class MaskedTransformer(nn.Module):
    """Encode, transform, decode: normalised state in, normalised increment out.

    A node's inputs are [state | forcing | one-hot node type | position].

    width, heads, blocks: d, H and the number of blocks. Published sizes (blocks x width): 10 x 64,
        15 x 128, 15 x 256, 15 x 512.
    positions: whether coordinates are inputs. Attention has no edge features, so without them the
        network knows the mesh by its connectivity alone, as published.
    fourier_frequencies: octaves of the position encoding; 0 for the coordinates themselves.
    """

    masks = ()
    encodings = ()

    def __init__(
        self,
        state_size: int,
        forcing_size: int,
        space_dimension: int,
        *,
        num_node_types: int = NUM_NODE_TYPES,
        width: int = 64,
        heads: int = 4,
        blocks: int = 10,
        positions: bool = True,
        fourier_frequencies: int = 4,
    ) -> None:
        super().__init__()
        self.num_node_types = num_node_types
        self.positions = positions
        self.fourier_frequencies = fourier_frequencies
        inputs = state_size + forcing_size + num_node_types
        if positions:
            inputs += fourier_width(space_dimension, fourier_frequencies)
        self.encoder = mlp(inputs, width, width, 3, nn.ReLU)
        self.encoder_norm = RMSNorm(width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.decoder = mlp(width, width, state_size, 3, nn.ReLU)

    def forward(
        self, graph: Graph, state: Tensor, forcing: Tensor, geometry: Geometry | None = None
    ) -> Tensor:
        """state (N, S), forcing (N, F) -> increment (N, S), all normalised; the graph scaled."""
        geometry = geometry or self.embed_geometry(graph)
        inputs = torch.cat([state, forcing, geometry.inputs], -1)
        nodes = self.encoder_norm(self.encoder(inputs))  # (N, d)
        for block, neighbours in zip(self.blocks, geometry.neighbours, strict=True):
            nodes = block(nodes, neighbours)
        return self.decoder(nodes)  # (N, S)

    def embed_geometry(self, graph: Graph) -> Geometry:
        inputs = [one_hot_node_type(graph, self.num_node_types)]
        if self.positions:
            inputs.append(fourier_positions(graph.points, self.fourier_frequencies))
        return Geometry(
            inputs=torch.cat(inputs, -1),
            neighbours=[(graph.neighbours,)] * len(self.blocks),
        )


class Block(nn.Module):
    """Attention over neighbours, then a gated MLP; both pre-norm and residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(width)
        self.attention = MaskedAttention(width, heads)
        # Two norms in a row, each with its own scale, as published.
        self.mlp_norm = nn.Sequential(RMSNorm(width), RMSNorm(width))
        self.mlp = GatedMLP(width, 3 * width)

    def forward(self, nodes: Tensor, neighbours: Sequence[Neighbours]) -> Tensor:
        nodes = nodes + self.attention(self.attention_norm(nodes), neighbours)
        return nodes + self.mlp(self.mlp_norm(nodes))  # (N, d)


class MaskedAttention(nn.Module):
    """Multi-head attention, the heads in equal groups that may see different neighbours."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.channels = channels_per_head(width, heads)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, neighbours: Sequence[Neighbours]) -> Tensor:
        """x (N, d); neighbours: the lists of each group of heads."""
        groups = (
            projection(x).unflatten(-1, (-1, self.channels)).chunk(len(neighbours), dim=1)
            for projection in (self.query, self.key, self.value)
        )  # each (N, H / number of groups, c)
        seen = [
            neighbour_attention(query, key, value, lists)
            for query, key, value, lists in zip(*groups, neighbours, strict=True)
        ]
        return self.out(torch.cat(seen, dim=1).flatten(1))  # (N, d)


class GatedMLP(nn.Module):
    """W_3 (GELU(W_1 x) * (W_2 x)), with biases."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden)
        self.value = nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.gelu(self.gate(x)) * self.value(x))
