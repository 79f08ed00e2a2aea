"""PhysGTO: message passing along mesh edges, and attention through a few latent tokens.

Liu et al., "An Efficient Graph-Transformer Operator for Learning Physical Dynamics with Manifolds
Embedding", arXiv 2512.10227. Letters: N nodes, E edges of the mesh, each taken once, C width,
H heads of c channels, M tokens, P numbers of an encoded position, S state components,
F forcing components.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from physgt.errors import require_one_or_more
from physgt.graph import Graph
from physgt.mesh import NUM_NODE_TYPES
from physgt.models.layers import (
    EdgeMLP,
    NodeMLP,
    Residual,
    both_ways,
    fourier_positions,
    fourier_width,
    mlp,
    num_configurations,
)
from physgt.models.projection_attention import ProjectionAttention
from physgt.ops.chunks import in_chunks, updated_in_chunks
from physgt.ops.linear import Linear
from physgt.ops.rows import LayerNorm
from physgt.ops.segment import segment_sum

MOST_KEPT = 1 << 24
"""Numbers of all Contributions together that a rollout keeps. On large meshes, reading them costs
nearly as much time as making them anew, and keeping them doubles the memory of a step."""


class Flows(NamedTuple):
    """A set of edges along which there are fluxes: those of the mesh, or world edges."""

    senders: Tensor  # (E,)
    receivers: Tensor  # (E,)
    edges: Tensor  # (E, C)
    num_sent: Tensor  # (N, 1), edges that the node sends, at least 1
    num_received: Tensor  # (N, 1), edges that the node receives, at least 1

    @classmethod
    def along(cls, ends: Tensor, edges: Tensor, num_nodes: int) -> Flows:
        """ends (2, E): senders and receivers."""
        senders, receivers = ends
        ones = torch.ones_like(edges[:, :1])
        sent, received = (segment_sum(ones, end, num_nodes).clamp(min=1) for end in ends)
        return cls(senders, receivers, edges, sent, received)


class Geometry(NamedTuple):
    """What the network derives from the mesh alone: the same at every step of a rollout."""

    flows: list[Flows]  # along the mesh's edges and, if there are any, along world edges
    positions: Tensor  # (N, P)
    graph_sizes: list[int]  # nodes of each graph of the batch
    latest: list[Given]  # what the last step was given, empty before the first


class Contributions(NamedTuple):
    """What a node's position and condition add to the linear maps of a block's message passing."""

    to_edges: list[Tensor]  # (N, 2 hidden), for each set of flows
    to_nodes: Tensor  # (N, hidden)
    of_edges: list[Tensor | None]  # (E, hidden) of edges as the mesh has them: the first block's


class Given(NamedTuple):
    """What follows from mesh and forcing: the same in a rollout until the forcing changes."""

    forcing: Tensor  # (N, F)
    condition: Tensor  # (N, C)
    inputs: Tensor  # (N, P + C), position and condition
    contributions: list[Contributions]  # a block each; empty where they aren't kept


class PhysGTO(nn.Module):
    """One step of the transient network: normalised state in, normalised increment out.

    Edges have a direction, from the lexicographically larger point to the smaller
    (Graph.oriented), so results don't depend on the numbering of the nodes. A mesh that moves is
    known by its edges, in both configurations; the position encoding is that of the reference.
    Along world edges there is a flux of its own.

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
        world_edges: bool = False,
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
        require_one_or_more(
            width=width, heads=heads, tokens=tokens, blocks=blocks, mlp_width=mlp_width
        )
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
        self.world_encoder = (
            mlp(2 * space_dimension + 1, mlp_width, width, 1, nn.SiLU) if world_edges else None
        )
        position_width = fourier_width(space_dimension, fourier_frequencies)
        self.blocks = nn.ModuleList(
            Block(
                width, position_width, mlp_width, heads, tokens, token_self_attention, world_edges
            )
            for _ in range(blocks)
        )
        self.decoder = nn.Sequential(
            Linear(2 * width, width),
            LayerNorm(width),
            nn.SiLU(),
            Linear(width, width),
            nn.SiLU(),
            Linear(width, state_size),
        )
        self.alpha = nn.Parameter(torch.tensor(initial_alpha))

    def forward(
        self, graph: Graph, state: Tensor, forcing: Tensor, geometry: Geometry | None = None
    ) -> Tensor:
        """state (N, S), forcing (N, F) -> increment (N, S), all normalised; the graph scaled."""
        geometry = geometry or self.embed_geometry(graph)
        given = self._given(graph, forcing, geometry)
        encoded = in_chunks(self.state_encoder, state)  # (N, C)
        nodes = in_chunks(self.fusion, torch.cat([encoded, given.condition], -1))  # (N, C)
        edges = [flow.edges for flow in geometry.flows]  # (E, C), (W, C)
        contributions = given.contributions or self._contributions(given.inputs)
        for block, known in zip(self.blocks, contributions, strict=True):
            nodes, edges = block(nodes, edges, known, geometry)
        decoded = in_chunks(self.decoder, torch.cat([nodes, given.condition], -1))
        return F.silu(self.alpha) * decoded  # (N, S)

    def embed_geometry(self, graph: Graph) -> Geometry:
        features = [both_ways(vectors[graph.oriented]) for vectors in graph.configurations]
        edges = in_chunks(self.edge_encoder, torch.cat(features, -1))
        flows = [Flows.along(graph.edge_index[:, graph.oriented], edges, graph.num_nodes)]
        if self.world_encoder is not None:
            assert graph.world is not None, "graphs of a model with world edges have moved"
            ends, vectors, oriented = graph.world
            world = in_chunks(self.world_encoder, both_ways(vectors[oriented]))
            flows.append(Flows.along(ends[:, oriented], world, graph.num_nodes))
        one_graph = graph.num_graphs == 1
        return Geometry(
            flows=flows,
            positions=fourier_positions(graph.points, self.fourier_frequencies),
            graph_sizes=[graph.num_nodes] if one_graph else graph.graph_offsets.diff().tolist(),
            latest=[],
        )

    def _given(self, graph: Graph, forcing: Tensor, geometry: Geometry) -> Given:
        kept = [] if torch.is_grad_enabled() else geometry.latest
        if kept and torch.equal(kept[0].forcing, forcing):
            return kept[0]
        condition = self.condition(graph, forcing)
        inputs = torch.cat([geometry.positions, condition], -1)
        given = Given(forcing.clone(), condition, inputs, [])  # the caller's may change in place
        # Compilers must not settle on a number of nodes.
        if not torch.is_grad_enabled() and not torch.compiler.is_compiling():
            first, *others = self._message_passing()
            if first.numbers_kept(graph.num_nodes, geometry.flows, 1 + len(others)) <= MOST_KEPT:
                given.contributions.extend(self._contributions(inputs))
                given.contributions[0].of_edges[:] = first.edge_products(geometry.flows)
            geometry.latest[:] = [given]
        return given

    def _contributions(self, inputs: Tensor) -> Iterator[Contributions]:
        """Of one block after the other, each when it is asked for."""
        return (layer.contributions(inputs) for layer in self._message_passing())

    def _message_passing(self) -> Iterator[MessagePassing]:
        for block in self.blocks:
            assert isinstance(block, Block)
            yield block.message_passing

    def condition(self, graph: Graph, forcing: Tensor) -> Tensor:
        """(N, C): node type and forcing, which the whole network is conditioned on."""
        # A node type has one of few values: their one-hots are encoded once, then looked up.
        one_hots = torch.eye(self.num_node_types, dtype=forcing.dtype, device=forcing.device)
        condition = self.node_type_encoder(one_hots).index_select(0, graph.node_type)
        if self.forcing_encoder is not None:
            condition = condition + self.forcing_encoder(forcing)
        return condition


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
        world_edges: bool,
    ) -> None:
        super().__init__()
        self.message_passing = MessagePassing(width, position_width, mlp_width, world_edges)
        self.attention_norm = LayerNorm(width)
        self.attention = ProjectionAttention(width, heads, tokens, token_self_attention)
        self.mlp = Residual(LayerNorm(width), *mlp(width, width, width, 1, nn.SiLU))

    def forward(
        self, nodes: Tensor, edges: list[Tensor], known: Contributions, geometry: Geometry
    ) -> tuple[Tensor, list[Tensor]]:
        node_update, edges = self.message_passing(nodes, edges, known, geometry)
        nodes = nodes + node_update  # (N, C)
        nodes = nodes + self.attention(self.attention_norm(nodes), geometry.graph_sizes)
        return updated_in_chunks(self.mlp, nodes), edges  # (N, C), (E, C) and (W, C)


class MessagePassing(nn.Module):
    """A flux along every edge; a node sees the mean of what it sends and of what it receives.

    Of mesh edges and of world edges, each set by itself.
    """

    def __init__(self, width: int, position_width: int, mlp_width: int, world_edges: bool) -> None:
        super().__init__()
        node_width = 2 * width + position_width

        def flux() -> EdgeMLP:
            layers = nn.GELU(), Linear(mlp_width, width), LayerNorm(width)
            return EdgeMLP(node_width, width, mlp_width, *layers)

        self.flux = flux()
        self.world_flux = flux() if world_edges else None
        inputs = node_width + (2 * width if world_edges else width)
        self.node = NodeMLP(inputs, mlp_width, width)

    @property
    def fluxes(self) -> list[EdgeMLP]:
        return [self.flux] if self.world_flux is None else [self.flux, self.world_flux]

    def numbers_kept(self, num_nodes: int, flows: list[Flows], blocks: int) -> int:
        """Of the contributions to so many blocks, and the products of the first one's edges."""
        of_node = sum(len(flux.from_node) for flux in self.fluxes) + self.node.first.out_features
        of_edge = self.node.first.out_features
        return blocks * num_nodes * of_node + of_edge * sum(len(flow.edges) for flow in flows)

    def edge_products(self, flows: list[Flows]) -> list[Tensor]:
        """(E, hidden) for each set of flows, of the edges that the mesh has."""
        return [flux.product(flow.edges) for flux, flow in zip(self.fluxes, flows, strict=True)]

    def contributions(self, inputs: Tensor) -> Contributions:
        """inputs (N, P + C): a node's position and condition."""
        return Contributions(
            to_edges=[flux.contribution(inputs) for flux in self.fluxes],
            to_nodes=self.node.contribution(inputs),
            of_edges=[None for _ in self.fluxes],
        )

    def forward(
        self, nodes: Tensor, edges: list[Tensor], known: Contributions, geometry: Geometry
    ) -> tuple[Tensor, list[Tensor]]:
        half = (nodes.shape[1] + 1) // 2  # of the channels go to the sender
        heard, advanced = [nodes], []
        given = zip(self.fluxes, geometry.flows, edges, known.to_edges, known.of_edges, strict=True)
        for flux, flows, own, mine, product in given:
            ends = flows.senders, flows.receivers
            sums, own = flux(nodes, own, *ends, to_senders=half, known=mine, edge_product=product)
            sent, received = sums.tensor_split([half], dim=1)  # (N, about C/2) each
            heard += [sent / flows.num_sent, received / flows.num_received]
            advanced.append(own)
        update = in_chunks(self.node, torch.cat(heard, -1), known.to_nodes)
        return update, advanced  # (N, C), (E, C) and (W, C)
