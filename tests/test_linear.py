"""Linear maps by oneDNN: those of float64, to the rounding of float32, with their gradients."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from physgt.ops import linear as module
from physgt.ops.linear import Linear, linear

needs_onednn = pytest.mark.skipif(not module.USE_ONEDNN, reason="torch's own product is used here")


@pytest.fixture(autouse=True)
def small_products_go_to_onednn(monkeypatch):
    monkeypatch.setattr(module, "FEWEST_MULTIPLICATIONS", 1)


def random(*shape):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator)


def operands(rows=300, inputs=37, outputs=21):
    return random(rows, inputs), random(outputs, inputs), random(outputs)


def with_gradients(function, tensors):
    inputs = [tensor.detach().requires_grad_() for tensor in tensors]
    out = function(*inputs)
    direction = random(*out.shape).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, inputs, direction)]


@pytest.mark.parametrize("rows", [1, 3, 300])
@pytest.mark.parametrize("with_bias", [True, False])
def test_values_and_gradients_are_those_in_double_precision(rows, with_bias):
    tensors = operands(rows)[: 3 if with_bias else 2]
    found = with_gradients(linear, tensors)
    expected = with_gradients(F.linear, [tensor.double() for tensor in tensors])
    for ours, exact in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        assert (ours.double() - exact).norm() <= 1e-6 * exact.norm()


@pytest.mark.parametrize("rows", ["a part of wider rows", "transposed", "one row repeated"])
def test_rows_may_lie_in_memory_in_any_way(rows):
    _, weight, bias = operands()
    x = {
        "a part of wider rows": random(50, 80)[:, 5:42],
        "transposed": random(37, 50).T,
        "one row repeated": random(1, 37).expand(50, 37),
    }[rows]
    torch.testing.assert_close(linear(x, weight, bias), F.linear(x, weight, bias))


@pytest.mark.parametrize("lies", ["by columns", "apart"])
def test_weights_may_lie_in_memory_in_any_way(lies):
    x, _, bias = operands()
    weight = random(37, 21).T if lies == "by columns" else random(21, 80)[:, 5:42]
    torch.testing.assert_close(linear(x, weight, bias), F.linear(x, weight, bias))


def test_the_gradient_of_a_plain_sum_is_right():
    x, weight, bias = (tensor.requires_grad_() for tensor in operands())
    linear(x, weight, bias).sum().backward()  # the incoming gradient is one number, expanded
    torch.testing.assert_close(x.grad, weight.sum(0).expand(300, 37))
    torch.testing.assert_close(bias.grad, torch.full((21,), 300.0))
    torch.testing.assert_close(weight.grad, x.sum(0).expand(21, 37))


def test_second_derivatives_are_there():
    x, weight, _ = (tensor.requires_grad_() for tensor in operands(5))
    (first,) = torch.autograd.grad(linear(x, weight).square().sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    expected = 2 * (weight.T @ weight).sum(0).expand(5, 37)
    torch.testing.assert_close(second, expected, rtol=1e-4, atol=1e-4)


def test_there_may_be_no_rows():
    assert linear(random(0, 37), *operands()[1:]).shape == (0, 21)


@needs_onednn
def test_a_layer_is_torch_s_and_runs_by_onednn():
    layer = Linear(37, 21)
    x = operands()[0]
    assert isinstance(layer, nn.Linear)
    with torch.profiler.profile() as profile:
        found = layer(x)
    assert "mkldnn::_linear_pointwise" in {event.key for event in profile.key_averages()}
    torch.testing.assert_close(found, F.linear(x, layer.weight, layer.bias))


def test_small_products_are_left_to_torch(monkeypatch):
    x, weight, bias = operands()
    monkeypatch.setattr(module, "FEWEST_MULTIPLICATIONS", 300 * 37 * 21 + 1)
    assert torch.equal(linear(x, weight, bias), F.linear(x, weight, bias))


def test_other_precisions_and_autocast_are_left_to_torch():
    x, weight, bias = operands()
    doubles = [tensor.double() for tensor in (x, weight, bias)]
    assert torch.equal(linear(*doubles), F.linear(*doubles))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(linear(x, weight, bias), F.linear(x, weight, bias))
