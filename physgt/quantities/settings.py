"""Quantities as tables of a TOML file state them: {name: {"kind": ..., options}}."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from physgt.errors import PhysgtError
from physgt.formulas import evaluate
from physgt.mesh import Mesh
from physgt.quantities.derived import OUTPUTS
from physgt.quantities.output import Output
from physgt.task import Task
from physgt.trajectory import Trajectory

Settings = Mapping[str, Mapping[str, Any]]
Numbers = Mapping[str, float]

OF_EVERY_KIND = ("along", "per", "time_scale")
"""along: a direction, to take a vector's component in it. per: what the values are divided by, to
have no units. time_scale: see Output."""


def build_outputs(
    mesh: Mesh, task: Task, settings: Settings, numbers: Numbers | None = None
) -> dict[str, Output]:
    """Outputs by name.

    numbers: what texts in place of numbers may name, see stated_numbers: "2 * radius".
    Raises PhysgtError as check_outputs does, and where a text isn't a formula of `numbers`.
    """
    check_outputs(settings)
    return {
        name: _build(mesh, task, name, table, numbers or {}) for name, table in settings.items()
    }


def check_outputs(settings: Settings) -> None:
    """Raise PhysgtError for a kind of OUTPUTS or an option that doesn't exist or is missing."""
    for name, table in settings.items():
        if not isinstance(table, Mapping):
            raise PhysgtError(f"[outputs] {name} = {table!r}: expected a table [outputs.{name}].")
        kind = table.get("kind")
        if kind not in OUTPUTS:
            raise PhysgtError(f"[outputs.{name}] kind = {kind!r}: expected one of {list(OUTPUTS)}.")
        parameters = _options(kind)
        required = [p.name for p in parameters.values() if p.default is p.empty]
        given = set(table) - {"kind", *OF_EVERY_KIND}
        if not set(required) <= given <= set(parameters):
            raise PhysgtError(
                f"[outputs.{name}] a {kind} takes {[*parameters, *OF_EVERY_KIND]} and needs "
                f"{required}, found {sorted(set(table) - {'kind'})}."
            )


def stated_numbers(trajectory: Trajectory) -> dict[str, float]:
    """What a trajectory says of its case in single numbers: attributes, and values that stay."""
    single = [f for f in trajectory.declared(over_time=False) if f.location == "global"]
    values = {f.name: trajectory.fields[f.name].values for f in single if f.components == 1}
    simple = (int, float, np.integer, np.floating)
    attributes = {k: v for k, v in trajectory.attributes.items() if isinstance(v, simple)}
    return {name: float(value) for name, value in {**attributes, **values}.items()}


def _build(mesh: Mesh, task: Task, name: str, table: Mapping[str, Any], numbers: Numbers) -> Output:
    kind = table["kind"]
    numeric = {p.name for p in _options(kind).values() if "float" in str(p.annotation)}
    options = {
        key: _number(name, key, value, numbers) if key in {*numeric, *OF_EVERY_KIND} else value
        for key, value in table.items()
        if key != "kind"
    }
    of_every_kind = {key: options.pop(key) for key in OF_EVERY_KIND if key in options}
    return _changed(OUTPUTS[kind](mesh, task, **options), name, **of_every_kind)


def _changed(
    output: Output,
    name: str,
    *,
    along: list[float] | None = None,
    per: float | None = None,
    time_scale: float | None = None,
) -> Output:
    if along is not None:
        if len(along) != output.components or not np.linalg.norm(along) > 0:
            raise PhysgtError(
                f"[outputs.{name}] along = {along}: expected a direction of "
                f"{output.components} components."
            )
        direction = np.asarray(along) / np.linalg.norm(along)
        output = replace(output.mapped(lambda values: values @ direction), components=1)
    if per is not None:
        if not per:
            raise PhysgtError(f"[outputs.{name}] per = {per}: nothing can be divided by it.")
        output = replace(output.mapped(lambda values: values / per), units="")
    return replace(output, time_scale=time_scale)


def _number(name: str, key: str, value: Any, numbers: Numbers) -> Any:
    """A number, or what a text makes of `numbers`; the same in a list."""
    if isinstance(value, list):
        return [_number(name, key, part, numbers) for part in value]
    if isinstance(value, str):
        try:
            return float(evaluate(value, numbers))
        except (ValueError, TypeError) as error:
            raise PhysgtError(
                f"[outputs.{name}] {key}: {error}; it may name {sorted(numbers) or 'nothing here'}."
            ) from error
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PhysgtError(f"[outputs.{name}] {key} = {value!r}: expected a number.")
    return float(value)


def _options(kind: str) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(OUTPUTS[kind]).parameters
    return {name: p for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
