"""Segment operations, against loops over rows picked by hand."""

import pytest
import torch
from torch.autograd import gradcheck

from physgt.ops.segment import segment_mean, segment_softmax, segment_sum

NUM_NODES = 7
# Edges of no particular order or symmetry; node 0 receives nothing, node 1 hears node 5 twice.
SENDERS = torch.tensor([5, 2, 5, 0, 3, 6, 1, 1, 4, 2, 0])
RECEIVERS = torch.tensor([1, 1, 1, 2, 2, 3, 4, 5, 5, 6, 6])
SHUFFLED = torch.tensor([4, 10, 0, 7, 2, 9, 5, 1, 8, 3, 6])


@pytest.fixture(params=["ascending", "shuffled"])
def edge_index(request):
    edges = torch.stack([SENDERS, RECEIVERS])
    return edges if request.param == "ascending" else edges[:, SHUFFLED]


def random(*shape, requires_grad=False):
    generator = torch.Generator().manual_seed(sum(shape))
    values = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return values.requires_grad_(requires_grad)


def test_segment_sum_and_mean_are_those_of_the_rows_picked_by_hand(edge_index):
    index = edge_index[1]
    values = random(len(index), 3, 2)
    for node in range(1, NUM_NODES):
        rows = values[index == node]
        torch.testing.assert_close(segment_sum(values, index, NUM_NODES)[node], rows.sum(0))
        torch.testing.assert_close(segment_mean(values, index, NUM_NODES)[node], rows.mean(0))


def test_an_empty_segment_has_sum_and_mean_zero(edge_index):
    values = random(len(edge_index[1]), 3)
    assert (segment_sum(values, edge_index[1], NUM_NODES)[0] == 0).all()
    assert (segment_mean(values, edge_index[1], NUM_NODES)[0] == 0).all()


def test_segment_softmax_is_the_softmax_of_the_rows_picked_by_hand(edge_index):
    index = edge_index[1]
    scores = random(len(index), 4)
    weights = segment_softmax(scores, index, NUM_NODES)
    for node in range(1, NUM_NODES):
        torch.testing.assert_close(weights[index == node], scores[index == node].softmax(0))


def test_segment_softmax_survives_scores_whose_exponential_overflows():
    scores = torch.tensor([[1000.0], [999.0], [-1000.0]])
    index = torch.tensor([0, 0, 1])
    expected = torch.tensor([[0.7310586], [0.2689414], [1.0]])  # 1 / (1 + exp(-1)), its rest, 1
    torch.testing.assert_close(segment_softmax(scores, index, 2), expected)


@pytest.mark.parametrize("operation", [segment_sum, segment_mean, segment_softmax])
def test_segment_gradients_are_those_of_finite_differences(operation, edge_index):
    values = random(len(edge_index[1]), 3, requires_grad=True)
    assert gradcheck(lambda v: operation(v, edge_index[1], NUM_NODES), values)
