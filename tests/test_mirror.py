"""Cases in a mirror: the windows of a mirrored case, made of the case as it is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from heat_case import HEAT, SMALL_MODELS, heat_trajectory, square_mesh
from moving_case import PULL, pulled_plate
from physgt import BoundaryCondition, Field, Mesh, PhysgtError, Simulator, Task, Trajectory
from physgt.declared_fields import Forcing, Quasistatic, SecondOrder
from physgt.fit_normalizers import fit_normalizers
from physgt.graph import Graph, build_graph
from physgt.mirror import mirrors_along
from physgt.ordering import hilbert_order
from physgt.samples import Samples
from sample_trajectories import solid_mesh
from test_contact import CONTACT, plate_and_tool

TOP = BoundaryCondition("top", "velocity", "held", where="y > 0.9")
FLOW = Task(
    targets=(Field("velocity", 2), Field("pressure")),
    dt=0.1,
    forcings=(Forcing("wind", 2, value=["y", "x"]), Forcing("viscosity")),
    boundary=(TOP,),
)
SLOW = dataclasses.replace(PULL, targets=(Quasistatic("points", 2), Quasistatic("stress")))
FAST = dataclasses.replace(
    PULL, targets=(SecondOrder("points", 2, initial_rate="at_rest"), Field("stress"))
)


def flow(skew: float = 0.3) -> Trajectory:
    """Any flow, on a mesh that no mirror leaves as it is."""
    random, mesh = np.random.default_rng(0), square_mesh(4, skew)
    return Trajectory.from_arrays(
        mesh,
        0.1 * np.arange(6),
        {
            "velocity": random.normal(size=(6, mesh.num_points, 2)),
            "pressure": random.normal(size=(6, mesh.num_points)),
        },
        static={"viscosity": 0.1},
    )


def flipped(trajectory: Trajectory, axis: int) -> Trajectory:
    """The same case with one coordinate turned: of points, and of fields that are vectors."""
    turn = np.ones(2)
    turn[axis] = -1
    mesh = dataclasses.replace(trajectory.mesh, points=trajectory.mesh.points * turn)
    values = {n: v.values for n, v in trajectory.fields.data_vars.items() if "time" in v.dims}
    static = {n: v.values for n, v in trajectory.fields.data_vars.items() if "time" not in v.dims}
    turned = {n: v * turn if v.ndim == 3 else v for n, v in values.items()}
    return Trajectory.from_arrays(mesh, trajectory.times, turned, static=static)


def build(task: Task):
    def graph_of(mesh):
        origin = mesh.points.min(axis=0) if task.moves else None
        return build_graph(
            mesh,
            task.free_mask(mesh),
            torch.float64,
            order=hilbert_order(mesh.points),
            origin=origin,
            contact=task.contact,
        )

    return graph_of


def directed_edges(graph: Graph) -> dict[tuple[int, int], list[float]]:
    """Edges by the numbers of the mesh, each once: from the larger point, with its vector."""
    ends = graph.order[graph.edge_index[:, graph.oriented]].T.tolist()
    vectors = graph.edge_vectors[graph.oriented].tolist()
    return {tuple(pair): vector for pair, vector in zip(ends, vectors, strict=True)}


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("task", "case"),
    [(PULL, pulled_plate()), (FAST, pulled_plate()), (SLOW, pulled_plate())],
    ids=["moving", "second order", "without memory"],
)
def test_a_window_in_a_mirror_is_the_window_of_the_mirrored_case(
    task: Task, case: Trajectory, axis: int
) -> None:
    [mirror] = mirrors_along("xyz"[axis], task, 2)
    ours = Samples({"a": case}, task, build(task), 3, [mirror]).batch([2], [(mirror,)])
    expected = Samples({"a": flipped(case, axis)}, task, build(task), 3).batch([2])
    for found, right in zip(
        (ours.states, ours.forcings), (expected.states, expected.forcings), strict=True
    ):
        np.testing.assert_allclose(
            ours.graph.to_mesh(found), expected.graph.to_mesh(right), atol=1e-6
        )
    np.testing.assert_allclose(
        ours.graph.to_mesh(ours.graph.points),
        expected.graph.to_mesh(expected.graph.points),
        atol=1e-9,
    )
    found, right = directed_edges(ours.graph), directed_edges(expected.graph)
    assert found.keys() == right.keys()
    np.testing.assert_allclose([found[pair] for pair in right], list(right.values()), atol=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_on_cells_in_space_a_window_in_a_mirror_is_the_window_of_the_mirrored_case(
    axis: int,
) -> None:
    flow = Field("velocity", 3, location="cell"), Field("pressure", location="cell")
    task = Task(targets=flow, dt=0.1)
    graph_of = Simulator(task, 3, "physgto", SMALL_MODELS["physgto"]).build_graph
    random, mesh, turn = np.random.default_rng(0), solid_mesh(), np.ones(3)
    turn[axis] = -1
    velocity, pressure = random.normal(size=(3, 4, 3)), random.normal(size=(3, 4))

    def case(mesh: Mesh, velocity: np.ndarray) -> Trajectory:
        fields = {"velocity": velocity, "pressure": pressure}
        return Trajectory.from_arrays(mesh, 0.1 * np.arange(3), {}, cell_fields=fields)

    [mirror] = mirrors_along("xyz"[axis], task, 3)
    plain = Samples({"a": case(mesh, velocity)}, task, graph_of, 2, [mirror])
    turned = case(dataclasses.replace(mesh, points=mesh.points * turn), velocity * turn)
    ours = plain.batch([0], [(mirror,)])
    expected = Samples({"a": turned}, task, graph_of, 2).batch([0])
    np.testing.assert_allclose(
        ours.graph.to_mesh(ours.states), expected.graph.to_mesh(expected.states), atol=1e-6
    )
    found, right = directed_edges(ours.graph), directed_edges(expected.graph)
    assert found.keys() == right.keys()
    np.testing.assert_allclose([found[pair] for pair in right], list(right.values()), atol=1e-6)


def test_what_the_case_states_by_place_is_stated_of_the_case_as_it_was() -> None:
    """Held is what lies at the top, though in the mirror it is below; so is the stated wind."""
    case, [mirror] = flow(), mirrors_along("y", FLOW, 2)
    samples = Samples({"a": case}, FLOW, build(FLOW), 1, [mirror])
    plain, ours = samples.batch([2]), samples.batch([2], [(mirror,)])
    x, y = case.mesh.points.T
    free = ours.graph.to_mesh(ours.graph.free)
    np.testing.assert_array_equal(free[:, 0], y <= 0.9)
    assert not np.array_equal(ours.graph.to_mesh(ours.graph.points)[:, 1] <= 0.9, free[:, 0])
    np.testing.assert_allclose(
        ours.graph.to_mesh(ours.forcings[0])[:, :2], np.stack([y, -x], axis=1), atol=1e-6
    )
    torch.testing.assert_close(ours.states, plain.states * torch.tensor([1.0, -1.0, 1.0]))


def test_world_edges_of_the_mirrored_graph_have_the_direction_of_the_mirrored_points() -> None:
    mesh = plate_and_tool()
    task = dataclasses.replace(PULL, contact=CONTACT, boundary=())
    [mirror] = mirrors_along("y", task, 2)
    graph = build(task)(mesh)
    sinking = torch.zeros(mesh.num_points, 2, dtype=torch.float64)
    plain, mirrored = graph.moved(sinking).world, mirror.graph(graph).moved(sinking).world
    assert plain is not None
    assert mirrored is not None
    torch.testing.assert_close(mirrored.edge_index, plain.edge_index)
    turned = plain.edge_vectors * torch.tensor([1.0, -1.0])
    torch.testing.assert_close(mirrored.edge_vectors, turned)
    # Lexicographically larger: by x, and by y where x is the same.
    x, y = mirrored.edge_vectors[mirrored.oriented].T
    assert ((x > 0) | ((x == 0) & (y > 0))).all()


def test_a_mirror_in_a_mirror_shows_the_case_itself() -> None:
    [mirror] = mirrors_along("x", FLOW, 2)
    samples = Samples({"a": flow()}, FLOW, build(FLOW), 1, [mirror])
    plain, twice = samples.batch([2]), samples.batch([2], [(mirror, mirror)])
    torch.testing.assert_close(twice.states, plain.states)
    torch.testing.assert_close(twice.graph.points, plain.graph.points)
    assert directed_edges(twice.graph).keys() == directed_edges(plain.graph).keys()


def test_windows_are_drawn_as_they_are_and_in_each_mirror() -> None:
    mirrors = mirrors_along("xy", FLOW, 2)
    samples = Samples({"a": flow()}, FLOW, build(FLOW), 1, mirrors)
    drawn = [samples.draw(np.random.default_rng(seed), 1).graph for seed in range(200)]
    directions = [tuple(graph.edge_vectors[0].sign().tolist()) for graph in drawn]
    counts = [directions.count(direction) for direction in set(directions)]
    assert len(counts) == 4
    assert min(counts) > 30  # of 50 each; fewer have a chance below 1e-3


def test_without_mirrors_the_same_windows_are_drawn_as_ever() -> None:
    case = heat_trajectory(1)
    samples = Samples({"a": case}, HEAT, build(HEAT))
    drawn = samples.draw(np.random.default_rng(5), 4)
    expected = samples.batch(np.random.default_rng(5).integers(len(samples), size=4).tolist())
    torch.testing.assert_close(drawn.states, expected.states)


def test_scales_are_those_of_the_case_and_all_its_mirror_images() -> None:
    """What is turned has the mean 0, and the root mean square that it had as its deviation."""
    case = flow()
    simulator = Simulator(FLOW, 2, "physgto", SMALL_MODELS["physgto"])
    samples = Samples({"a": case}, FLOW, build(FLOW), 1, mirrors_along("y", FLOW, 2))
    fit_normalizers(simulator, samples)
    velocity = case.fields["velocity"].values[:-1].reshape(-1, 2)
    expected = [velocity[:, 0].mean(), 0.0]
    np.testing.assert_allclose(simulator.state.mean[:2], expected, atol=1e-6)
    expected = [velocity[:, 0].std(), np.sqrt(np.square(velocity[:, 1]).mean())]
    np.testing.assert_allclose(simulator.state.std[:2], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("axes", "field", "message"),
    [
        ("z", Field("velocity", 2), "the meshes have 2 dimensions, no axis z"),
        ("xyx", Field("velocity", 2), "training.mirror names an axis twice: x, y, x"),
        ("x", Field("strain", 3), "field 'strain' has 3 components; .* vectors, with 2"),
    ],
)
def test_what_has_no_mirror_image_is_an_error(axes: str, field: Field, message: str) -> None:
    with pytest.raises(PhysgtError, match=message):
        mirrors_along(axes, Task(targets=(field,), dt=0.1), 2)
