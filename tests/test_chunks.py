"""Functions in chunks of rows: the same values and gradients as on all rows at once."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from physgt.ops import chunks
from physgt.ops.chunks import in_chunks, updated_in_chunks


class Example(nn.Module):
    """Row-wise, of two tensors with a row each."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, rows, others):
        return torch.tanh(self.linear(rows)) * others


@pytest.fixture
def example(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 8)
    monkeypatch.setattr(chunks, "RECOMPUTE_ROWS", 16)
    torch.manual_seed(0)
    return Example().double(), [torch.randn(37, k, dtype=torch.float64) for k in (3, 4)]


def test_values_are_those_of_all_rows_at_once(example):
    function, (rows, others) = example
    expected = function(rows, others)
    with torch.no_grad():
        torch.testing.assert_close(in_chunks(function, rows, others), expected)
    torch.testing.assert_close(in_chunks(function, rows, others), expected)


@pytest.mark.parametrize("wanted", [(0, 1), (0,), (1,), ()])
def test_gradients_are_those_of_all_rows_at_once(example, wanted):
    function, tensors = example
    weights = torch.randn(37, 4, dtype=torch.float64)
    found = []
    for evaluate in (lambda *rows: in_chunks(function, *rows), function):
        inputs = [t.clone().requires_grad_(k in wanted) for k, t in enumerate(tensors)]
        function.zero_grad()
        (evaluate(*inputs) * weights).sum().backward()
        found.append([t.grad for t in (*inputs, *function.parameters())])
    for ours, expected in zip(*found, strict=True):
        assert (ours is None) == (expected is None)
        if expected is not None:
            torch.testing.assert_close(ours, expected)


def test_only_the_inputs_are_kept_for_the_gradient(example):
    function, (rows, others) = example
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        in_chunks(function, rows.requires_grad_(), others)
    inputs = {t.data_ptr() for t in (rows, others, *function.parameters())}
    assert {t.data_ptr() for t in kept} <= inputs


def test_under_autocast_the_recomputed_chunks_have_the_same_precision(example):
    function, (rows, others) = example
    function, rows = function.float(), rows.float().requires_grad_()
    others = others.float()
    with torch.autocast("cpu", torch.bfloat16):
        found = in_chunks(function, rows, others)
        expected = function(rows, others)
    torch.testing.assert_close(found, expected)
    (ours,) = torch.autograd.grad(found.sum(), rows)
    (theirs,) = torch.autograd.grad(expected.sum(), rows)
    torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-3)


def test_operations_can_be_counted_while_gradients_are_recorded(example):
    function, tensors = example
    rows, others = (tensor.requires_grad_() for tensor in tensors)
    with FlopCounterMode(display=False) as counter:
        in_chunks(function, rows, others)
    assert counter.get_total_flops() == 2 * 37 * 3 * 4  # of the linear map


class Step(nn.Module):
    """Row-wise, with as many channels as it is given."""

    def forward(self, rows, others):
        return rows.square() + others


def test_an_update_takes_the_place_of_its_rows_where_nothing_is_recorded(example):
    _, (_, others) = example
    rows = torch.randn(37, 4, dtype=torch.float64)
    before, expected = rows.clone(), rows.square() + others
    recorded = updated_in_chunks(Step(), rows, others)
    torch.testing.assert_close(recorded, expected)
    torch.testing.assert_close(rows, before)
    with torch.no_grad():
        found = updated_in_chunks(Step(), rows, others)
    torch.testing.assert_close(found, expected)
    assert found.data_ptr() == rows.data_ptr()


@pytest.mark.parametrize("change", [lambda rows: rows[:, :1], lambda rows: rows.float()])
def test_an_update_of_another_width_or_type_leaves_its_rows(example, change):
    _, (_, others) = example
    rows = change(torch.randn(37, 4, dtype=torch.float64))
    before, expected = rows.clone(), rows.square() + others
    with torch.no_grad():
        found = updated_in_chunks(Step(), rows, others)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(rows, before)
