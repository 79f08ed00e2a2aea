"""MeshGraphNet: message passing along every edge of the mesh, in both directions.

Pfaff et al., "Learning Mesh-Based Simulation with Graph Networks", ICLR 2021, section 3.2.
Letters: N nodes, E directed edges, C width, D space dimensions, S state components,
F forcing components.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from physgt.errors import require_one_or_more
from physgt.graph import Graph
from physgt.mesh import NUM_NODE_TYPES
from physgt.models.layers import (
    EdgeMLP,
    RMSNorm,
    edge_features,
    mlp,
    num_configurations,
    one_hot_node_type,
    world_features,
)
from physgt.ops.chunks import in_chunks
from physgt.ops.rows import LayerNorm


class Geometry(NamedTuple):
    """What the network derives from the mesh alone: the same at every step of a rollout."""

    one_hot: Tensor  # (N, node types)
    edges: Tensor  # (E, C)
    world: Tensor | None  # (W, C) of world edges


class MeshGraphNet(nn.Module):
    """Encode, process, decode: normalised state in, normalised increment out.

    A node's inputs are [state | forcing | one-hot node type], an edge's [vector | length], where
    the mesh moves in both configurations. World edges have an encoder and messages of their own.

    width, blocks: C and the number of message-passing blocks.
    hidden_layers: hidden layers of every MLP, each of `width`.
    rms_norm: RMSNorm instead of LayerNorm after every MLP but the decoder.
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
        blocks: int = 15,
        hidden_layers: int = 2,
        rms_norm: bool = False,
    ) -> None:
        super().__init__()
        require_one_or_more(width=width, blocks=blocks)
        self.num_node_types = num_node_types
        norm = RMSNorm if rms_norm else LayerNorm
        inputs = state_size + forcing_size + num_node_types
        self.node_encoder = nn.Sequential(
            *mlp(inputs, width, width, hidden_layers, nn.ReLU), norm(width)
        )
        edge_inputs = num_configurations(moving) * (space_dimension + 1)
        self.edge_encoder = nn.Sequential(
            *mlp(edge_inputs, width, width, hidden_layers, nn.ReLU), norm(width)
        )
        self.world_encoder = None
        if world_edges:
            self.world_encoder = nn.Sequential(
                *mlp(space_dimension + 1, width, width, hidden_layers, nn.ReLU), norm(width)
            )
        self.blocks = nn.ModuleList(
            Block(width, hidden_layers, norm, world_edges) for _ in range(blocks)
        )
        self.decoder = mlp(width, width, state_size, hidden_layers, nn.ReLU)

    def forward(
        self, graph: Graph, state: Tensor, forcing: Tensor, geometry: Geometry | None = None
    ) -> Tensor:
        """state (N, S), forcing (N, F) -> increment (N, S), all normalised; the graph scaled."""
        geometry = geometry or self.embed_geometry(graph)
        inputs = torch.cat([state, forcing, geometry.one_hot], -1)
        nodes = in_chunks(self.node_encoder, inputs)  # (N, C)
        edges, world = geometry.edges, geometry.world  # (E, C), (W, C)
        for block in self.blocks:
            nodes, edges, world = block(nodes, edges, world, graph)
        return self.decoder(nodes)  # (N, S)

    def embed_geometry(self, graph: Graph) -> Geometry:
        return Geometry(
            one_hot=one_hot_node_type(graph, self.num_node_types),
            edges=in_chunks(self.edge_encoder, edge_features(graph)),
            world=None
            if self.world_encoder is None
            else in_chunks(self.world_encoder, world_features(graph)),
        )


class Block(nn.Module):
    """e += MLP([x_sender | x_receiver | e]); x += MLP([x | sum of the new messages received]).

    The messages of world edges are summed by themselves.
    """

    def __init__(
        self, width: int, hidden_layers: int, norm: type[nn.Module], world_edges: bool
    ) -> None:
        super().__init__()

        def message() -> EdgeMLP:
            rest = mlp(width, width, width, hidden_layers - 1, nn.ReLU)
            return EdgeMLP(width, width, width, nn.ReLU(), *rest, norm(width))

        self.message = message()
        self.world_message = message() if world_edges else None
        inputs = 3 * width if world_edges else 2 * width
        self.update = nn.Sequential(*mlp(inputs, width, width, hidden_layers, nn.ReLU), norm(width))

    def forward(
        self, nodes: Tensor, edges: Tensor, world: Tensor | None, graph: Graph
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        received, edges = self.message(nodes, edges, *graph.edge_index)  # (N, C), (E, C)
        inputs = [nodes, received]
        if self.world_message is not None and world is not None and graph.world is not None:
            felt, world = self.world_message(nodes, world, *graph.world.edge_index)
            inputs.append(felt)
        update = in_chunks(self.update, torch.cat(inputs, -1))
        return nodes + update, edges, world
