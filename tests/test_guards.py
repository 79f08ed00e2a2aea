import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from heat_case import HEAT, SMALL_MODELS
from physgt import BoundaryCondition, Field, PhysgtError, Simulator, Task
from physgt.errors import DivergedError
from physgt.normalizer import Moments
from physgt.rollout import GuardSetting, GuardWarning, rollout
from physgt.rollout.guards import GUARDS, Watch

# Training data: the first component from 0 to 10, the second from -1 to 1.
DATA = np.array([[0.0, -1.0], [10.0, 1.0]])
TASK = Task((Field("heat"), Field("speed")), dt=0.1)


def trained() -> Simulator:
    simulator = Simulator(TASK, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"])
    moments = Moments(2)
    moments.update(DATA)
    simulator.state.set(moments)
    return simulator


def level(guard: str, state: list[list[float]], limit: float, start=((5.0, 0.0),)) -> float:
    settings = [GuardSetting(guard, "warn", limit)]
    watch = Watch(settings, trained(), np.array(start), np.ones((1, 2), dtype=bool))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        watch.check(np.array(state), step=1, time=0.1)
    return watch.levels[guard]


@pytest.mark.parametrize(
    ("guard", "state", "limit", "expected"),
    [
        # Half a width beyond 10 is 15; from the middle 5 to there it is 10.
        ("bounds", [[5.0, 0.0], [15.0, 0.0]], 0.5, 1.0),
        ("bounds", [[5.0, 0.0], [10.0, 0.0]], 0.5, 0.5),
        ("bounds", [[5.0, -4.0]], 0.5, 2.0),
        # Training: mean 5, deviation 5, so a mean square of 50; and 1 of the second.
        ("growth", [[10.0, 0.0], [10.0, 0.0]], 2.0, 1.0),
        ("growth", [[0.0, 4.0], [0.0, 0.0]], 4.0, 2.0),
        ("balance", [[5.0, 0.0], [15.0, 0.0]], 1.0, 1.0),
        ("balance", [[5.0, 0.5]], 1.0, 0.5),
        # sqrt((2^2 + 4^2) / 2) deviations.
        ("distance", [[15.0, 4.0], [5.0, 0.0]], 1.0, np.sqrt(10)),
    ],
)
def test_a_level_is_the_share_of_its_limit(guard, state, limit, expected):
    assert level(guard, state, limit) == pytest.approx(expected)


def test_growth_is_measured_from_the_start_where_that_is_larger_than_training():
    assert level("growth", [[0.0, 6.0]], 1.0, start=((0.0, 3.0),)) == pytest.approx(4.0)


@pytest.fixture
def runaway(heat) -> Simulator:
    """Each step adds about a tenth of the range of training."""
    torch.manual_seed(0)
    simulator = Simulator(HEAT, 2, "physgto", SMALL_MODELS["physgto"]).eval()
    moments = Moments(1)
    moments.update(heat.fields["temperature"].values.reshape(-1, 1))
    simulator.state.set(moments)
    simulator.increment.mean.fill_(6.0)
    return simulator


def first_step_beyond(simulator, heat, limit: float) -> int:
    free = rollout(simulator, heat, 30).fields["temperature"].values
    low, high = heat.fields["temperature"].values.min(), heat.fields["temperature"].values.max()
    return int(np.flatnonzero(free.max(axis=1) > high + limit * (high - low))[0])


def test_a_guard_that_stops_names_field_node_step_and_time_and_keeps_the_steps_before(
    runaway, heat, tmp_path
):
    step = first_step_beyond(runaway, heat, 0.5)
    told = (
        rf"'bounds': 'temperature' at node \d+ is at 1\.\d* times its limit in step {step}, "
        rf"time {0.1 * step:g} s"
    )
    with pytest.raises(DivergedError, match=told):
        rollout(
            runaway, heat, 30, output=tmp_path / "out.vtkhdf",
            guards=[GuardSetting("bounds", "stop", 0.5)],
        )  # fmt: skip
    # Without that guard it goes on from there.
    resumed = rollout(runaway, heat, 30, output=tmp_path / "out.vtkhdf", resume=True)
    np.testing.assert_array_equal(
        resumed.fields["temperature"], rollout(runaway, heat, 30).fields["temperature"]
    )


def test_a_guard_that_warns_does_so_once_and_changes_nothing(runaway, heat):
    with pytest.warns(GuardWarning, match="'temperature' at node") as told:
        watched = rollout(runaway, heat, 30, guards=[GuardSetting("bounds", "warn")])
    assert len(told) == 1
    np.testing.assert_array_equal(
        watched.fields["temperature"], rollout(runaway, heat, 30).fields["temperature"]
    )


def test_a_guard_that_clamps_keeps_every_value_within_its_bounds(runaway, heat):
    reference = heat.fields["temperature"].values
    low, high = reference.min(), reference.max()
    with pytest.warns(GuardWarning):
        clamped = rollout(runaway, heat, 60, guards=[GuardSetting("bounds", "clamp", 0.25)])
    found = clamped.fields["temperature"].values
    assert found.max() == pytest.approx(high + 0.25 * (high - low), rel=1e-6)


def test_a_clamp_leaves_what_the_boundary_states(runaway, heat):
    rim = heat.mesh.node_sets["rim"]
    hot = [BoundaryCondition("rim", "temperature", 900.0)]
    heated = Simulator(replace(HEAT, boundary=tuple(hot)), 2, "physgto", SMALL_MODELS["physgto"])
    heated.load_state_dict(runaway.state_dict())
    with pytest.warns(GuardWarning):
        found = rollout(heated, heat, 3, guards=[GuardSetting("bounds", "clamp", 0.25)])
    np.testing.assert_array_equal(found.fields["temperature"].values[:, rim], 900.0)
    assert np.delete(found.fields["temperature"].values, rim, axis=1).max() < 100.0


def test_a_guard_that_hands_back_ends_with_the_step_before_and_a_whole_file(
    runaway, heat, tmp_path
):
    step = first_step_beyond(runaway, heat, 0.5)
    with pytest.warns(GuardWarning, match=f"Handed back after step {step - 1}"):
        result = rollout(
            runaway, heat, 30, output=tmp_path / "out.vtkhdf",
            guards=[GuardSetting("bounds", "hand_back", 0.5)],
        )  # fmt: skip
    assert result.num_steps == step - 1
    assert [file.name for file in tmp_path.iterdir()] == ["out.vtkhdf"]


def test_the_levels_are_told_while_the_rollout_runs(runaway, heat):
    notes = []
    settings = [GuardSetting("growth", "stop", 1e9), GuardSetting("distance", "stop", 1e9)]
    rollout(runaway, heat, 3, guards=settings, progress=lambda *told: notes.append(told[2]))
    assert notes[-1] == "growth 0.00  distance 0.00"


def test_the_range_of_the_training_data_is_saved_and_old_files_have_none(runaway, tmp_path, heat):
    runaway.save(tmp_path / "new.physgt")
    loaded = Simulator.load(tmp_path / "new.physgt")
    assert loaded.state.highest == runaway.state.highest
    unknown = Simulator(HEAT, 2, "physgto", SMALL_MODELS["physgto"])
    weights = {k: v for k, v in runaway.state_dict().items() if not k.endswith("est")}
    unknown.load_state_dict(weights)
    with pytest.raises(PhysgtError, match="doesn't hold; train it with this version"):
        rollout(unknown, heat, 3, guards=[GuardSetting("bounds", "stop")])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bounds=clamp:0.25", GuardSetting("bounds", "clamp", 0.25)),
        ("growth=hand-back", GuardSetting("growth", "hand_back")),
    ],
)
def test_a_guard_is_written_as_name_action_and_limit(text, expected):
    assert GuardSetting.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("walls=stop", "no guard 'walls'; the guards are bounds, growth, balance, distance"),
        ("bounds=explode", "no action 'explode'; the actions are warn, stop, clamp, hand_back"),
        ("bounds", "no action ''"),
        ("bounds=stop:soon", "expected NAME=ACTION:LIMIT"),
        ("bounds=stop:-1", "expected one above 0"),
        ("growth=clamp", "only 'bounds' can"),
    ],
)
def test_a_guard_that_cannot_be_is_refused(text, message):
    with pytest.raises(PhysgtError, match=message):
        GuardSetting.parse(text)


@pytest.mark.parametrize("name", GUARDS)
def test_a_rollout_like_the_training_data_is_calm(name, runaway, heat):
    runaway.increment.mean.fill_(0.0)
    runaway.increment.std.fill_(1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rollout(runaway, heat, 5, guards=[GuardSetting(name, "warn")])
