"""Second order in time: rates from history, steps with known solutions, and their inverse."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from moving_case import plate, pulled_plate
from physgt import BoundaryCondition, Field, PhysgtError, Simulator, Task, Trajectory
from physgt.case import read_case
from physgt.coupling import Stepper
from physgt.graph import Graph
from physgt.loss import free_noise, unrolled_loss
from physgt.rollout import Member, perturbed, rollout, score
from physgt.rollout.members import integrate_members
from physgt.samples import Samples
from physgt.task import SecondOrder
from physgt.training import Report, train

DT = 0.1
GRAVITY = np.array([0.0, -9.81])
SPEED = np.array([2.0, 3.0])


class Law(nn.Module):
    """A known law of motion in the place of a network: acceleration = law(displacement)."""

    masks = ()
    encodings = ()

    def __init__(self, law) -> None:
        super().__init__()
        self.law = law

    def forward(self, graph: Graph, state: Tensor, forcing: Tensor, geometry=None) -> Tensor:
        return self.law(state)


def motion_of(initial_rate: str, *boundary: BoundaryCondition) -> Task:
    target = SecondOrder("points", 2, "m", initial_rate=initial_rate)
    return Task((target,), DT, boundary=boundary)


def simulator_of(task: Task, law=None) -> Simulator:
    """Untrained, its accelerations in m / dt^2."""
    torch.manual_seed(0)
    simulator = Simulator(task, 2, "meshgraphnet", {"width": 16, "blocks": 1}).double()
    simulator.edge_length.fill_(0.25)
    if law is not None:
        simulator.model = Law(law)
    return simulator.eval()


def falls(state: Tensor) -> Tensor:
    return torch.as_tensor(GRAVITY * DT**2).expand(len(state), 2)


def thrown(num_steps: int = 20, start: float = 0.0) -> Trajectory:
    """A plate that flies: x(t) = X + v t + g t^2 / 2, whatever its shape."""
    mesh = plate()
    times = start + DT * np.arange(num_steps + 1)
    t = times[:, None, None]
    moved = mesh.points + SPEED * t + GRAVITY * t**2 / 2
    velocity = np.repeat(SPEED + GRAVITY * t, mesh.num_points, axis=1)
    return Trajectory.from_arrays(mesh, times, {"points": moved, "velocity": velocity})


def positions(trajectory: Trajectory) -> np.ndarray:
    return trajectory.fields["points"].values


def test_free_fall_is_exact_from_a_history_of_two_states() -> None:
    reference = thrown()
    simulator = simulator_of(motion_of("history"), falls)
    prediction = rollout(simulator, reference.select(slice(0, 2)), 19)
    np.testing.assert_allclose(prediction.times, reference.times[1:])
    np.testing.assert_allclose(positions(prediction), positions(reference)[1:], rtol=1e-13)


def test_a_history_is_taken_dt_apart_from_a_start_with_more_times_than_that() -> None:
    fine = thrown(40)
    fields = {"points": positions(fine)}
    finer = Trajectory.from_arrays(fine.mesh, fine.times / 2, fields)
    task = motion_of("history")
    prediction = rollout(simulator_of(task, lambda state: 0 * state), finer, 3)
    np.testing.assert_allclose(prediction.times, DT * np.arange(1, 5))
    step = positions(finer)[2] - positions(finer)[0]
    expected = [positions(finer)[2] + k * step for k in range(4)]
    np.testing.assert_allclose(positions(prediction), expected)


def test_at_rest_the_first_step_is_the_acceleration_alone() -> None:
    """x_n = X + g dt^2 n (n + 1) / 2: the sum of the rates g dt^2, 2 g dt^2, ..."""
    simulator = simulator_of(motion_of("at_rest"), falls)
    prediction = rollout(simulator, thrown(1).initial(), 8)
    n = np.arange(9)[:, None, None]
    expected = thrown(1).points_at(0) + GRAVITY * DT**2 * n * (n + 1) / 2
    np.testing.assert_allclose(positions(prediction), expected, rtol=1e-13)


def test_a_field_states_the_initial_rate_per_second() -> None:
    """The rate is the backward difference, so exact is the velocity half a step before."""
    reference = thrown()
    half = {"velocity": reference.fields["velocity"].values - GRAVITY * DT / 2}
    start = Trajectory.from_arrays(
        reference.mesh, reference.times, {"points": positions(reference), **half}
    )
    prediction = rollout(simulator_of(motion_of("velocity"), falls), start.initial(), 20)
    np.testing.assert_allclose(positions(prediction), positions(reference), rtol=1e-13)


def test_masses_on_springs_swing_as_the_discrete_solution_says() -> None:
    """u'' = -k u in steps of dt is u_n = u_0 cos(n theta), 2 sin(theta / 2) = sqrt(k) dt."""
    k = 7.0
    theta = 2 * np.arcsin(np.sqrt(k) * DT / 2)
    mesh = plate()
    amplitude = 0.01 * np.random.default_rng(0).standard_normal(mesh.points.shape)
    n = np.arange(101)[:, None, None]
    reference = mesh.points + amplitude * np.cos(n * theta)
    start = Trajectory.from_arrays(mesh, DT * np.arange(101), {"points": reference})
    simulator = simulator_of(motion_of("history"), lambda u: -k * DT**2 * u)
    prediction = rollout(simulator, start.select(slice(0, 2)), 99)
    np.testing.assert_allclose(positions(prediction), reference[1:], atol=1e-12)


LEFT_HELD = BoundaryCondition("left", "points", "held")
RIGHT_DRIVEN = BoundaryCondition("right", "points", "prescribed")


def window_of(simulator: Simulator, number: int = 3, unroll: int = 1):
    return Samples({"a": thrown()}, simulator.task, simulator.build_graph, unroll).batch([number])


def test_the_training_target_is_the_inverse_of_a_step() -> None:
    simulator = simulator_of(motion_of("history", LEFT_HELD))
    window = window_of(simulator)
    state, forcing = window.states[0], window.forcings[0]
    with torch.inference_mode():
        predicted = simulator.predict(window.graph, state, forcing)
        after = simulator.step(window.graph, state, forcing)
        target = simulator.target(window.graph, state, after)
    free = window.graph.free
    torch.testing.assert_close(target[free], predicted[free], rtol=1e-10, atol=1e-12)
    assert (target[~free] == 0).all()
    torch.testing.assert_close(after[:, 2:], after[:, :2] - state[:, :2])


def test_the_target_of_free_fall_is_the_acceleration() -> None:
    simulator = simulator_of(motion_of("history"))
    window = window_of(simulator)
    target = simulator.target(window.graph, window.states[0], window.states[1])
    np.testing.assert_allclose(target, np.broadcast_to(GRAVITY * DT**2, target.shape), rtol=1e-6)


@pytest.mark.parametrize(
    ("initial_rate", "starts"),
    [
        ("history", [2, 3, 4, 5, 6]),
        ("at_rest", [0, 2, 3, 4, 5, 6]),
        ("velocity", [0, 2, 3, 4, 5, 6]),
    ],
)
def test_a_window_begins_where_its_rate_is_known(initial_rate: str, starts: list[int]) -> None:
    thrown_finely = thrown(8)
    task = dataclasses.replace(motion_of(initial_rate), dt=2 * DT)
    simulator = simulator_of(task)
    samples = Samples({"a": thrown_finely}, task, simulator.build_graph)
    assert len(samples) == len(starts)
    moved = positions(thrown_finely)
    for number, start in enumerate(starts):
        states = samples.batch([number]).states
        rate = samples.graphs[0].to_mesh(states[0, :, 2:])
        expected = {"at_rest": 0.0, "velocity": 2 * DT * SPEED}.get(initial_rate)
        if start:
            expected = moved[start] - moved[start - 2]
        np.testing.assert_allclose(rate, np.broadcast_to(expected, rate.shape), atol=1e-12)
        later = samples.graphs[0].to_mesh(states[1, :, 2:])
        np.testing.assert_allclose(later, moved[start + 2] - moved[start], atol=1e-12)


@pytest.mark.parametrize(
    ("initial_rate", "starts"), [("history", [2, 4, 6]), ("at_rest", [0, 2, 4, 6])]
)
def test_scales_are_measured_over_steps_end_to_end(initial_rate: str, starts: list[int]) -> None:
    thrown_finely = thrown(8)
    task = dataclasses.replace(motion_of(initial_rate), dt=2 * DT)
    samples = Samples({"a": thrown_finely}, task, simulator_of(task).build_graph)
    displaced = positions(thrown_finely) - thrown_finely.mesh.points
    found = [(before[:, :2], after[:, :2]) for _, before, after, _ in samples.steps()]
    np.testing.assert_allclose(found, [(displaced[k], displaced[k + 2]) for k in starts])


def test_noise_disturbs_the_last_two_states_and_the_target_takes_both_back() -> None:
    """x + p leads to x' with the rate v + p - q, where x and the state before it had p and q."""
    simulator = simulator_of(motion_of("history", LEFT_HELD), falls)
    simulator.state.std.copy_(torch.tensor([10.0, 10.0, 0.3, 0.3]))
    window = window_of(simulator)
    noise = free_noise(simulator, window, 0.5, np.random.default_rng(0))
    free = window.graph.free.all(dim=1)
    now, before = noise[free, :2], noise[free, :2] - noise[free, 2:]
    assert (noise[~free] == 0).all()
    assert 0.1 < now.std() < 0.2
    assert 0.1 < before.std() < 0.2
    assert abs((now * before).mean()) < 0.3 * 0.15**2
    clean = simulator.target(window.graph, window.states[0], window.states[1])
    noisy = simulator.target(window.graph, window.states[0] + noise, window.states[1])
    torch.testing.assert_close(noisy[free], clean[free] - 2 * now + before)


def test_an_exact_law_has_no_loss_however_long_it_is_unrolled() -> None:
    simulator = simulator_of(motion_of("history", RIGHT_DRIVEN), falls)
    window = window_of(simulator, unroll=5)
    loss = unrolled_loss(simulator, window, torch.zeros_like(window.states[0]))
    assert float(loss) < 1e-20


def test_driven_nodes_have_the_rate_of_their_motion_and_held_ones_none() -> None:
    pulled = pulled_plate(0.3)
    task = motion_of("at_rest", LEFT_HELD, RIGHT_DRIVEN)
    stepper = Stepper(simulator_of(task, falls), pulled.initial(), prescribed=pulled)
    for _ in range(3):
        stepper.step()
    rates = stepper.save_state().state[:, 2:]
    left, right = (pulled.mesh.node_sets[name] for name in ("left", "right"))
    assert (rates[left] == 0).all()
    moves = positions(pulled)[3] - positions(pulled)[2]
    np.testing.assert_allclose(rates[right], moves[right], atol=1e-12)


def test_a_stepper_equals_the_rollout_and_saves_its_history() -> None:
    reference = thrown()
    simulator = simulator_of(motion_of("history", LEFT_HELD))
    expected = positions(rollout(simulator, reference, 6))
    stepper = Stepper(simulator, reference)
    assert stepper.time == pytest.approx(DT)
    for _ in range(3):
        stepper.step()
    saved = stepper.save_state()
    for _ in range(3):
        stepper.step()
    np.testing.assert_array_equal(stepper.get_field("points"), expected[6])
    stepper.restore_state(saved)
    for _ in range(3):
        stepper.step()
    np.testing.assert_array_equal(stepper.get_field("points"), expected[6])


def test_a_rollout_goes_on_from_the_last_two_states_of_another(tmp_path: Path) -> None:
    simulator = simulator_of(motion_of("history"), lambda u: falls(u) - 0.01 * u)
    whole = rollout(simulator, thrown(), 12)
    part = rollout(simulator, thrown(), 6)
    again = rollout(simulator, part.select(slice(-2, None)), 6)
    np.testing.assert_allclose(again.times, whole.times[6:])
    np.testing.assert_allclose(positions(again), positions(whole)[6:], rtol=1e-12)


def test_members_of_an_ensemble_are_rollouts_with_a_history_of_their_own() -> None:
    pulled = pulled_plate(0.3)
    simulator = simulator_of(motion_of("history", LEFT_HELD, RIGHT_DRIVEN)).float()
    starts = perturbed(simulator, pulled, 3, 0.02)
    members = [Member(str(k), simulator, start, pulled) for k, start in enumerate(starts)]
    (*_, last) = integrate_members(members, 4, batch_size=2)
    for values, start in zip(last.values, starts, strict=True):
        alone = rollout(simulator, start, 4, prescribed=pulled)
        expected = positions(alone)[4] - pulled.mesh.points
        np.testing.assert_allclose(values[:, :2], expected, atol=1e-6)
        rate = positions(alone)[4] - positions(alone)[3]
        np.testing.assert_allclose(values[:, 2:], rate, atol=1e-6)
        assert np.array_equal(np.diff(positions(start), axis=0).shape, (1, 25, 2))
    moved = positions(starts[1]) - positions(starts[0])
    np.testing.assert_allclose(moved[0], moved[1], atol=1e-15)
    assert moved.any()


def test_a_stopped_rollout_goes_on_with_its_rate(tmp_path: Path) -> None:
    reference = thrown()
    simulator = simulator_of(motion_of("history"), lambda u: falls(u) - 0.01 * u)
    output = tmp_path / "out.vtkhdf"
    whole = rollout(simulator, reference, 8)

    def stop(step: int, *_: object) -> None:
        if step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rollout(simulator, reference, 8, output=output, progress=stop)
    again = rollout(simulator, reference, 8, output=output, resume=True)
    np.testing.assert_array_equal(positions(again), positions(whole).astype(np.float32))


def test_a_start_must_state_the_rate() -> None:
    start = thrown().initial()
    with pytest.raises(PhysgtError, match=r"one time, but .* history: it needs two, dt = 0.1 s"):
        rollout(simulator_of(motion_of("history")), start, 1)
    with pytest.raises(PhysgtError, match=r"the start: no field 'speed', which initial_rate"):
        rollout(simulator_of(motion_of("speed")), start, 1)
    broken = thrown(1)
    broken.fields["velocity"][0, 4] = np.nan
    with pytest.raises(PhysgtError, match="the start's rate is not finite at node 4"):
        rollout(simulator_of(motion_of("velocity")), broken, 1)


CASE = """
name = "pull"
[data]
train = "*.vtkhdf"
[task]
dt = 0.1
[task.targets.points]
components = 2
order = 2
initial_rate = "history"
[task.targets.stress]
[boundary.left]
points = "held"
[boundary.right]
points = "prescribed"
[model]
name = "meshgraphnet"
width = 16
blocks = 1
[training]
steps = 6
unroll = 2
noise = 0.01
validate_every = 3
"""


def test_a_case_file_declares_the_order_and_how_the_rate_begins(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(CASE)
    task = read_case(tmp_path / "case.toml").task()
    assert task.targets == (
        SecondOrder("points", 2, initial_rate="history"),
        Field("stress"),
    )
    assert task.second_order == [0, 1]
    assert Task.from_dict(json.loads(json.dumps(task.to_dict()))) == task


@pytest.mark.parametrize("line", ['initial_rate = "history"\n', "order = 2\n"])
def test_order_and_initial_rate_go_together(line: str, tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(CASE.replace(line, ""))
    with pytest.raises(PhysgtError, match=r"\[task.targets.points\] order = 2 and initial_rate"):
        read_case(tmp_path / "case.toml")


def test_a_resumed_training_equals_an_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(CASE)
    case = read_case(tmp_path / "case.toml")
    data = {"a": pulled_plate(0.1), "b": pulled_plate(0.3)}
    train(case, data, tmp_path / "whole", validation=data)

    class Stop(Exception): ...

    def stop_after_step_four(report: Report) -> None:
        if report.step == 4:
            raise Stop

    with pytest.raises(Stop):
        train(case, data, tmp_path / "parts", validation=data, report=stop_after_step_four)
    simulator = train(case, data, tmp_path / "parts", validation=data, resume=True)
    ours, theirs = (load_file(tmp_path / run / "last.physgt") for run in ("parts", "whole"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    loaded = Simulator.load(tmp_path / "parts" / "best.physgt")
    start = data["a"]
    np.testing.assert_array_equal(
        positions(rollout(loaded, start, 3, prescribed=start)),
        positions(rollout(simulator, start, 3, prescribed=start)),
    )
    assert np.isfinite(score(rollout(loaded, start, 3, prescribed=start), start)["rmse"]).all()
