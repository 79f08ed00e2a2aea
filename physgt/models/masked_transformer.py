"""The masked transformer: attention in which a node sees its neighbours on the mesh.

Garnier et al., "Training Transformers for Mesh-Based Simulations", arXiv 2508.18051, section 3.
Letters: N nodes, E directed edges, V virtual nodes, d width, H heads of c channels,
S state components, F forcing components.
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
from physgt.models.layers import RMSNorm, channels_per_head, mlp
from physgt.models.neighbourhoods import Neighbourhoods
from physgt.models.node_inputs import NodeInputs
from physgt.models.rotary import require_rotary_channels, rotary_angles, rotated
from physgt.ops.chunks import in_chunks, in_chunks_if_many, updated_in_chunks
from physgt.ops.linear import Linear, linear
from physgt.ops.neighbour_attention import neighbour_attention
from physgt.ops.neighbours import Neighbours
from physgt.ops.rows import gelu_gate
from physgt.ops.segment import segment_mean


class Geometry(NamedTuple):
    """What the network derives from the mesh alone: the same at every step of a rollout."""

    inputs: Tensor  # (N, node types + positions + encodings)
    neighbours: Sequence[Sequence[Neighbours]]  # for each block, the lists of each group of heads
    angles: Tensor | None  # (N, 1, at most c / 2), of the rotary embedding


class MaskedTransformer(nn.Module):
    """Encode, transform, decode: normalised state in, normalised increment out.

    A node's inputs are [state | forcing | one-hot node type | position | encodings] and, where the
    mesh moves, a summary of its edges. World edges are further neighbours.

    width, heads, blocks: d, H and the number of blocks. Published sizes (blocks x width): 10 x 64,
        15 x 128, 15 x 256, 15 x 512.
    positions, fourier_frequencies, laplacian_eigenvectors, random_walk_steps, boundary_distances:
        see NodeInputs. Attention has no edge features, so without any of them the network knows
        the mesh by its connectivity alone, as published.
    k_hop, dilations, dilated_blocks, global_nodes, global_node_sets, virtual_nodes,
        random_jumpers, max_neighbors, seed: whom a node sees, see Neighbourhoods. Without any of
        them its neighbours on the mesh.
    rotary: whether queries and keys are turned by the coordinates, so that attention knows where
        nodes lie relative to each other (physgt.models.rotary).
    gate: whether attention's output is multiplied by a sigmoid gate before its last linear map
        (Qiu et al., "Gated Attention for Large Language Models", arXiv 2505.06708).
    """

    virtual_nodes: nn.Parameter | None

    def __init__(
        self,
        state_size: int,
        forcing_size: int,
        space_dimension: int,
        *,
        num_node_types: int = NUM_NODE_TYPES,
        moving: bool = False,
        world_edges: bool = False,
        width: int = 64,
        heads: int = 4,
        blocks: int = 10,
        positions: bool = True,
        fourier_frequencies: int = 4,
        laplacian_eigenvectors: int = 0,
        random_walk_steps: int = 0,
        boundary_distances: bool = False,
        k_hop: int = 1,
        dilations: Sequence[int] = (),
        dilated_blocks: int | None = None,
        global_nodes: int | float = 0,
        global_node_sets: Sequence[str] = (),
        virtual_nodes: int = 0,
        random_jumpers: float = 0.0,
        max_neighbors: int | None = None,
        seed: int = 0,
        rotary: bool = False,
        gate: bool = False,
    ) -> None:
        super().__init__()
        require_one_or_more(width=width, heads=heads, blocks=blocks)
        self.node_inputs = NodeInputs(
            space_dimension,
            num_node_types,
            moving=moving,
            world_edges=world_edges,
            positions=positions,
            fourier_frequencies=fourier_frequencies,
            laplacian_eigenvectors=laplacian_eigenvectors,
            random_walk_steps=random_walk_steps,
            boundary_distances=boundary_distances,
        )
        self.neighbourhoods = Neighbourhoods(
            heads,
            blocks,
            k_hop=k_hop,
            dilations=dilations,
            dilated_blocks=dilated_blocks,
            global_nodes=global_nodes,
            global_node_sets=global_node_sets,
            virtual_nodes=virtual_nodes,
            random_jumpers=random_jumpers,
            max_neighbors=max_neighbors,
            seed=seed,
        )
        self.masks: Sequence[Mask] = self.neighbourhoods.masks
        self.encodings: Sequence[NodeFunction] = self.node_inputs.encodings
        self.channels = channels_per_head(width, heads)
        if rotary:
            require_rotary_channels(self.channels, space_dimension)
        self.rotary = rotary
        inputs = state_size + forcing_size + self.node_inputs.width
        self.encoder = mlp(inputs, width, width, 3, nn.ReLU)
        self.encoder_norm = RMSNorm(width)
        virtual = torch.randn(virtual_nodes, width)  # as large as normed nodes
        self.virtual_nodes = nn.Parameter(virtual) if virtual_nodes else None
        self.blocks = nn.ModuleList(Block(width, heads, gate) for _ in range(blocks))
        self.decoder = mlp(width, width, state_size, 3, nn.ReLU)

    def forward(
        self, graph: Graph, state: Tensor, forcing: Tensor, geometry: Geometry | None = None
    ) -> Tensor:
        """state (N, S), forcing (N, F) -> increment (N, S), all normalised; the graph scaled."""
        geometry = geometry or self.embed_geometry(graph)
        inputs = torch.cat([state, forcing, geometry.inputs], -1)
        encoded = in_chunks(self.encoder, inputs)  # (N, d)
        nodes = updated_in_chunks(self.encoder_norm, encoded)  # (N, d)
        if self.virtual_nodes is not None:
            nodes = torch.cat([nodes, self.virtual_nodes.repeat(graph.num_graphs, 1)])  # (N + V, d)
        for block, neighbours in zip(self.blocks, geometry.neighbours, strict=True):
            nodes = block(nodes, neighbours, geometry.angles)
        return in_chunks(self.decoder, nodes[: graph.num_nodes])  # (N, S)

    def embed_geometry(self, graph: Graph) -> Geometry:
        return Geometry(
            inputs=self.node_inputs(graph),
            neighbours=self.neighbourhoods.of(graph),
            angles=rotary_angles(self._positions(graph), self.channels) if self.rotary else None,
        )

    def _positions(self, graph: Graph) -> Tensor:
        """(N + V, D): virtual nodes stand at the mean of their graph's points."""
        points = graph.current_points
        if self.virtual_nodes is None:
            return points
        middles = segment_mean(points, graph.graph_index, graph.num_graphs)
        copies = len(self.virtual_nodes)
        return torch.cat([points, middles[:, None].expand(-1, copies, -1).flatten(0, 1)])


class Block(nn.Module):
    """Attention over neighbours, then a gated MLP; both pre-norm and residual."""

    def __init__(self, width: int, heads: int, gate: bool) -> None:
        super().__init__()
        self.heads = heads
        self.project = Projections(width, gate)
        self.update = Update(width)

    def forward(
        self, nodes: Tensor, neighbours: Sequence[Neighbours], angles: Tensor | None
    ) -> Tensor:
        width = nodes.shape[1]
        # Queries, keys and values in (N, 3 d), then the gate, if there is one, in (N, d).
        joined = in_chunks_if_many(self.project, nodes)
        projected, gate = joined.tensor_split([3 * width], dim=1)
        mixed = masked_attention(projected, self.heads, neighbours, angles)  # (N, d)
        if gate.shape[1]:
            mixed = mixed * gate
        return updated_in_chunks(self.update, nodes, mixed)  # (N, d)


class Projections(nn.Module):
    """A node's query, key and value, and the gate of what it hears, of the normed node."""

    def __init__(self, width: int, gate: bool = False) -> None:
        super().__init__()
        self.norm = RMSNorm(width)
        self.query = Linear(width, width)
        self.key = Linear(width, width)
        self.value = Linear(width, width)
        self.gate = Linear(width, width) if gate else None

    def forward(self, nodes: Tensor) -> Tensor:
        x = self.norm(nodes)
        maps = self.query, self.key, self.value
        # One product for all three: joining the weights costs less than joining the results.
        weight = torch.cat([linear.weight for linear in maps])
        bias = torch.cat([linear.bias for linear in maps])
        projected = linear(x, weight, bias)
        if self.gate is None:
            return projected
        return torch.cat([projected, self.gate(x).sigmoid()], -1)


def masked_attention(
    projected: Tensor, heads: int, neighbours: Sequence[Neighbours], angles: Tensor | None = None
) -> Tensor:
    """Multi-head attention (N, d), the heads in equal groups that may see different neighbours.

    projected (N, 3 d): queries, keys and values side by side; neighbours: the lists of each group
    of heads; angles: see rotary_angles.
    """
    query, key, value = projected.unflatten(1, (3, heads, -1)).unbind(1)  # (N, H, c) each
    if angles is not None:
        query, key = rotated(query, angles), rotated(key, angles)
    groups = (part.chunk(len(neighbours), dim=1) for part in (query, key, value))
    seen = [
        neighbour_attention(query, key, value, lists)
        for query, key, value, lists in zip(*groups, neighbours, strict=True)
    ]  # each (N, H / number of groups, c)
    return (seen[0] if len(seen) == 1 else torch.cat(seen, dim=1)).flatten(1)


class Update(nn.Module):
    """What a node does with what it heard: a linear map and a gated MLP, both residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = Linear(width, width)
        # Two norms in a row, each with its own scale, as published.
        self.mlp_norm = nn.Sequential(RMSNorm(width), RMSNorm(width))
        self.mlp = GatedMLP(width, 3 * width)

    def forward(self, nodes: Tensor, mixed: Tensor) -> Tensor:
        nodes = nodes + self.out(mixed)
        return nodes + self.mlp(self.mlp_norm(nodes))


class GatedMLP(nn.Module):
    """W_3 (GELU(W_1 x) * (W_2 x)), with biases."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = Linear(width, hidden)
        self.value = Linear(width, hidden)
        self.out = Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(gelu_gate(self.gate(x), self.value(x)))
