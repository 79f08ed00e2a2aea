"""World edges: found as a search over all pairs finds them, and seen by every model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from heat_case import square_mesh
from physgt import BoundaryCondition, Field, Mesh, PhysgtError, Simulator, Task, Trajectory
from physgt.attention_masks import KHop
from physgt.case import read_case
from physgt.contact import Contact
from physgt.graph import Graph, batch_graphs, build_graph
from physgt.models import MODELS
from physgt.rollout import rollout
from physgt.training import train
from test_moving_meshes import SMALL

CONTACT = Contact(0.3, (("tool", "top"),))


def plate_and_tool(cells: int = 4, gap: float = 0.1, at: float = 0.0) -> Mesh:
    """A plate of 1 m, and over it a square tool of half its size that shares no edge with it."""
    plate, tool = square_mesh(cells), square_mesh(cells // 2)
    above = 0.5 * tool.points + np.array([0.22, 1.0 + gap])
    count = plate.num_points
    triangles = [plate.connectivity.reshape(-1, 3), count + tool.connectivity.reshape(-1, 3)]
    bottom, top = (np.flatnonzero(plate.points[:, 1] == y) for y in (0.0, 1.0))
    tool_nodes = count + np.arange(tool.num_points)
    node_type = np.repeat([0, 1], [count, tool.num_points])
    return Mesh.from_blocks(
        np.vstack([plate.points, above]) + at,
        [("triangle", np.vstack(triangles))],
        node_type=node_type,
        node_sets={"bottom": bottom, "top": top, "tool": tool_nodes},
    )


def world_pairs(graph: Graph) -> set[tuple[int, int]]:
    assert graph.world is not None
    return set(map(tuple, graph.world.edge_index.T.tolist()))


def moved(mesh: Mesh, contact: Contact, displacement: np.ndarray, **options) -> Graph:
    graph = build_graph(mesh, dtype=torch.float64, contact=contact, **options)
    return graph.moved(graph.from_mesh(displacement))


def brute_force(points: np.ndarray, contact: Contact, mesh: Mesh) -> set[tuple[int, int]]:
    """Every pair of nodes looked at: sender, receiver."""
    near = set(map(tuple, KHop(contact.hops)(mesh).T.tolist()))
    found = set()
    for first, second in contact.between:
        for sides in ((first, second), (second, first)):
            nodes, others = (mesh.nodes_of(name).tolist() for name in sides)
            for node in nodes:
                distance = {o: np.linalg.norm(points[o] - points[node]) for o in others}
                candidates = [
                    o
                    for o in sorted(others, key=distance.__getitem__)
                    if distance[o] < contact.radius and o != node and (o, node) not in near
                ]
                for other in candidates[: contact.max_neighbors]:
                    found |= {(node, other), (other, node)}
    return found


@pytest.mark.parametrize("max_neighbors", [2, 16])
def test_world_edges_are_the_pairs_that_a_search_over_all_finds(max_neighbors: int) -> None:
    mesh = plate_and_tool()
    contact = Contact(0.3, (("tool", "top"),), max_neighbors=max_neighbors)
    for seed in range(5):
        displacement = 0.1 * np.random.default_rng(seed).standard_normal(mesh.points.shape)
        expected = brute_force(mesh.points + displacement, contact, mesh)
        assert expected
        graph = moved(mesh, contact, displacement)
        assert world_pairs(graph) == expected
        senders, receivers = graph.world.edge_index
        now = mesh.points + displacement
        np.testing.assert_allclose(
            graph.world.edge_vectors, now[senders] - now[receivers], atol=1e-15
        )


@pytest.mark.parametrize("hops", [1, 2])
def test_a_surface_meets_itself_but_not_its_neighbours_on_the_mesh(hops: int) -> None:
    """A strip that is folded: its ends meet."""
    mesh = square_mesh(6)
    angle = 1.7 * np.pi * mesh.points[:, 0]
    radius = 0.3 + 0.1 * mesh.points[:, 1]
    folded = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    named = Contact(0.25, (("rim", "rim"),), hops=hops, max_neighbors=40)
    graph = moved(mesh, Contact(0.25, hops=hops, max_neighbors=40), folded - mesh.points)
    assert world_pairs(graph) == brute_force(folded, named, mesh)
    assert not world_pairs(graph) & set(map(tuple, KHop(hops)(mesh).T.tolist()))


def shell(height: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Points and triangles of a square in space, 5 by 5 nodes."""
    square = square_mesh(4)
    points = np.column_stack([square.points, np.full(square.num_points, height)])
    return points, square.connectivity.reshape(-1, 3)


def test_all_nodes_of_a_shell_are_its_surface() -> None:
    """A cloth that is folded along its middle: what meets is inside of its rim, too."""
    points, triangles = shell()
    mesh = Mesh.from_blocks(points, [("triangle", triangles)], node_sets={"all": np.arange(25)})
    folded = points.copy()
    over = points[:, 0] > 0.5
    folded[over] = [1, 0, 0.05] + [-1, 1, 1] * points[over]
    named = Contact(0.1, (("all", "all"),))
    pairs = world_pairs(moved(mesh, Contact(0.1), folded - points))
    assert pairs == brute_force(folded, named, mesh)
    inside = np.flatnonzero((np.abs(points[:, :2] - 0.5) < 0.4).all(axis=1))
    assert np.isin(inside[points[inside, 0] != 0.5], list(pairs)).all()


def test_a_shell_over_a_solid_meets_it() -> None:
    above, triangles = shell(1.05)
    corners = np.array(list(np.ndindex(2, 2, 2)), dtype=float)
    voxel = [0, 4, 2, 6, 1, 5, 3, 7]  # x first
    mesh = Mesh.from_blocks(
        np.vstack([corners, above]), [("voxel", [voxel]), ("triangle", 8 + triangles)]
    )
    pairs = world_pairs(moved(mesh, Contact(0.1), np.zeros(mesh.points.shape)))
    top = np.flatnonzero(corners[:, 2] == 1)
    assert sorted({a for a, b in pairs if b >= 8}) == top.tolist()


def test_world_edges_are_bounded_however_close_all_nodes_come() -> None:
    mesh = square_mesh(8)
    graph = moved(mesh, Contact(10.0, max_neighbors=3), -0.999 * mesh.points)
    surface = 4 * 8
    assert 0 < graph.world.edge_index.shape[1] <= 2 * 3 * surface


def test_without_contact_and_far_apart_there_are_no_world_edges() -> None:
    mesh = plate_and_tool()
    assert build_graph(mesh).moved(torch.zeros(mesh.num_points, 2)).world is None
    apart = np.zeros(mesh.points.shape)
    apart[mesh.node_sets["tool"]] = 5.0
    graph = moved(mesh, CONTACT, apart)
    assert graph.world.edge_index.shape == (2, 0)
    assert graph.world.oriented.shape == (0,)


def test_each_world_edge_is_oriented_once_whatever_the_order_of_the_graph() -> None:
    mesh = plate_and_tool()
    displacement = 0.1 * np.random.default_rng(0).standard_normal(mesh.points.shape)
    order = np.random.default_rng(1).permutation(mesh.num_points)

    def oriented(graph: Graph) -> set[tuple[int, int]]:
        nodes = graph.order[graph.world.edge_index[:, graph.world.oriented]]
        return set(map(tuple, nodes.T.tolist()))

    pairs = oriented(moved(mesh, CONTACT, displacement))
    for a, b in pairs:
        assert tuple(mesh.points[a]) > tuple(mesh.points[b])
    assert oriented(moved(mesh, CONTACT, displacement, order=order)) == pairs
    assert 2 * len(pairs) == moved(mesh, CONTACT, displacement).world.edge_index.shape[1]


def test_world_edges_of_a_batch_are_those_of_its_graphs_and_cross_no_border() -> None:
    meshes = [plate_and_tool(4), plate_and_tool(2), plate_and_tool(4, gap=0.02)]
    graphs = [build_graph(mesh, contact=CONTACT) for mesh in meshes]
    displacements = [torch.zeros(mesh.num_points, 2) for mesh in meshes]
    together = batch_graphs(graphs).moved(torch.cat(displacements))
    alone = [g.moved(d) for g, d in zip(graphs, displacements, strict=True)]
    starts = np.cumsum([0, *(g.num_nodes for g in graphs)])
    expected = [g.world.edge_index + start for g, start in zip(alone, starts, strict=False)]
    assert torch.equal(together.world.edge_index, torch.cat(expected, dim=1))
    vectors = torch.cat([g.world.edge_vectors for g in alone])
    assert torch.equal(together.world.edge_vectors, vectors)
    ends = together.graph_index[together.world.edge_index]
    assert torch.equal(ends[0], ends[1])
    first = together.world.edge_index[:, together.world.oriented]
    assert len(set(map(tuple, first.T.tolist()))) == together.world.edge_index.shape[1] // 2


PRESS = Task(
    targets=(Field("points", 2, "m"),),
    dt=0.1,
    boundary=(
        BoundaryCondition("bottom", "points", "held"),
        BoundaryCondition("tool", "points", {"times": [0, 2], "values": [[0, 0], [0, -0.4]]}),
    ),
    contact=CONTACT,
)


@pytest.fixture(params=MODELS)
def simulator(request: pytest.FixtureRequest) -> Simulator:
    torch.manual_seed(0)
    simulator = Simulator(PRESS, 2, request.param, SMALL[request.param])
    simulator.state.std.fill_(0.1)
    simulator.increment.std.fill_(0.01)
    simulator.edge_length.fill_(0.25)
    return simulator.eval()


def pressed(mesh: Mesh, depth: float) -> np.ndarray:
    """(N, 2) displacements: the tool by `depth` down, the rest by chance."""
    displacement = 0.02 * np.random.default_rng(0).standard_normal(mesh.points.shape)
    displacement[mesh.node_sets["tool"]] = 0.0, -depth
    return displacement


@torch.inference_mode()
def step(simulator: Simulator, mesh: Mesh, displacement: np.ndarray) -> np.ndarray:
    graph = simulator.build_graph(mesh)
    state = graph.from_mesh(displacement)
    return graph.to_mesh(simulator.step(graph, state, torch.zeros(len(state), 4)))


def test_the_plate_feels_the_tool_only_where_world_edges_reach_it(simulator: Simulator) -> None:
    """The same inputs at every node, and yet another answer: through world edges alone."""
    mesh = plate_and_tool()
    graph = simulator.build_graph(mesh)
    state = graph.from_mesh(pressed(mesh, 0.0))
    graph = graph.moved(state)
    without = graph.world._replace(
        edge_index=graph.world.edge_index[:, :0],
        edge_vectors=graph.world.edge_vectors[:0],
        oriented=graph.world.oriented[:0],
    )
    forcing = torch.zeros(len(state), 4)
    with torch.inference_mode():
        touched = simulator.model(graph, state, forcing)
        alone = simulator.model(replace(graph, world=without), state, forcing)
    difference = graph.to_mesh((touched - alone).abs().sum(1, keepdim=True))[:, 0]
    assert (difference[mesh.node_sets["top"]] > 1e-5).all()


def test_renumbering_the_nodes_renumbers_the_prediction(simulator: Simulator) -> None:
    mesh = plate_and_tool()
    displacement = pressed(mesh, 0.08)
    order = np.random.default_rng(1).permutation(mesh.num_points)
    new_number = np.argsort(order)
    other = Mesh.from_blocks(
        mesh.points[order],
        [("triangle", new_number[mesh.connectivity].reshape(-1, 3))],
        node_type=mesh.node_type[order],
        node_sets={name: new_number[nodes] for name, nodes in mesh.node_sets.items()},
    )
    expected = step(simulator, mesh, displacement)[order]
    np.testing.assert_allclose(step(simulator, other, displacement[order]), expected, atol=1e-6)


def test_a_mesh_gives_the_same_alone_and_in_any_batch(simulator: Simulator) -> None:
    meshes = [plate_and_tool(2), plate_and_tool(4), plate_and_tool(2)]
    graphs = [simulator.build_graph(mesh) for mesh in meshes]
    states = [g.from_mesh(pressed(m, 0.08)) for g, m in zip(graphs, meshes, strict=True)]
    state = torch.cat(states)
    with torch.inference_mode():
        together = simulator.step(batch_graphs(graphs), state, torch.zeros(len(state), 4))
    first, last = len(states[0]), len(states[0]) + len(states[1])
    expected = step(simulator, meshes[1], pressed(meshes[1], 0.08))
    np.testing.assert_allclose(graphs[1].to_mesh(together[first:last]), expected, atol=1e-6)


def test_moving_the_whole_case_changes_nothing(simulator: Simulator) -> None:
    here, there = plate_and_tool(), plate_and_tool(at=3.25)
    expected = step(simulator, here, pressed(here, 0.08))
    np.testing.assert_allclose(step(simulator, there, pressed(there, 0.08)), expected, atol=1e-6)


def test_gradients_reach_every_parameter_through_steps_with_and_without_contact(
    simulator: Simulator,
) -> None:
    mesh = plate_and_tool()
    graph = simulator.build_graph(mesh)
    forcing = torch.zeros(mesh.num_points, 4)
    touching = simulator.step(graph, graph.from_mesh(pressed(mesh, 0.08)), forcing)
    simulator.step(graph, touching, forcing).square().sum().backward()
    for name, parameter in simulator.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    apart = simulator.step(graph, graph.from_mesh(pressed(mesh, -9.0)), forcing)
    assert torch.isfinite(apart).all()


CASE = """
name = "press"
[data]
train = "*.vtkhdf"
[task]
dt = 0.1
[task.targets.points]
components = 2
[task.contact]
radius = 0.3
between = [["tool", "top"]]
[boundary.bottom]
points = "held"
[boundary.tool]
points = { times = [0, 2], values = [[0, 0], [0, -0.4]] }
[model]
name = "MODEL"
width = 16
blocks = 1
[training]
steps = 4
unroll = 2
validate_every = 4
"""


def press_trajectory() -> Trajectory:
    """The tool comes down, the plate gives way in proportion to its height."""
    mesh = plate_and_tool()
    times = 0.1 * np.arange(11)
    depth = 0.2 * times
    down = np.minimum(mesh.points[:, 1], 1.0) * np.maximum(depth - 0.1, 0)[:, None]
    down[:, mesh.node_sets["tool"]] = depth[:, None]
    points = np.repeat(mesh.points[None], len(times), axis=0)
    points[:, :, 1] -= down
    return Trajectory.from_arrays(mesh, times, {"points": points})


@pytest.mark.parametrize("model", MODELS)
def test_a_case_with_contact_trains_and_its_tool_goes_as_the_case_states(
    model: str, tmp_path: Path
) -> None:
    (tmp_path / "press.toml").write_text(CASE.replace("MODEL", model))
    case = read_case(tmp_path / "press.toml")
    assert case.task() == replace(PRESS, targets=(Field("points", 2),))
    reference = press_trajectory()
    simulator = train(case, {"a": reference}, tmp_path / "run", validation={"a": reference})
    prediction = rollout(simulator, reference.initial(), 10)
    tool = reference.mesh.node_sets["tool"]
    np.testing.assert_allclose(
        prediction.fields["points"].values[:, tool],
        reference.fields["points"].values[:, tool],
        atol=1e-6,
    )


def test_a_training_that_diverges_says_so(tmp_path: Path) -> None:
    case = CASE.replace("MODEL", "meshgraphnet") + "learning_rate = 1e30\nwarmup_steps = 0\n"
    (tmp_path / "press.toml").write_text(case)
    with pytest.raises(PhysgtError, match=r"not finite at step \d; lower"):
        train(read_case(tmp_path / "press.toml"), {"a": press_trajectory()}, tmp_path / "run")


def test_contact_survives_json() -> None:
    assert Task.from_dict(json.loads(json.dumps(PRESS.to_dict()))) == PRESS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"radius": 0.0}, r"\[task.contact\] radius = 0.0, expected m, more than 0"),
        ({"max_neighbors": 0}, "max_neighbors = 0; expected a whole number, 1 or more"),
        ({"hops": 1.5}, "hops = 1.5"),
        ({"between": (("tool",),)}, r"expected pairs of node sets, such as \[\[\"tool\""),
    ],
)
def test_contact_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(PhysgtError, match=message):
        Contact(**({"radius": 0.3} | change))


def test_contact_names_what_is_missing() -> None:
    with pytest.raises(PhysgtError, match=r"for meshes that move; declare \[task.targets.points\]"):
        Task((Field("heat"),), 0.1, contact=CONTACT)
    with pytest.raises(PhysgtError, match="no node set 'tool'"):
        build_graph(square_mesh(2), contact=CONTACT)
