"""Trajectories as training samples: short windows of states on their graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import chain, combinations, compress, pairwise

import numpy as np
import torch
from torch import Tensor

from physgt.declared_fields import require_fields
from physgt.errors import PhysgtError
from physgt.graph import Graph, batch_graphs
from physgt.mesh import Mesh
from physgt.mirror import Mirror
from physgt.rates import joined, motion, needs_history, rate_fields, rates_between, stated_rates
from physgt.task import Task
from physgt.trajectory import Trajectory

Mirrors = tuple[Mirror, ...]


@dataclass(frozen=True)
class Window:
    """Consecutive states of a batch of graphs, dt apart, in physical units and the graphs' order.

    states (unroll + 1, N, S + R), forcings (unroll, N, F + K), see physgt.rates; what the task
    states of the boundary and of forcings is in them as a rollout from the trajectory's first time
    would have it, but that what is held keeps its value in the window's first state.
    """

    graph: Graph
    states: Tensor
    forcings: Tensor

    def to(self, device: torch.device) -> Window:
        return Window(self.graph.to(device), self.states.to(device), self.forcings.to(device))


class Samples:
    """The windows of several trajectories, read from disk when they are asked for.

    build: the maker of a mesh's graph, Simulator.build_graph.
    mirrors: a window that is drawn is held before each of them or not, by chance.
    A window may begin at any time of its trajectory, also between multiples of task.dt; in second
    order it needs a time dt before, or the first time where the task states the rate. Raises
    PhysgtError, naming the trajectory, for a missing field, wrong components, times that don't
    fit task.dt and trajectories shorter than a window.
    """

    def __init__(
        self,
        trajectories: dict[str, Trajectory],
        task: Task,
        build: Callable[[Mesh], Graph],
        unroll: int = 1,
        mirrors: Sequence[Mirror] = (),
    ) -> None:
        if not trajectories:
            raise PhysgtError("no trajectories to learn from.")
        self.task = task
        self.unroll = unroll
        self.mirrors = mirrors
        self._mirrored_graphs: dict[tuple[int, Mirrors], Graph] = {}
        self.names = list(trajectories)
        self.trajectories = list(trajectories.values())
        self.strides = []
        self.graphs = []
        self._boundaries = []
        for name, trajectory in trajectories.items():
            _check(name, trajectory, task)
            try:
                self.strides.append(trajectory.stride(task.dt))
                self.graphs.append(build(trajectory.mesh))
                self._boundaries.append(task.boundary_on(trajectory.mesh))
                if not self._boundaries[-1].free.any():
                    raise PhysgtError(
                        "the boundary leaves no node free: there is nothing to learn."
                    )
            except PhysgtError as error:
                raise PhysgtError(f"{name}: {error}") from error
        self._set_unroll(unroll)

    def unrolled(self, unroll: int) -> Samples:
        """The same trajectories and graphs in windows of `unroll` steps."""
        samples = copy(self)
        samples._set_unroll(unroll)
        return samples

    def _set_unroll(self, unroll: int) -> None:
        self.unroll = unroll
        self._starts = [
            _window_starts(self.task, trajectory.num_times - stride * unroll, stride)
            for trajectory, stride in zip(self.trajectories, self.strides, strict=True)
        ]
        for name, starts in zip(self.names, self._starts, strict=True):
            if len(starts) == 0:
                raise PhysgtError(
                    f"{name}: too short for a window of {unroll} steps of {self.task.dt:g} s; "
                    "lower training.unroll or task.dt."
                )
        self._ends = np.cumsum([len(starts) for starts in self._starts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def draw(self, generator: np.random.Generator, batch_size: int) -> Window:
        """A batch of windows drawn at random, end to end in one graph."""
        numbers = generator.integers(len(self), size=batch_size).tolist()
        chances = generator.integers(2, size=(batch_size, len(self.mirrors)), dtype=bool)
        return self.batch(numbers, [tuple(compress(self.mirrors, row)) for row in chances])

    def batch(self, numbers: Sequence[int], mirrors: Sequence[Mirrors] = ()) -> Window:
        """The windows with these numbers, each as its mirrors show it, end to end in one graph."""
        mirrors = mirrors or [()] * len(numbers)
        windows = [self._window(*which) for which in zip(numbers, mirrors, strict=True)]
        return Window(
            batch_graphs([window.graph for window in windows]),
            torch.cat([window.states for window in windows], dim=1),
            torch.cat([window.forcings for window in windows], dim=1),
        )

    def steps(self) -> Iterator[tuple[Graph, np.ndarray, np.ndarray, np.ndarray]]:
        """(graph, state, next state, forcing) for every step of every trajectory, dt apart.

        In the order of the mesh; each as it is, and as any of the mirrors show it.
        """
        counts = range(len(self.mirrors) + 1)
        views = list(chain.from_iterable(combinations(self.mirrors, k) for k in counts))
        for index, trajectory in enumerate(self.trajectories):
            stride = self.strides[index]
            for start in _window_starts(self.task, trajectory.num_times - stride, stride):
                if start % stride:
                    continue
                step = self._read(index, [start, start + stride])
                for mirrors in views:
                    graph, states, forcings = self._mirrored(index, *step, mirrors)
                    yield graph, *states, *forcings

    def _window(self, number: int, mirrors: Mirrors) -> Window:
        index = int(np.searchsorted(self._ends, number, side="right"))
        start = self._starts[index][number - int(self._ends[index - 1] if index else 0)]
        times = [start + k * self.strides[index] for k in range(self.unroll + 1)]
        graph, states, forcings = self._mirrored(index, *self._read(index, times), mirrors)
        return Window(graph, graph.from_mesh(states), graph.from_mesh(forcings))

    def _mirrored(
        self, index: int, states: np.ndarray, forcings: np.ndarray, mirrors: Mirrors
    ) -> tuple[Graph, np.ndarray, np.ndarray]:
        """The graph, and what was read of it, as these mirrors show them."""
        for mirror in mirrors:
            states, forcings = states * mirror.state, forcings * mirror.forcing
        return self._graph(index, mirrors), states, forcings

    def _graph(self, index: int, mirrors: Mirrors) -> Graph:
        if not mirrors:
            return self.graphs[index]
        if (index, mirrors) not in self._mirrored_graphs:
            graph = mirrors[-1].graph(self._graph(index, mirrors[:-1]))
            self._mirrored_graphs[index, mirrors] = graph
        return self._mirrored_graphs[index, mirrors]

    def _read(self, index: int, times: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """States (k + 1, N, S + R) dt apart, and (k, N, F + K) given for the steps in between."""
        task, boundary = self.task, self._boundaries[index]
        targets, forcings = self._frames(index, times)
        rates = [self._first_rates(index, times[0], targets[0])]
        rates += [rates_between(task, *pair) for pair in pairwise(targets)]
        motions = [motion(task, boundary, *pair) for pair in pairwise(targets)]
        return (
            np.stack([joined(*pair) for pair in zip(targets, rates, strict=True)]),
            np.stack([joined(*pair) for pair in zip(forcings[:-1], motions, strict=True)]),
        )

    def _first_rates(self, index: int, time: int, targets: np.ndarray) -> np.ndarray:
        """(N, R) of a window that begins at `time`."""
        if not self.task.second_order:
            return targets[:, :0]
        before = time - self.strides[index]
        if before >= 0:
            return rates_between(self.task, self._frame(index, before)[0], targets)
        names = [field.name for field in rate_fields(self.task)]
        frame = self.trajectories[index].frame(time, names)
        return stated_rates(self.task, frame, len(targets))

    def _frames(self, index: int, times: list[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Targets and forcings at these time numbers; what is held keeps its value at the first.

        To formulas, `initial` is the value at the first time of the trajectory: a ramp of it has
        gone some way by the time a window begins.
        """
        trajectory, boundary = self.trajectories[index], self._boundaries[index]
        frames = [self._frame(index, time) for time in times]
        initial = frames[0][0]
        if boundary.names_initial:
            initial = np.where(boundary.held, initial, self._frame(index, 0)[0])
        try:
            states = [
                boundary.enforce(state, trajectory.times[time], initial)
                for time, (state, _) in zip(times, frames, strict=True)
            ]
        except PhysgtError as error:
            raise PhysgtError(f"{self.names[index]}: {error}") from error
        forcings = [forcing for _, forcing in frames]
        self._require_constant(index, forcings)
        return states, forcings

    def _require_constant(self, index: int, forcings: list[np.ndarray]) -> None:
        """Raise PhysgtError where a forcing changes that a rollout reads of the start alone."""
        for field in self.task.file_forcings:
            columns = self.task.forcing_columns(field.name)
            first, *others = (forcing[:, columns] for forcing in forcings)
            if not field.over_time and any((other != first).any() for other in others):
                raise PhysgtError(
                    f"{self.names[index]}: forcing '{field.name}' changes over time; set "
                    f"over_time = true under [task.forcings.{field.name}]."
                )

    def _frame(self, index: int, time: int) -> tuple[np.ndarray, np.ndarray]:
        """Targets (N, S) and forcings (N, F) of one time."""
        trajectory, mesh = self.trajectories[index], self.trajectories[index].mesh
        sites = self.task.sites(mesh)
        names = [field.name for field in (*self.task.targets, *self.task.file_forcings)]
        frame = trajectory.frame(time, names)
        state = self.task.pack_state(frame, mesh)
        stated = self.task.stated_forcings(sites.points, trajectory.times[time])
        forcing = self.task.pack_forcing(frame | stated, sites.num_points)
        if not (np.isfinite(state).all() and np.isfinite(forcing).all()):
            bad = [name for name in names if not np.isfinite(frame[name]).all()]
            raise PhysgtError(
                f"{self.names[index]}: field '{bad[0]}' is not finite at "
                f"{trajectory.times[time]:g} s; leave the case out or repair it."
            )
        return state, forcing


def _window_starts(task: Task, count: int, stride: int) -> Sequence[int]:
    """Of the first `count` times those with a rate: `stride` times in, or stated at the first."""
    if not task.second_order:
        return range(count)
    stated = [] if needs_history(task) else [0]
    return [time for time in (*stated, *range(stride, count)) if time < count]


def _check(name: str, trajectory: Trajectory, task: Task) -> None:
    declared = trajectory.declared()
    require_fields(name, declared, task.targets, where="[task.targets]")
    require_fields(name, declared, task.file_forcings, where="[task.forcings]")
    require_fields(name, declared, rate_fields(task), where="initial_rate")
