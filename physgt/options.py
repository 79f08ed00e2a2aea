"""Values of command-line options that are more than one word or number."""

from __future__ import annotations

from typing import Any

from physgt.errors import PhysgtError


def seed_range(text: str) -> range:
    """FIRST:LAST, LAST left out, or one number."""
    first, colon, last = text.partition(":")
    try:
        return range(int(first), int(last) if colon else int(first) + 1)
    except ValueError as error:
        raise PhysgtError(f"--seeds {text}: expected FIRST:LAST, such as 0:40.") from error


def assignment(text: str) -> tuple[str, Any]:
    """NAME=NUMBER, or NAME=LOW,HIGH as a tuple."""
    name, equals, value = text.partition("=")
    try:
        numbers = [float(part) if set(part) & set(".e") else int(part) for part in value.split(",")]
    except ValueError:
        numbers = []
    if not equals or not numbers:
        raise PhysgtError(f"--set {text}: expected NAME=NUMBER or NAME=LOW,HIGH.")
    return name, numbers[0] if len(numbers) == 1 else tuple(numbers)


def pair(option: str, text: str) -> tuple[float, float]:
    """X,Y as two numbers."""
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError as error:
        raise PhysgtError(f"{option} {text}: expected two numbers, such as 0.3,0.2.") from error
    return first, second
