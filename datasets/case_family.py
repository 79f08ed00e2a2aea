"""What a case family is, and its parameters: how they are checked, read and written."""

from __future__ import annotations

import math
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Protocol

from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory

Range = tuple[float, float]
"""Low and high end of what the seeds draw from, evenly."""


class CaseFamily(Protocol):
    """A frozen dataclass whose fields, all with defaults, are the parameters.

    It checks them as it is made, and can be made without loading the solver.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def simulate(self, seed: int) -> Trajectory:
        """The solver's result for one seed; the same seed gives the same."""
        ...


def check_numbers(family: CaseFamily, *names: str, at_least: float | None = None) -> None:
    """Raise PhysgtError unless each parameter is a number above 0, or `at_least` another."""
    for name in names:
        value = getattr(family, name)
        if not _is_number(value, at_least):
            raise PhysgtError(f"{name} = {value}, expected a number{_limit(at_least)}.")


def check_counts(family: CaseFamily, *names: str) -> None:
    """Raise PhysgtError unless each parameter is a whole number above 0."""
    for name in names:
        value = getattr(family, name)
        if not (_is_number(value, None) and isinstance(value, int)):
            raise PhysgtError(f"{name} = {value}, expected a whole number above 0.")


def check_ranges(family: CaseFamily, *names: str, at_least: float | None = None) -> None:
    """Raise PhysgtError unless each parameter is two numbers, the lower one first.

    They must be above 0, or `at_least` another number; -inf stands for any.
    """
    for name in names:
        values = getattr(family, name)
        if not _is_pair(values, at_least) or values[0] > values[1]:
            raise PhysgtError(
                f"{name} = {values}, expected two numbers{_limit(at_least)}, the lower one first."
            )


def check_pair(family: CaseFamily, name: str, meaning: str) -> None:
    """Raise PhysgtError unless the parameter is two numbers above 0."""
    if not _is_pair(getattr(family, name), None):
        raise PhysgtError(
            f"{name} = {getattr(family, name)}, expected two numbers above 0, {meaning}."
        )


def read_parameters(path: Path) -> dict[str, Any]:
    """Parameters by name from a TOML file, ranges as lists of two.

    Raises PhysgtError for a file that isn't there or isn't TOML.
    """
    if not path.is_file():
        raise PhysgtError(f"{path}: no such file of parameters.")
    try:
        values = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PhysgtError(f"{path}: not valid TOML: {error}.") from error
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def parameters_as_toml(family: CaseFamily) -> str:
    """The parameters as read_parameters reads them."""
    values = {field.name: getattr(family, field.name) for field in fields(family)}
    lines = [f"{name} = {list(v) if isinstance(v, tuple) else v}" for name, v in values.items()]
    return "\n".join(lines)


def _is_number(value: Any, at_least: float | None) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return False
    return value > 0 if at_least is None else value >= at_least


def _is_pair(values: Any, at_least: float | None) -> bool:
    pair = isinstance(values, tuple | list) and len(values) == 2
    return pair and all(_is_number(value, at_least) for value in values)


def _limit(at_least: float | None) -> str:
    if at_least is None:
        return " above 0"
    return "" if math.isinf(at_least) else f" of {at_least:g} or more"
