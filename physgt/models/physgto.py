"""PhysGTO: message passing along mesh edges, and attention through a few latent tokens.

Liu et al., "An Efficient Graph-Transformer Operator for Learning Physical Dynamics with Manifolds
Embedding", arXiv 2512.10227. Letters: N nodes, E edges of the mesh, each taken once, C width,
H heads of c channels, M tokens, P numbers of an encoded position, S state components,
F forcing components.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physgt.graph import Graph
from physgt.mesh import NUM_NODE_TYPES
from physgt.models.layers import (
    EdgeMLP,
    channels_per_head,
    fourier_positions,
    fourier_width,
    mlp,
    num_configurations,
    with_length,
)
from physgt.ops.chunks import in_chunks
from physgt.ops.segment import segment_sum


class Geometry(NamedTuple):
    """What the network derives from the mesh alone: the same at every step of a rollout."""

    senders: Tensor  # (E,)
    receivers: Tensor  # (E,)
    positions: Tensor  # (N, P)
    edges: Tensor  # (E, C)
    num_sent: Tensor  # (N, 1), edges that the node sends, at least 1
    num_received: Tensor  # (N, 1), edges that the node receives, at least 1
    graph_sizes: list[int]  # nodes of each graph of the batch


class PhysGTO(nn.Module):
    """One step of the transient network: normalised state in, normalised increment out.

    A mesh that moves is known by its edges, in both configurations; the position encoding is that
    of the reference. Edges have a direction, from the lexicographically larger point to the smaller
    (Graph.oriented), so results don't depend on the numbering of the nodes.

    width, heads, tokens, blocks: C, H, M and the number of blocks.
    fourier_frequencies: octaves of the position encoding.
    mlp_width: hidden width of the encoders and of the message passing.
    initial_alpha: the increment is SiLU(alpha) * decoder output, alpha learned; 1.278 starts with
        a factor of 1, right for normalised increments. Published: 1/30, for the increments
        of a normalised state.
    token_self_attention: the tokens attend to each other between the two attentions of a block,
        as the paper's text has it; without it a linear map stands there, as published code has it.
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
        moving: bool = False,
        width: int = 128,
        heads: int = 4,
        tokens: int = 128,
        blocks: int = 4,
        fourier_frequencies: int = 7,
        mlp_width: int = 256,
        initial_alpha: float = 1.278,
        token_self_attention: bool = False,
    ) -> None:
        super().__init__()
        self.num_node_types = num_node_types
        self.fourier_frequencies = fourier_frequencies
        self.state_encoder = mlp(state_size, mlp_width, width, 2, nn.SiLU)
        self.node_type_encoder = mlp(num_node_types, mlp_width, width, 2, nn.SiLU)
        self.forcing_encoder = (
            mlp(forcing_size, mlp_width, width, 2, nn.SiLU) if forcing_size else None
        )
        self.fusion = mlp(2 * width, mlp_width, width, 2, nn.SiLU)
        edge_inputs = num_configurations(moving) * (2 * space_dimension + 1)
        self.edge_encoder = mlp(edge_inputs, mlp_width, width, 1, nn.SiLU)
        position_width = fourier_width(space_dimension, fourier_frequencies)
        self.blocks = nn.ModuleList(
            Block(width, position_width, mlp_width, heads, tokens, token_self_attention)
            for _ in range(blocks)
        )
        self.decoder = nn.Sequential(
            nn.Linear(2 * width, width),
            nn.LayerNorm(width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, state_size),
        )
        self.alpha = nn.Parameter(torch.tensor(initial_alpha))

    def forward(
        self, graph: Graph, state: Tensor, forcing: Tensor, geometry: Geometry | None = None
    ) -> Tensor:
        """state (N, S), forcing (N, F) -> increment (N, S), all normalised; the graph scaled."""
        geometry = geometry or self.embed_geometry(graph)
        condition = self.condition(graph, forcing)  # (N, C)
        encoded = in_chunks(self.state_encoder, [state])  # (N, C)
        nodes = in_chunks(self.fusion, [torch.cat([encoded, condition], -1)])  # (N, C)
        edges = geometry.edges  # (E, C)
        for block in self.blocks:
            nodes, edges = block(nodes, edges, condition, geometry)
        decoded = in_chunks(self.decoder, [torch.cat([nodes, condition], -1)])
        return F.silu(self.alpha) * decoded  # (N, S)

    def embed_geometry(self, graph: Graph) -> Geometry:
        features = [both_ways(vectors[graph.oriented]) for vectors in graph.configurations]
        one_graph = graph.num_graphs == 1
        senders = graph.senders[graph.oriented]
        receivers = graph.receivers[graph.oriented]
        ones = torch.ones_like(features[0][:, :1])
        return Geometry(
            senders=senders,
            receivers=receivers,
            num_sent=segment_sum(ones, senders, graph.num_nodes).clamp(min=1),
            num_received=segment_sum(ones, receivers, graph.num_nodes).clamp(min=1),
            positions=fourier_positions(graph.points, self.fourier_frequencies),
            edges=in_chunks(self.edge_encoder, [torch.cat(features, -1)]),
            graph_sizes=[graph.num_nodes] if one_graph else graph.graph_offsets.diff().tolist(),
        )

    def condition(self, graph: Graph, forcing: Tensor) -> Tensor:
        """(N, C): node type and forcing, which the whole network is conditioned on."""
        # A node type has one of few values: their one-hots are encoded once, then looked up.
        one_hots = torch.eye(self.num_node_types, dtype=forcing.dtype, device=forcing.device)
        condition = self.node_type_encoder(one_hots).index_select(0, graph.node_type)
        if self.forcing_encoder is not None:
            condition = condition + self.forcing_encoder(forcing)
        return condition


def both_ways(vectors: Tensor) -> Tensor:
    """(E, D), sender minus receiver -> (E, 2 D + 1): [-vectors | vectors | lengths]."""
    return torch.cat([-vectors, with_length(vectors)], -1)


class Block(nn.Module):
    """Message passing for the near field, projection attention for the far field."""

    def __init__(
        self,
        width: int,
        position_width: int,
        mlp_width: int,
        heads: int,
        tokens: int,
        token_self_attention: bool,
    ) -> None:
        super().__init__()
        self.message_passing = MessagePassing(width, position_width, mlp_width)
        self.attention_norm = nn.LayerNorm(width)
        self.attention = ProjectionAttention(width, heads, tokens, token_self_attention)
        self.mlp = nn.Sequential(nn.LayerNorm(width), *mlp(width, width, width, 1, nn.SiLU))

    def forward(
        self, nodes: Tensor, edges: Tensor, condition: Tensor, geometry: Geometry
    ) -> tuple[Tensor, Tensor]:
        node_update, edges = self.message_passing(nodes, edges, condition, geometry)
        nodes = nodes + node_update  # (N, C)
        nodes = nodes + self.attention(self.attention_norm(nodes), geometry.graph_sizes)
        nodes = nodes + in_chunks(self.mlp, [nodes])
        return nodes, edges  # (N, C), (E, C)


class MessagePassing(nn.Module):
    """A flux along every edge; a node sees the mean of what it sends and of what it receives."""

    def __init__(self, width: int, position_width: int, mlp_width: int) -> None:
        super().__init__()
        node_width = 2 * width + position_width
        self.flux = EdgeMLP(
            node_width,
            width,
            mlp_width,
            nn.GELU(),
            nn.Linear(mlp_width, width),
            nn.LayerNorm(width),
        )
        self.node = nn.Sequential(
            *mlp(node_width + width, mlp_width, width, 1, nn.GELU), nn.LayerNorm(width)
        )

    def forward(
        self, nodes: Tensor, edges: Tensor, condition: Tensor, geometry: Geometry
    ) -> tuple[Tensor, Tensor]:
        senders, receivers = geometry.senders, geometry.receivers
        inputs = torch.cat([nodes, geometry.positions, condition], -1)  # (N, 2C + P)
        half = (edges.shape[1] + 1) // 2  # of the channels go to the sender
        flux, edges = self.flux(
            inputs, edges, senders, receivers, to_senders=half
        )  # (N, C), (E, C)
        sent, received = flux.tensor_split([half], dim=1)
        means = sent / geometry.num_sent, received / geometry.num_received
        update = in_chunks(self.node, [torch.cat([inputs, *means], -1)])
        return update, edges  # (N, C), (E, C)


class ProjectionAttention(nn.Module):
    """Nodes to M tokens and back: every node sees every other at a cost linear in N.

    Graphs of a batch share the learned queries and nothing else: each has its own tokens, the
    softmax over its own nodes.
    """

    def __init__(self, width: int, heads: int, tokens: int, token_self_attention: bool) -> None:
        super().__init__()
        channels = channels_per_head(width, heads)
        self.heads = heads
        self.token_self_attention = token_self_attention
        self.token_query = nn.Parameter(torch.randn(heads, tokens, channels))
        self.key_value = nn.Linear(width, width)
        self.query = nn.Linear(width, width)
        # Shared by the heads: tokens to (key, value), or to (query, key, value).
        projections = 3 if token_self_attention else 2
        self.token_map = nn.Linear(channels, projections * channels, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, graph_sizes: list[int]) -> Tensor:
        """(N, C) -> (N, C); graph_sizes: the numbers of nodes of the graphs that lie end to end."""
        keys = self._split_heads(self.key_value(x)).split(graph_sizes, dim=2)
        queries = self._split_heads(self.query(x)).split(graph_sizes, dim=2)
        parts = [self._attend(query, key) for query, key in zip(queries, keys, strict=True)]
        merged = torch.cat(parts, dim=2)[0].transpose(0, 1).flatten(1)  # (N, C)
        return self.out(merged)

    def _attend(self, query: Tensor, key: Tensor) -> Tensor:
        """One graph: query, key (1, H, N, c) -> (1, H, N, c)."""
        attention = F.scaled_dot_product_attention
        tokens = attention(self.token_query[None], key, key)  # (1, H, M, c); key is value too
        if self.token_self_attention:
            tokens = attention(*self.token_map(tokens).chunk(3, dim=-1))
            return attention(query, tokens, tokens)
        return attention(query, *self.token_map(tokens).chunk(2, dim=-1))

    def _split_heads(self, x: Tensor) -> Tensor:
        """(N, C) -> (1, H, N, c)."""
        return x.unflatten(1, (self.heads, -1)).transpose(0, 1)[None]
