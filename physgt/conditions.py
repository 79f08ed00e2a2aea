"""What a boundary does to a field, and how a known input behaves: one small class a kind.

A new kind is a class here and a line in CONDITIONS.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from physgt.errors import PhysgtError
from physgt.formulas import AXES, CONSTANTS, FUNCTIONS, evaluate

SAME_TIME = 1e-6
"""A time beyond a table's by less than this share of what the table covers is its end."""


@dataclass(frozen=True)
class Condition(ABC):
    """What a field does on a set of points."""

    @abstractmethod
    def at(self, time: float, points: np.ndarray, initial: np.ndarray) -> np.ndarray:
        """(n, C), or what broadcasts to it: the values at `time`, NaN where it states none.

        time in s, points (n, D), initial (n, C) the values at the start.
        """

    @property
    def names_initial(self) -> bool:
        """Whether one of its formulas is of the values at the start."""
        return re.search(r"\binitial\b", str(asdict(self))) is not None

    def check(self, components: int) -> None:  # noqa: B027 (most kinds fit any field)
        """Raise PhysgtError where this can't be said of a field of so many components."""


@dataclass(frozen=True)
class Free(Condition):
    """The model advances the field."""

    def at(self, time: float, points: np.ndarray, initial: np.ndarray) -> np.ndarray:
        return np.full(initial.shape, np.nan)


@dataclass(frozen=True)
class Held(Condition):
    """The field keeps its initial value."""

    def at(self, time: float, points: np.ndarray, initial: np.ndarray) -> np.ndarray:
        return initial


@dataclass(frozen=True)
class Prescribed(Condition):
    """The field is what a trajectory says that the user states, at each time and node."""

    def at(self, time: float, points: np.ndarray, initial: np.ndarray) -> np.ndarray:
        return np.full(initial.shape, np.nan)


@dataclass(frozen=True)
class Constant(Condition):
    """One number a component, at all times."""

    value: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _numbers("value", self.value))

    def at(self, time: float, points: np.ndarray, initial: np.ndarray) -> np.ndarray:
        return np.array([self.value])

    def check(self, components: int) -> None:
        _require_width("values", len(self.value), components)


@dataclass(frozen=True)
class Table(Condition):
    """The same values at all points, linear between the times of a table.

    times    s, increasing
    values   at each time a number, or one number a component
    period   s after which the table repeats; its end leads linearly to its next beginning
    hold     whether the first and last values hold before and after the table; else a time
             there is an error
    """

    times: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]
    period: float | None = None
    hold: bool = False

    def __post_init__(self) -> None:
        times = _numbers("times", self.times)
        if (np.diff(times) <= 0).any():
            raise PhysgtError("the times of a table must increase.")
        if not isinstance(self.values, list | tuple) or len(self.values) != len(times):
            raise PhysgtError(f"a table of {len(times)} times needs as many values.")
        rows = [row if isinstance(row, list | tuple) else (row,) for row in self.values]
        values = tuple(_numbers("values", row) for row in rows)
        if len({len(row) for row in values}) > 1:
            raise PhysgtError("the values of a table must all have as many components.")
        if self.period is not None:
            (period,) = _numbers("period", (self.period,))
            if period <= 0 or times[-1] - times[0] > period * (1 + SAME_TIME):
                raise PhysgtError(
                    f"period = {period:g} s, but the times cover {times[-1] - times[0]:g} s; "
                    "a period must be greater than 0 and as long as the table, or longer."
                )
        if not isinstance(self.hold, bool):
            raise PhysgtError(f"hold = {self.hold!r}; expected true or false.")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "values", values)

    def at(self, time: float, points: np.ndarray, initial: np.ndarray) -> np.ndarray:
        times, columns = self._arrays
        slack = SAME_TIME * (times[-1] - times[0])
        if self.period is not None:
            time = times[0] + (time - times[0] + slack) % self.period - slack
        outside = time < times[0] - slack or time > times[-1] + slack
        if outside and self.period is None and not self.hold:
            raise PhysgtError(
                f"a table covers {times[0]:g} to {times[-1]:g} s, but {time:g} s is needed; give "
                "it more times, hold = true for its ends to hold, or a period."
            )
        return np.array([[np.interp(time, times, c) for c in columns]])

    def check(self, components: int) -> None:
        _require_width("values", len(self.values[0]), components)

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """times (T,), values (C, T); with a period also those of the next beginning."""
        times, values = np.array(self.times), np.array(self.values)
        if self.period is not None:
            times = np.append(times, max(times[0] + self.period, times[-1]))
            values = np.concatenate([values, values[:1]])
        return times, values.T


@dataclass(frozen=True)
class Formula(Condition):
    """A formula a component, or one for all: of x, y, z, the time t and the value `initial`."""

    formula: tuple[str, ...]

    def __post_init__(self) -> None:
        given: Any = self.formula
        texts = tuple(str(text) for text in ([given] if isinstance(given, str) else given))
        known = {**dict.fromkeys((*AXES, "t", "initial"), np.ones(1)), **CONSTANTS}
        for text in texts:
            try:
                evaluate(text, known)
            except ValueError as error:
                raise PhysgtError(
                    f"{error}; a formula is of numbers, {', '.join(known)}, + - * / ** % and "
                    f"{', '.join(FUNCTIONS)}."
                ) from error
        object.__setattr__(self, "formula", texts)

    def at(self, time: float, points: np.ndarray, initial: np.ndarray) -> np.ndarray:
        found = np.empty(initial.shape)
        known = {**dict(zip(AXES, points.T, strict=False)), "t": np.float64(time)}
        for column, initial_column in enumerate(initial.T):
            text = self.formula[column if len(self.formula) > 1 else 0]
            try:
                found[:, column] = evaluate(text, {**known, "initial": initial_column})
            except ValueError as error:
                raise PhysgtError(f"{error} in {points.shape[1]} dimensions.") from error
            if not np.isfinite(found[:, column]).all() and np.isfinite(initial_column).all():
                raise PhysgtError(f"the formula '{text}' is not finite at {time:g} s.")
        return found

    def check(self, components: int) -> None:
        if len(self.formula) > 1:
            _require_width("formulas", len(self.formula), components)


@dataclass(frozen=True)
class Profile(Condition):
    """A profile in space, such as the initial values, times a factor over time."""

    profile: Formula
    factor: Table

    def __post_init__(self) -> None:
        profile: Any = self.profile
        factor: Any = self.factor
        if not isinstance(profile, Formula):
            profile = Formula(**profile) if isinstance(profile, Mapping) else Formula(profile)
        if isinstance(factor, Mapping):
            factor = from_keys(factor)
        if not isinstance(factor, Table):
            raise PhysgtError("the factor of a profile must be a table of times and values.")
        object.__setattr__(self, "profile", profile)
        object.__setattr__(self, "factor", factor)

    def at(self, time: float, points: np.ndarray, initial: np.ndarray) -> np.ndarray:
        return self.profile.at(time, points, initial) * self.factor.at(time, points, initial)

    def check(self, components: int) -> None:
        self.profile.check(components)
        if len(self.factor.values[0]) > 1:
            self.factor.check(components)


CONDITIONS: dict[str, type[Condition]] = {
    "free": Free,
    "held": Held,
    "prescribed": Prescribed,
    "constant": Constant,
    "table": Table,
    "formula": Formula,
    "profile": Profile,
}
"""What a checkpoint calls them; case files say the first three as a word, the others by keys."""

WORDS = {name: kind() for name, kind in CONDITIONS.items() if not fields(kind)}


def condition_of(said: Any) -> Condition:
    """The condition that a case file says.

    "free", "held", "prescribed"; a number or one a component; a formula or one a component; or a
    mapping with the keys of Table, Profile or another kind. Raises PhysgtError for anything else.
    """
    numbers: Any = said
    match said:
        case Condition():
            return said
        case str() if said in WORDS:
            return WORDS[said]
        case str():
            try:
                return Formula((said,))
            except PhysgtError as error:
                words = ", ".join(WORDS)
                raise PhysgtError(f"{said!r} is none of {words}; as a formula: {error}") from error
        case bool():
            pass
        case int() | float():
            return Constant((said,))
        case list() | tuple() if said:
            if all(isinstance(part, str | int | float) for part in said):
                return (Formula if any(isinstance(p, str) for p in said) else Constant)(numbers)
        case Mapping():
            return from_keys(said)
    raise PhysgtError(
        f"{said!r}: expected {', '.join(repr(word) for word in WORDS)}, a number or a formula (or "
        "a list of them, one a component), or a table with times and values."
    )


def from_keys(keys: Mapping[str, Any]) -> Condition:
    """The condition whose parameters are `keys`, by name."""
    for kind in CONDITIONS.values():
        needed = {f.name for f in fields(kind) if f.default is MISSING}
        if needed and needed <= set(keys) <= {f.name for f in fields(kind)}:
            return kind(**keys)
    known = {name: ", ".join(f.name for f in fields(kind)) for name, kind in CONDITIONS.items()}
    kinds = "; ".join(f"{name}: {keys}" for name, keys in known.items() if keys)
    raise PhysgtError(
        f"the keys {sorted(keys)} are those of no kind of condition; there are {kinds}."
    )


def to_plain(condition: Condition) -> dict[str, Any]:
    """Plain values for JSON; from_plain is the inverse."""
    (name,) = (name for name, kind in CONDITIONS.items() if type(condition) is kind)
    return {"kind": name, **asdict(condition)}


def from_plain(values: Mapping[str, Any]) -> Condition:
    """The inverse of to_plain."""
    rest = {key: value for key, value in values.items() if key != "kind"}
    return CONDITIONS[values["kind"]](**rest)


def _numbers(what: str, given: Any) -> tuple[float, ...]:
    if not isinstance(given, list | tuple) or not given:
        raise PhysgtError(f"{what} = {given!r}; expected a list of numbers.")
    for number in given:
        if isinstance(number, bool) or not isinstance(number, int | float | np.number):
            raise PhysgtError(f"{what}: {number!r} is not a number.")
        if not np.isfinite(number):
            raise PhysgtError(f"{what}: {number} is not finite.")
    return tuple(float(number) for number in given)


def _require_width(what: str, found: int, components: int) -> None:
    if found != components:
        raise PhysgtError(f"{found} {what} for a field of {components} components.")
