"""Autoregressive rollout: from one initial state and stated boundary values, step by step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from physgt.boundary import BoundaryCondition
from physgt.conditions import Condition
from physgt.datasets.vtkhdf import VTKHDFWriter, read_vtkhdf
from physgt.errors import PhysgtError, require_one_or_more
from physgt.fields import field_variable
from physgt.rates import start_and_rates
from physgt.rollout.boundary import BoundaryValues, restated
from physgt.rollout.guards import GuardSetting, HandBack, Watch
from physgt.rollout.integrator import Integrator
from physgt.rollout.restart import (
    Restart,
    fingerprint,
    fingerprint_of,
    mesh_fingerprint,
    restart_path,
)
from physgt.simulator import Simulator
from physgt.task import Field, Task
from physgt.trajectory import Frame, Trajectory

Progress = Callable[[int, int, str], None]
"""Called with the number of steps done and of all, and the levels of the guards as a text."""


class State(NamedTuple):
    """values (N, S + R) after step number `step`, 0 for the start; note: the guards' levels."""

    step: int
    time: float
    values: np.ndarray
    note: str


@dataclass(frozen=True)
class Kept:
    """Which steps of a rollout are kept, and which of its targets."""

    every: int
    fields: tuple[Field, ...]

    @classmethod
    def of(cls, simulator: Simulator, every: int, names: Sequence[str] | None) -> Kept:
        require_one_or_more(every=every)
        targets = {target.name: target for target in simulator.task.targets}
        for name in names or ():
            if name not in targets:
                raise PhysgtError(f"no target '{name}' to keep; the targets are {list(targets)}.")
        chosen = tuple(t for t in targets.values() if names is None or t.name in names)
        if not chosen:
            raise PhysgtError(f"fields = []: name one of the targets {list(targets)}.")
        return cls(every, chosen)


def rollout(
    simulator: Simulator,
    initial: Trajectory,
    num_steps: int,
    *,
    output: Path | str | None = None,
    prescribed: Trajectory | None = None,
    boundary: Sequence[BoundaryCondition] = (),
    forcings: Mapping[str, Condition] | None = None,
    every: int = 1,
    fields: Sequence[str] | None = None,
    guards: Sequence[GuardSetting] = (),
    resume: bool = False,
    command: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Trajectory:
    """Integrate `num_steps` steps of task.dt from the first state of `initial`.

    A task of second order that goes on from a history starts one dt later: the first state is
    its history. Nothing later than where it starts is read: boundary values come from the task or
    from `prescribed`, a trajectory that the user states on purpose, interpolated linearly in time.
    `boundary` and `forcings` are conditions stated anew, over those of the task: another scenario
    for the same model, see physgt.boundary_file.read_scenario.

    With `output`, each step is written as it comes, to NAME.partial.vtkhdf, which ParaView opens
    as well; it gets its final name when it is whole. Without `output` the result is held in
    memory.

    every: keep the start and each every-th step. fields: the targets to keep, all without it.
    guards: see physgt.rollout.guards; one that hands back ends the rollout before the step it
        objects to, with what is kept so far, whole.
    resume: go on with the stopped or killed rollout of `output`; the result is that of a rollout
        that was never stopped, to the last bit.
    command: kept in the restart file, for whoever resumes.

    Raises PhysgtError where `initial` lacks a field of the task or the boundary states no value for
    a time, and DivergedError where a state
    stops being finite or a guard stops it; the steps before that stay in NAME.partial.vtkhdf.
    """
    kept = Kept.of(simulator, every, fields)
    run = _Run(simulator, initial, prescribed, boundary, forcings, guards)
    run.require_stated_until(num_steps)
    if output is not None:
        return _Writing(run, kept, Path(output), dict(command or {})).write(
            num_steps, resume, progress
        )
    if resume:
        raise PhysgtError("resume goes on with a file: name the output of the stopped rollout.")
    return _collect(run, kept, num_steps, progress)


def integrate(
    simulator: Simulator,
    initial: Trajectory,
    num_steps: int,
    *,
    prescribed: Trajectory | None = None,
    boundary: Sequence[BoundaryCondition] = (),
    forcings: Mapping[str, Condition] | None = None,
    guards: Sequence[GuardSetting] = (),
) -> Iterator[tuple[float, Frame]]:
    """Yield (time, targets by name) for the initial state and each of `num_steps` steps.

    Memory doesn't grow with the number of steps. See `rollout` for the options.
    """
    run = _Run(simulator, initial, prescribed, boundary, forcings, guards)
    run.require_stated_until(num_steps)
    for state in run.states(num_steps):
        yield state.time, simulator.task.unpack_state(state.values, initial.mesh)


class _Run:
    """One rollout: where it starts, what it is told, who watches it."""

    def __init__(
        self,
        simulator: Simulator,
        initial: Trajectory,
        prescribed: Trajectory | None,
        boundary: Sequence[BoundaryCondition],
        forcings: Mapping[str, Condition] | None,
        guards: Sequence[GuardSetting],
    ) -> None:
        self.simulator = simulator
        self.task = restated(simulator.task, initial.mesh, boundary, forcings)
        self.initial, rates = start_and_rates(self.task, initial)
        self.boundary = BoundaryValues(self.task, self.initial, prescribed)
        self.boundary.require_complete()
        self.integrator = Integrator(simulator, self.boundary)
        self.origin = float(self.initial.times[0])
        self.start = self.integrator.start(self.origin, rates)
        self.watch = Watch(guards, simulator, self.start, self.boundary.free)

    def states(self, num_steps: int, restart: Restart | None = None) -> Iterator[State]:
        """The start, or what follows `restart`, up to step number `num_steps`.

        Ends before where a guard hands back.
        """
        first = 0 if restart is None else restart.step
        values = self.start if restart is None else restart.state
        if restart is None:
            yield State(0, self.origin, values, "")
        for step in range(first + 1, num_steps + 1):
            forcing = self.boundary.forcing(self.time(step - 1))
            values = self.boundary.ahead(values, self.time(step))
            values = self.integrator.advance(values, forcing, step, self.time(step))
            try:
                values = self.watch.check(values, step, self.time(step))
            except HandBack as reason:
                self.watch.tell(f"{reason} Handed back after step {step - 1}.")
                return
            yield State(step, self.time(step), values, self.watch.note)

    def require_stated_until(self, num_steps: int) -> None:
        """Raise PhysgtError before anything is computed where boundary values end too early."""
        require_one_or_more(num_steps=num_steps)
        self.boundary.require_stated(self.time(num_steps - 1), self.time(num_steps))

    def time(self, step: int) -> float:
        # origin + step * dt rather than a running sum, whose rounding would show in long files.
        return self.origin + step * self.task.dt

    def identity(self, kept: Kept) -> dict[str, Any]:
        """What a rollout that goes on must have in common with the stopped one."""
        return {
            "model": fingerprint(self.simulator),
            "dt": self.task.dt,
            "boundary": fingerprint_of(
                np.frombuffer(json.dumps(self.task.to_dict()).encode(), "B")
            ),
            "prescribed values": self._prescribed_fingerprint(),
            "start": fingerprint_of(
                self.start, self.boundary.forcing(self.origin), np.array(self.origin)
            ),
            "mesh": mesh_fingerprint(self.initial.mesh),
            "every": kept.every,
            "fields": [field.name for field in kept.fields],
        }

    def _prescribed_fingerprint(self) -> str | None:
        """Of the times, and of the first, middle and last values: all may be more than memory."""
        told = self.boundary.prescribed
        if told is None:
            return None
        names = [field.name for field in told.declared(over_time=True)]
        frames = [told.frame(i, names) for i in (0, told.num_times // 2, told.num_times - 1)]
        return fingerprint_of(told.times, *(frame[name] for frame in frames for name in names))


class _Writing:
    """A rollout on its way to a file, beside which lies its restart file."""

    def __init__(self, run: _Run, kept: Kept, output: Path, command: dict[str, Any]) -> None:
        if output.suffix != ".vtkhdf":
            raise PhysgtError(
                f"{output}: a rollout is written as .vtkhdf; physgt convert exports it."
            )
        self.run, self.kept, self.output, self.command = run, kept, output, command
        self.identity = run.identity(kept)

    def write(self, num_steps: int, resume: bool, progress: Progress | None) -> Trajectory:
        restart = self._restart(num_steps) if resume else None
        with self._writer(restart) as writer:
            for state in self.run.states(num_steps, restart):
                if state.step % self.kept.every == 0:
                    self._append(writer, state)
                if progress is not None and state.step:
                    progress(state.step, num_steps, state.note)
        self._partial.replace(self.output)
        restart_path(self.output).unlink(missing_ok=True)
        return read_vtkhdf(self.output)

    def _append(self, writer: VTKHDFWriter, state: State) -> None:
        """The frame first: a restart file must not promise a frame that isn't there."""
        writer.append(state.time, self.run.task.unpack_state(state.values, self.run.initial.mesh))
        restart = Restart(state.step, state.values, self.identity, self.command)
        restart.write(restart_path(self.output))

    def _restart(self, num_steps: int) -> Restart:
        path = restart_path(self.output)
        restart = Restart.read(path)
        restart.check(path, self.identity, num_steps)
        return restart

    def _writer(self, restart: Restart | None) -> VTKHDFWriter:
        mesh, fields = self.run.initial.mesh, self.kept.fields
        if restart is not None:
            num_times = restart.step // self.kept.every + 1
            return VTKHDFWriter.reopen(self._partial, mesh, fields, num_times)
        static = static_fields(self.run.task, self.run.initial)
        attributes = self.run.initial.attributes
        return VTKHDFWriter(self._partial, mesh, fields, static=static, attributes=attributes)

    @property
    def _partial(self) -> Path:
        return self.output.with_suffix(".partial.vtkhdf")


def static_fields(task: Task, initial: Trajectory) -> dict[Field, np.ndarray]:
    """What stays at the start stays in the prediction: another rollout may begin at its end.

    So do forcings that don't change, which files of one time have at that time.
    """
    names = {field.name for field in initial.declared(over_time=False)}
    names |= {forcing.name for forcing in task.file_forcings if not forcing.over_time}
    frame = initial.frame(0, sorted(names))
    return {field: frame[field.name] for field in initial.declared() if field.name in names}


def _collect(run: _Run, kept: Kept, num_steps: int, progress: Progress | None) -> Trajectory:
    times, states = [], []
    for state in run.states(num_steps):
        if state.step % kept.every == 0:
            times.append(state.time)
            states.append(run.task.unpack_state(state.values, run.initial.mesh))
        if progress is not None and state.step:
            progress(state.step, num_steps, state.note)
    arrays = {f.name: np.stack([state[f.name] for state in states]) for f in kept.fields}
    on_cells = run.task.location == "cell"
    found = Trajectory.from_arrays(
        run.initial.mesh,
        np.array(times),
        {} if on_cells else arrays,
        cell_fields=arrays if on_cells else None,
        units={field.name: field.units for field in kept.fields},
        attributes=dict(run.initial.attributes),
    )
    static = {
        field.name: field_variable(field, values, over_time=False)
        for field, values in static_fields(run.task, run.initial).items()
    }
    return Trajectory(found.mesh, found.fields.assign(static), found.attributes)
