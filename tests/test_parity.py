"""Weights of the published implementations, loaded into our models, give the published numbers.

The files hold seeded weights, inputs, outputs, losses and gradients of the published code.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from physgt.errors import PhysgtError
from physgt.graph import Graph, batch_graphs
from physgt.models.published import (
    masked_transformer_from_published,
    meshgraphnet_from_published,
    physgto_from_published,
    published_orientation,
)

PARITY = Path(__file__).parents[2] / "shared" / "parity"
LOADERS = {
    "physgto": physgto_from_published,
    "masked_transformer": masked_transformer_from_published,
    "meshgraphnet": meshgraphnet_from_published,
}


class Published:
    """One file: its arrays as tensors, and models of ours that hold its weights or gradients."""

    def __init__(self, name):
        path = PARITY / f"{name}.npz"
        if not path.exists():
            pytest.skip(f"{path} is not here")
        arrays = dict(np.load(path))
        self.config = json.loads(str(arrays.pop("config")))
        self.tensors = {key: torch.as_tensor(value) for key, value in arrays.items()}
        self.load = LOADERS[name]

    def __getitem__(self, key):
        return self.tensors[key]

    def all(self, group):
        prefix = f"{group}."
        return {
            key.removeprefix(prefix): value
            for key, value in self.tensors.items()
            if key.startswith(prefix)
        }

    def model(self):
        return self.load(self.all("weights"), self.config)

    def gradients(self):
        """Name of our parameter -> published gradient, brought to our layout."""
        return dict(self.load(self.all("grads"), self.config).named_parameters())


@pytest.fixture
def physgto():
    return Published("physgto")


@pytest.fixture(params=["masked_transformer", "meshgraphnet"])
def one_graph_model(request):
    return Published(request.param)


def make_graph(points, edge_index, node_type):
    edge_index = edge_index[:, np.lexsort(edge_index.numpy())]
    senders, receivers = edge_index
    graph = Graph(
        points=points,
        edge_index=edge_index,
        edge_vectors=points[senders] - points[receivers],
        oriented=torch.empty(0, dtype=torch.int64),
        node_type=node_type,
        free=torch.ones(len(points), 1, dtype=torch.bool),
        graph_index=torch.zeros(len(points), dtype=torch.int64),
        order=torch.arange(len(points)),
        encodings=torch.empty(len(points), 0),
    )
    return published_orientation(graph)


def physgto_inputs(published):
    """The two samples of the file as one batch: graph, state (2N, 4), time (2N, 1)."""
    points, edges = published["mesh.points"], published["mesh.edges"].T
    both_ways = torch.cat([edges, edges.flip(0)], dim=1)
    graph = batch_graphs(
        [make_graph(points, both_ways, types) for types in published["input.node_type"]]
    )
    time = published["input.time"].repeat_interleave(len(points), dim=0)
    return graph, published["input.state"].flatten(0, 1), time


def one_graph_inputs(published):
    points, edge_index = published["graph.points"], published["graph.edge_index"]
    graph = make_graph(points, edge_index, torch.zeros(len(points), dtype=torch.int64))
    outputs = published.config["output_size"]
    return graph, *published["input.nodes"].tensor_split([outputs], dim=1)


def assert_relatively_close(actual, expected, tolerance):
    assert actual.shape == expected.shape
    error = torch.linalg.vector_norm(actual - expected) / torch.linalg.vector_norm(expected)
    assert error < tolerance


def assert_gradients_agree(model, expected, tolerance=1e-4):
    # Some gradients are zero but for rounding: attention doesn't change when a constant is added to
    # all keys, and hardly with the queries of a nearly flat softmax. Hence a floor, of the order
    # of float32's rounding of the whole gradient.
    norms = torch.stack([gradient.norm() for gradient in expected.values()])
    floor = 1e-8 * norms.square().sum().sqrt()
    actual = dict(model.named_parameters())
    assert actual.keys() == expected.keys()
    for name, gradient in expected.items():
        error = torch.linalg.vector_norm(actual[name].grad - gradient)
        assert error < tolerance * gradient.norm() + floor, name


def test_physgto_increment_is_the_published_one(physgto):
    increment = physgto.model()(*physgto_inputs(physgto))
    assert_relatively_close(increment, physgto["output.increment"].flatten(0, 1), 1e-5)


def test_physgto_loss_and_gradients_of_every_parameter_are_the_published_ones(physgto):
    model = physgto.model()
    graph, state, time = physgto_inputs(physgto)
    increment = model(graph, state, time)
    loss = (state + increment).square().mean() + increment.square().mean()
    loss.backward()
    torch.testing.assert_close(loss.detach(), physgto["loss"], rtol=1e-6, atol=0)
    assert_gradients_agree(model, physgto.gradients())


@torch.no_grad()
def test_physgto_rollout_of_five_steps_is_the_published_one(physgto):
    model = physgto.model()
    graph, state, time = physgto_inputs(physgto)
    increment_from_start = 0
    rollout = physgto["output.rollout_dt0.02"].transpose(0, 1).flatten(1, 2)  # (5, 2N, 4)
    for step, expected in enumerate(rollout):
        increment_from_start += model(graph, state + increment_from_start, time + 0.02 * step)
        # What the steps have changed, not the state they hardly change; its reference is the
        # difference of two rounded states, so no better than 1e-4.
        assert_relatively_close(increment_from_start, expected - state, 1e-4)


def test_one_graph_model_output_is_the_published_one(one_graph_model):
    output = one_graph_model.model()(*one_graph_inputs(one_graph_model))
    assert_relatively_close(output, one_graph_model["output"], 1e-5)


def test_one_graph_model_gradients_of_every_parameter_are_the_published_ones(one_graph_model):
    model = one_graph_model.model()
    loss = F.mse_loss(model(*one_graph_inputs(one_graph_model)), one_graph_model["target"])
    loss.backward()
    torch.testing.assert_close(loss.detach(), one_graph_model["loss"], rtol=1e-6, atol=0)
    assert_gradients_agree(model, one_graph_model.gradients())


@torch.no_grad()
def test_one_graph_model_nodes_after_every_block_are_the_published_ones(one_graph_model):
    model = one_graph_model.model()
    outputs = []
    for block in model.blocks:
        block.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    model(*one_graph_inputs(one_graph_model))
    expected = one_graph_model.all("block_output")
    assert len(outputs) == len(expected)
    for number, output in enumerate(outputs):
        nodes = output[0] if isinstance(output, tuple) else output
        assert_relatively_close(nodes, expected[str(number)], 1e-5)


def test_weights_of_another_size_name_the_parameter_and_both_shapes(physgto):
    config = physgto.config | {"n_token": 8}
    with pytest.raises(PhysgtError, match=r"token_query has shape \(4, 16, 8\), .* \(4, 8, 8\)"):
        physgto_from_published(physgto.all("weights"), config)


def test_a_published_config_that_lacks_an_entry_names_it(physgto):
    del physgto.config["n_head"]
    with pytest.raises(PhysgtError, match="published config: n_head missing"):
        physgto.model()
