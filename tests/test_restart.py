import dataclasses
import multiprocessing
import os
import signal
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from heat_case import HEAT, SMALL_MODELS, heat_trajectory
from physgt import BoundaryCondition, Field, Forcing, PhysgtError, Simulator, Task, Trajectory
from physgt.datasets import open_trajectory
from physgt.rollout import integrate, rollout


class Stopped(Exception):
    """Raised by a test in the middle of a rollout."""


def stop_after(step: int):
    def progress(done: int, total: int, note: str) -> None:
        if done == step:
            raise Stopped

    return progress


def values(trajectory: Trajectory) -> np.ndarray:
    return trajectory.fields["temperature"].values


@pytest.mark.parametrize("every", [1, 3])
def test_a_resumed_rollout_equals_an_uninterrupted_one_bit_for_bit(
    every, simulator, heat, tmp_path
):
    path = tmp_path / "out.vtkhdf"
    with pytest.raises(Stopped):
        rollout(simulator, heat, 20, output=path, every=every, progress=stop_after(10))
    resumed = rollout(simulator, heat, 20, output=path, every=every, resume=True)
    whole = rollout(simulator, heat, 20, every=every)
    np.testing.assert_array_equal(resumed.times, whole.times)
    np.testing.assert_array_equal(values(resumed), values(whole))
    assert [file.name for file in tmp_path.iterdir()] == ["out.vtkhdf"]


def two_fields(heat: Trajectory) -> tuple[Simulator, Trajectory]:
    task = Task((*HEAT.targets, Field("velocity", 2)), dt=0.1)
    torch.manual_seed(0)
    simulator = Simulator(task, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"]).eval()
    velocity = np.random.default_rng(0).normal(size=(heat.mesh.num_points, 2)).astype(np.float32)
    start = Trajectory.from_arrays(
        heat.mesh,
        heat.times[:1],
        {"temperature": values(heat)[:1], "velocity": velocity[None]},
    )
    return simulator, start


def test_fields_that_are_not_kept_are_there_again_when_a_rollout_goes_on(heat, tmp_path):
    simulator, start = two_fields(heat)
    path = tmp_path / "out.vtkhdf"
    options = {"every": 2, "fields": ["temperature"]}
    with pytest.raises(Stopped):
        rollout(simulator, start, 9, output=path, progress=stop_after(5), **options)
    resumed = rollout(simulator, start, 9, output=path, resume=True, **options)
    whole = rollout(simulator, start, 9)
    assert list(resumed.fields.data_vars) == ["temperature"]
    np.testing.assert_allclose(resumed.times, 0.1 * np.array([0, 2, 4, 6, 8]), rtol=1e-12)
    np.testing.assert_array_equal(values(resumed), values(whole)[::2])


def roll_slowly(path: Path) -> None:
    torch.manual_seed(0)
    simulator = Simulator(HEAT, 2, "physgto", SMALL_MODELS["physgto"]).eval()
    simulator.edge_length.fill_(0.2)
    rollout(simulator, heat_trajectory(0), 100_000, output=path)


def times_written(path: Path) -> int:
    """0 for a file whose head isn't there yet."""
    try:
        return open_trajectory(path).num_times
    except PhysgtError:
        return 0


def test_a_killed_process_leaves_what_another_one_goes_on_with(tmp_path):
    path = tmp_path / "out.vtkhdf"
    process = multiprocessing.get_context("spawn").Process(target=roll_slowly, args=(path,))
    process.start()
    partial = tmp_path / "out.partial.vtkhdf"
    deadline = time.monotonic() + 240  # a machine may be busy
    while times_written(partial) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    done = open_trajectory(partial).num_times

    torch.manual_seed(0)
    simulator = Simulator(HEAT, 2, "physgto", SMALL_MODELS["physgto"]).eval()
    simulator.edge_length.fill_(0.2)
    resumed = rollout(simulator, heat_trajectory(0), done + 10, output=path, resume=True)
    whole = rollout(simulator, heat_trajectory(0), done + 10)
    np.testing.assert_array_equal(values(resumed), values(whole))


def test_another_model_start_or_choice_of_frames_is_not_gone_on_with(simulator, heat, tmp_path):
    path = tmp_path / "out.vtkhdf"
    with pytest.raises(Stopped):
        rollout(simulator, heat, 9, output=path, progress=stop_after(5))
    with pytest.raises(PhysgtError, match=r"another every \(1, now 2\)"):
        rollout(simulator, heat, 9, output=path, every=2, resume=True)
    with pytest.raises(PhysgtError, match="another start"):
        rollout(simulator, heat.select(slice(1, 2)), 9, output=path, resume=True)
    simulator.increment.std.fill_(2.0)
    with pytest.raises(PhysgtError, match="another model"):
        rollout(simulator, heat, 9, output=path, resume=True)


def test_a_rollout_beyond_the_steps_asked_for_is_not_gone_on_with(simulator, heat, tmp_path):
    path = tmp_path / "out.vtkhdf"
    with pytest.raises(Stopped):
        rollout(simulator, heat, 9, output=path, progress=stop_after(5))
    with pytest.raises(PhysgtError, match="has done 5 steps already, more than the 3 asked for"):
        rollout(simulator, heat, 3, output=path, resume=True)
    assert rollout(simulator, heat, 5, output=path, resume=True).num_steps == 5


def test_a_start_with_another_forcing_or_other_sets_is_not_gone_on_with(heat, tmp_path):
    torch.manual_seed(0)
    task = dataclasses.replace(HEAT, forcings=(Forcing("power"),))
    simulator = Simulator(task, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"]).eval()
    start, path = Trajectory(heat.mesh, heat.fields.assign(power=1.0)), tmp_path / "out.vtkhdf"
    with pytest.raises(Stopped):
        rollout(simulator, start, 9, output=path, progress=stop_after(5))
    stronger = Trajectory(heat.mesh, heat.fields.assign(power=2.0))
    with pytest.raises(PhysgtError, match="another start"):
        rollout(simulator, stronger, 9, output=path, resume=True)
    freer = dataclasses.replace(heat.mesh, node_sets={"rim": heat.mesh.node_sets["rim"][1:]})
    with pytest.raises(PhysgtError, match="another mesh"):
        rollout(simulator, Trajectory(freer, start.fields), 9, output=path, resume=True)


def test_other_prescribed_values_are_not_gone_on_with(heat, tmp_path):
    rule = BoundaryCondition("rim", "temperature", "prescribed")
    torch.manual_seed(0)
    task = dataclasses.replace(HEAT, boundary=(rule,))
    simulator = Simulator(task, 2, "physgto", SMALL_MODELS["physgto"]).eval()
    path = tmp_path / "out.vtkhdf"
    with pytest.raises(Stopped):
        rollout(simulator, heat, 9, output=path, prescribed=heat, progress=stop_after(5))
    warmer = Trajectory(heat.mesh, heat.fields + 1)
    with pytest.raises(PhysgtError, match="another prescribed values"):
        rollout(simulator, heat, 9, output=path, prescribed=warmer, resume=True)
    resumed = rollout(simulator, heat, 9, output=path, prescribed=heat, resume=True)
    np.testing.assert_array_equal(
        values(resumed), values(rollout(simulator, heat, 9, prescribed=heat))
    )


def test_without_a_stopped_rollout_there_is_nothing_to_go_on_with(simulator, heat, tmp_path):
    rollout(simulator, heat, 2, output=tmp_path / "out.vtkhdf")
    with pytest.raises(PhysgtError, match=r"no stopped rollout to go on with"):
        rollout(simulator, heat, 9, output=tmp_path / "out.vtkhdf", resume=True)
    with pytest.raises(PhysgtError, match="name the output of the stopped rollout"):
        rollout(simulator, heat, 9, resume=True)


def test_each_kept_step_is_that_of_a_rollout_that_keeps_all(simulator, heat):
    thinned = rollout(simulator, heat, 10, every=4)
    np.testing.assert_allclose(thinned.times, [0.0, 0.4, 0.8], rtol=1e-12)
    np.testing.assert_array_equal(values(thinned), values(rollout(simulator, heat, 10))[::4])


def test_a_field_that_is_no_target_cannot_be_kept(simulator, heat):
    with pytest.raises(PhysgtError, match=r"no target 'heat' to keep.*\['temperature'\]"):
        rollout(simulator, heat, 3, fields=["heat"])


def test_frames_are_made_one_by_one_as_they_are_asked_for(simulator, heat):
    endless = integrate(simulator, heat, 10**9)
    times = [time for time, _ in islice(endless, 4)]
    np.testing.assert_allclose(times, [0.0, 0.1, 0.2, 0.3], rtol=1e-12)
