"""Run by test_triton.py in a process of its own, where Triton interprets its kernels on the CPU."""

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.library import opcheck

from physgt.ops import edges, triton_edges
from physgt.ops.edges import edge_activation
from physgt.ops.neighbour_attention import plain_neighbour_attention
from physgt.ops.neighbours import Neighbours
from physgt.ops.triton_attention import triton_neighbour_attention

NUM_NODES = 8
TOLERANCE = {
    torch.float64: 1e-10,
    torch.float32: 1e-5,
    torch.float16: 5e-3,
    torch.bfloat16: 4e-2,
}


@pytest.fixture(autouse=True)
def on_a_gpu(monkeypatch):
    """Edges are given to Triton, though their tensors lie on the CPU."""
    monkeypatch.setattr(edges, "_have_kernel", lambda *_: True)
    monkeypatch.setattr(edges, "_kernels", lambda _: triton_edges)


def directed_graph(num_nodes: int, most: int) -> Neighbours:
    """Node i sees up to `most` others, the first none, not in both directions."""
    generator = torch.Generator().manual_seed(num_nodes)
    seen = torch.rand(num_nodes, num_nodes, generator=generator)
    wanted = torch.linspace(0, most / num_nodes, num_nodes)[:, None]
    receivers, senders = (seen < wanted).nonzero().T
    return Neighbours.directed(torch.stack([senders, receivers]), num_nodes)


def random(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """The same in every type, as far as it goes."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def with_gradients(function, tensors):
    """The result, and the gradients of its product with numbers of no pattern."""
    tensors = [tensor.detach().requires_grad_() for tensor in tensors]
    out = function(*tensors)
    return [out.detach(), *torch.autograd.grad(out, tensors, random(*out.shape, dtype=out.dtype))]


def assert_agree(ours, in_plain_torch, tensors, dtype):
    """In `dtype` with plain torch's in float64, to the rounding of `dtype`."""
    tensors = [tensor.to(dtype) for tensor in tensors]
    found = with_gradients(ours, tensors)
    expected = with_gradients(in_plain_torch, [tensor.double() for tensor in tensors])
    assert {tensor.dtype for tensor in found} == {dtype}
    tolerance = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    torch.testing.assert_close([tensor.double() for tensor in found], expected, **tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    ("most", "heads", "channels"),
    [
        (5, 2, 8),
        (5, 3, 5),  # channels that aren't a power of two
        (8, 1, 1),
        (8, 1, 33),
    ],
)
def test_attention_and_its_gradients_are_those_of_plain_torch(most, heads, channels, dtype):
    neighbours = directed_graph(NUM_NODES, most)
    assert_agree(
        lambda *qkv: triton_neighbour_attention(*qkv, neighbours),
        lambda *qkv: plain_neighbour_attention(*qkv, neighbours),
        random(3, NUM_NODES, heads, channels),
        dtype,
    )


def test_a_node_may_have_more_than_64_neighbours():
    others = torch.arange(1, 70)
    sees_all = torch.stack([others, torch.zeros_like(others)])
    neighbours = Neighbours.directed(torch.cat([sees_all, sees_all.flip(0)], dim=1), 70)
    assert neighbours.offsets.diff()[0] == neighbours.seen_by_offsets.diff()[0] == 69
    assert_agree(
        lambda *qkv: triton_neighbour_attention(*qkv, neighbours),
        lambda *qkv: plain_neighbour_attention(*qkv, neighbours),
        random(3, 70, 1, 4),
        torch.float32,
    )


def test_a_node_without_neighbours_gets_zero():
    neighbours = directed_graph(NUM_NODES, 5)
    assert neighbours.offsets[1] == 0
    assert (triton_neighbour_attention(*random(3, NUM_NODES, 2, 8), neighbours)[0] == 0).all()


def test_query_key_and_value_may_be_parts_of_one_tensor():
    neighbours = directed_graph(NUM_NODES, 5)
    fused = random(NUM_NODES, 3, 2, 8).requires_grad_()
    out = triton_neighbour_attention(*fused.unbind(1), neighbours)
    out.backward(random(NUM_NODES, 2, 8))
    separate = [part.contiguous() for part in fused.detach().unbind(1)]
    expected, *gradients = with_gradients(
        lambda *qkv: triton_neighbour_attention(*qkv, neighbours), separate
    )
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(fused.grad, torch.stack(gradients, 1))


def test_attention_gradients_are_those_of_finite_differences():
    neighbours = directed_graph(4, 4)
    qkv = [part.clone().requires_grad_() for part in random(3, 4, 1, 2)]
    assert gradcheck(lambda *qkv: triton_neighbour_attention(*qkv, neighbours), qkv, fast_mode=True)


def test_tensors_that_do_not_fit_the_graph_are_refused():
    qkv = random(3, 7, 2, 8)
    with pytest.raises(ValueError, match="7 nodes, but neighbours of 8"):
        triton_neighbour_attention(*qkv, directed_graph(NUM_NODES, 5))
    with pytest.raises(ValueError, match=r"product .*sent .*received"):
        edge_activation(random(9, 3), *random(2, 5, 4), *torch.zeros(2, 9).long(), nn.ReLU())
    with pytest.raises(ValueError, match="9 edges, 8 senders, 8 receivers"):
        edge_activation(random(9, 3), *random(2, 5, 3), *torch.zeros(2, 8).long(), nn.ReLU())


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("channels", [3, 32, 200])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.SiLU, nn.GELU])
def test_an_edge_layer_and_its_gradients_are_those_of_plain_torch(activation, channels, dtype):
    num_nodes, num_edges = 9, 70  # several blocks of edges, the last one not full
    generator = torch.Generator().manual_seed(0)
    senders, receivers = torch.randint(num_nodes, (2, num_edges), generator=generator)
    product = random(num_edges, channels)
    sent, received = random(num_nodes, 2 * channels).chunk(2, dim=1)  # rows that lie apart
    assert_agree(
        lambda *rows: edge_activation(*rows, senders, receivers, activation()),
        lambda e, s, r: activation()(e + s[senders] + r[receivers]),
        [product, sent, received],
        dtype,
    )


def test_there_may_be_no_edges():
    none, nodes = torch.zeros(0, dtype=torch.long), random(4, 3)
    found = with_gradients(
        lambda *rows: edge_activation(*rows, none, none, nn.SiLU()),
        [random(0, 3), nodes, nodes],
    )
    assert [tuple(tensor.shape) for tensor in found] == [(0, 3), (0, 3), (4, 3), (4, 3)]
    assert (torch.stack(found[2:]) == 0).all()


def test_torch_compile_is_told_the_truth_about_shapes_and_gradients():
    neighbours = directed_graph(NUM_NODES, 5)
    lists = [neighbours.senders, neighbours.offsets, neighbours.seen_by, neighbours.seen_by_offsets]
    qkv = [part.clone().requires_grad_() for part in random(3, NUM_NODES, 2, 4)]
    opcheck(torch.ops.physgt.triton_neighbour_attention, (*qkv, *lists))
    rows = [random(6, 3).requires_grad_(), *(random(4, 3).requires_grad_() for _ in range(2))]
    senders, receivers = torch.tensor([[0, 1, 2, 3, 0, 1], [1, 2, 3, 0, 2, 3]])
    opcheck(torch.ops.physgt.edge_activation, (*rows, senders, receivers, "gelu"))
