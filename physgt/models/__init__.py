"""The models. A new one is one file here and one line in the table `MODELS`.

`Model(state_size, forcing_size, space_dimension, *, num_node_types=9, ...its own options)`;
`model(graph, state (N, S), forcing (N, F))` returns the increment (N, S), everything normalised.
`model.embed_geometry(graph)` is what it derives from the mesh alone; as fourth argument of the call
it saves doing so at every step of a rollout. `model.masks` and `model.encodings` say what graphs
carry beyond the mesh (physgt.graph.build_graph). With moving=True, graphs have moved (Graph.moved),
and the edges of both configurations are inputs; with world_edges=True, Graph.world as well.
"""

from torch import nn

from physgt.models.masked_transformer import MaskedTransformer
from physgt.models.meshgraphnet import MeshGraphNet
from physgt.models.near_far_transformer import NearFarTransformer
from physgt.models.physgto import PhysGTO

MODELS: dict[str, type[nn.Module]] = {
    "masked_transformer": MaskedTransformer,
    "meshgraphnet": MeshGraphNet,
    "near_far_transformer": NearFarTransformer,
    "physgto": PhysGTO,
}

__all__ = ["MODELS", "MaskedTransformer", "MeshGraphNet", "NearFarTransformer", "PhysGTO"]
