"""Guards: what watches a rollout, and what is done when it leaves the ground.

Each guard gives every state a level: 0 is calm, above 1 is too much. What happens then is an
action that the user names.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from physgt.errors import DivergedError, PhysgtError
from physgt.rates import joined
from physgt.simulator import Simulator
from physgt.task import Task

ACTIONS = ("warn", "stop", "clamp", "hand_back")


class GuardWarning(UserWarning):
    """A guard with the action `warn`; said once a guard and rollout."""


class HandBack(Exception):
    """A guard with the action `hand_back`: the caller goes on by other means."""


@dataclass(frozen=True)
class Reading:
    """level, the component where it is highest, and the node if it is that of one node."""

    level: float
    column: int
    node: int | None = None


class Guard(Protocol):
    """Watches the states (N, S) of one rollout."""

    def read(self, state: np.ndarray) -> Reading: ...


@dataclass(frozen=True, eq=False)
class Bounds:
    """How far a value is outside of the range of the training data, in `limit` times its width."""

    lowest: np.ndarray
    highest: np.ndarray

    @classmethod
    def of(cls, simulator: Simulator, start: np.ndarray, limit: float) -> Bounds:
        low, high = (_array(bound) for bound in (simulator.state.lowest, simulator.state.highest))
        if not np.isfinite([low, high]).all():
            raise PhysgtError(
                "the guard 'bounds' needs the range of the training data, which this model's file "
                "doesn't hold; train it with this version, or choose another guard."
            )
        # A component that was constant in training has no width: its size stands in.
        width = np.where(high > low, high - low, np.maximum(np.abs(high), 1e-30))
        return cls(low - limit * width, high + limit * width)

    def read(self, state: np.ndarray) -> Reading:
        middle, half = (self.lowest + self.highest) / 2, (self.highest - self.lowest) / 2
        return _worst_node(np.abs(state - middle) / half)

    def clamp(self, state: np.ndarray) -> np.ndarray:
        return np.clip(state, self.lowest, self.highest).astype(state.dtype)


@dataclass(frozen=True, eq=False)
class Growth:
    """A field's mean square over the nodes, in `limit` times the larger of start and training.

    For a velocity this is the kinetic energy.
    """

    task: Task
    largest: np.ndarray

    @classmethod
    def of(cls, simulator: Simulator, start: np.ndarray, limit: float) -> Growth:
        trained = _array(simulator.state.mean) ** 2 + _array(simulator.state.std) ** 2
        energy = np.maximum(_by_field(simulator.task, trained), cls._energy(simulator.task, start))
        return cls(simulator.task, limit * np.maximum(energy, 1e-300))

    def read(self, state: np.ndarray) -> Reading:
        return _worst_field(self.task, self._energy(self.task, state) / self.largest)

    @staticmethod
    def _energy(task: Task, state: np.ndarray) -> np.ndarray:
        return _by_field(task, np.square(state.astype(np.float64)).mean(axis=0))


@dataclass(frozen=True, eq=False)
class Balance:
    """How far a field's mean over the nodes has moved since the start, in `limit` deviations.

    For what nothing enters or leaves: heat in an insulated body, mass in a closed vessel.
    Deviations are those of the training data.
    """

    start: np.ndarray
    allowed: np.ndarray

    @classmethod
    def of(cls, simulator: Simulator, start: np.ndarray, limit: float) -> Balance:
        return cls(start.mean(axis=0, dtype=np.float64), limit * _array(simulator.state.std))

    def read(self, state: np.ndarray) -> Reading:
        moved = np.abs(state.mean(axis=0, dtype=np.float64) - self.start) / self.allowed
        column = int(moved.argmax())
        return Reading(float(moved[column]), column)


@dataclass(frozen=True, eq=False)
class Distance:
    """A node's distance from the training data: the root mean square over its components of
    (value - mean) / deviation, in `limit` deviations.
    """

    mean: np.ndarray
    allowed: np.ndarray

    @classmethod
    def of(cls, simulator: Simulator, start: np.ndarray, limit: float) -> Distance:
        return cls(_array(simulator.state.mean), limit * _array(simulator.state.std))

    def read(self, state: np.ndarray) -> Reading:
        scores = np.square((state - self.mean) / self.allowed)
        node = int(scores.sum(axis=1).argmax())
        level = float(np.sqrt(scores[node].mean()))
        return Reading(level, int(scores[node].argmax()), node)


@dataclass(frozen=True)
class GuardKind:
    """build: (simulator, the start (N, S), limit) -> Guard; limit: where nobody names one."""

    build: Callable[[Simulator, np.ndarray, float], Guard]
    limit: float


GUARDS: dict[str, GuardKind] = {
    "bounds": GuardKind(Bounds.of, limit=0.5),
    "growth": GuardKind(Growth.of, limit=4.0),
    "balance": GuardKind(Balance.of, limit=1.0),
    "distance": GuardKind(Distance.of, limit=10.0),
}


@dataclass(frozen=True)
class GuardSetting:
    """A line of GUARDS, what to do when its level passes 1, and its limit (None: the table's)."""

    name: str
    action: str
    limit: float | None = None

    def __post_init__(self) -> None:
        if self.name not in GUARDS:
            raise PhysgtError(f"no guard '{self.name}'; the guards are {', '.join(GUARDS)}.")
        if self.action not in ACTIONS:
            raise PhysgtError(
                f"guard '{self.name}': no action '{self.action}'; the actions are "
                f"{', '.join(ACTIONS)}."
            )
        if self.action == "clamp" and self.name != "bounds":
            raise PhysgtError(
                f"guard '{self.name}' can't clamp, as it names no value to go back to; only "
                "'bounds' can."
            )
        if self.limit is not None and not 0 < self.limit < np.inf:
            raise PhysgtError(f"guard '{self.name}': limit = {self.limit}, expected one above 0.")

    @classmethod
    def parse(cls, text: str) -> GuardSetting:
        """NAME=ACTION or NAME=ACTION:LIMIT, as the command line takes it."""
        name, _, rest = text.partition("=")
        action, _, limit = rest.partition(":")
        try:
            return cls(name, action.replace("-", "_"), float(limit) if limit else None)
        except ValueError as error:
            if isinstance(error, PhysgtError):
                raise
            raise PhysgtError(
                f"--guard {text}: expected NAME=ACTION:LIMIT, such as bounds=clamp:0.5."
            ) from None


class Watch:
    """The guards of one rollout."""

    def __init__(
        self,
        settings: Sequence[GuardSetting],
        simulator: Simulator,
        start: np.ndarray,
        free: np.ndarray,
    ) -> None:
        """start (N, S + R), free (N, S): where a clamp may change values."""
        self.task = simulator.task
        self._free = joined(free, free[:, self.task.second_order])
        self.levels: dict[str, float] = {}
        self._warned: set[str] = set()
        self._guards = []
        for setting in settings:
            kind = GUARDS[setting.name]
            limit = kind.limit if setting.limit is None else setting.limit
            self._guards.append((setting, kind.build(simulator, start, limit)))

    @property
    def note(self) -> str:
        """The levels now, for a progress bar."""
        return "  ".join(f"{name} {level:.2f}" for name, level in self.levels.items())

    def check(self, state: np.ndarray, step: int, time: float) -> np.ndarray:
        """The state (N, S), clamped where a guard does so.

        Raises DivergedError for a guard that stops, and HandBack for one that hands back.
        """
        for setting, guard in self._guards:
            reading = guard.read(state)
            self.levels[setting.name] = reading.level
            if reading.level <= 1:
                continue
            told = self._told(setting.name, reading, step, time)
            if setting.action == "stop":
                raise DivergedError(f"{told} What is written so far is kept.")
            if setting.action == "hand_back":
                raise HandBack(told)
            if setting.action == "clamp":
                assert isinstance(guard, Bounds), "GuardSetting lets no other clamp"
                state = np.where(self._free, guard.clamp(state), state)
            if setting.name not in self._warned:
                self._warned.add(setting.name)
                self.tell(told)
        return state

    def tell(self, message: str) -> None:
        warnings.warn(message, GuardWarning, stacklevel=2)

    def _told(self, name: str, reading: Reading, step: int, time: float) -> str:
        field = self.task.target_of_column(reading.column)
        where = (
            "over the mesh" if reading.node is None else f"at {self.task.location} {reading.node}"
        )
        return (
            f"guard '{name}': '{field.name}' {where} is at {reading.level:.3g} times its limit "
            f"in step {step}, time {time:g} s."
        )


def _worst_node(levels: np.ndarray) -> Reading:
    """(N, S) -> the highest."""
    node, column = np.unravel_index(int(levels.argmax()), levels.shape)
    return Reading(float(levels[node, column]), int(column), int(node))


def _worst_field(task: Task, levels: np.ndarray) -> Reading:
    """(fields,) -> the highest, by its first column."""
    worst = int(levels.argmax())
    return Reading(float(levels[worst]), task.columns(task.targets[worst].name).start)


def _by_field(task: Task, columns: np.ndarray) -> np.ndarray:
    """(S,) -> (fields,): the sums over each field's components."""
    return np.array([columns[task.columns(target.name)].sum() for target in task.targets])


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float64)
