"""Autoregressive rollout: from one initial state and stated boundary values, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from physgt.datasets.vtkhdf import VTKHDFWriter, read_vtkhdf
from physgt.errors import DivergedError, PhysgtError
from physgt.rollout.boundary import BoundaryValues
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


@torch.inference_mode()
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
    graph = simulator.build_graph(initial.mesh)
    advance = simulator.on_fixed_mesh(graph)
    start = float(initial.times[0])
    # Rounded to the model's precision once, so that held nodes keep exactly what is written.
    state = graph.to_mesh(graph.from_mesh(boundary.initial_state()))
    state = boundary.enforce(state, start)
    yield start, task.unpack_state(state)
    for step in range(1, num_steps + 1):
        forcing = boundary.forcing(start + (step - 1) * task.dt)
        advanced = advance(graph.from_mesh(state), graph.from_mesh(forcing))
        # start + step * dt rather than a running sum, whose rounding would show in long files.
        time = start + step * task.dt
        state = boundary.enforce(graph.to_mesh(advanced), time)
        _require_finite(state, simulator, step, time)
        yield time, task.unpack_state(state)


def _require_finite(state: np.ndarray, simulator: Simulator, step: int, time: float) -> None:
    bad = np.argwhere(~np.isfinite(state))
    if len(bad):
        node, column = bad[0]
        name = next(
            target.name
            for target in simulator.task.targets
            if column < simulator.task.columns(target.name).stop
        )
        raise DivergedError(
            f"the rollout diverged: '{name}' is not finite at node {node}, step {step}, "
            f"time {time:g} s. Start from a state like those of the training data, or train longer "
            "with noise or unrolled steps; a file being written keeps the steps before."
        )


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
