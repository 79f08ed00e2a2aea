"""Checkpoints of the published implementations, as models of ours.

In every function `weights` maps the published parameter names to arrays or tensors and `config`
holds the arguments of the published constructor. The models agree to the rounding of float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from physgt.errors import PhysgtError
from physgt.graph import Graph
from physgt.models.masked_transformer import MaskedTransformer
from physgt.models.meshgraphnet import MeshGraphNet
from physgt.models.physgto import PhysGTO

Weights = Mapping[str, Any]
Model = TypeVar("Model", bound=nn.Module)

# Replaced one after the other in a published name.
_PHYSGTO_NAMES = {
    "encoder.fv1.f.": "state_encoder.",
    "encoder.fv_type.f.": "node_type_encoder.",
    "encoder.enc_t.f.": "forcing_encoder.",
    "encoder.fv2.f.": "fusion.",
    "encoder.fe.f.": "edge_encoder.",
    "mixer.blocks.": "blocks.",
    ".gnn.f_edge.f.0.": ".message_passing.flux.per_edge.",
    ".gnn.f_edge.f.": ".message_passing.flux.per_edge.layers.",
    ".per_edge.layers.2.": ".per_edge.layers.1.",
    ".per_edge.layers.3.": ".per_edge.layers.2.",
    ".gnn.f_node.f.": ".message_passing.node.",
    ".ln1.": ".attention_norm.",
    ".MHA.Q": ".attention.token_query",
    ".MHA.kv_1.": ".attention.key_value.",
    ".MHA.qkv_2.": ".attention.token_map.",
    ".MHA.q_3.": ".attention.query.",
    ".MHA.proj.": ".attention.out.",
    ".ln2.": ".mlp.0.",
    ".linear1.0.": ".mlp.1.",
    ".linear1.2.": ".mlp.3.",
    "decoder.alpha": "alpha",
    "decoder.state_out.": "decoder.",
}
_MASKED_TRANSFORMER_NAMES = {
    "nodes_encoder.7.": "encoder_norm.",
    "nodes_encoder.": "encoder.",
    "processor_list.": "blocks.",
    ".norm1.": ".project.norm.",
    ".attention.q_proj.": ".project.query.",
    ".attention.k_proj.": ".project.key.",
    ".attention.v_proj.": ".project.value.",
    ".attention.proj.": ".update.out.",
    ".norm2.": ".update.mlp_norm.0.",
    ".gated_mlp.0.": ".update.mlp_norm.1.",
    ".gated_mlp.1.linear1.": ".update.mlp.gate.",
    ".gated_mlp.1.linear2.": ".update.mlp.value.",
    ".gated_mlp.2.": ".update.mlp.out.",
    "decode_module.": "decoder.",
}
_MESHGRAPHNET_NAMES = {
    "nodes_encoder.": "node_encoder.",
    "edges_encoder.": "edge_encoder.",
    "processor_list.": "blocks.",
    ".edge_block.0.": ".message.per_edge.",
    ".edge_block.2.": ".message.per_edge.layers.1.",
    ".edge_block.4.": ".message.per_edge.layers.3.",
    ".edge_block.6.": ".message.per_edge.layers.5.",
    ".edge_block.7.": ".message.per_edge.layers.6.",
    ".node_block.": ".update.",
    "decode_module.": "decoder.",
}


def physgto_from_published(weights: Weights, config: Mapping[str, int]) -> PhysGTO:
    """config: space_size, pos_enc_dim, cond_dim, N_block, in_dim, enc_dim, n_head, n_token.

    The published time input is the model's only forcing, (N, 1), in seconds. See
    `published_orientation` for the graph.
    """
    _require(config, "space_size pos_enc_dim cond_dim N_block in_dim enc_dim n_head n_token")
    ours = _rename(weights, _PHYSGTO_NAMES)
    model = PhysGTO(
        state_size=config["in_dim"],
        forcing_size=1,
        space_dimension=config["space_size"],
        num_node_types=config["cond_dim"],
        width=config["enc_dim"],
        heads=config["n_head"],
        tokens=config["n_token"],
        blocks=config["N_block"],
        fourier_frequencies=config["pos_enc_dim"],
        mlp_width=len(weights["encoder.fv1.f.0.bias"]),
    )
    return _load(model, _split_edge_maps(ours, config["enc_dim"]))


def published_orientation(graph: Graph) -> Graph:
    """The graph with every edge sent by the node of the larger number, as PhysGTO was published.

    Results then depend on the numbering, but are those of a checkpoint trained that way.
    """
    return replace(graph, oriented=(graph.senders > graph.receivers).nonzero()[:, 0])


def masked_transformer_from_published(
    weights: Weights, config: Mapping[str, int]
) -> MaskedTransformer:
    """config: message_passing_num, node_input_size, output_size, hidden_size, num_heads.

    The first output_size of the published node inputs are the state, the others the forcing; node
    types and positions, where a checkpoint knows them, are among the forcing.
    """
    _require(config, "message_passing_num node_input_size output_size hidden_size num_heads")
    width, heads = config["hidden_size"], config["num_heads"]
    ours = _rename(weights, _MASKED_TRANSFORMER_NAMES)
    # Published channel f belongs to head f mod H; in ours the channels of a head are contiguous.
    by_head = torch.arange(width).view(-1, heads).T.flatten()
    for name, value in ours.items():
        if any(f".project.{projection}." in name for projection in ("query", "key", "value")):
            ours[name] = value[by_head]
        elif name.endswith(".update.out.weight"):
            ours[name] = value[:, by_head]
    model = MaskedTransformer(
        state_size=config["output_size"],
        forcing_size=config["node_input_size"] - config["output_size"],
        space_dimension=0,
        num_node_types=0,
        width=width,
        heads=heads,
        blocks=config["message_passing_num"],
        positions=False,
    )
    return _load(model, ours)


def meshgraphnet_from_published(weights: Weights, config: Mapping[str, int]) -> MeshGraphNet:
    """config: message_passing_num, node_input_size, edge_input_size, output_size, hidden_size.

    Node inputs are split as in `masked_transformer_from_published`. The edge inputs are
    [points[row 0] - points[row 1] of edge_index | length].
    """
    _require(config, "message_passing_num node_input_size edge_input_size output_size hidden_size")
    width = config["hidden_size"]
    ours = _rename(weights, _MESHGRAPHNET_NAMES)
    for name, value in ours.items():
        if name.endswith(".per_edge.weight"):
            # Columns [edge | receiver | sender] become [sender | receiver | edge].
            ours[name] = torch.cat(value.split(width, dim=1)[::-1], dim=1)
    model = MeshGraphNet(
        state_size=config["output_size"],
        forcing_size=config["node_input_size"] - config["output_size"],
        space_dimension=config["edge_input_size"] - 1,
        num_node_types=0,
        width=width,
        blocks=config["message_passing_num"],
        hidden_layers=3,
        rms_norm=True,
    )
    return _load(model, _split_edge_maps(ours, width))


def _require(config: Mapping[str, int], names: str) -> None:
    missing = [name for name in names.split() if name not in config]
    if missing:
        raise PhysgtError(
            f"published config: {', '.join(missing)} missing, found {', '.join(config)}. "
            "Pass the arguments of the published constructor."
        )


def _rename(weights: Weights, names: Mapping[str, str]) -> dict[str, Tensor]:
    renamed = {}
    for name, value in weights.items():
        for published, ours in names.items():
            name = name.replace(published, ours)
        renamed[name] = torch.as_tensor(value)
    return renamed


def _split_edge_maps(weights: dict[str, Tensor], edge_width: int) -> dict[str, Tensor]:
    """Columns [sender | receiver | edge] of a first linear map, as layers.EdgeMLP holds them."""
    split = {}
    for name, value in weights.items():
        if name.endswith(".per_edge.weight"):
            from_sender, from_receiver = value[:, :-edge_width].chunk(2, dim=1)
            joined = torch.cat([from_sender, from_receiver])
            split[name.replace(".per_edge.weight", ".from_node")] = joined
            value = value[:, -edge_width:]
        split[name] = value
    return split


def _load(model: Model, weights: Mapping[str, Tensor]) -> Model:
    """The model with `weights`, which have to be all of its parameters, in the right shapes."""
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise PhysgtError(
                f"published weights: {name} has shape {found.get(name, 'none')}, the model's has "
                f"{expected.get(name, 'none')}. Pass weights and config of the same checkpoint."
            )
    model.load_state_dict(weights)
    return model
