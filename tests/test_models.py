"""What holds for every model in the table, and what each one's paper says of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import shortest_path
from scipy.spatial import Delaunay
from torch.nn import functional as F

from heat_case import heat_trajectory
from physgt import Mesh
from physgt.case import read_case
from physgt.errors import PhysgtError
from physgt.graph import batch_graphs, build_graph
from physgt.mesh import NodeType
from physgt.models import MODELS, MaskedTransformer, PhysGTO, physgto
from physgt.models.layers import EdgeMLP, RMSNorm, fourier_positions, mlp
from physgt.models.masked_transformer import masked_attention
from physgt.models.rotary import rotary_angles, rotated
from physgt.ops import chunks
from physgt.ops.neighbours import Neighbours
from physgt.rollout import rollout
from physgt.training import train

STATE_SIZE, FORCING_SIZE = 3, 2
SMALL = {
    "physgto": {"width": 16, "tokens": 8, "blocks": 2, "mlp_width": 32},
    "masked_transformer": {"width": 16, "blocks": 2},
    "meshgraphnet": {"width": 16, "blocks": 2},
    "near_far_transformer": {"width": 16, "tokens": 8, "blocks": 2},
}
CELLS = {2: "triangle", 3: "tetra"}


def random_mesh(num_points, seed, dimension=2):
    generator = np.random.default_rng(seed)
    points = generator.random((num_points, dimension))
    cells = Delaunay(points).simplices
    node_type = generator.integers(0, 7, num_points)
    return Mesh.from_blocks(points, [(CELLS[dimension], cells)], node_type=node_type)


def renumbered(mesh, order):
    """The same mesh, the node that was order[i] now number i."""
    new_number = np.argsort(order)
    cells = new_number[mesh.connectivity].reshape(mesh.num_cells, -1)
    return Mesh.from_blocks(
        mesh.points[order], [("triangle", cells)], node_type=mesh.node_type[order]
    )


def random_fields(graph, seed=0):
    generator = torch.Generator().manual_seed(seed)
    dtype = graph.points.dtype
    state = torch.randn(graph.num_nodes, STATE_SIZE, generator=generator, dtype=dtype)
    forcing = torch.randn(graph.num_nodes, FORCING_SIZE, generator=generator, dtype=dtype)
    return state, forcing


def make_model(name, dimension=2, forcing_size=FORCING_SIZE, **options):
    torch.manual_seed(0)
    return MODELS[name](STATE_SIZE, forcing_size, dimension, **(SMALL[name] | options))


def graph_for(model, mesh, dtype=torch.float32):
    return build_graph(mesh, dtype=dtype, masks=model.masks, encodings=model.encodings)


VARIANTS = {
    "physgto with token self-attention": {"token_self_attention": True},
    "masked_transformer with two hops": {"k_hop": 2},
    "masked_transformer with a window": {"dilations": [2]},
    "masked_transformer with capped windows": {"dilations": [2, 3], "max_neighbors": 4},
    "masked_transformer with two hops, capped": {"k_hop": 2, "max_neighbors": 4},
    "masked_transformer with global nodes": {"global_nodes": 3},
    "masked_transformer with global inflow": {
        "global_nodes": 0.5,
        "global_node_sets": ["inflow"],
        "dilations": [2],
        "dilated_blocks": 2,
    },
    "masked_transformer with virtual nodes": {"virtual_nodes": 2},
    "masked_transformer with random jumpers": {"random_jumpers": 0.2, "seed": 3},
    "masked_transformer with encodings": {
        "laplacian_eigenvectors": 3,
        "random_walk_steps": 4,
        "boundary_distances": True,
    },
    "masked_transformer with rotary positions": {"rotary": True},
    "masked_transformer with a gate": {"gate": True},
    "masked_transformer with all of it": {
        "k_hop": 2,
        "dilations": [3],
        "global_nodes": 2,
        "virtual_nodes": 2,
        "random_jumpers": 0.1,
        "max_neighbors": 8,
        "laplacian_eigenvectors": 2,
        "rotary": True,
        "gate": True,
    },
    "near_far_transformer with rotary positions": {"rotary": True, "k_hop": 2},
}


@pytest.fixture(params=[*MODELS, *VARIANTS])
def model(request):
    return make_model(request.param.split(" with ")[0], **VARIANTS.get(request.param, {}))


@pytest.fixture(params=[(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=["float32", "float64"])
def precision(request):
    return request.param


def count_parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_every_model_of_the_table_is_tested_here():
    assert SMALL.keys() == MODELS.keys()


@torch.no_grad()
def test_renumbering_the_nodes_renumbers_the_increment(model, precision):
    dtype, tolerance = precision
    model = model.to(dtype)
    mesh = random_mesh(60, seed=1)
    graph = graph_for(model, mesh, dtype)
    state, forcing = random_fields(graph)
    expected = model(graph, state, forcing)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(mesh.num_points)
        other = graph_for(model, renumbered(mesh, order), dtype)
        again = model(other, state[order], forcing[order])
        torch.testing.assert_close(again, expected[order], rtol=tolerance, atol=tolerance)


@torch.no_grad()
def test_a_mesh_gives_the_same_alone_and_in_any_batch(model, precision):
    dtype, tolerance = precision
    model = model.to(dtype)
    graphs = [graph_for(model, random_mesh(n, seed=n), dtype) for n in (20, 45, 33, 80)]
    fields = [random_fields(graph, seed) for seed, graph in enumerate(graphs)]
    alone = [model(graph, *both) for graph, both in zip(graphs, fields, strict=True)]
    for packing in ([0, 1, 2, 3], [3, 1], [2, 2, 0], [1, 3, 0, 2]):
        batch = batch_graphs([graphs[i] for i in packing])
        states, forcings = (
            torch.cat(rows) for rows in zip(*[fields[i] for i in packing], strict=True)
        )
        expected = torch.cat([alone[i] for i in packing])
        packed = model(batch, states, forcings)
        torch.testing.assert_close(packed, expected, rtol=tolerance, atol=tolerance)


def test_a_batch_has_the_gradients_of_its_graphs_summed(model):
    model = model.double()
    graphs = [graph_for(model, random_mesh(n, seed=n), torch.float64) for n in (20, 45)]
    fields = [random_fields(graph, seed) for seed, graph in enumerate(graphs)]
    for graph, both in zip(graphs, fields, strict=True):
        model(graph, *both).square().sum().backward()
    summed = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    states, forcings = (torch.cat(rows) for rows in zip(*fields, strict=True))
    model(batch_graphs(graphs), states, forcings).square().sum().backward()
    for parameter, expected in zip(model.parameters(), summed, strict=True):
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-9, atol=1e-12)


def test_every_parameter_gets_a_gradient(model):
    graph = graph_for(model, random_mesh(60, seed=1))
    model(graph, *random_fields(graph)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@torch.no_grad()
@pytest.mark.parametrize("name", MODELS)
def test_every_input_reaches_the_increment(name):
    model = make_model(name).double()
    mesh = random_mesh(60, seed=1)
    graph = graph_for(model, mesh, torch.float64)
    state, forcing = random_fields(graph)
    other_types = Mesh.from_blocks(
        mesh.points, [("triangle", mesh.connectivity.reshape(-1, 3))], node_type=None
    )
    stretched = Mesh.from_blocks(
        mesh.points * [1.0, 2.0],
        [("triangle", mesh.connectivity.reshape(-1, 3))],
        node_type=mesh.node_type,
    )
    increment = model(graph, state, forcing)
    for changed in (
        model(graph, state + 0.1, forcing),
        model(graph, state, forcing + 0.1),
        model(graph_for(model, other_types, torch.float64), state, forcing),
        model(graph_for(model, stretched, torch.float64), state, forcing),
    ):
        assert (changed - increment).abs().max() > 1e-6


@torch.no_grad()
@pytest.mark.parametrize("name", MODELS)
def test_a_task_without_forcing_and_a_solid_mesh_are_fine(name):
    model = make_model(name, dimension=3, forcing_size=0)
    graph = graph_for(model, random_mesh(40, seed=3, dimension=3))
    state, _ = random_fields(graph)
    increment = model(graph, state, state[:, :0])
    assert increment.shape == state.shape
    assert increment.isfinite().all()


@torch.no_grad()
def test_a_node_that_no_cell_uses_gets_a_finite_increment(model):
    mesh = Mesh.from_blocks(
        np.eye(5, 2),
        [("triangle", np.array([[0, 1, 2]]))],
        node_type=np.array([NodeType.OUTFLOW, 0, 0, 0, 0]),
    )
    graph = graph_for(model, mesh)
    assert model(graph, *random_fields(graph)).isfinite().all()


@torch.no_grad()
def reached(model, graph):
    """(N,) bool: whether the node's increment changes with the state of node 0."""
    state, forcing = random_fields(graph)
    elsewhere = state.clone()
    elsewhere[0] += 1
    return (model(graph, state, forcing) != model(graph, elsewhere, forcing)).any(dim=1)


def hops_from_node_0(graph):
    adjacency = np.zeros((graph.num_nodes, graph.num_nodes))
    adjacency[tuple(graph.edge_index.numpy())] = 1
    return torch.as_tensor(shortest_path(adjacency, unweighted=True, indices=0))


@pytest.mark.parametrize("name", ["masked_transformer", "meshgraphnet"])
def test_a_local_model_sees_as_many_hops_as_it_has_blocks(name):
    model = make_model(name, blocks=3).double()
    graph = build_graph(random_mesh(150, seed=5), dtype=torch.float64)
    hops = hops_from_node_0(graph)
    assert hops.max() > 3
    assert torch.equal(reached(model, graph), hops <= 3)


@pytest.mark.parametrize(
    ("options", "farthest"),
    [
        ({"k_hop": 2}, 6),
        ({"k_hop": 3, "blocks": 1}, 3),
        ({"dilations": [2]}, 4),  # the last third of three blocks: one
        ({"dilations": [3], "dilated_blocks": 2}, 7),
        ({"dilations": [2, 4]}, 6),
    ],
)
def test_hops_and_windows_add_up_over_the_blocks(options, farthest):
    model = make_model("masked_transformer", **({"blocks": 3} | options)).double()
    graph = graph_for(model, random_mesh(400, seed=5), torch.float64)
    hops = hops_from_node_0(graph)
    assert hops.max() > farthest
    assert torch.equal(reached(model, graph), hops <= farthest)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("physgto", {"blocks": 1}),
        ("near_far_transformer", {"blocks": 1}),
        ("masked_transformer", {"global_nodes": 1}),  # to the global node and back
        ("masked_transformer", {"virtual_nodes": 1}),
    ],
)
def test_a_far_field_sees_the_whole_mesh_in_one_block_or_by_a_global_node_in_two(name, options):
    model = make_model(name, **options).double()
    graph = graph_for(model, random_mesh(150, seed=5), torch.float64)
    assert reached(model, graph).all()


@torch.no_grad()
def test_the_sign_of_an_eigenvector_does_not_matter_but_its_size_does():
    model = make_model("masked_transformer", laplacian_eigenvectors=3, random_walk_steps=3)
    graph = graph_for(model, random_mesh(60, seed=1))
    fields = random_fields(graph)
    increment = model(graph, *fields)
    flipped = graph.encodings * torch.tensor([-1, 1, -1, 1, 1])
    torch.testing.assert_close(model(replace(graph, encodings=flipped), *fields), increment)
    for column in range(graph.encodings.shape[1]):
        changed = graph.encodings.clone()
        changed[:, column] *= 1.5
        assert not torch.allclose(model(replace(graph, encodings=changed), *fields), increment)


@torch.no_grad()
@pytest.mark.parametrize("dimension", [2, 3])
def test_rotary_attention_knows_where_nodes_lie_relative_to_each_other_alone(dimension):
    graph = build_graph(random_mesh(40, seed=1, dimension=dimension), dtype=torch.float64)
    # Four heads of 7 channels: some channels are left as they are.
    projected = torch.randn(40, 3 * 28, dtype=torch.float64)

    def attend(points):
        return masked_attention(projected, 4, [graph.neighbours], rotary_angles(points, channels=7))

    moved = graph.points + torch.linspace(0.3, -2, dimension, dtype=torch.float64)
    torch.testing.assert_close(attend(moved), attend(graph.points), rtol=1e-10, atol=1e-12)
    for axis in range(dimension):
        stretched = graph.points.clone()
        stretched[:, axis] *= 1.1
        assert not torch.allclose(attend(stretched), attend(graph.points))


@torch.no_grad()
def test_rotary_scores_are_cosines_of_the_angle_between_query_and_key():
    # One plane an axis, wavelength 2: over half a wavelength, a vector points the other way.
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]], dtype=torch.float64)
    x = torch.ones(3, 1, 4, dtype=torch.float64)
    turned = rotated(x, rotary_angles(points, channels=4))[:, 0]
    # Each plane's vector has length sqrt(2): score = 2 cos(pi dx) + 2 cos(pi dy).
    expected = torch.tensor([[4.0, 0, -2], [0, 4, -2], [-2, -2, 4]], dtype=torch.float64)
    torch.testing.assert_close(turned @ turned.T, expected)


@torch.no_grad()
def test_rotary_positions_make_a_network_without_positions_see_the_shape_of_the_mesh():
    mesh = random_mesh(60, seed=1)
    triangles = ("triangle", mesh.connectivity.reshape(-1, 3))
    stretched = Mesh.from_blocks(mesh.points * [1, 2], [triangles], node_type=mesh.node_type)
    moved = Mesh.from_blocks(
        mesh.points + np.array([0.5, -1]), [triangles], node_type=mesh.node_type
    )
    for rotary in (False, True):
        options = {"positions": False, "rotary": rotary, "virtual_nodes": 2}
        model = make_model("masked_transformer", **options).double()
        before, wider, shifted = (
            model(graph, *random_fields(graph))
            for graph in (graph_for(model, m, torch.float64) for m in (mesh, stretched, moved))
        )
        assert torch.allclose(wider, before) is not rotary
        torch.testing.assert_close(shifted, before)


@torch.no_grad()
def test_a_gate_is_a_sigmoid_before_the_last_map_of_attention():
    plain, gated = (make_model("masked_transformer", gate=gate) for gate in (False, True))
    gated.load_state_dict(plain.state_dict(), strict=False)
    for name, parameter in gated.named_parameters():
        if ".project.gate." in name:
            parameter.zero_()  # sigmoid(0) = 1/2
    for name, parameter in plain.named_parameters():
        if ".update.out.weight" in name:
            parameter.mul_(0.5)
    graph = graph_for(plain, random_mesh(30, seed=1))
    fields = random_fields(graph)
    torch.testing.assert_close(gated(graph, *fields), plain(graph, *fields))


@pytest.mark.parametrize("name", ["masked_transformer", "near_far_transformer"])
def test_a_graph_without_what_the_model_asks_for_is_refused(name):
    model = make_model(name, dilations=[2])
    graph = build_graph(random_mesh(20, seed=1))
    with pytest.raises(PhysgtError, match=r"carries 0 attention lists, the model wants 1; build"):
        model(graph, *random_fields(graph))
    model = make_model("masked_transformer", random_walk_steps=4)
    with pytest.raises(PhysgtError, match=r"carries 0 numbers of encodings, the model wants 3"):
        model(graph, *random_fields(graph))


def test_a_near_far_transformer_has_three_quarters_of_the_parameters_of_physgto():
    sizes = [count_parameters(MODELS[m](4, 1, 2)) for m in ("near_far_transformer", "physgto")]
    assert sizes[0] / sizes[1] == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k_hop": 0}, "k_hop = 0: hops = 0; expected a whole number, 1 or more"),
        ({"dilations": [2, 1]}, r"dilations = \[2, 1\]: dilation = 1; expected .* 2 or more"),
        ({"dilations": 2}, r"dilations = 2; expected a list, such as \[2\]"),
        ({"dilations": [2, 3, 4]}, "heads = 4 with 3 dilations; .* a multiple of 6"),
        ({"dilations": [2], "dilated_blocks": 9}, "dilated_blocks = 9; .* at most blocks = 2"),
        ({"dilations": [2], "dilated_blocks": 0}, "dilated_blocks = 0; expected a whole number, 1"),
        ({"global_nodes": 1.5}, "global_nodes = 1.5: size = 1.5; expected a share from 0 to 1"),
        ({"global_nodes": -1}, "global_nodes = -1: size = -1; expected a whole number, 1"),
        ({"global_node_sets": ["inflow"]}, "global_node_sets needs global_nodes"),
        ({"global_nodes": 1, "global_node_sets": "inflow"}, r"expected a list, .* \[\"inflow\"\]"),
        ({"virtual_nodes": -2}, "virtual_nodes = -2; expected a whole number, 0 or more"),
        ({"random_jumpers": 2}, "random_jumpers = 2: share = 2; expected a share from 0 to 1"),
        ({"max_neighbors": 0}, "max_neighbors = 0; expected a whole number, 1 or more"),
        ({"seed": -1}, "seed = -1; expected a whole number, 0 or more"),
        ({"laplacian_eigenvectors": -1}, "laplacian_eigenvectors = -1: count = -1; expected"),
        ({"random_walk_steps": 1}, "random_walk_steps = 1: steps = 1; expected .* 2 or more"),
        ({"rotary": True, "heads": 8}, "rotary = true needs at least 4 channels a head .* found 2"),
    ],
)
def test_an_option_that_makes_no_sense_is_named_with_what_is_expected(options, message):
    with pytest.raises(PhysgtError, match=message):
        make_model("masked_transformer", **options)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_case_file_reaches_every_option_and_a_saved_model_knows_them(variant, tmp_path):
    name = variant.split(" with ")[0]
    options = SMALL[name] | VARIANTS[variant]
    # JSON writes these values as TOML does.
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items())
    (tmp_path / "heat.toml").write_text(
        'name = "heat"\n[data]\ntrain = "*.vtkhdf"\n'
        "[task]\ndt = 0.1\n[task.targets.temperature]\n"
        f'[model]\nname = "{name}"\n{lines}[training]\nsteps = 1\nbatch_size = 2\n'
    )
    trajectories = {"a": heat_trajectory(0), "b": heat_trajectory(1, cells=4)}
    simulator = train(read_case(tmp_path / "heat.toml"), trajectories, tmp_path / "run")
    assert simulator.model_options == options
    prediction = rollout(simulator, trajectories["a"].initial(), 2)
    assert np.isfinite(prediction.fields["temperature"]).all()


@pytest.mark.parametrize("size", [0, -4, 1.5, "many"])
@pytest.mark.parametrize("option", ["width", "blocks"])
@pytest.mark.parametrize("name", MODELS)
def test_a_size_that_is_no_number_of_things_is_named(name, option, size):
    with pytest.raises(PhysgtError, match=f"{option} = {size!r}; expected a whole number, 1 or"):
        MODELS[name](STATE_SIZE, 1, 2, **(SMALL[name] | {option: size}))


@pytest.mark.parametrize("name", ["physgto", "masked_transformer"])
def test_heads_that_cannot_share_the_width_are_named_with_the_way_out(name):
    with pytest.raises(PhysgtError, match=r"width = 50 isn't a multiple of heads = 4. .* 48"):
        make_model(name, width=50, heads=4)


def test_published_sizes_have_the_published_numbers_of_parameters():
    # The papers' figures, to the digits they give.
    published = PhysGTO(state_size=4, forcing_size=1, space_dimension=2, num_node_types=6)
    assert round(count_parameters(published) / 1e6, 2) == 2.36
    blocks = [count_parameters(block) for block in MaskedTransformer(3, 20, 3).blocks]
    assert blocks == [13 * 64**2 + 14 * 64] * 10
    assert round(count_parameters(MaskedTransformer(3, 0, 3, positions=False)) / 1e6, 2) == 0.57


@torch.no_grad()
def test_physgto_increment_is_scaled_by_silu_of_alpha():
    model = make_model("physgto", initial_alpha=1.0)
    graph = build_graph(random_mesh(30, seed=1))
    fields = random_fields(graph)
    at_one = model(graph, *fields)
    model.alpha.fill_(1 / 30)
    ratio = F.silu(torch.tensor(1 / 30)) / F.silu(torch.tensor(1.0))
    torch.testing.assert_close(model(graph, *fields), at_one * ratio)


@torch.no_grad()
def test_projection_attention_is_the_papers_formula_written_with_dense_matrices():
    attention = make_model("physgto").blocks[0].attention.double()
    x = torch.randn(12, 16, dtype=torch.float64)
    keys, queries = attention.key_value(x), attention.query(x)
    heads = []
    for head in range(4):
        key, query = (rows[:, 4 * head : 4 * head + 4] for rows in (keys, queries))
        tokens = (attention.token_query[head] @ key.T / 2).softmax(-1) @ key
        token_key, token_value = (tokens @ attention.token_map.weight.T).tensor_split(2, dim=1)
        heads.append((query @ token_key.T / 2).softmax(-1) @ token_value)
    expected = attention.out(torch.cat(heads, dim=1))
    torch.testing.assert_close(attention(x, [12]), expected)


@torch.no_grad()
def test_heads_may_see_different_neighbours():
    graph = build_graph(random_mesh(30, seed=1))
    projected = torch.randn(30, 3 * 16, dtype=torch.float64)
    two_hops = Neighbours.directed(torch.tensor([[7, 9], [3, 3]]), 30)
    mixed = masked_attention(projected, 2, [graph.neighbours, two_hops])
    direct = masked_attention(projected, 2, [graph.neighbours])
    distant = masked_attention(projected, 2, [two_hops])
    torch.testing.assert_close(mixed[:, :8], direct[:, :8])
    torch.testing.assert_close(mixed[:, 8:], distant[:, 8:])


@torch.no_grad()
def test_an_edge_mlp_is_the_mlp_of_the_concatenation_summed_at_the_ends_of_edges():
    layer = EdgeMLP(5, 3, 4, torch.nn.ReLU(), torch.nn.Linear(4, 3))
    nodes, edges = torch.randn(6, 5), torch.randn(4, 3)
    senders, receivers = torch.tensor([[0, 5, 2, 2], [1, 1, 3, 5]])
    joined = torch.cat([nodes[senders], nodes[receivers], edges], dim=1)
    weight = torch.cat([*layer.from_node.chunk(2), layer.per_edge.weight], dim=1)
    messages = layer.per_edge.layers(F.linear(joined, weight, layer.per_edge.bias))
    heard, updated = layer(nodes, edges, senders, receivers, to_senders=1)
    torch.testing.assert_close(updated, edges + messages)
    torch.testing.assert_close(
        heard[2], torch.cat([messages[2:, 0].sum(0, True), 0 * messages[0, 1:]])
    )
    torch.testing.assert_close(heard[1], torch.cat([torch.zeros(1), messages[:2, 1:].sum(0)]))


def test_rms_norm_adds_its_small_number_to_the_rms_so_a_zero_row_stays_zero():
    norm = RMSNorm(2)
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    expected = torch.tensor([[3.0, 4.0], [0.0, 0.0]]) / 12.5**0.5  # rms of (3, 4)
    torch.testing.assert_close(norm(x).detach(), expected)
    norm(x).sum().backward()
    assert x.grad.isfinite().all()


def test_fourier_positions_of_a_point_written_out():
    encoded = fourier_positions(torch.tensor([[0.5, 1.0]]), frequencies=2)
    # cos(pi x), cos(2 pi x), sin(pi x), sin(2 pi x) of x = 0.5, then of x = 1, then both.
    expected = torch.tensor([[0.0, -1.0, 1.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.5, 1.0]])
    torch.testing.assert_close(encoded, expected, rtol=0, atol=1e-6)


def test_an_mlp_has_one_linear_map_more_than_hidden_layers():
    shapes = [tuple(p.shape) for p in mlp(2, 8, 3, 2, torch.nn.ReLU).parameters() if p.ndim == 2]
    assert shapes == [(8, 2), (8, 8), (3, 8)]


@pytest.mark.parametrize("most_kept", [0, 1 << 24])
@pytest.mark.parametrize("chunk_rows", [16, 2048])
def test_physgto_sees_on_a_kept_geometry_that_a_forcing_changed(monkeypatch, most_kept, chunk_rows):
    monkeypatch.setattr(physgto, "MOST_KEPT", most_kept)
    monkeypatch.setattr(chunks, "CHUNK_ROWS", chunk_rows)
    model = make_model("physgto").double()
    graph = graph_for(model, random_mesh(60, seed=1), torch.float64)
    state, forcing = random_fields(graph)
    with torch.no_grad():
        geometry = model.embed_geometry(graph)
        for given in (forcing, forcing, 2 * forcing, forcing):
            found = model(graph, state, given, geometry)
            with torch.enable_grad():  # where nothing is kept
                expected = model(graph, state, given).detach()
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SMALL)
def test_gradients_in_chunks_of_rows_are_those_of_all_rows_at_once(monkeypatch, name):
    model = make_model(name).double()
    graph = graph_for(model, random_mesh(60, seed=1), torch.float64)
    state, forcing = random_fields(graph)

    def gradients():
        model.zero_grad()
        model(graph, state, forcing).square().sum().backward()
        return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}

    expected = gradients()
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 16)
    monkeypatch.setattr(chunks, "RECOMPUTE_ROWS", 32)
    torch.testing.assert_close(gradients(), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", SMALL)
def test_updates_in_place_change_neither_the_step_nor_what_it_was_given(monkeypatch, name):
    """Nodes in several chunks, where a block's update takes the place of the nodes."""
    model = make_model(name).double()
    graph = graph_for(model, random_mesh(60, seed=1), torch.float64)
    state, forcing = random_fields(graph)
    expected = model(graph, state, forcing).detach()  # with gradients: nothing is in place
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 16)
    given = state.clone(), forcing.clone()
    with torch.no_grad():
        geometry = model.embed_geometry(graph)
        for _ in range(2):
            found = model(graph, state, forcing, geometry)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert torch.equal(state, given[0])
    assert torch.equal(forcing, given[1])


def test_physgto_keeps_nothing_of_a_forcing_that_changes_in_place_nor_for_gradients():
    model = make_model("physgto").double()
    graph = graph_for(model, random_mesh(60, seed=1), torch.float64)
    state, forcing = random_fields(graph)
    with torch.no_grad():
        geometry = model.embed_geometry(graph)
        model(graph, state, forcing, geometry)
        forcing *= 2
        found = model(graph, state, forcing, geometry)
    expected = model(graph, state, forcing).detach()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    model(graph, state, forcing, geometry).sum().backward()
    assert model.node_type_encoder[0].weight.grad.any()
