"""What is in a file: a description, and tables of it for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from physgt.cells import CELL_TYPES
from physgt.coinciding import stand_alone
from physgt.datasets.formats import format_name, open_trajectory
from physgt.formulas import AXES
from physgt.mesh import NodeType
from physgt.task import Field
from physgt.trajectory import Trajectory

MOST_TIMES = 100
"""Ranges are taken over at most as many times, so that long files are described soon."""


@dataclass(frozen=True)
class FieldRange:
    """Smallest and largest finite value, and how many values are nan or infinite."""

    field: Field
    over_time: bool
    minimum: float
    maximum: float
    num_not_finite: int


@dataclass(frozen=True)
class Description:
    """bounds: (D, 2). cell_types, node_types, node_sets, cell_sets: name -> count.

    cells_stand_alone: no two share a node, see coinciding.stand_alone.
    num_sampled: how many of the times the ranges of the fields are over.
    """

    path: Path
    format: str
    num_points: int
    num_cells: int
    bounds: np.ndarray
    moving: bool
    cells_stand_alone: bool
    cell_types: dict[str, int]
    node_types: dict[str, int]
    node_sets: dict[str, int]
    cell_sets: dict[str, int]
    times: np.ndarray
    num_sampled: int
    fields: tuple[FieldRange, ...]
    fields_not_at_all_times: tuple[str, ...]


def describe(path: str | PathLike[str], *, time_unit: float = 1.0) -> Description:
    """Read all that there is to tell about a source; raises what open_trajectory raises."""
    trajectory = open_trajectory(path, time_unit=time_unit)
    mesh = trajectory.mesh
    sampled = np.unique(np.linspace(0, trajectory.num_steps, MOST_TIMES).round().astype(int))
    types = Counter(mesh.node_type.tolist())
    return Description(
        path=Path(path),
        format=format_name(path),
        num_points=mesh.num_points,
        num_cells=mesh.num_cells,
        bounds=np.stack([mesh.points.min(axis=0), mesh.points.max(axis=0)], axis=1),
        moving=trajectory.moving,
        cells_stand_alone=stand_alone(mesh),
        cell_types={
            CELL_TYPES[number].name: count
            for number, count in sorted(Counter(mesh.cell_types.tolist()).items())
        },
        node_types={_type_name(number): count for number, count in sorted(types.items())},
        node_sets={name: len(ids) for name, ids in mesh.node_sets.items()},
        cell_sets={name: len(ids) for name, ids in mesh.cell_sets.items()},
        times=trajectory.times,
        num_sampled=len(sampled),
        fields=field_ranges(trajectory, sampled.tolist()),
        fields_not_at_all_times=tuple(trajectory.attributes.get("fields_not_at_all_times", ())),
    )


def table(description: Description) -> Group:
    """The description for rich.console.Console.print."""
    d = description
    head = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    extents = (f"{a} {low:g} to {high:g}" for a, (low, high) in zip(AXES, d.bounds, strict=False))
    rows = [
        ("format", d.format),
        ("points", f"{d.num_points}{', moving' if d.moving else ''}"),
        ("extent", ", ".join(extents)),
        ("cells", f"{d.num_cells}: {_counts(d.cell_types)}"),
        ("node types", _counts(d.node_types)),
        ("node sets", _counts(d.node_sets)),
        ("cell sets", _counts(d.cell_sets)),
        ("times", _times(d.times)),
    ]
    if d.cells_stand_alone:
        told = "no two share a node, though nodes coincide: physgt convert --join-points"
        rows.append(("cells apart", told))
    if d.fields_not_at_all_times:
        rows.append(("not at all times", ", ".join(d.fields_not_at_all_times)))
    for name, value in rows:
        head.add_row(Text(name, style="bold"), Text(value))
    of = f"{d.num_sampled} of {len(d.times)} times" if d.num_sampled < len(d.times) else "all times"
    listing = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    listing.add_column("field", overflow="fold", min_width=12)
    for name in ("units", "on", "size", "type", "minimum", "maximum", "not finite"):
        listing.add_column(name, overflow="fold")
    listing.title = f"fields, ranges over {of}"
    listing.title_justify = "left"
    for entry in d.fields:
        field = entry.field
        listing.add_row(
            Text(field.name),
            Text(field.units or "-"),
            field.location + ("" if entry.over_time else ", constant"),
            str(field.components),
            field.dtype,
            f"{entry.minimum:.6g}",
            f"{entry.maximum:.6g}",
            str(entry.num_not_finite or "-"),
        )
    return Group(Text(str(d.path), style="bold"), head, *([listing] if d.fields else []))


def field_ranges(trajectory: Trajectory, sampled: list[int]) -> tuple[FieldRange, ...]:
    """Of each field, over the times of these numbers."""
    series, still = trajectory.declared(over_time=True), trajectory.declared(over_time=False)
    found: dict[str, FieldRange] = {
        field.name: FieldRange(field, field in series, np.inf, -np.inf, 0)
        for field in (*series, *still)
    }
    # Time by time, as the files have it: each is read once.
    for i, fields in [(0, still), *((i, series) for i in sampled)]:
        frame = trajectory.frame(i, [field.name for field in fields])
        for name, values in frame.items():
            found[name] = _widened(found[name], values)
    return tuple(found.values())


def _widened(known: FieldRange, values: np.ndarray) -> FieldRange:
    finite = values[np.isfinite(values)].astype(np.float64)
    return FieldRange(
        known.field,
        known.over_time,
        float(min(known.minimum, finite.min(initial=np.inf))),
        float(max(known.maximum, finite.max(initial=-np.inf))),
        known.num_not_finite + values.size - finite.size,
    )


def _type_name(number: int) -> str:
    return NodeType(number).name if number in set(NodeType) else str(number)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _times(times: np.ndarray) -> str:
    if len(times) == 1:
        return f"one, {times[0]:g} s"
    steps = np.diff(times)
    even = np.ptp(steps) <= 1e-3 * steps.max()
    spacing = f"every {steps.mean():g} s" if even else f"{steps.min():g} to {steps.max():g} s apart"
    return f"{len(times)} from {times[0]:g} to {times[-1]:g} s, {spacing}"
