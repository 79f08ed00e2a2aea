"""torch.export and torch.compile take every model as it is."""

import pytest
import torch
from torch import nn

from physgt.graph import build_graph
from physgt.models import MODELS
from test_models import make_model, random_fields, random_mesh


class OnGraph(nn.Module):
    """A model on one graph: tensors in, tensor out."""

    def __init__(self, model: nn.Module, graph) -> None:
        super().__init__()
        self.model = model
        self.graph = graph

    def forward(self, state, forcing):
        return self.model(self.graph, state, forcing)


@pytest.fixture(params=sorted(MODELS))
def on_graph(request):
    torch.manual_seed(0)
    model = make_model(request.param)
    graph = build_graph(random_mesh(40, seed=1), masks=model.masks, encodings=model.encodings)
    return OnGraph(model, graph), *random_fields(graph)


def test_an_exported_model_comes_back_and_gives_the_same(on_graph, tmp_path):
    module, state, forcing = on_graph
    with torch.no_grad():
        expected = module(state, forcing)
        exported = torch.export.export(module.eval(), (state, forcing))
    torch.export.save(exported, tmp_path / "model.pt2")
    operators = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    own = [name for name in operators if "physgt" in name or "mkldnn" in name]
    assert not own, "must run where physgt is not, on any processor"
    found = torch.export.load(tmp_path / "model.pt2").module()(state, forcing)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_a_compiled_model_gives_the_same_with_the_same_gradients(on_graph):
    module, state, forcing = on_graph
    found = []
    for evaluate in (module, torch.compile(module, backend="aot_eager")):
        module.zero_grad()
        out = evaluate(state, forcing)
        out.square().sum().backward()
        found.append([out.detach(), *(p.grad.clone() for p in module.parameters())])
    for ours, expected in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
