"""The summary of a data set, for people."""

from __future__ import annotations

from collections import Counter

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from physgt.datasets.data_set import CaseSummary, DataSetSummary
from physgt.datasets.info import FieldRange

MOST_LINES = 20
"""So many cases are listed by name, and so many of what is odd."""


def data_set_table(summary: DataSetSummary) -> Group:
    """The summary for rich.console.Console.print."""
    cases = summary.readable
    head = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    splits = Counter(case.split or "no split" for case in cases)
    points, cells = ([getattr(c, f"num_{what}") for c in cases] for what in ("points", "cells"))
    rows = [
        ("cases", f"{len(cases)}: {', '.join(f'{name} {n}' for name, n in splits.items())}"),
        ("meshes", f"{summary.num_meshes} different"),
        ("points", _span(points)),
        ("cells", _span(cells)),
        ("times", _span([case.num_times for case in cases])),
        ("dt", _spacings(cases)),
    ]  # fmt: skip
    for name, value in rows:
        head.add_row(Text(name, style="bold"), Text(value))
    return Group(
        Text(str(summary.folder), style="bold"), head, _fields(cases), *map(Text, _odd(summary))
    )


def _fields(cases: list[CaseSummary]) -> Table:
    listing = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    listing.add_column("field", overflow="fold", min_width=12)
    for name in ("units", "on", "size", "cases", "minimum", "maximum", "not finite"):
        listing.add_column(name, overflow="fold")
    by_name: dict[str, list[FieldRange]] = {}
    for case in cases:
        for entry in case.fields:
            by_name.setdefault(entry.field.name, []).append(entry)
    for name, entries in by_name.items():
        first = entries[0].field
        listing.add_row(
            Text(name),
            Text(first.units or "-"),
            first.location,
            "/".join(str(n) for n in sorted({entry.field.components for entry in entries})),
            str(len(entries)),
            f"{min(entry.minimum for entry in entries):.6g}",
            f"{max(entry.maximum for entry in entries):.6g}",
            str(sum(entry.num_not_finite for entry in entries) or "-"),
        )
    return listing


def _odd(summary: DataSetSummary) -> list[str]:
    lines = [f"can't be read: {case.problem}" for case in summary.cases if case.problem]
    lines += [
        f"not finite: {case.name}, {entry.field.name} at {entry.num_not_finite} places"
        for case in summary.readable
        for entry in case.fields
        if entry.num_not_finite
    ]
    lines += [f"equal: {', '.join(names)}" for names in summary.duplicates]
    lines += [
        f"outlier: {o.case}, {o.field} has the {o.what} {o.value:.6g}, others {o.usual[0]:.6g} to "
        f"{o.usual[1]:.6g}"
        for o in summary.outliers
    ]
    kinds = Counter(frozenset(entry.field.name for entry in c.fields) for c in summary.readable)
    if len(kinds) > 1:
        usual = kinds.most_common(1)[0][0]
        lines += [
            f"other fields: {c.name} has {', '.join(sorted(names)) or 'none'}"
            for c in summary.readable
            if (names := {entry.field.name for entry in c.fields}) != usual
        ]
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], *([f"and {more} more"] if more > 0 else [])]


def _spacings(cases: list[CaseSummary]) -> str:
    found = Counter("uneven" if np.isnan(case.dt) else f"{case.dt:.6g} s" for case in cases)
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{dt} in {count}" for dt, count in found.most_common())


def _span(numbers: list[int]) -> str:
    low, high = min(numbers, default=0), max(numbers, default=0)
    return str(low) if low == high else f"{low} to {high}"
