"""The near-far transformer: masked attention for the near field, projection attention for the far.

A child of two papers: a node attends to its neighbours and to windows around it, as in the masked
transformer, and to the whole mesh through a few latent tokens, as in PhysGTO.
Letters: N nodes, d width, H heads, M tokens, S state components, F forcing components.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from physgt.attention_masks import Mask
from physgt.errors import require_one_or_more
from physgt.graph import Graph, NodeFunction
from physgt.mesh import NUM_NODE_TYPES
from physgt.models.layers import Residual, RMSNorm, channels_per_head, mlp
from physgt.models.masked_transformer import GatedMLP, Projections, masked_attention
from physgt.models.neighbourhoods import Neighbourhoods
from physgt.models.node_inputs import NodeInputs
from physgt.models.projection_attention import ProjectionAttention
from physgt.models.rotary import require_rotary_channels, rotary_angles
from physgt.ops.chunks import in_chunks, in_chunks_if_many, updated_in_chunks
from physgt.ops.linear import Linear
from physgt.ops.neighbours import Neighbours


class Geometry(NamedTuple):
    """What the network derives from the mesh alone: the same at every step of a rollout."""

    inputs: Tensor  # (N, node types + positions)
    neighbours: Sequence[Sequence[Neighbours]]  # for each block, the lists of each group of heads
    angles: Tensor | None  # (N, 1, at most c / 2), of the rotary embedding
    graph_sizes: list[int]  # nodes of each graph of the batch


class NearFarTransformer(nn.Module):
    """Encode, transform, decode: normalised state in, normalised increment out.

    A node's inputs are [state | forcing | one-hot node type | position] and, where the mesh moves,
    a summary of its edges. World edges are further neighbours.

    width, heads, tokens, blocks: d, H, M and the number of blocks. The default size has three
        quarters of the parameters of PhysGTO's.
    fourier_frequencies: octaves of the position encoding.
    k_hop, dilations, dilated_blocks, max_neighbors, seed: the near field, see Neighbourhoods.
    rotary: whether queries and keys of the near field are turned by the coordinates, so that it
        knows where nodes lie relative to each other (physgt.models.rotary).
    """

    encodings: Sequence[NodeFunction] = ()

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
        blocks: int = 6,
        fourier_frequencies: int = 4,
        k_hop: int = 1,
        dilations: Sequence[int] = (2,),
        dilated_blocks: int | None = None,
        max_neighbors: int | None = None,
        seed: int = 0,
        rotary: bool = False,
    ) -> None:
        super().__init__()
        require_one_or_more(width=width, heads=heads, tokens=tokens, blocks=blocks)
        self.node_inputs = NodeInputs(
            space_dimension,
            num_node_types,
            moving=moving,
            world_edges=world_edges,
            fourier_frequencies=fourier_frequencies,
        )
        self.neighbourhoods = Neighbourhoods(
            heads,
            blocks,
            k_hop=k_hop,
            dilations=dilations,
            dilated_blocks=dilated_blocks,
            max_neighbors=max_neighbors,
            seed=seed,
        )
        self.masks: Sequence[Mask] = self.neighbourhoods.masks
        self.channels = channels_per_head(width, heads)
        if rotary:
            require_rotary_channels(self.channels, space_dimension)
        self.rotary = rotary
        inputs = state_size + forcing_size + self.node_inputs.width
        self.encoder = mlp(inputs, width, width, 3, nn.ReLU)
        self.encoder_norm = RMSNorm(width)
        self.blocks = nn.ModuleList(Block(width, heads, tokens) for _ in range(blocks))
        self.decoder = mlp(width, width, state_size, 3, nn.ReLU)

    def forward(
        self, graph: Graph, state: Tensor, forcing: Tensor, geometry: Geometry | None = None
    ) -> Tensor:
        """state (N, S), forcing (N, F) -> increment (N, S), all normalised; the graph scaled."""
        geometry = geometry or self.embed_geometry(graph)
        inputs = torch.cat([state, forcing, geometry.inputs], -1)
        encoded = in_chunks(self.encoder, inputs)  # (N, d)
        nodes = updated_in_chunks(self.encoder_norm, encoded)  # (N, d)
        for block, neighbours in zip(self.blocks, geometry.neighbours, strict=True):
            nodes = block(nodes, neighbours, geometry.angles, geometry.graph_sizes)
        return in_chunks(self.decoder, nodes)  # (N, S)

    def embed_geometry(self, graph: Graph) -> Geometry:
        one_graph = graph.num_graphs == 1
        return Geometry(
            inputs=self.node_inputs(graph),
            neighbours=self.neighbourhoods.of(graph),
            angles=rotary_angles(graph.current_points, self.channels) if self.rotary else None,
            graph_sizes=[graph.num_nodes] if one_graph else graph.graph_offsets.diff().tolist(),
        )


class Block(nn.Module):
    """Near field, far field, then a gated MLP; all pre-norm and residual."""

    def __init__(self, width: int, heads: int, tokens: int) -> None:
        super().__init__()
        self.heads = heads
        self.near_project = Projections(width)
        self.near_out = Linear(width, width)
        self.far_norm = RMSNorm(width)
        self.far = ProjectionAttention(width, heads, tokens, token_self_attention=False)
        self.mlp = Residual(RMSNorm(width), GatedMLP(width, 3 * width))

    def forward(
        self,
        nodes: Tensor,
        neighbours: Sequence[Neighbours],
        angles: Tensor | None,
        graph_sizes: list[int],
    ) -> Tensor:
        projected = in_chunks_if_many(self.near_project, nodes)  # (N, 3 d)
        near = masked_attention(projected, self.heads, neighbours, angles)  # (N, d)
        nodes = nodes + self.near_out(near)
        nodes = nodes + self.far(self.far_norm(nodes), graph_sizes)
        return updated_in_chunks(self.mlp, nodes)  # (N, d)
