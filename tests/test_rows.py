"""Row-wise operations: kernels against formulas written out, with their gradients."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.library import opcheck

from physgt.ops import library
from physgt.ops.rows import LayerNorm, gelu_gate, rms_norm

needs_kernels = pytest.mark.skipif(
    not library.is_available(torch.zeros(1)), reason="needs the kernels, built by pip install"
)
NUM_ROWS = 300  # more than two threads' shares, the last one not full


def random(*shape, dtype=torch.float64):
    generator = torch.Generator().manual_seed(sum(shape))
    return 2 * torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def root_mean_square_norm(x, scale):
    return scale * x / (x.square().mean(-1, keepdim=True).sqrt() + 1e-8)


def gate_written_out(gate, value):
    return gate * (1 + torch.erf(gate / 2**0.5)) / 2 * value


def norm_operands(channels, dtype=torch.float64):
    return random(NUM_ROWS, 2 * channels, dtype=dtype)[:, channels:], random(channels, dtype=dtype)


def gate_operands(channels, dtype=torch.float64):
    return random(NUM_ROWS, 2 * channels, dtype=dtype).chunk(2, dim=1)


OPERATIONS = {
    "rms_norm": (rms_norm, root_mean_square_norm, norm_operands),
    "gelu_gate": (gelu_gate, gate_written_out, gate_operands),
}
every_operation = pytest.mark.parametrize("name", OPERATIONS)


def with_gradients(function, tensors):
    inputs = [tensor.detach().requires_grad_() for tensor in tensors]
    out = function(*inputs)
    return [out.detach(), *torch.autograd.grad(out, inputs, random(*out.shape, dtype=out.dtype))]


@every_operation
@pytest.mark.parametrize("channels", [1, 5, 64, 100])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 2.0**-7)],
)
def test_values_and_gradients_are_those_of_the_formula(name, channels, dtype, tolerance):
    ours, formula, operands = OPERATIONS[name]
    tensors = operands(channels, dtype)
    found = with_gradients(ours, tensors)
    expected = with_gradients(formula, [tensor.double() for tensor in tensors])
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype
        # A norm of one channel is a sign: its gradient, 0, is found to rounding.
        assert (a.double() - b).norm() <= tolerance * (b.norm() + (channels == 1) * NUM_ROWS)


@every_operation
def test_gradients_are_those_of_finite_differences(name):
    ours, _, operands = OPERATIONS[name]
    assert gradcheck(ours, [t[:4].clone().requires_grad_() for t in operands(4)])


@needs_kernels
@every_operation
def test_the_operators_keep_what_torch_asks_of_them(name):
    tensors = [tensor.clone().requires_grad_() for tensor in OPERATIONS[name][2](5)]
    opcheck(getattr(torch.ops.physgt, name).default, tensors)
    detached = [tensor.detach() for tensor in tensors]
    backward = getattr(torch.ops.physgt, f"{name}_backward").default
    opcheck(backward, (random(NUM_ROWS, 5), *detached))


@needs_kernels
@every_operation
def test_the_number_of_threads_changes_no_bit(name):
    ours, _, operands = OPERATIONS[name]
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(with_gradients(ours, operands(48, torch.float32)))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_a_row_of_zeros_stays_zero_and_so_does_its_gradient_by_the_norm():
    x = torch.zeros(2, 3).requires_grad_()
    out = rms_norm(x, torch.ones(3))
    assert (out == 0).all()
    (gradient,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(gradient, torch.full((2, 3), 1e8))  # of x / 1e-8


@every_operation
def test_there_may_be_no_rows(name):
    ours, _, operands = OPERATIONS[name]
    first, second = operands(3)
    found = with_gradients(ours, [first[:0], second if second.ndim == 1 else second[:0]])
    assert found[0].shape == (0, 3)
    assert (found[2] == 0).all()


@every_operation
def test_without_kernels_the_result_is_the_same(name, monkeypatch):
    ours, _, operands = OPERATIONS[name]
    expected = with_gradients(ours, operands(6))
    monkeypatch.setattr(library, "LIBRARY", None)
    monkeypatch.setattr(library, "_tell_why_not", lambda: None)
    for a, b in zip(with_gradients(ours, operands(6)), expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("channels", [1, 5, 64, 100])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 2.0**-7)],
)
@pytest.mark.parametrize("recorded", [True, False])
def test_a_layer_norm_is_the_formula(channels, dtype, tolerance, recorded):
    x, weight = norm_operands(channels, dtype)
    bias = random(channels)
    layer = LayerNorm(channels, dtype=torch.float64 if dtype == torch.float64 else torch.float32)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    with torch.set_grad_enabled(recorded), torch.autocast("cpu", enabled=dtype == torch.bfloat16):
        found = layer(x)
    exact, mean = x.double(), x.double().mean(-1, keepdim=True)
    variance = (exact - mean).square().mean(-1, keepdim=True)
    expected = (exact - mean) / (variance + layer.eps).sqrt() * weight.double() + bias
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=4 * tolerance)


def test_what_is_too_large_for_a_layer_norm_is_no_number():
    rows = torch.stack([torch.arange(8.0), 1e30 * torch.arange(8.0)])
    with torch.no_grad():
        found = LayerNorm(8)(rows)
    assert found[0].isfinite().all()
    assert found[1].isnan().all()
