"""The models. A new one is one file here and one line in the table `MODELS`.

`Model(state_size, forcing_size, space_dimension, *, num_node_types=9, ...its own options)`;
`model(graph, state (N, S), forcing (N, F))` returns the increment (N, S), everything normalised.
"""

from torch import nn

from physgt.models.masked_transformer import MaskedTransformer
from physgt.models.meshgraphnet import MeshGraphNet
from physgt.models.physgto import PhysGTO

MODELS: dict[str, type[nn.Module]] = {
    "masked_transformer": MaskedTransformer,
    "meshgraphnet": MeshGraphNet,
    "physgto": PhysGTO,
}

__all__ = ["MODELS", "MaskedTransformer", "MeshGraphNet", "PhysGTO"]
