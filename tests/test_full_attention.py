"""Attention of all to all by the kernel is torch's, forward and backward, in each precision."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.library import opcheck
from torch.nn.functional import scaled_dot_product_attention

from physgt.ops import full_attention as module
from physgt.ops import library
from physgt.ops.full_attention import full_attention

needs_kernels = pytest.mark.skipif(
    not library.is_available(torch.zeros(1)), reason="needs the kernels, built by pip install"
)


def operands(queries, keys, heads=2, channels=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    sizes = queries, keys, keys
    return [
        2 * torch.randn(size, heads, channels, generator=generator, dtype=torch.float64).to(dtype)
        for size in sizes
    ]


def dense(query, key, value):
    return scaled_dot_product_attention(*(x.transpose(0, 1) for x in (query, key, value)))


def relative(found, expected):
    return float((found.double() - expected).norm() / expected.norm())


# Less and more than the panels of 32 queries and the blocks of 128 keys, and whole ones.
@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (3, 300), (700, 8), (32, 128), (290, 257)])
@pytest.mark.parametrize("channels", [5, 16, 40])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 2e-6), (torch.bfloat16, 2e-2), (torch.float64, 1e-13)],
)
def test_values_and_gradients_are_torch_s_in_double_precision(
    queries, keys, channels, dtype, tolerance
):
    inputs = [x.requires_grad_() for x in operands(queries, keys, 2, channels, dtype)]
    exact = [x.detach().double().requires_grad_() for x in inputs]
    out, expected = full_attention(*inputs), dense(*exact).transpose(0, 1)
    assert out.dtype == dtype
    assert relative(out, expected) < tolerance
    direction = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    direction = direction.to(dtype)
    found = torch.autograd.grad(out, inputs, direction)
    wanted = torch.autograd.grad(expected, exact, direction.double())
    for ours, theirs in zip(found, wanted, strict=True):
        # With one key, queries and keys have no gradient but rounding.
        assert (ours.double() - theirs).norm() < tolerance * (theirs.norm() + direction.norm())


def test_gradients_are_those_of_finite_differences():
    inputs = [x.requires_grad_() for x in operands(7, 11, channels=3)]
    assert gradcheck(full_attention, inputs)


def test_rows_may_be_parts_of_wider_rows():
    query, key, value = torch.randn(40, 3, 2, 5, dtype=torch.float64).unbind(1)
    apart = full_attention(query, key, value)
    together = full_attention(query.contiguous(), key.contiguous(), value.contiguous())
    assert torch.equal(apart, together)


def test_scores_of_any_size_are_no_trouble():
    query, key, value = operands(40, 300)
    found = full_attention(1e4 * query, key, value)
    torch.testing.assert_close(found, dense(1e4 * query, key, value).transpose(0, 1))


@needs_kernels
def test_results_do_not_depend_on_the_number_of_threads():
    inputs = [x.requires_grad_() for x in operands(290, 257)]
    results = []
    before = torch.get_num_threads()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        out = full_attention(*inputs)
        results.append((out.detach(), *torch.autograd.grad(out.square().sum(), inputs)))
    torch.set_num_threads(before)
    for one, three in zip(*results, strict=True):
        assert torch.equal(one, three)


@needs_kernels
def test_the_operator_is_a_proper_one_of_torch():
    opcheck(module._attention, [x.requires_grad_() for x in operands(4, 6)])


@needs_kernels
def test_shapes_that_do_not_fit_are_refused():
    query, key, value = operands(4, 6)
    with pytest.raises(ValueError, match="value"):
        full_attention(query, key, value[:5])


def test_without_kernels_the_results_are_the_same(monkeypatch):
    inputs = operands(20, 30)
    expected = full_attention(*inputs)
    monkeypatch.setattr(module, "is_available", lambda *_: False)
    torch.testing.assert_close(full_attention(*inputs), expected)
