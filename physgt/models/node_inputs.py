"""Node inputs: what a network is told about a node beside its state and forcing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from physgt.encodings import BoundaryDistance, LaplacianEigenvectors, RandomWalk
from physgt.errors import PhysgtError
from physgt.graph import Graph
from physgt.mesh_functions import naming_option
from physgt.models.layers import (
    edge_features,
    fourier_positions,
    fourier_width,
    mlp,
    num_configurations,
    one_hot_node_type,
    world_features,
)
from physgt.ops.chunks import in_chunks
from physgt.ops.segment import segment_mean

Encoding = LaplacianEigenvectors | RandomWalk | BoundaryDistance


class NodeInputs(nn.Module):
    """[one-hot node type | position | encodings | deformation]: `width` numbers a node.

    moving: whether the mesh moves; then what its edges do is an input (EdgeSummary), and the
        position is that of the reference configuration.
    world_edges: whether what world edges do is an input, too.

    positions: whether coordinates are inputs.
    fourier_frequencies: octaves of the position encoding; 0 for the coordinates themselves.
    laplacian_eigenvectors, random_walk_steps: how many, 0 for none, see physgt.encodings;
        each mode becomes MODE_WIDTH numbers that don't depend on its sign (SignInvariant).
    boundary_distances: whether distances to the nearest node of each type are inputs.

    `encodings` are what graphs have to carry.
    """

    def __init__(
        self,
        space_dimension: int,
        num_node_types: int,
        *,
        moving: bool = False,
        world_edges: bool = False,
        positions: bool = True,
        fourier_frequencies: int = 4,
        laplacian_eigenvectors: int = 0,
        random_walk_steps: int = 0,
        boundary_distances: bool = False,
    ) -> None:
        super().__init__()
        self.num_node_types = num_node_types
        self.positions = positions
        self.fourier_frequencies = fourier_frequencies
        encodings: list[Encoding] = []
        # Modes come first: they are the columns that pass through their own layer.
        self.num_modes = laplacian_eigenvectors
        self.modes = SignInvariant() if laplacian_eigenvectors else None
        if laplacian_eigenvectors:
            with naming_option("laplacian_eigenvectors", laplacian_eigenvectors):
                encodings.append(LaplacianEigenvectors(laplacian_eigenvectors))
        if random_walk_steps:
            with naming_option("random_walk_steps", random_walk_steps):
                encodings.append(RandomWalk(random_walk_steps))
        if boundary_distances:
            encodings.append(BoundaryDistance())
        self.encodings = tuple(encodings)
        self.encodings_width = sum(encoding.width for encoding in encodings)
        self.width = num_node_types + self.encodings_width + (MODE_WIDTH - 1) * self.num_modes
        if positions:
            self.width += fourier_width(space_dimension, fourier_frequencies)
        self.edges = None
        if moving:
            self.edges = EdgeSummary(num_configurations(moving) * (space_dimension + 1))
            self.width += SUMMARY_WIDTH
        self.world = None
        if world_edges:
            self.world = EdgeSummary(space_dimension + 1)
            self.width += SUMMARY_WIDTH

    def forward(self, graph: Graph) -> Tensor:
        """(N, width) of a scaled graph that carries `encodings`."""
        if graph.encodings.shape[1] != self.encodings_width:
            raise PhysgtError(
                f"the graph carries {graph.encodings.shape[1]} numbers of encodings, the model "
                f"wants {self.encodings_width}; build it with Simulator.build_graph, or with "
                "build_graph(mesh, masks=model.masks, encodings=model.encodings)."
            )
        inputs = [one_hot_node_type(graph, self.num_node_types)]
        if self.positions:
            inputs.append(fourier_positions(graph.points, self.fourier_frequencies))
        modes, others = graph.encodings.tensor_split([self.num_modes], dim=1)
        if self.modes is not None:
            inputs.append(self.modes(modes))
        inputs.append(others)
        if self.edges is not None:
            inputs.append(self.edges(edge_features(graph), graph.receivers, graph.num_nodes))
        if self.world is not None and graph.world is not None:
            ends = graph.world.edge_index
            inputs.append(self.world(world_features(graph), ends[1], graph.num_nodes))
        return torch.cat(inputs, -1)


MODE_WIDTH = 4


class SignInvariant(nn.Module):
    """phi(v) + phi(-v) of every mode v, phi a small MLP that the modes share.

    The sign of an eigenvector means nothing, and so it is lost: of a single mode a node learns how
    far, not on which side of its zero it lies. Lim et al., "Sign and Basis Invariant Networks for
    Spectral Graph Representation Learning", ICLR 2023; their rho is the network's encoder.
    """

    def __init__(self) -> None:
        super().__init__()
        self.phi = mlp(1, 16, MODE_WIDTH, 1, nn.SiLU)

    def forward(self, modes: Tensor) -> Tensor:
        """(N, K) -> (N, K MODE_WIDTH)."""
        columns = modes[..., None]
        return (self.phi(columns) + self.phi(-columns)).flatten(1)


SUMMARY_WIDTH = 32


class EdgeSummary(nn.Module):
    """What the edges around a node look like: the mean of a small MLP of their features.

    Attention weighs nodes and has no edge features. This is how a transformer sees how an edge is
    stretched and turned, as a message-passing network does.
    """

    def __init__(self, edge_inputs: int) -> None:
        super().__init__()
        self.encoder = mlp(edge_inputs, 64, SUMMARY_WIDTH, 1, nn.SiLU)

    def forward(self, features: Tensor, receivers: Tensor, num_nodes: int) -> Tensor:
        """Features (E, edge_inputs) of edges to `receivers` (E,) -> (N, SUMMARY_WIDTH)."""
        return segment_mean(in_chunks(self.encoder, features), receivers, num_nodes)
