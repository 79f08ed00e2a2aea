"""Units of fields, compared: values in others than the model's would be taken as they are."""

from __future__ import annotations

import re
from functools import lru_cache

import pint

from physgt.errors import PhysgtError


def require_same_units(where: str, found: str, expected: str) -> None:
    """Raise PhysgtError, naming `where`, unless both are the same: m/s, m s-1 and m s^-1 are.

    Units that nobody told, and those that pint doesn't know, are taken as right.
    """
    if found and expected and found != expected and _differ(found, expected):
        raise PhysgtError(f"{where} is in {found}, expected {expected}; convert the values.")


def are_same_units(found: str, expected: str) -> bool:
    """Whether both are told, and the same."""
    return bool(found) and (found == expected or not _differ(found, expected))


def _differ(found: str, expected: str) -> bool:
    registry = _registry()
    try:
        ours, theirs = (registry.parse_units(_with_powers(text)) for text in (expected, found))
        return abs(registry.Quantity(1.0, theirs).to(ours).magnitude - 1) > 1e-9
    except pint.DimensionalityError:
        return True
    except (pint.PintError, ValueError, TypeError, ArithmeticError):
        return False


def _with_powers(text: str) -> str:
    """`m s-1`, as UDUNITS writes it, for pint: m s^-1."""
    return re.sub(r"([^\W\d_])(-?\d)", r"\1^\2", text)


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry:
    # Half a second, so only where two texts differ.
    return pint.UnitRegistry()
