"""Several rollouts in lockstep on one mesh, batched on one device."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from physgt.boundary import BoundaryCondition
from physgt.conditions import Condition
from physgt.errors import PhysgtError, require_one_or_more
from physgt.graph import batch_graphs
from physgt.rates import joined, start_alone, start_and_rates
from physgt.rollout.boundary import BoundaryValues, restated
from physgt.rollout.guards import GuardWarning
from physgt.rollout.integrator import enforced_targets, given_for_step, with_boundary
from physgt.rollout.restart import mesh_fingerprint
from physgt.simulator import Simulator
from physgt.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class Member:
    """One rollout among several: what runs, from where, and what is stated: see rollout."""

    name: str
    simulator: Simulator
    initial: Trajectory
    prescribed: Trajectory | None = None
    boundary: Sequence[BoundaryCondition] = ()
    forcings: Mapping[str, Condition] = field(default_factory=dict)

    def boundary_values(self, start: Trajectory) -> BoundaryValues:
        """Of a rollout from the first time of `start`. Raises PhysgtError where one is missing."""
        task = restated(self.simulator.task, start.mesh, self.boundary, self.forcings)
        values = BoundaryValues(task, start, self.prescribed)
        values.require_complete()
        return values


class States(NamedTuple):
    """values (members, N, S + R) after step number `step`.

    alive (members,): which are still finite.
    """

    step: int
    time: float
    values: np.ndarray
    alive: np.ndarray


def integrate_members(
    members: Sequence[Member], num_steps: int, *, batch_size: int = 8
) -> Iterator[States]:
    """Yield the states of all members for the start and each of `num_steps` steps.

    Members of one simulator are advanced `batch_size` at a time, as one graph of several parts.
    A member whose state stops being finite is named in a warning and left out from there on: its
    values become NaN, the others go on. Raises PhysgtError where members have other meshes,
    targets, dt or start times, and where boundary values end too early.
    """
    require_one_or_more(num_steps=num_steps, batch_size=batch_size)
    _check(members)
    task = members[0].simulator.task
    groups = _groups(members, batch_size)
    batches = [_Batch([members[i] for i in group]) for group in groups]
    origin = batches[0].origin
    for batch in batches:
        batch.require_stated(origin + (num_steps - 1) * task.dt, origin + num_steps * task.dt)
    num_sites = task.sites(members[0].initial.mesh).num_points
    width = task.state_size + len(task.second_order)
    states = np.empty((len(members), num_sites, width), "f4")
    for group, batch in zip(groups, batches, strict=True):
        states[group] = batch.start(origin)
    alive = np.ones(len(members), dtype=bool)
    yield States(0, origin, states, alive.copy())
    for step in range(1, num_steps + 1):
        before, time = origin + (step - 1) * task.dt, origin + step * task.dt
        advanced = np.empty_like(states)
        for group, batch in zip(groups, batches, strict=True):
            advanced[group] = batch.advance(states[group], before, time)
        states = advanced
        lost = alive & ~np.isfinite(states).all(axis=(1, 2))
        for number in np.flatnonzero(lost).tolist():
            told = f"member '{members[number].name}' is not finite in step {step}, time {time:g} s"
            warnings.warn(f"{told}: left out from there on.", GuardWarning, stacklevel=2)
        alive = alive & ~lost
        states[~alive] = np.nan
        yield States(step, time, states, alive.copy())


def perturbed(
    simulator: Simulator, initial: Trajectory, count: int, amplitude: float, seed: int = 0
) -> list[Trajectory]:
    """The start, and count - 1 copies of it with normal noise on what the boundary leaves free.

    amplitude: standard deviation, in those of each target in the training data. Noise of copy k
    comes from (seed, k): a larger ensemble holds the smaller one.

    Raises PhysgtError where all targets are without memory, so that a step forgets the noise.
    """
    require_one_or_more(members=count)
    if not 0 <= amplitude < np.inf:
        raise PhysgtError(f"perturbation = {amplitude}, expected 0 or more deviations.")
    task, mesh = simulator.task, initial.mesh
    if count > 1 and all(task.forgotten):
        raise PhysgtError(
            f"members = {count}, but all targets ({', '.join(t.name for t in task.targets)}) are "
            "without memory: whatever the start, the next step is the same. Use one member a "
            "model, of several models."
        )
    free, deviation = task.free_mask(mesh), simulator.state.std.cpu().numpy()[: task.state_size]
    start = start_alone(task, initial)
    frames = [start.frame(i, [t.name for t in task.targets]) for i in range(start.num_times)]
    states = np.stack([task.pack_state(frame, mesh) for frame in frames])
    starts = [start]
    for copy in range(1, count):
        noise = np.random.default_rng([seed, copy]).normal(size=states.shape[1:])
        # A history moves along with what comes after it: the rate stays.
        fields = task.unpack_state(
            states + np.where(free, amplitude * deviation * noise, 0.0), mesh
        )
        moved = start.fields.copy()
        for name, values in fields.items():
            moved[name] = moved[name].copy(data=values.astype(moved[name].dtype))
        starts.append(Trajectory(mesh, moved, initial.attributes))
    return starts


class _Batch:
    """Members of one simulator and graph, their graphs end to end."""

    def __init__(self, members: Sequence[Member]) -> None:
        simulator = members[0].simulator
        starts = [start_and_rates(simulator.task, member.initial) for member in members]
        self.origin = float(starts[0][0].times[0])
        self.rates = [rates for _, rates in starts]
        self.boundaries = [
            member.boundary_values(start)
            for member, (start, _) in zip(members, starts, strict=True)
        ]
        graph = simulator.build_graph(members[0].initial.mesh)
        self._graph = batch_graphs([graph] * len(members))
        with torch.inference_mode():
            self._step = simulator.on_fixed_mesh(self._graph)

    def require_stated(self, before: float, time: float) -> None:
        for boundary in self.boundaries:
            boundary.require_stated(before, time)

    def start(self, time: float) -> np.ndarray:
        pairs = zip(self.boundaries, self.rates, strict=True)
        return np.stack([enforced_targets(b, joined(b.initial_state(), r), time) for b, r in pairs])

    @torch.inference_mode()
    def advance(self, states: np.ndarray, before: float, time: float) -> np.ndarray:
        """(members, N, S + R) -> the same one step later, from `before` to `time`."""
        # What is lost stays away from the arithmetic.
        known = np.nan_to_num(states, nan=0.0)
        seen = [b.ahead(state, time) for b, state in zip(self.boundaries, known, strict=True)]
        forcings = [
            given_for_step(boundary, state, boundary.forcing(before), time)
            for boundary, state in zip(self.boundaries, seen, strict=True)
        ]
        given = self._graph.from_mesh(np.concatenate(forcings))
        advanced = self._step(self._graph.from_mesh(np.concatenate(seen)), given)
        found = self._graph.to_mesh(advanced).reshape(states.shape)
        return np.stack(
            [
                with_boundary(boundary, state, later, time)
                for boundary, state, later in zip(self.boundaries, seen, found, strict=True)
            ]
        )


def _groups(members: Sequence[Member], batch_size: int) -> list[list[int]]:
    """Numbers of members of one simulator and graph, at most batch_size together."""
    alike: dict[tuple[int, str], list[int]] = {}
    for number, member in enumerate(members):
        key = id(member.simulator), mesh_fingerprint(member.initial.mesh)
        alike.setdefault(key, []).append(number)
    return [
        numbers[i : i + batch_size]
        for numbers in alike.values()
        for i in range(0, len(numbers), batch_size)
    ]


def _check(members: Sequence[Member]) -> None:
    if not members:
        raise PhysgtError("an ensemble needs one member or more.")
    first = members[0]
    for member in members[1:]:
        ours, theirs = (
            (m.simulator.task.targets, m.simulator.task.dt, float(m.initial.times[0]))
            for m in (first, member)
        )
        if ours != theirs:
            raise PhysgtError(
                f"member '{member.name}' has other targets, dt or start time than "
                f"'{first.name}': {theirs} against {ours}."
            )
        ours_on, theirs_on = first.initial.mesh, member.initial.mesh
        if not (
            np.array_equal(theirs_on.points, ours_on.points)
            and np.array_equal(theirs_on.connectivity, ours_on.connectivity)
        ):
            raise PhysgtError(
                f"member '{member.name}' lies on another mesh than '{first.name}'; "
                "an ensemble needs one mesh."
            )
