"""The model card: Markdown, made of the record that physgt.pretrained.make keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def render_card(record: Mapping[str, Any]) -> str:
    """The card of a record."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "figure": _figure,
        "hours": _hours,
        "options": _assignments,
        "percent": _percent,
        "versions": _versions,
    }
    task = record["model"]["task"]
    template = environment.get_template("card.md.jinja")
    return template.render(
        record,
        headline=headline(record),
        task=task,
        targets=_fields(task["targets"]),
        forcings=_fields(task["forcings"]),
        boundary=_boundary(task["boundary"]),
        prescribed=any(r["condition"]["kind"] == "prescribed" for r in task["boundary"]),
        changed=_set_option(record["data"]["changed"]),
    )


def headline(record: Mapping[str, Any]) -> str:
    """One line: what it predicts, and how well beside the forecast that nothing changes."""
    scores = record["scores"]
    told = []
    for target in record["model"]["task"]["targets"]:
        rows = scores["fields"][target["name"]]
        ours, persistence = (_figure(rows[f]["mean"]) for f in ("prediction", "persistence"))
        told.append(f"{target['name']} {ours} ({persistence})")
    dt = record["model"]["task"]["dt"]
    return (
        f"{record['what']}; steps of {dt:g} s; relative L2 over "
        f"{_figure(scores['seconds'])} s of unseen cases (of persistence): {', '.join(told)}"
    )


def _figure(value: float | None, units: str = "") -> str:
    """Three digits."""
    if value is None:
        return ""
    digits = f"{value:.3g}" if abs(value) < 1000 else f"{float(f'{value:.3g}'):,.0f}"
    return f"{digits} {units}".rstrip()


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.0f} minutes"


def _fields(declared: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"`{f['name']}` in {f['units'] or '1'}" for f in declared)


def _boundary(rules: Sequence[Mapping[str, Any]]) -> str:
    """Which fields are held or prescribed, and on which sets."""
    sets: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        sets.setdefault((rule["field"], rule["condition"]["kind"]), []).append(rule["nodes"])
    told = (
        f"`{field}` is {kind} on {', '.join(f'`{name}`' for name in names)}"
        for (field, kind), names in sets.items()
    )
    return ", ".join(told)


def _assignments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items())


def _set_option(changed: Mapping[str, Any]) -> str:
    return f" --set {' '.join(f'{k}={v}' for k, v in changed.items())}" if changed else ""


def _versions(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in found.items())
