import json
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from heat_case import HEAT, SMALL_MODELS, build_heat_graph, heat_trajectory
from physgt import PhysgtError, Simulator, Trajectory
from physgt.case import Case, read_case
from physgt.fit_normalizers import fit_normalizers
from physgt.loss import unrolled_loss
from physgt.rollout import rollout, score
from physgt.samples import Samples
from physgt.schedule import learning_rate
from physgt.training import Report, Run, open_trajectories, train

TRAIN = {f"case {seed}": heat_trajectory(seed) for seed in range(4)}
UNSEEN = {"unseen": heat_trajectory(seed=9)}


def heat_case(
    folder: Path, model: str = "physgto", curriculum: str | None = None, **training: object
) -> Case:
    options = "".join(f"{key} = {value}\n" for key, value in SMALL_MODELS[model].items())
    settings = {"steps": 12, "validate_every": 4, "warmup_steps": 4, "noise": 0.01} | training
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    lines += f"unroll = {curriculum}\n" if curriculum else ""
    path = folder / "heat.toml"
    path.write_text(
        'name = "heat"\n[data]\ntrain = "*.vtkhdf"\n'
        '[task]\ndt = 0.1\n[task.targets.temperature]\nunits = "degC"\n'
        '[boundary.rim]\ntemperature = "held"\n'
        f'[model]\nname = "{model}"\n{options}[training]\n{lines}'
    )
    return read_case(path)


def weights(folder: Path, name: str = "last.physgt") -> dict[str, torch.Tensor]:
    return load_file(folder / name)


@pytest.mark.parametrize("model", SMALL_MODELS)
def test_a_trained_model_beats_nothing_changes_on_an_unseen_mesh(model, tmp_path):
    case = heat_case(tmp_path, model, steps=150, learning_rate=5e-3, validate_every=75)
    simulator = train(case, TRAIN, tmp_path / "run", validation=UNSEEN)
    reference = UNSEEN["unseen"]
    errors = score(rollout(simulator, reference.initial(), 30), reference)["rmse"].mean("time")
    prediction, persistence = errors.sel(forecast=["prediction", "persistence"]).values[:, 0]
    assert prediction < persistence / 2


@pytest.mark.parametrize(
    "settings",
    [
        {"unroll": 2},
        {"curriculum": "{ 0 = 1, 6 = 3 }", "pretraining_steps": 4, "push_forward": True},
        {"unroll": 2, "checkpointing": True, "loss": "relative_l2", "mirror": ["x", "y"]},
    ],
    ids=["unrolled", "curriculum", "checkpointing"],
)
def test_a_resumed_training_equals_an_uninterrupted_one_bit_for_bit(settings, tmp_path):
    case = heat_case(tmp_path, **settings)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(case, TRAIN, whole, validation=UNSEEN)

    class Stop(Exception): ...

    def stop_after_step_seven(report: Report) -> None:
        if report.step == 7:
            raise Stop

    with pytest.raises(Stop):
        train(case, TRAIN, parts, validation=UNSEEN, report=stop_after_step_seven)
    seen: list[Report] = []
    train(case, TRAIN, parts, validation=UNSEEN, report=seen.append, resume=True)
    assert [report.step for report in seen] == list(range(5, 13))
    for name in ("last.physgt", "best.physgt", "training_state.safetensors"):
        ours, theirs = weights(parts, name), weights(whole, name)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name


def test_ctrl_c_stops_between_two_steps_and_the_run_goes_on_from_there(tmp_path, monkeypatch):
    case = heat_case(tmp_path)
    advance = Run.advance

    def advance_interrupted_in_step_six(self: Run, samples: Samples) -> float:
        if self.step == 5:
            signal.raise_signal(signal.SIGINT)
        return advance(self, samples)

    with monkeypatch.context() as patched:
        patched.setattr(Run, "advance", advance_interrupted_in_step_six)
        with pytest.raises(KeyboardInterrupt):
            train(case, TRAIN, tmp_path / "parts")
    seen: list[Report] = []
    train(case, TRAIN, tmp_path / "parts", report=seen.append, resume=True)
    train(case, TRAIN, tmp_path / "whole")
    assert seen[0].step == 7
    ours, theirs = weights(tmp_path / "parts"), weights(tmp_path / "whole")
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(heat_case(tmp_path, steps=2, seed=seed), TRAIN, tmp_path / name)
    a, b, c = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not all(torch.equal(a[key], c[key]) for key in a)


def test_best_is_the_model_of_the_lowest_validation_error(tmp_path):
    seen: list[Report] = []
    case = heat_case(tmp_path, steps=40, learning_rate=1e-2, validation_steps=30)
    simulator = train(case, TRAIN, tmp_path / "run", validation=UNSEEN, report=seen.append)
    reference = UNSEEN["unseen"]
    errors = score(rollout(simulator, reference.initial(), 30), reference)["relative_l2"]
    found = float(errors.sel(forecast="prediction").mean())
    assert found == pytest.approx(min(r.validation for r in seen if r.validation is not None))


def test_a_run_is_not_overwritten_by_another(tmp_path):
    train(heat_case(tmp_path, steps=1), TRAIN, tmp_path / "run")
    with pytest.raises(PhysgtError, match=r"run: holds a run already; go on with --resume"):
        train(heat_case(tmp_path, steps=1), TRAIN, tmp_path / "run")


def test_resuming_with_another_case_names_what_differs(tmp_path):
    train(heat_case(tmp_path), TRAIN, tmp_path / "run")
    other = heat_case(tmp_path, "masked_transformer")
    with pytest.raises(PhysgtError, match=r"was trained with model = .*physgto.*but the case says"):
        train(other, TRAIN, tmp_path / "run", resume=True)
    with pytest.raises(PhysgtError, match="no such file"):
        train(other, TRAIN, tmp_path / "elsewhere", resume=True)


def test_a_mirror_that_the_meshes_have_no_axis_for_is_named_before_anything_is_written(tmp_path):
    with pytest.raises(PhysgtError, match=r"training\.mirror: the meshes have 2 dimensions"):
        train(heat_case(tmp_path, mirror=["z"]), TRAIN, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_loss_of_one_step_is_the_mean_squared_error_of_normalised_increments(simulator):
    samples = Samples(TRAIN, HEAT, build_heat_graph)
    window = samples.batch([3])
    noise = torch.zeros_like(window.states[0])
    next_state = simulator.step(window.graph, window.states[0], window.forcings[0])
    error = ((next_state - window.states[1]) / simulator.increment.std)[window.graph.free]
    loss = unrolled_loss(simulator, window, noise)
    assert loss.item() == pytest.approx(error.square().mean().item(), rel=1e-4)


def test_noise_is_corrected_by_the_target(simulator):
    """A model that undoes the noise exactly has no loss: the clean next state is the target."""
    window = Samples(TRAIN, HEAT, build_heat_graph).batch([3])
    noise = torch.where(window.graph.free, 2.0, 0.0)
    exact = simulator.target(window.graph, window.states[0] + noise, window.states[1])
    simulator.predict = lambda graph, state, forcing: exact
    assert unrolled_loss(simulator, window, noise).item() == pytest.approx(0, abs=1e-10)
    assert unrolled_loss(simulator, window, 0 * noise).item() > 0.1


def test_an_unrolled_loss_sends_gradients_through_all_steps(simulator):
    window = Samples(TRAIN, HEAT, build_heat_graph, unroll=3).batch([0])
    start = torch.zeros_like(window.states[0]).requires_grad_()
    unrolled_loss(simulator, window, start).backward()
    assert start.grad is not None
    assert start.grad.abs().max() > 0


def test_scales_are_those_of_the_training_set(tmp_path):
    simulator = Simulator(HEAT, 2, "physgto", SMALL_MODELS["physgto"])
    fit_normalizers(simulator, Samples(TRAIN, HEAT, build_heat_graph))
    states = [t.fields["temperature"].values.astype(float) for t in TRAIN.values()]
    free = [t.mesh.node_type == 0 for t in TRAIN.values()]
    every = np.concatenate([s[:-1].ravel() for s in states])
    changes = [np.diff(s, axis=0)[:, f] for s, f in zip(states, free, strict=True)]
    steps = np.concatenate([change.ravel() for change in changes])
    assert simulator.state.mean.item() == pytest.approx(every.mean(), rel=1e-6)
    assert simulator.state.std.item() == pytest.approx(every.std(), rel=1e-6)
    assert simulator.increment.std.item() == pytest.approx(steps.std(), rel=1e-4)
    assert simulator.origin.tolist() == [0.0, 0.0]
    assert simulator.extent.item() == pytest.approx(1.3)


def test_the_learning_rate_warms_up_and_ends_at_its_final_share(tmp_path):
    case = heat_case(tmp_path, steps=100, warmup_steps=10, learning_rate=2e-3)
    rates = [learning_rate(case.training, step) for step in range(100)]
    assert rates[0] == pytest.approx(2e-4)
    assert max(rates) == pytest.approx(2e-3, rel=0.03)
    assert rates[99] == pytest.approx(2e-6)


def test_a_curriculum_lengthens_the_windows_at_the_steps_it_names(tmp_path, monkeypatch):
    lengths: list[int] = []
    draw = Samples.draw

    def remembered(self: Samples, *arguments: object):
        window = draw(self, *arguments)
        lengths.append(len(window.forcings))
        return window

    monkeypatch.setattr(Samples, "draw", remembered)
    case = heat_case(tmp_path, curriculum="{ 0 = 1, 5 = 2, 9 = 4 }")
    train(case, TRAIN, tmp_path / "run")
    assert lengths == [1] * 5 + [2] * 4 + [4] * 3


def test_an_unknown_loss_names_those_there_are(tmp_path):
    with pytest.raises(PhysgtError, match="no loss 'l1'; the losses are squared_error, relative"):
        train(heat_case(tmp_path, loss="l1"), TRAIN, tmp_path / "run")


def test_tensorboard_shows_loss_learning_rate_and_validation(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(heat_case(tmp_path), TRAIN, tmp_path / "run", validation=UNSEEN)
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert [event.step for event in events.Scalars("loss")] == list(range(1, 13))
    assert [event.step for event in events.Scalars("validation/relative_l2")] == [4, 8, 12]


def test_a_resumed_training_hides_no_event_of_the_steps_that_it_keeps(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    class Stop(Exception): ...

    def stop_after_step_six(report: Report) -> None:
        if report.step == 6:
            raise Stop

    case = heat_case(tmp_path)
    with pytest.raises(Stop):
        train(case, TRAIN, tmp_path / "run", validation=UNSEEN, report=stop_after_step_six)
    train(case, TRAIN, tmp_path / "run", validation=UNSEEN, resume=True)
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert [event.step for event in events.Scalars("loss")] == list(range(1, 13))
    assert [event.step for event in events.Scalars("validation/relative_l2")] == [4, 8, 12]


def test_a_run_goes_on_with_the_cases_that_it_was_started_with_wherever_they_lie(tmp_path):
    case = heat_case(tmp_path, steps=1)
    named = {f"old/{name}": trajectory for name, trajectory in TRAIN.items()}
    train(case, named, tmp_path / "run", validation=UNSEEN)
    fewer = dict(list(TRAIN.items())[:2])
    with pytest.raises(PhysgtError, match="run: had 4 cases for training, now there are 2"):
        train(case, fewer, tmp_path / "run", validation=UNSEEN, resume=True)
    with pytest.raises(PhysgtError, match="run: had 1 cases for validation, now there are 4"):
        train(case, TRAIN, tmp_path / "run", validation=TRAIN, resume=True)
    train(case, TRAIN, tmp_path / "run", validation=UNSEEN, resume=True)


def test_a_validation_case_that_does_not_fit_is_named_before_the_first_step(tmp_path):
    short = {"short": heat_trajectory(9, num_steps=0)}
    other = Trajectory(UNSEEN["unseen"].mesh, UNSEEN["unseen"].fields.rename(temperature="heat"))
    for validation, message in ((short, "short: .*one time"), ({"b": other}, "b: no field 'temp")):
        with pytest.raises(PhysgtError, match=message):
            train(heat_case(tmp_path), TRAIN, tmp_path / "run", validation=validation)
    assert not (tmp_path / "run").exists()


def test_a_validation_case_at_rest_at_zero_has_no_relative_error_and_does_not_count(tmp_path):
    heat = UNSEEN["unseen"]
    cold = Trajectory(heat.mesh, heat.fields * 0.0)
    found: list[list[float | None]] = []
    for name, cases in (("a", UNSEEN), ("b", {**UNSEEN, "cold": cold}), ("c", {"cold": cold})):
        seen: list[Report] = []
        train(heat_case(tmp_path), TRAIN, tmp_path / name, validation=cases, report=seen.append)
        found.append([report.validation for report in seen if report.step % 4 == 0])
    assert found[1] == found[0]
    assert found[2] == [None] * 3


def test_a_gradient_that_is_not_finite_reaches_no_weight(tmp_path, monkeypatch):
    def loss_of_infinite_slope(self: Run, *arguments: object) -> torch.Tensor:
        return sum((0 * w).sum().sqrt() for w in self.simulator.parameters()) + torch.ones(())

    monkeypatch.setattr(Run, "_loss", loss_of_infinite_slope)
    with pytest.raises(PhysgtError, match="the loss or its gradient is not finite at step 1"):
        train(heat_case(tmp_path, steps=1), TRAIN, tmp_path / "run")
    assert not (tmp_path / "run" / "last.physgt").exists()


def test_a_pattern_without_files_says_where_it_looked(tmp_path):
    with pytest.raises(PhysgtError, match=r"train/\*\.vtkhdf: no such files"):
        open_trajectories(tmp_path, "train/*.vtkhdf")


@pytest.mark.parametrize("pattern", ["/data/*.vtkhdf", ""])
def test_a_pattern_that_is_none_below_the_folder_says_what_is_expected(pattern, tmp_path):
    with pytest.raises(PhysgtError, match=r"\[data\] .*: expected a pattern of files below"):
        open_trajectories(tmp_path, pattern)


def test_products_in_bfloat16_keep_weights_in_float32_and_learn_as_well(tmp_path):
    errors = []
    for name, bfloat16 in (("whole", False), ("half", True)):
        case = heat_case(tmp_path, steps=100, learning_rate=5e-3, bfloat16=bfloat16)
        simulator = train(case, TRAIN, tmp_path / name)
        assert all(weight.dtype == torch.float32 for weight in simulator.parameters())
        heat = next(iter(UNSEEN.values()))
        errors.append(relative_error(rollout(simulator, heat.initial(), 10), heat))
    assert errors[1] < 1.5 * errors[0]


def relative_error(prediction, reference) -> float:
    found = prediction.fields["temperature"].values[10]
    expected = reference.fields["temperature"].values[10]
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
