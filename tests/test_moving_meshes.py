"""Positions as a target: what the state holds, what the network sees, what is written, scored."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
import vtk

from heat_case import square_mesh
from moving_case import PULL, plate, pulled_plate
from physgt import BoundaryCondition, Field, Mesh, PhysgtError, Simulator, Task, Trajectory
from physgt.case import read_case
from physgt.conditions import Table
from physgt.coupling import Stepper
from physgt.coupling.export import StepProgram
from physgt.datasets.vtkhdf import read_vtkhdf
from physgt.declared_fields import Quasistatic, SecondOrder
from physgt.graph import batch_graphs, build_graph
from physgt.models import MODELS
from physgt.rates import motion_directions
from physgt.rollout import rollout, score
from physgt.samples import Samples
from physgt.training import train
from physgt.viz.scene import make_scene

SMALL = {
    "physgto": {"width": 16, "heads": 2, "tokens": 4, "blocks": 1, "mlp_width": 16},
    "masked_transformer": {"width": 16, "heads": 2, "blocks": 2, "rotary": True},
    "meshgraphnet": {"width": 16, "blocks": 2},
    "near_far_transformer": {"width": 16, "heads": 2, "tokens": 4, "blocks": 1, "rotary": True},
}


@pytest.fixture(params=MODELS)
def simulator(request: pytest.FixtureRequest) -> Simulator:
    return simulator_of(PULL, request.param)


def simulator_of(task: Task, model: str = "meshgraphnet", dimension: int = 2) -> Simulator:
    """Untrained, with scales as a training would find them."""
    torch.manual_seed(0)
    simulator = Simulator(task, dimension, model, SMALL[model])
    simulator.state.std.fill_(0.1)
    simulator.increment.std.fill_(0.01)
    simulator.edge_length.fill_(0.25)
    return simulator.eval()


def positions(trajectory: Trajectory) -> np.ndarray:
    return trajectory.fields["points"].values


def test_a_state_holds_displacements_from_the_points_of_the_mesh() -> None:
    pulled = pulled_plate(origin=(3.0, -2.0))
    state = PULL.pack_state(pulled.frame(10), pulled.mesh)
    np.testing.assert_allclose(state[:, :2], pulled.points_at(10) - pulled.mesh.points)
    np.testing.assert_array_equal(state[:, 2], pulled.frame(10)["stress"])
    fields = PULL.unpack_state(state, pulled.mesh)
    np.testing.assert_allclose(fields["points"], pulled.points_at(10), rtol=1e-15)


def test_a_moved_graph_has_the_edges_of_both_configurations() -> None:
    mesh = plate()
    graph = build_graph(mesh, dtype=torch.float64)
    displacement = torch.as_tensor(np.random.default_rng(0).random((mesh.num_points, 2)))
    moved = graph.moved(displacement)
    now = mesh.points + displacement.numpy()
    senders, receivers = graph.edge_index.numpy()
    reference, current = moved.configurations
    np.testing.assert_allclose(reference, mesh.points[senders] - mesh.points[receivers])
    np.testing.assert_allclose(current, now[senders] - now[receivers], atol=1e-15)
    np.testing.assert_allclose(moved.current_points, now)
    assert graph.configurations == (graph.edge_vectors,)


def test_small_strains_far_from_the_origin_keep_their_digits() -> None:
    graph = build_graph(plate(origin=(1e4, 1e4)))
    displacement = torch.zeros(graph.num_nodes, 2)
    displacement[0] = 1e-7
    reference, current = graph.moved(displacement).configurations
    touched = graph.senders == 0
    torch.testing.assert_close(
        (current - reference)[touched], torch.full((int(touched.sum()), 2), 1e-7), rtol=0.1, atol=0
    )


def standing_still(state: torch.Tensor) -> torch.Tensor:
    """What is given for a step in which the boundary moves nothing."""
    return state.new_zeros(len(state), len(motion_directions(PULL)))


@torch.inference_mode()
def step(simulator: Simulator, trajectory: Trajectory, time: int = 3) -> np.ndarray:
    """(N, S) one step from a state of the trajectory, in the order of its mesh."""
    graph = simulator.build_graph(trajectory.mesh)
    task = simulator.task
    state = graph.from_mesh(task.pack_state(trajectory.frame(time), trajectory.mesh))
    return graph.to_mesh(simulator.step(graph, state, standing_still(state)))


def test_moving_the_whole_case_changes_nothing(simulator: Simulator) -> None:
    here = step(simulator, pulled_plate())
    there = step(simulator, pulled_plate(origin=(0.5, -2.25)))
    np.testing.assert_allclose(there, here, atol=1e-6)


def test_what_the_network_sees_depends_on_the_current_shape(simulator: Simulator) -> None:
    """Two states of one displacement field in the nodes' inputs, but of other edges."""
    graph = simulator.build_graph(plate())
    bent = torch.randn(graph.num_nodes, 2, generator=torch.Generator().manual_seed(0))
    inputs = torch.zeros(graph.num_nodes, 3), torch.zeros(graph.num_nodes, 4)
    with torch.inference_mode():
        still = simulator.model(graph.moved(0 * bent), *inputs)
        assert not torch.allclose(simulator.model(graph.moved(0.1 * bent), *inputs), still)


def renumbered(trajectory: Trajectory, order: np.ndarray) -> Trajectory:
    mesh, new_number = trajectory.mesh, np.argsort(order)
    other = Mesh.from_blocks(
        mesh.points[order],
        [("triangle", new_number[mesh.connectivity].reshape(-1, 3))],
        node_type=mesh.node_type[order],
        node_sets={name: new_number[nodes] for name, nodes in mesh.node_sets.items()},
    )
    fields = {name: trajectory.fields[name].values[:, order] for name in ("points", "stress")}
    return Trajectory.from_arrays(other, trajectory.times, fields)


def test_renumbering_the_nodes_renumbers_the_prediction(simulator: Simulator) -> None:
    pulled = pulled_plate()
    order = np.random.default_rng(1).permutation(pulled.mesh.num_points)
    expected = step(simulator, pulled)[order]
    np.testing.assert_allclose(step(simulator, renumbered(pulled, order)), expected, atol=1e-6)


def test_a_moving_mesh_gives_the_same_alone_and_in_any_batch(simulator: Simulator) -> None:
    small, large = pulled_plate(0.4, cells=2), pulled_plate(0.2, origin=(5.0, 0.0))
    graphs = [simulator.build_graph(t.mesh) for t in (small, large, small)]
    states = [
        graph.from_mesh(PULL.pack_state(t.frame(3), t.mesh))
        for graph, t in zip(graphs, (small, large, small), strict=True)
    ]
    with torch.inference_mode():
        state = torch.cat(states)
        together = simulator.step(batch_graphs(graphs), state, standing_still(state))
    middle = together[9:-9]
    np.testing.assert_allclose(graphs[1].to_mesh(middle), step(simulator, large), atol=1e-6)


def test_the_training_target_is_the_inverse_of_a_step(simulator: Simulator) -> None:
    pulled = pulled_plate()
    graph = simulator.build_graph(pulled.mesh)
    state = graph.from_mesh(PULL.pack_state(pulled.frame(3), pulled.mesh))
    with torch.inference_mode():
        predicted = simulator.predict(graph, state, standing_still(state))
        target = simulator.target(graph, state, simulator.step(graph, state, standing_still(state)))
    torch.testing.assert_close(target[graph.free], predicted[graph.free], rtol=1e-4, atol=1e-5)


def test_held_nodes_stay_and_driven_ones_go_where_they_are_told(simulator: Simulator) -> None:
    pulled = pulled_plate()
    prediction = rollout(simulator, pulled.initial(), 5, prescribed=pulled)
    left, right = (pulled.mesh.node_sets[name] for name in ("left", "right"))
    moved = positions(prediction)
    np.testing.assert_array_equal(moved[:, left], np.repeat(moved[:1, left], 6, axis=0))
    np.testing.assert_allclose(moved[:, right], positions(pulled)[:6, right], atol=1e-6)
    inside = np.setdiff1d(np.arange(pulled.mesh.num_points), np.union1d(left, right))
    assert not np.allclose(moved[1, inside], moved[0, inside])


def test_the_network_is_told_how_the_boundary_moves_in_the_coming_step() -> None:
    """That is stated: at driven nodes their own motion, at all nodes the mean of those."""
    pulled = pulled_plate(0.4)
    window = Samples({"a": pulled}, PULL, simulator_of(PULL).build_graph).batch([3])
    given = window.graph.to_mesh(window.forcings[0])
    right = pulled.mesh.node_sets["right"]
    moves = positions(pulled)[4] - positions(pulled)[3]
    np.testing.assert_allclose(given[right, :2], moves[right], rtol=1e-5)
    np.testing.assert_allclose(given[right, 0], 0.4 * 0.1, rtol=1e-5)
    others = np.setdiff1d(np.arange(pulled.mesh.num_points), right)
    assert (given[others, :2] == 0).all()
    mean = np.repeat(moves[right].mean(axis=0)[None], pulled.mesh.num_points, axis=0)
    np.testing.assert_allclose(given[:, 2:], mean, atol=1e-7)


def test_a_rollout_gives_the_network_the_stated_motion(monkeypatch) -> None:
    pulled, simulator = pulled_plate(0.4), simulator_of(PULL)
    given = []
    predict = simulator.predict

    def record(graph, state, forcing):
        given.append(graph.to_mesh(forcing))
        return predict(graph, state, forcing)

    monkeypatch.setattr(simulator, "predict", record)
    rollout(simulator, pulled.initial(), 2, prescribed=pulled)
    moves = np.diff(positions(pulled), axis=0)
    right = pulled.mesh.node_sets["right"]
    for index in range(2):
        own, mean = np.split(given[index], 2, axis=1)
        np.testing.assert_allclose(own[right], moves[index, right], atol=1e-7)
        assert (np.delete(own, right, axis=0) == 0).all()
        np.testing.assert_allclose(mean - moves[index, right].mean(axis=0), 0, atol=1e-7)


def test_a_rollout_writes_a_mesh_that_vtk_sees_moving(tmp_path) -> None:
    pulled = pulled_plate()
    path = tmp_path / "prediction.vtkhdf"
    simulator = simulator_of(PULL)
    rollout(simulator, pulled.initial(), 4, prescribed=pulled, output=path)
    held = rollout(simulator, pulled.initial(), 4, prescribed=pulled)
    written = read_vtkhdf(path)
    np.testing.assert_array_equal(positions(written), positions(held))
    np.testing.assert_array_equal(written.mesh.points, pulled.mesh.points)
    reader = vtk.vtkHDFReader()
    reader.SetFileName(str(path))
    for index in range(5):
        reader.SetStep(index)
        reader.Update()
        grid = reader.GetOutput()
        seen = np.array([grid.GetPoint(node) for node in range(grid.GetNumberOfPoints())])
        np.testing.assert_array_equal(seen[:, :2], positions(held)[index])
        assert (seen[:, 2] == 0).all()
    assert not np.array_equal(positions(held)[0], positions(held)[4])


def test_a_stepper_nobody_writes_to_equals_the_rollout_and_speaks_of_positions() -> None:
    pulled = pulled_plate(origin=(2.0, 1.0))
    simulator = simulator_of(PULL)
    expected = rollout(simulator, pulled.initial(), 3, prescribed=pulled)
    stepper = Stepper(simulator, pulled.initial(), prescribed=pulled)
    for _ in range(3):
        stepper.step()
    np.testing.assert_array_equal(stepper.get_field("points"), positions(expected)[3])
    there = np.array([[2.5, 1.5]])
    stepper.set_field("points", np.repeat(there, 5, axis=0), on="left")
    np.testing.assert_allclose(stepper.get_field("points", on="left"), np.repeat(there, 5, 0))


@pytest.mark.parametrize("kind", [Field, SecondOrder, Quasistatic])
def test_a_stepper_told_positions_at_each_time_equals_the_rollout_that_reads_them(kind) -> None:
    """A model is told how far the boundary moves in a step: from where it is, to what is set."""
    targets = (kind("points", 2, "m"), kind("stress", units="Pa"))
    simulator = simulator_of(dataclasses.replace(PULL, targets=targets))
    pulled = pulled_plate()
    expected = rollout(simulator, pulled.initial(), 4, prescribed=pulled)
    stepper = Stepper(simulator, pulled.initial())
    right = stepper.ids("right")
    for step in range(1, 5):
        before = stepper.save_state()
        for guess in (9.0, pulled.points_at(step)[right]):  # as a coupling that iterates
            stepper.restore_state(before)
            stepper.set_field("points", np.broadcast_to(guess, (5, 2)), on="right")
            stepper.step()
        np.testing.assert_array_equal(stepper.get_field("points"), positions(expected)[step])


def test_points_held_far_from_the_origin_keep_their_displacement_to_the_last_digit() -> None:
    pulled = pulled_plate(stretch=1e-3, origin=(500.0, 4000.0))
    stepper = Stepper(simulator_of(PULL), pulled.select(slice(3, 4)))
    before = stepper.save_state().state[:, :2]
    stepper.hold_field("points")
    stepper.step()
    after = stepper.save_state().state[:, :2]
    right = stepper.ids("right")
    np.testing.assert_array_equal(after[right], before[right])


def test_an_error_of_position_is_relative_to_the_displacement() -> None:
    reference = pulled_plate(origin=(100.0, 0.0))
    half = np.array(positions(reference))
    half = reference.mesh.points + 0.5 * (half - reference.mesh.points)
    fields = {"points": half, "stress": reference.fields["stress"].values}
    prediction = Trajectory.from_arrays(reference.mesh, reference.times, fields)
    scores = score(prediction, reference).sel(field="points")
    np.testing.assert_allclose(scores["relative_l2"].sel(forecast="prediction"), 0.5)
    np.testing.assert_allclose(scores["relative_l2"].sel(forecast="persistence"), 1.0)
    distance = np.linalg.norm(positions(reference)[-1] - half[-1], axis=1)
    np.testing.assert_allclose(
        scores["rmse"].sel(forecast="prediction")[-1], np.sqrt(np.mean(distance**2)), rtol=1e-12
    )


def test_pictures_of_points_show_displacements_on_the_deformed_mesh() -> None:
    pulled = pulled_plate(origin=(50.0, 0.0))
    scene = make_scene(pulled, "points", reference=pulled)
    assert scene.quantity.label == "displacement magnitude (m)"
    expected, prediction, error = scene.panels(10)
    np.testing.assert_array_equal(prediction.points, pulled.points_at(10))
    distance = np.linalg.norm(pulled.points_at(10) - pulled.mesh.points, axis=1)
    np.testing.assert_allclose(expected.values, distance)
    assert (error.values == 0).all()


CASE = """
name = "pull"
[data]
train = "*.vtkhdf"
[task]
dt = 0.1
[task.targets.points]
components = 2
units = "m"
[boundary.left]
points = "held"
[boundary.right]
points = "prescribed"
[model]
name = "meshgraphnet"
width = 24
blocks = 2
[training]
steps = 150
batch_size = 2
noise = 0.003
learning_rate = 5e-3
warmup_steps = 10
validate_every = 150
ema_decay = 0.9
"""


def test_a_trained_simulator_moves_the_mesh_better_than_persistence(tmp_path) -> None:
    (tmp_path / "pull.toml").write_text(CASE)
    case = read_case(tmp_path / "pull.toml")
    training = {str(s): pulled_plate(s, origin=(s, 0.0)) for s in (0.1, 0.2, 0.3, 0.4)}
    unseen = pulled_plate(0.25, origin=(7.0, 0.0))
    simulator = train(case, training, tmp_path / "run", validation={"unseen": unseen})
    prediction = rollout(simulator, unseen.initial(), 10, prescribed=unseen)
    errors = score(prediction, unseen)["relative_l2"].sel(field="points").mean("time")
    assert errors.sel(forecast="prediction") < 0.5 * errors.sel(forecast="persistence")
    loaded = Simulator.load(tmp_path / "run" / "best.physgt")
    np.testing.assert_array_equal(
        positions(rollout(loaded, unseen.initial(), 3, prescribed=unseen)),
        positions(rollout(simulator, unseen.initial(), 3, prescribed=unseen)),
    )


def test_a_task_that_moves_survives_json() -> None:
    assert Task.from_dict(json.loads(json.dumps(PULL.to_dict()))) == PULL


def test_points_with_another_dimension_than_the_mesh_are_refused() -> None:
    task = dataclasses.replace(PULL, targets=(Field("points", 3), Field("stress")))
    with pytest.raises(PhysgtError, match="3 components, but the mesh has 2 dimensions"):
        task.pack_state({"points": np.zeros((25, 3)), "stress": np.zeros(25)}, square_mesh(4))


def test_conditions_on_points_state_displacements_from_the_mesh() -> None:
    rules = (
        BoundaryCondition("left", "points", 0.0, component=0),
        BoundaryCondition("right", "points", Table((0.0, 1.0), ((0.0, 0.0), (0.2, 0.0)))),
    )
    pulled, task = pulled_plate(), dataclasses.replace(PULL, boundary=rules)
    prediction = rollout(simulator_of(task), pulled.initial(), 5)
    left, right = (pulled.mesh.node_sets[name] for name in ("left", "right"))
    moved = positions(prediction)[5] - pulled.mesh.points
    np.testing.assert_allclose(moved[right], [[0.1, 0.0]] * len(right), atol=1e-7)
    np.testing.assert_allclose(moved[left, 0], 0.0, atol=1e-7)
    assert (moved[left, 1] != 0).any()


def test_what_never_moved_in_training_is_not_driven_in_another_scenario() -> None:
    rules = tuple(BoundaryCondition(name, "points", "held") for name in ("left", "right"))
    ramp = Table((0.0, 1.0), ((0.0, 0.0), (0.2, 0.0)))
    driven, start = [BoundaryCondition("right", "points", ramp)], pulled_plate().initial()
    with pytest.raises(
        PhysgtError, match="'right', field 'points': the model was trained with this"
    ):
        rollout(simulator_of(dataclasses.replace(PULL, boundary=rules)), start, 3, boundary=driven)
    prediction = rollout(simulator_of(PULL), start, 3, boundary=driven)
    right = start.mesh.node_sets["right"]
    moved = positions(prediction)[:, right, 0] - start.mesh.points[right, 0]
    np.testing.assert_allclose(moved, np.tile(0.02 * np.arange(4)[:, None], (1, 5)), atol=1e-6)


def test_moving_is_no_option_of_a_model() -> None:
    with pytest.raises(PhysgtError, match="meshgraphnet has no option 'moving'"):
        Simulator(PULL, 2, "meshgraphnet", {"moving": True})


def test_export_refuses_a_mesh_that_moves() -> None:
    with pytest.raises(PhysgtError, match="can't hold a simulator that moves its mesh"):
        StepProgram.for_mesh(simulator_of(PULL), plate())
