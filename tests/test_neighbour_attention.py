"""Neighbour attention: dense attention under a mask; the compiled kernels and plain torch agree."""

import warnings

import pytest
import torch
from torch.autograd import gradcheck
from torch.library import opcheck

from physgt.errors import PhysgtError
from physgt.ops import compiled, library
from physgt.ops.neighbour_attention import neighbour_attention, plain_neighbour_attention
from physgt.ops.neighbours import Neighbours, batch_neighbours

NUM_NODES = 150  # more than two blocks of neighbours, and more than one thread's share of nodes
HUB, ALONE, UNSEEN = 0, 1, 2

needs_kernels = pytest.mark.skipif(
    not library.is_available(torch.zeros(1)), reason="needs the kernels, built by pip install"
)
every_path = pytest.mark.parametrize(
    "attention",
    [plain_neighbour_attention, pytest.param(compiled.neighbour_attention, marks=needs_kernels)],
    ids=["plain", "compiled"],
)
every_size = pytest.mark.parametrize(
    ("heads", "channels"), [(1, 1), (2, 3), (5, 8), (3, 16), (4, 32), (2, 64), (1, 100)]
)


@pytest.fixture
def edge_index() -> torch.Tensor:
    """One-way edges: the hub sees all others, `ALONE` sees none, and none sees `UNSEEN`."""
    generator = torch.Generator().manual_seed(3)
    sees = torch.rand(NUM_NODES, NUM_NODES, generator=generator) < 0.04  # [receiver, sender]
    sees[HUB] = True
    sees[ALONE] = False
    sees[:, UNSEEN] = False
    sees.fill_diagonal_(False)
    receivers, senders = sees.nonzero(as_tuple=True)
    return torch.stack([senders, receivers])


@pytest.fixture
def neighbours(edge_index) -> Neighbours:
    return Neighbours.directed(edge_index, NUM_NODES)


def operands(heads, channels, dtype=torch.float64, num_nodes=NUM_NODES, requires_grad=False):
    """Query, key and value."""
    generator = torch.Generator().manual_seed(heads * channels)
    values = torch.randn(3, num_nodes, heads, channels, generator=generator, dtype=torch.float64)
    return [part.clone().to(dtype).requires_grad_(requires_grad) for part in values]


def dense_attention(query, key, value, edge_index):
    """Softmax over all nodes, with minus infinity where there is no edge; a row at a time."""
    rows = []
    for node in range(len(query)):
        seen = edge_index[0, edge_index[1] == node]
        scores = torch.einsum("hc,nhc->hn", query[node], key[seen]) / query.shape[-1] ** 0.5
        rows.append(torch.einsum("hn,nhc->hc", scores.softmax(-1), value[seen]))
    return torch.stack(rows)


def with_gradients(attention, tensors, neighbours):
    """The result, and the gradients of its product with numbers of no pattern."""
    inputs = [tensor.detach().requires_grad_() for tensor in tensors]
    out = attention(*inputs, neighbours)
    generator = torch.Generator().manual_seed(7)
    direction = torch.randn(out.shape, generator=generator, dtype=torch.float64).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, inputs, direction)]


def relative_error(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


@every_path
@every_size
def test_it_is_dense_attention_with_all_other_scores_masked(
    attention, heads, channels, edge_index, neighbours
):
    tensors = operands(heads, channels)
    found = with_gradients(attention, tensors, neighbours)
    expected = with_gradients(dense_attention, tensors, edge_index)
    for ours, dense in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, dense)


@every_path
def test_gradients_are_those_of_finite_differences(attention):
    edges = torch.tensor([[5, 2, 4, 0, 3, 6, 1, 1, 4, 2, 0], [1, 1, 1, 2, 2, 3, 4, 5, 5, 6, 6]])
    lists = Neighbours.directed(edges, 7)
    tensors = operands(2, 3, num_nodes=7, requires_grad=True)
    assert gradcheck(lambda *qkv: attention(*qkv, lists), tensors)


@every_path
def test_a_node_without_neighbours_gets_zero_and_one_that_none_sees_no_gradient(
    attention, neighbours
):
    out, _, key_gradient, value_gradient = with_gradients(attention, operands(2, 8), neighbours)
    assert (out[ALONE] == 0).all()
    assert (key_gradient[UNSEEN] == 0).all()
    assert (value_gradient[UNSEEN] == 0).all()


@every_path
@pytest.mark.parametrize("num_nodes", [0, 5])
def test_over_no_edges_at_all_it_is_zero(attention, num_nodes):
    no_edges = Neighbours.directed(torch.empty(2, 0, dtype=torch.int64), num_nodes)
    out = attention(*operands(2, 3, num_nodes=num_nodes), no_edges)
    assert out.shape == (num_nodes, 2, 3)
    assert (out == 0).all()


@every_path
def test_a_hundred_equal_neighbours_weigh_equally(attention):
    hub = torch.stack([torch.arange(1, 101), torch.zeros(100, dtype=torch.int64)])
    query, _, value = operands(2, 4, num_nodes=101)
    out = attention(query, torch.ones_like(value), value, Neighbours.directed(hub, 101))
    torch.testing.assert_close(out[0], value[1:].mean(0))


@every_path
def test_scores_whose_exponential_overflows_do_no_harm(attention):
    edges = Neighbours.directed(torch.tensor([[1, 2, 0], [0, 0, 1]]), 3)
    query, value = torch.ones(3, 1, 1), torch.tensor([[[5.0]], [[1.0]], [[2.0]]])
    key = torch.tensor([[[-1000.0]], [[1000.0]], [[999.0]]])
    expected = [0.7310586 * 1 + 0.2689414 * 2, 5.0, 0.0]  # 1 / (1 + exp(-1)), its rest
    torch.testing.assert_close(attention(query, key, value, edges).flatten().tolist(), expected)


@every_path
@pytest.mark.parametrize("spoilt", [0, 1, 2], ids=["query", "key", "value"])
def test_what_is_not_a_number_reaches_those_who_see_it_and_nobody_else(
    attention, spoilt, edge_index, neighbours
):
    tensors = operands(2, 32, torch.float32)
    tensors[spoilt][50] = torch.nan
    reached = attention(*tensors, neighbours).isnan().any(-1).any(-1)
    expected = torch.zeros(NUM_NODES, dtype=torch.bool)
    expected[50 if spoilt == 0 else edge_index[1, edge_index[0] == 50]] = True
    assert torch.equal(reached, expected)


@needs_kernels
@every_size
def test_kernels_and_plain_torch_agree_in_single_precision(heads, channels, neighbours):
    tensors = operands(heads, channels, torch.float32)
    found = with_gradients(compiled.neighbour_attention, tensors, neighbours)
    plain = with_gradients(plain_neighbour_attention, tensors, neighbours)
    assert all(relative_error(a, b) < 1e-6 for a, b in zip(found, plain, strict=True))


@every_path
def test_bfloat16_is_the_single_precision_result_rounded_once(attention, neighbours):
    tensors = operands(4, 32, torch.bfloat16)
    found = attention(*tensors, neighbours)
    exact = plain_neighbour_attention(*(tensor.float() for tensor in tensors), neighbours)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, rtol=2.0**-8, atol=1e-6)


@every_path
def test_gradients_in_bfloat16_are_right_to_its_rounding(attention, neighbours):
    tensors = operands(4, 32, torch.bfloat16)
    found = with_gradients(attention, tensors, neighbours)
    doubles = [tensor.double() for tensor in tensors]
    exact = with_gradients(plain_neighbour_attention, doubles, neighbours)
    assert all(gradient.dtype == torch.bfloat16 for gradient in found)
    assert all(relative_error(a.double(), b) < 2.0**-7 for a, b in zip(found, exact, strict=True))


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_number_of_threads_changes_no_bit(dtype, neighbours):
    tensors = operands(4, 32, dtype)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = with_gradients(neighbour_attention, tensors, neighbours)
        torch.set_num_threads(2)
        together = with_gradients(neighbour_attention, tensors, neighbours)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


@needs_kernels
def test_parts_of_a_wider_tensor_give_what_copies_give(neighbours):
    wide = torch.stack(operands(6, 8), dim=1)  # (N, 3, H, c)
    parts = [part[:, 2:4] for part in wide.unbind(1)]  # two of the six heads
    transposed = [part.transpose(1, 2).contiguous().transpose(1, 2) for part in parts]
    found = with_gradients(neighbour_attention, parts, neighbours)
    for others in (transposed, [part.contiguous() for part in parts]):
        again = with_gradients(neighbour_attention, others, neighbours)
        assert all(torch.equal(a, b) for a, b in zip(found, again, strict=True))


@needs_kernels
def test_the_operators_keep_what_torch_asks_of_them(neighbours):
    lists = (
        neighbours.senders,
        neighbours.offsets,
        neighbours.seen_by,
        neighbours.seen_by_offsets,
    )
    tensors = operands(2, 3, requires_grad=True)
    opcheck(torch.ops.physgt.neighbour_attention.default, (*tensors, *lists))
    detached = [tensor.detach() for tensor in tensors]
    out, log_sum = torch.ops.physgt.neighbour_attention(*detached, *lists)
    arguments = (torch.ones_like(out), out, log_sum, *detached, *lists)
    opcheck(torch.ops.physgt.neighbour_attention_backward.default, arguments)


def test_torch_compile_takes_it_whole(neighbours):
    whole = torch.compile(neighbour_attention, fullgraph=True, backend="aot_eager")
    tensors = operands(2, 8)
    expected = with_gradients(neighbour_attention, tensors, neighbours)
    for a, b in zip(with_gradients(whole, tensors, neighbours), expected, strict=True):
        torch.testing.assert_close(a, b)


def test_an_exported_model_has_operators_of_torch_alone(neighbours):
    class Attention(torch.nn.Module):
        def forward(self, query, key, value):
            return neighbour_attention(query, key, value, neighbours)

    tensors = tuple(operands(2, 8))
    exported = torch.export.export(Attention(), tensors)
    operators = {node.target for node in exported.graph.nodes if node.op == "call_function"}
    assert torch.ops.aten.index_select.default in operators
    assert not [operator for operator in operators if "physgt" in str(operator)]
    expected = neighbour_attention(*tensors, neighbours)
    torch.testing.assert_close(exported.module()(*tensors), expected)


@needs_kernels
def test_lists_of_another_mesh_are_refused_before_memory_is_read(neighbours):
    with pytest.raises(ValueError, match="7 nodes, but neighbours of 150"):
        neighbour_attention(*operands(2, 8, num_nodes=7), neighbours)


def test_more_neighbours_than_their_numbers_can_count_are_refused(neighbours, monkeypatch):
    monkeypatch.setattr("physgt.ops.neighbours.MOST_EDGES", 2 * neighbours.num_edges - 1)
    batch_neighbours([neighbours])
    with pytest.raises(PhysgtError, match=r"see \d+ neighbours together.*lower the model's k_hop"):
        batch_neighbours([neighbours, neighbours])


def test_without_kernels_the_result_is_the_same_and_one_warning_says_why(neighbours, monkeypatch):
    tensors = operands(2, 8)
    expected = neighbour_attention(*tensors, neighbours)
    monkeypatch.setattr(library, "LIBRARY", None)
    monkeypatch.setattr(library, "_WHY_NOT", "its kernels were not built")
    library._tell_why_not.cache_clear()
    with pytest.warns(UserWarning, match=r"plain torch.*kernels were not built.*pip install"):
        found = neighbour_attention(*tensors, neighbours)
    torch.testing.assert_close(found, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        neighbour_attention(*tensors, neighbours)


def capabilities_of_this_processor():
    names = list(library.INSTRUCTION_SETS)
    own = torch.backends.cpu.get_cpu_capability()
    return names[: names.index(own) + 1] if own in names else names[:1]


@needs_kernels
@pytest.mark.parametrize("capability", capabilities_of_this_processor())
@pytest.mark.parametrize("channels", [5, 32])
def test_the_kernels_of_lesser_processors_agree_too(capability, channels, neighbours, monkeypatch):
    tensors = operands(4, channels, torch.float32)
    expected = with_gradients(plain_neighbour_attention, tensors, neighbours)
    lesser, why_not = library.load_library(capability)
    assert why_not == ""
    monkeypatch.setattr(library, "LIBRARY", lesser)
    found = with_gradients(compiled.neighbour_attention, tensors, neighbours)
    assert all(relative_error(a, b) < 1e-6 for a, b in zip(found, expected, strict=True))
