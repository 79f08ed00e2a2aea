"""What has no memory: it follows from the boundary of the moment, and rests where that rests."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from moving_case import PULL, plate, pulled_plate
from physgt import Field, PhysgtError, Simulator, Task, Trajectory
from physgt.case import read_case
from physgt.declared_fields import Forcing, Quasistatic
from physgt.fit_normalizers import fit_normalizers
from physgt.graph import Graph, batch_graphs
from physgt.loss import relative_l2, unrolled_loss
from physgt.models import MODELS
from physgt.rollout import perturbed, rollout, score
from physgt.samples import Samples
from physgt.training import train
from test_moving_meshes import CASE, SMALL, positions, renumbered

SLOW = dataclasses.replace(
    PULL, targets=(Quasistatic("points", 2, "m"), Quasistatic("stress", units="Pa"))
)


@pytest.fixture(params=MODELS)
def simulator(request: pytest.FixtureRequest) -> Simulator:
    return simulator_of(SLOW, request.param)


def simulator_of(task: Task, model: str = "meshgraphnet") -> Simulator:
    """Untrained, with scales as a training would find them."""
    torch.manual_seed(0)
    simulator = Simulator(task, 2, model, SMALL[model])
    simulator.state.std.fill_(0.1)
    simulator.edge_length.fill_(0.25)
    return simulator.eval()


def seen_by(simulator: Simulator, monkeypatch) -> list[tuple[Graph, torch.Tensor, torch.Tensor]]:
    """What the model gets from now on: graph, normalised state, normalised forcing."""
    seen, model = [], simulator.model

    class Recorder(torch.nn.Module):
        masks, encodings = model.masks, model.encodings

        def forward(self, *inputs):
            seen.append(inputs)
            return model(*inputs)

    monkeypatch.setattr(simulator, "model", Recorder())
    return seen


def test_a_step_forgets_all_but_the_boundary(simulator: Simulator) -> None:
    """A plate that is bent anywhere, in the middle of its way, is next where the other one is."""
    pulled = pulled_plate()
    bent = np.array(positions(pulled))
    inside = np.setdiff1d(
        np.arange(pulled.mesh.num_points), np.concatenate([*pulled.mesh.node_sets.values()])
    )
    bent[:, inside] += 0.05
    fields = {"points": bent, "stress": pulled.fields["stress"].values + 7}
    other = Trajectory.from_arrays(pulled.mesh, pulled.times, fields)
    ours = rollout(simulator, pulled, 6, prescribed=pulled)
    late = rollout(simulator, other.select(slice(3, None)), 3, prescribed=pulled)
    np.testing.assert_array_equal(positions(late)[1:], positions(ours)[4:])
    assert not np.array_equal(positions(ours)[4, inside], positions(ours)[3, inside])


def test_perturbed_starts_of_what_forgets_them_are_refused() -> None:
    simulator, pulled = simulator_of(SLOW), pulled_plate()
    with pytest.raises(PhysgtError, match=r"members = 3.*points, stress.*without memory"):
        perturbed(simulator, pulled, 3, amplitude=0.1)
    assert len(perturbed(simulator, pulled, 1, amplitude=0.1)) == 1


def test_the_network_sees_the_boundary_at_the_end_of_a_step_and_all_else_at_rest(
    monkeypatch,
) -> None:
    pulled, simulator = pulled_plate(0.4), simulator_of(SLOW)
    seen = seen_by(simulator, monkeypatch)
    rollout(simulator, pulled, 3, prescribed=pulled)
    graph, state, forcing = seen[-1]
    right = pulled.mesh.node_sets["right"]
    expected = np.zeros((pulled.mesh.num_points, 2))
    expected[right] = positions(pulled)[3, right] - pulled.mesh.points[right]
    np.testing.assert_allclose(graph.to_mesh(0.1 * state[:, :2]), expected, atol=1e-7)
    now = graph.to_mesh(graph.current_points) * float(simulator.extent)
    np.testing.assert_allclose(now, pulled.mesh.points + expected, atol=1e-6)
    own, mean, way, unit = np.split(graph.to_mesh(forcing), [2, 4, 6], axis=1)
    farthest = np.linalg.norm(expected, axis=1).max()
    np.testing.assert_allclose(unit, farthest, rtol=1e-5)
    np.testing.assert_allclose(own, expected / farthest, atol=1e-5)
    np.testing.assert_allclose(mean - expected[right].mean(axis=0) / farthest, 0, atol=1e-5)
    middle = positions(pulled)[3, right].mean(axis=0)
    np.testing.assert_allclose(way, middle - pulled.mesh.points - expected, atol=1e-6)


def test_training_sees_what_a_rollout_sees(monkeypatch) -> None:
    pulled, simulator = pulled_plate(0.4), simulator_of(SLOW)
    seen = seen_by(simulator, monkeypatch)
    rollout(simulator, pulled, 4, prescribed=pulled)
    window = Samples({"a": pulled}, SLOW, simulator.build_graph).batch([3])
    with torch.no_grad():
        unrolled_loss(simulator, window, torch.zeros_like(window.states[0]))
    for in_rollout, in_training in zip(seen[-2][1:], seen[-1][1:], strict=True):
        torch.testing.assert_close(in_training, in_rollout, rtol=1e-5, atol=1e-6)


def test_a_body_that_nothing_moves_is_at_rest(simulator: Simulator) -> None:
    prediction = rollout(simulator, pulled_plate(), 3, prescribed=pulled_plate(stretch=0.0))
    np.testing.assert_array_equal(positions(prediction)[-1], plate().points.astype(np.float32))


def test_the_model_speaks_of_motion_in_units_of_how_far_the_boundary_moved(monkeypatch) -> None:
    """One that always says 0.5 moves all free nodes by half of that, along each axis."""
    pulled, simulator = pulled_plate(0.2), simulator_of(SLOW)
    monkeypatch.setattr(simulator, "predict", lambda g, state, f: torch.full_like(state, 0.5))
    moved = positions(rollout(simulator, pulled, 10, prescribed=pulled)) - pulled.mesh.points
    inside = pulled.mesh.points[:, 0] == 0.5
    far = np.linalg.norm(moved[:, pulled.mesh.node_sets["right"]], axis=2).max(axis=1)
    assert far[10] == pytest.approx(0.2, rel=0.05)
    np.testing.assert_allclose(
        moved[:, inside], np.tile(0.5 * far[:, None, None], (1, 5, 2)), atol=1e-6
    )


def test_the_training_target_is_the_inverse_of_a_step(simulator: Simulator) -> None:
    pulled = pulled_plate()
    window = Samples({"a": pulled}, SLOW, simulator.build_graph).batch([3])
    graph, state, forcing = window.graph, window.states[1], window.forcings[0]
    with torch.inference_mode():
        predicted = simulator.predict(graph, state, forcing)
        target = simulator.target(graph, state, simulator.step(graph, state, forcing))
    torch.testing.assert_close(target[graph.free], predicted[graph.free], rtol=1e-4, atol=1e-5)


def test_increments_have_the_scale_of_motions_over_how_far_the_boundary_moved() -> None:
    """The plate's own motion, u = s t (x, -0.3 x (y - 1/2)), over the longest on the right."""
    fast, slow = pulled_plate(0.4), pulled_plate(0.1)
    simulator = simulator_of(SLOW)
    fit_normalizers(simulator, Samples({"a": fast, "b": slow}, SLOW, simulator.build_graph))
    x, y = fast.mesh.points.T
    inside = (x > 0) & (x < 1)
    ways = np.stack([x, -0.3 * x * (y - 0.5)], axis=1) / np.hypot(1, 0.15)
    np.testing.assert_allclose(simulator.increment.mean[:2], ways[inside].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(simulator.increment.std[:2], ways[inside].std(axis=0), rtol=1e-5)


def test_graphs_of_a_batch_have_units_of_their_own(simulator: Simulator) -> None:
    windows = [
        Samples({"a": pulled_plate(stretch)}, SLOW, simulator.build_graph).batch([3])
        for stretch in (0.1, 0.4)
    ]
    states = torch.cat([window.states[1] for window in windows])
    forcings = torch.cat([window.forcings[0] for window in windows])
    with torch.inference_mode():
        together = simulator.step(batch_graphs([w.graph for w in windows]), states, forcings)
        alone = [simulator.step(w.graph, w.states[1], w.forcings[0]) for w in windows]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-5, atol=1e-6)


def test_where_the_case_lies_and_how_it_is_numbered_makes_no_difference(
    simulator: Simulator,
) -> None:
    pulled, away = pulled_plate(), pulled_plate(origin=(0.5, -2.25))
    order = np.random.default_rng(1).permutation(pulled.mesh.num_points)
    shuffled = renumbered(pulled, order)
    here, there, other = (
        positions(rollout(simulator, case, 3, prescribed=case)) - case.mesh.points
        for case in (pulled, away, shuffled)
    )
    np.testing.assert_allclose(there, here, atol=1e-6)
    np.testing.assert_allclose(other, here[:, order], atol=1e-6)


def test_the_relative_loss_is_that_of_the_state(simulator: Simulator) -> None:
    simulator = simulator_of(dataclasses.replace(SLOW, targets=SLOW.targets[:1]))
    simulator.increment.std.fill_(0.3)
    window = Samples({"a": pulled_plate()}, simulator.task, simulator.build_graph).batch([3])
    free, state, truth = window.graph.free, window.states[1], window.states[1]
    with torch.no_grad():
        loss = unrolled_loss(
            simulator, window, torch.zeros_like(state), measure=relative_l2
        )  # fmt: skip
        found = simulator.step(window.graph, state, window.forcings[0])
    expected = (found - truth)[free].norm() / truth[free].norm()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_trained_simulator_predicts_a_plate_it_has_not_seen(tmp_path: Path) -> None:
    (tmp_path / "pull.toml").write_text(CASE.replace("components = 2", "components = 2\norder = 0"))
    case = read_case(tmp_path / "pull.toml")
    training = {str(s): pulled_plate(s, origin=(s, 0.0)) for s in (0.1, 0.2, 0.3, 0.4)}
    unseen = pulled_plate(0.25, origin=(7.0, 0.0))
    simulator = train(case, training, tmp_path / "run", validation={"unseen": unseen})
    prediction = rollout(simulator, unseen, 10, prescribed=unseen)
    errors = score(prediction, unseen)["relative_l2"].sel(field="points", forecast="prediction")
    assert errors.max() < 0.1
    assert simulator.task == Task.from_dict(json.loads(json.dumps(case.task().to_dict())))
    assert isinstance(simulator.task.targets[0], Quasistatic)


def test_a_forcing_over_time_would_be_another_load_and_is_refused() -> None:
    with pytest.raises(PhysgtError, match=r"order = 0, .* the forcing 'load' changes over time"):
        dataclasses.replace(SLOW, forcings=(Forcing("load", over_time=True),))


def test_what_no_boundary_drives_has_its_own_units() -> None:
    """A field in equilibrium on a mesh that stays: what the model says is the value."""
    still = Task((Quasistatic("temperature"), Field("other")), 0.1)
    simulator = Simulator(still, 2, "meshgraphnet", SMALL["meshgraphnet"]).eval()
    graph = simulator.build_graph(plate())
    state = torch.randn(graph.num_nodes, 2)
    with torch.inference_mode():
        said = simulator.predict(graph, state, state[:, :0])
        found = simulator.on_fixed_mesh(graph)(state, state[:, :0])
    torch.testing.assert_close(found[:, 0], said[:, 0])
    torch.testing.assert_close(found[:, 1], state[:, 1] + said[:, 1])
