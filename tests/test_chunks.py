"""Functions in chunks of rows: the same values and gradients as on all rows at once."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from physgt.ops import chunks
from physgt.ops.chunks import in_chunks


class Example(nn.Module):
    """Row-wise, of two tensors with a row each and one gathered row."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, rows, others, gathered):
        return torch.tanh(self.linear(rows)) * others + gathered.square()


@pytest.fixture
def example(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 8)
    monkeypatch.setattr(chunks, "RECOMPUTE_ROWS", 16)
    torch.manual_seed(0)
    tensors = [torch.randn(*shape, dtype=torch.float64) for shape in ((37, 3), (37, 4), (5, 4))]
    return Example().double(), tensors, torch.randint(5, (37,))


def on_all_rows_at_once(function, rows, others, table, index):
    return function(rows, others, table[index])


def test_values_are_those_of_all_rows_at_once(example):
    function, (rows, others, table), index = example
    expected = on_all_rows_at_once(function, rows, others, table, index)
    with torch.no_grad():
        torch.testing.assert_close(in_chunks(function, [rows, others], [(table, index)]), expected)
    torch.testing.assert_close(in_chunks(function, [rows, others], [(table, index)]), expected)


@pytest.mark.parametrize("wanted", [(0, 1, 2), (0,), (2,), ()])
def test_gradients_are_those_of_all_rows_at_once(example, wanted):
    function, tensors, index = example
    weights = torch.randn(37, 4, dtype=torch.float64)
    found = []
    for evaluate in (
        lambda rows, others, table: in_chunks(function, [rows, others], [(table, index)]),
        lambda *inputs: on_all_rows_at_once(function, *inputs, index),
    ):
        inputs = [t.clone().requires_grad_(k in wanted) for k, t in enumerate(tensors)]
        function.zero_grad()
        (evaluate(*inputs) * weights).sum().backward()
        found.append([t.grad for t in (*inputs, *function.parameters())])
    for ours, expected in zip(*found, strict=True):
        assert (ours is None) == (expected is None)
        if expected is not None:
            torch.testing.assert_close(ours, expected)


def test_only_the_inputs_are_kept_for_the_gradient(example):
    function, (rows, others, table), index = example
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        in_chunks(function, [rows.requires_grad_(), others], [(table, index)])
    inputs = {t.data_ptr() for t in (rows, others, table, *function.parameters())}
    assert {t.data_ptr() for t in kept} <= inputs


def test_under_autocast_the_recomputed_chunks_have_the_same_precision(example):
    function, (rows, others, table), index = example
    function, rows = function.float(), rows.float().requires_grad_()
    others, table = others.float(), table.float()
    with torch.autocast("cpu", torch.bfloat16):
        found = in_chunks(function, [rows, others], [(table, index)])
        expected = on_all_rows_at_once(function, rows, others, table, index)
    torch.testing.assert_close(found, expected)
    (ours,) = torch.autograd.grad(found.sum(), rows)
    (theirs,) = torch.autograd.grad(expected.sum(), rows)
    torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-3)


def test_operations_can_be_counted_while_gradients_are_recorded(example):
    function, tensors, index = example
    rows, others, table = (tensor.requires_grad_() for tensor in tensors)
    with FlopCounterMode(display=False) as counter:
        in_chunks(function, [rows, others], [(table, index)])
    assert counter.get_total_flops() == 2 * 37 * 3 * 4  # of the linear map
