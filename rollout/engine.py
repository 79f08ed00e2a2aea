"""Autoregressive rollout: from one initial state and stated boundary values, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from physgt.datasets.vtkhdf import VTKHDFWriter, read_vtkhdf
from physgt.errors import PhysgtError
from physgt.rollout.boundary import BoundaryValues
from physgt.rollout.integrator import Integrator
from physgt.simulator import Simulator
from physgt.task import Field
from physgt.trajectory import Frame, Trajectory

Progress = Callable[[int, int], None]


def rollout(
    simulator: Simulator,
    initial: Trajectory,
    num_steps: int,
    *,
    output: Path | str | None = None,
    prescribed: Trajectory | None = None,
    progress: Progress | None = None,
) -> Trajectory:
    """Integrate `num_steps` steps of task.dt from the first state of `initial`.

    Nothing later than that first state is read: boundary values come from the task or from
    `prescribed`, a trajectory that the user states on purpose, interpolated linearly in time.

    With `output`, each step is written as it comes, to NAME.partial.vtkhdf, which ParaView opens
    as well; it gets its final name when it is whole. Without `output` the result is held in
    memory.

    Raises PhysgtError where `initial` lacks a field of the task, and where a state stops being
    finite; the steps before that stay in NAME.partial.vtkhdf.
    """
    frames = integrate(simulator, initial, num_steps, prescribed=prescribed)
    if output is None:
        return _collect(simulator, initial, num_steps, frames, progress)
    return _write(simulator, initial, num_steps, frames, Path(output), progress)


def integrate(
    simulator: Simulator,
    initial: Trajectory,
    num_steps: int,
    *,
    prescribed: Trajectory | None = None,
) -> Iterator[tuple[float, Frame]]:
    """Yield (time, targets by name) for the initial state and each of `num_steps` steps.

    Memory doesn't grow with the number of steps.
    """
    task = simulator.task
    if num_steps < 1:
        raise PhysgtError(f"num_steps = {num_steps}, expected 1 or more.")
    boundary = BoundaryValues(task, initial, prescribed)
    boundary.require_complete()
    integrator = Integrator(simulator, boundary)
    start = float(initial.times[0])
    state = integrator.start(start)
    yield start, task.unpack_state(state, initial.mesh)
    for step in range(1, num_steps + 1):
        forcing = boundary.forcing(start + (step - 1) * task.dt)
        # start + step * dt rather than a running sum, whose rounding would show in long files.
        time = start + step * task.dt
        state = integrator.advance(state, forcing, step, time)
        yield time, task.unpack_state(state, initial.mesh)


def _static(initial: Trajectory) -> dict[Field, np.ndarray]:
    """What stays at the start stays in the prediction: another rollout may begin at its end."""
    static = initial.declared(over_time=False)
    return {field: initial.fields[field.name].values for field in static}


def _collect(
    simulator: Simulator,
    initial: Trajectory,
    num_steps: int,
    frames: Iterator[tuple[float, Frame]],
    progress: Progress | None,
) -> Trajectory:
    times, states = [], []
    for step, (time, frame) in enumerate(frames):
        times.append(time)
        states.append(frame)
        if progress is not None:
            progress(step, num_steps)
    names = [target.name for target in simulator.task.targets]
    return Trajectory.from_arrays(
        initial.mesh,
        np.array(times),
        {name: np.stack([state[name] for state in states]) for name in names},
        static={field.name: values for field, values in _static(initial).items()},
        units={target.name: target.units for target in simulator.task.targets},
        attributes=dict(initial.attributes),
    )


def _write(
    simulator: Simulator,
    initial: Trajectory,
    num_steps: int,
    frames: Iterator[tuple[float, Frame]],
    output: Path,
    progress: Progress | None,
) -> Trajectory:
    if output.suffix != ".vtkhdf":
        raise PhysgtError(f"{output}: a rollout is written as .vtkhdf; physgt convert exports it.")
    partial = output.with_suffix(".partial.vtkhdf")
    time, frame = next(frames)
    with VTKHDFWriter(
        partial,
        initial.mesh,
        simulator.task.targets,
        static=_static(initial),
        attributes=initial.attributes,
    ) as writer:
        writer.append(time, frame)
        for step, (time, frame) in enumerate(frames, start=1):
            writer.append(time, frame)
            if progress is not None:
                progress(step, num_steps)
    partial.replace(output)
    return read_vtkhdf(output)
