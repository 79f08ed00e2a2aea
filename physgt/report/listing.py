"""A table of the page, and how its numbers are written."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from physgt.task import POINTS

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Listing:
    """heads: of all columns; the first `num_labels`, one or two, name a row. note: below the table.

    With two, rows that follow each other with the same first label are one group.
    """

    caption: str
    heads: list[str]
    rows: list[list[str]]
    num_labels: int = 1
    note: str = ""

    @property
    def groups(self) -> list[tuple[str, list[list[str]]]]:
        """The first label of each group, and its rows without it."""
        found = groupby(self.rows, key=lambda row: row[0])
        return [(label, [row[1:] for row in rows]) for label, rows in found]


@dataclass(frozen=True)
class Card:
    """One number at the top of the page."""

    label: str
    value: str
    note: str = ""


def field_name(name: str) -> str:
    """Of the points of a moving mesh the displacement is scored and drawn."""
    return "displacement" if name == POINTS else name


def figure(value: float, digits: int = 3) -> str:
    """Three digits that count; a dash where there is no value."""
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞"
    if value and not 1e-3 <= abs(value) < 10**5:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa} × 10" + str(int(exponent)).translate(SUPERSCRIPT)
    # Rounded first: 999.7 has three digits that count as 1000, not as 1.00e+03.
    if float(f"{abs(value):.{digits - 1}e}") >= 10**digits or value == 0:
        return f"{value:.0f}"
    return f"{value:#.{digits}g}".rstrip(".")


def per_cent(share: float) -> str:
    if not np.isfinite(share):
        return "–"
    return "> 1000 %" if share > 10 else f"{100 * share:.1f} %"


def span(low: float, high: float) -> str:
    """From a value to another, or one where both are written alike."""
    ends = [str(end) if isinstance(end, int) else figure(end, 4) for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes = seconds / 60
    return f"{minutes:.3g} min" if minutes < 120 else f"{minutes / 60:.3g} h"
