"""Messages along edges: the kernels and the chunks agree with plain torch on all edges at once."""

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.library import opcheck

from physgt.ops import chunks, library
from physgt.ops.edges import add_rows, edge_activation, pass_messages
from physgt.ops.segment import segment_sum

NUM_NODES = 60
NUM_EDGES = 333

needs_kernels = pytest.mark.skipif(
    not library.is_available(torch.zeros(1)), reason="needs the kernels, built by pip install"
)
every_activation = pytest.mark.parametrize(
    "activation", [nn.ReLU(), nn.SiLU(), nn.GELU()], ids=lambda a: type(a).__name__
)


def random(*shape, dtype=torch.float64):
    generator = torch.Generator().manual_seed(sum(shape))
    return 3 * torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


@pytest.fixture
def ends():
    generator = torch.Generator().manual_seed(0)
    senders, receivers = torch.randint(NUM_NODES - 3, (2, NUM_EDGES), generator=generator)
    return senders, receivers.sort().values  # the last nodes neither send nor receive


def operands(channels, dtype=torch.float64):
    """An edge's own product, and what its sender and its receiver add: rows that lie apart."""
    own = random(NUM_EDGES, channels, dtype=dtype)
    return own, *random(NUM_NODES, 2 * channels, dtype=dtype).chunk(2, dim=1)


def in_plain_torch(own, sent, received, senders, receivers, activation):
    return activation(own + sent[senders] + received[receivers])


def with_gradients(function, tensors):
    """The result, and the gradients of its product with numbers of no pattern."""
    inputs = [tensor.detach().requires_grad_() for tensor in tensors]
    out = function(*inputs)
    return [out.detach(), *torch.autograd.grad(out, inputs, random(*out.shape, dtype=out.dtype))]


@every_activation
@pytest.mark.parametrize("channels", [1, 7, 32, 100])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 2.0**-7)],
)
def test_an_edge_activation_and_its_gradients_are_those_of_plain_torch(
    activation, channels, dtype, tolerance, ends
):
    tensors = operands(channels, dtype)
    found = with_gradients(lambda *t: edge_activation(*t, *ends, activation), tensors)
    doubles = [tensor.double() for tensor in tensors]
    expected = with_gradients(lambda *t: in_plain_torch(*t, *ends, activation), doubles)
    for ours, exact in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        assert (ours.double() - exact).norm() <= tolerance * exact.norm()


@every_activation
def test_gradients_are_those_of_finite_differences(activation):
    senders, receivers = torch.tensor([[0, 1, 2, 3, 0, 1], [1, 2, 3, 0, 2, 3]])
    tensors = [random(6, 3), random(4, 3), random(4, 3)]
    tensors = [tensor.requires_grad_() for tensor in tensors]
    assert gradcheck(lambda *t: edge_activation(*t, senders, receivers, activation), tensors)


@needs_kernels
@every_activation
def test_far_out_values_are_right_and_what_is_not_a_number_stays_so(activation):
    x = torch.tensor([[-1e6, -200.0, -13.0, -8.0, -3.0, 0.0, 3.0, 8.0, 200.0, 1e6, torch.nan]])
    none, index = torch.zeros(1, x.shape[1]), torch.zeros(1, dtype=torch.int64)
    leaf = x.clone().requires_grad_()
    found = edge_activation(leaf, none, none, index, index, activation)
    exact = x.double().requires_grad_()
    expected = activation(exact)
    # GELU's tail is right to a share of 1, as torch's is.
    small = 2e-7 if isinstance(activation, nn.GELU) else 1e-30
    torch.testing.assert_close(found.double(), expected, rtol=2e-5, atol=small, equal_nan=True)
    ours, theirs = (
        torch.autograd.grad(y[:, :-1].sum(), leaf_)[0]
        for y, leaf_ in ((found, leaf), (expected, exact))
    )
    torch.testing.assert_close(ours[:, :-1].double(), theirs[:, :-1], rtol=1e-5, atol=2e-7)


def test_the_approximate_gelu_is_not_taken_for_the_exact_one(ends):
    activation = nn.GELU(approximate="tanh")
    found = edge_activation(*operands(4), *ends, activation)
    assert torch.equal(found, in_plain_torch(*operands(4), *ends, activation))


@needs_kernels
def test_the_operators_keep_what_torch_asks_of_them(ends):
    tensors = [tensor.requires_grad_() for tensor in operands(5)]
    opcheck(torch.ops.physgt.edge_activation.default, (*tensors, *ends, "gelu"))
    detached = [tensor.detach() for tensor in tensors]
    arguments = (random(NUM_EDGES, 5), *detached, *ends, "silu")
    opcheck(torch.ops.physgt.edge_activation_backward.default, arguments)


@needs_kernels
def test_rows_that_do_not_fit_are_refused_before_memory_is_read(ends):
    own, sent, received = operands(4)
    with pytest.raises(ValueError, match=r"product .*sent .*received"):
        edge_activation(own, sent[:, :3], received, *ends, nn.ReLU())
    with pytest.raises(ValueError, match="333 rows, 332 senders"):
        edge_activation(own, sent, received, ends[0][1:], ends[1], nn.ReLU())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_rows_are_added_up_in_single_precision_or_better(dtype, ends):
    rows = random(NUM_EDGES, 40, dtype=dtype)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    sums = torch.ones(NUM_NODES, 40, dtype=wide)
    add_rows(sums, ends[1], rows)
    expected = 1 + segment_sum(rows.double(), ends[1], NUM_NODES)
    torch.testing.assert_close(sums.double(), expected, rtol=1e-5, atol=1e-5)


@needs_kernels
def test_the_number_of_threads_changes_no_bit(ends):
    tensors = operands(48, torch.float32)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(with_gradients(lambda *t: edge_activation(*t, *ends, nn.GELU()), tensors))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@needs_kernels
@pytest.mark.parametrize("capability", ["DEFAULT", "AVX2"])
def test_the_kernels_of_lesser_processors_agree_too(capability, ends, monkeypatch):
    names = list(library.INSTRUCTION_SETS)
    own = torch.backends.cpu.get_cpu_capability()
    if own not in names or names.index(capability) > names.index(own):
        pytest.skip(f"this processor has no {capability}")
    tensors = operands(33, torch.float32)
    expected = with_gradients(lambda *t: in_plain_torch(*t, *ends, nn.GELU()), tensors)
    monkeypatch.setattr(library, "LIBRARY", library.load_library(capability)[0])
    found = with_gradients(lambda *t: edge_activation(*t, *ends, nn.GELU()), tensors)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-6, atol=5e-6)


@pytest.fixture
def network():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.GELU(), nn.Linear(8, 6), nn.LayerNorm(6)).double()
    return nn.Parameter(torch.randn(8, 6, dtype=torch.float64)), layers


def message_inputs():
    return random(NUM_EDGES, 6), *random(NUM_NODES, 16).chunk(2, dim=1)


@pytest.mark.parametrize("to_senders", [0, 2, 6])
@pytest.mark.parametrize("used", ["both results", "sums alone", "edges alone"])
def test_messages_in_chunks_have_the_values_and_gradients_of_all_edges_at_once(
    network, ends, to_senders, used, monkeypatch
):
    weight, layers = network
    found = []
    for chunk_rows in (1 << 60, 50):
        monkeypatch.setattr(chunks, "CHUNK_ROWS", chunk_rows)
        monkeypatch.setattr(chunks, "RECOMPUTE_ROWS", chunk_rows)
        inputs = [tensor.detach().requires_grad_() for tensor in message_inputs()]
        results = pass_messages(weight, layers, *inputs, *ends, to_senders)
        with torch.no_grad():
            alone = pass_messages(weight, layers, *inputs, *ends, to_senders)
        torch.testing.assert_close(alone, results)
        kept = {"both results": (0, 1), "sums alone": (0,), "edges alone": (1,)}[used]
        total = sum((results[k] * random(*results[k].shape)).sum() for k in kept)
        wanted = [*inputs, weight, *layers.parameters()]
        found.append([*results, *torch.autograd.grad(total, wanted)])
    for whole, chunked in zip(*found, strict=True):
        torch.testing.assert_close(chunked, whole)


def test_only_the_inputs_are_kept_for_the_gradient(network, ends, monkeypatch):
    weight, layers = network
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 50)
    monkeypatch.setattr(chunks, "RECOMPUTE_ROWS", 50)
    inputs = [tensor.detach().requires_grad_() for tensor in message_inputs()]
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        pass_messages(weight, layers, *inputs, *ends, 3)
    allowed = {t.data_ptr() for t in (*inputs, weight, *layers.parameters())}
    assert {t.data_ptr() for t in kept} <= allowed


def test_parameters_that_are_frozen_get_no_gradient(network, ends, monkeypatch):
    weight, layers = network
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 50)
    monkeypatch.setattr(chunks, "RECOMPUTE_ROWS", 50)
    weight.requires_grad_(False)
    layers[1].requires_grad_(False)
    sums, edges = pass_messages(weight, layers, *message_inputs(), *ends, 3)
    (sums.sum() + edges.square().sum()).backward()
    assert weight.grad is None
    assert layers[1].weight.grad is None
    assert layers[2].weight.grad.abs().sum() > 0
