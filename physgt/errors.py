"""The one exception a user's mistake raises, and counts that are one."""

from numbers import Integral
from typing import Any


class PhysgtError(ValueError):
    """A mistake in a file, a field or an option, told in one line.

    The message names what is wrong, what was found, what was expected and what to do. The command
    line prints it without a traceback and exits with status 2.
    """


class DivergedError(PhysgtError):
    """A rollout whose state stopped being finite."""


def require_whole(name: str, value: Any, at_least: int) -> None:
    """Raise PhysgtError unless value is a whole number, at_least or more."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < at_least:
        raise PhysgtError(f"{name} = {value!r}; expected a whole number, {at_least} or more.")


def require_one_or_more(**counts: Any) -> None:
    """Raise PhysgtError, by its name, for what is no whole number, 1 or more."""
    for name, count in counts.items():
        require_whole(name, count, 1)
