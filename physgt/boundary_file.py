"""Boundary conditions and known inputs as files say them: TOML, and tables as CSV."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from physgt.boundary import BoundaryCondition
from physgt.conditions import Condition, condition_of
from physgt.errors import PhysgtError
from physgt.formulas import AXES, where

Tables = Mapping[str, Mapping[str, Any]]


class Scenario(NamedTuple):
    """What a user states anew for one rollout: rollout(simulator, start, 100, **s._asdict())."""

    boundary: Sequence[BoundaryCondition]
    forcings: Mapping[str, Condition]


def read_scenario(path: Path | str) -> Scenario:
    """Read [boundary.SET] and [forcings] of a TOML file. Raises PhysgtError with file and key."""
    path = Path(path)
    if not path.is_file():
        raise PhysgtError(f"{path}: no such file.")
    try:
        values = tomllib.loads(path.read_text())
        unknown = sorted(set(values) - {"boundary", "forcings"})
        if unknown:
            raise PhysgtError(f"unknown key '{unknown[0]}'; expected boundary, forcings.")
        for key, said in values.items():
            _require_table(f"[{key}]", said)
        boundary = with_tables_read(values.get("boundary", {}), path.parent)
        return Scenario(
            boundary_conditions(boundary),
            _forcings({"forcings": values.get("forcings", {})}, path.parent),
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PhysgtError(f"{path}: not valid TOML: {error}.") from error
    except PhysgtError as error:
        raise PhysgtError(f"{path}: {error}") from error


def boundary_conditions(tables: Tables) -> tuple[BoundaryCondition, ...]:
    """The conditions of [boundary.SET] tables, in their order.

    Each key of a table is a target: its condition, or below it one for each component, as in
    velocity.y = 0.0. The key `where` says at which points the set lies.
    """
    found = []
    for nodes, fields in tables.items():
        _require_table(f"[boundary.{nodes}]", fields)
        region = fields.get("where")
        if region is not None:
            _check_region(nodes, region)
        for field, said in fields.items():
            if field == "where":
                continue
            for component, condition in _by_component(said).items():
                axis = "" if component is None else f".{component}"
                try:
                    number = None if component is None else _component_number(component)
                    found.append(
                        BoundaryCondition(nodes, field, condition_of(condition), number, region)
                    )
                except PhysgtError as error:
                    raise PhysgtError(f"[boundary.{nodes}] {field}{axis}: {error}") from error
    return tuple(found)


def with_tables_read(tables: Any, folder: Path) -> Any:
    """The same tables with `file = "NAME.csv"` replaced by the times and values in that file.

    NAME is relative to `folder`. Anything but tables of tables stays as it is.
    """
    if not isinstance(tables, Mapping):
        return tables
    return {
        name: {key: _with_file_read(said, folder) for key, said in table.items()}
        if isinstance(table, Mapping)
        else table
        for name, table in tables.items()
    }


def read_table(path: Path) -> dict[str, list[Any]]:
    """The times and values of a CSV file: a row a time, the time in s first, then each component.

    Commas, semicolons or spaces between numbers, lines that begin with # and a first line of
    names, which begins with no number, are understood. Raises PhysgtError with file and line.
    """
    if not path.is_file():
        raise PhysgtError(f"{path}: no such table.")
    rows: list[list[float]] = []
    # In any encoding numbers are the same, but for the mark that some files begin with.
    lines = enumerate(path.read_text("utf-8-sig", errors="replace").splitlines(), start=1)
    filled = [(number, line) for number, line in lines if line.strip() and line[0] != "#"]
    for number, line in filled:
        parts = re.split(r"\s*[,;\s]\s*", line.strip())
        if number == filled[0][0] and not _is_number(parts[0]):
            continue
        try:
            row = [float(part) for part in parts]
        except ValueError as error:
            raise PhysgtError(f"{path}, line {number}: '{line}' are no numbers.") from error
        if len(row) < 2 or (rows and len(row) != len(rows[0])):
            raise PhysgtError(
                f"{path}, line {number}: {len(row)} numbers; expected a time and a value for each "
                "component, as many in each line."
            )
        rows.append(row)
    if not rows:
        raise PhysgtError(f"{path}: no numbers; expected a time and values in each line.")
    return {"times": [row[0] for row in rows], "values": [row[1:] for row in rows]}


def _forcings(tables: Tables, folder: Path) -> dict[str, Condition]:
    found = {}
    for name, said in with_tables_read(tables, folder)["forcings"].items():
        try:
            found[name] = condition_of(said)
        except PhysgtError as error:
            raise PhysgtError(f"[forcings] {name}: {error}") from error
    return found


def _require_table(name: str, said: Any) -> None:
    if not isinstance(said, Mapping):
        raise PhysgtError(f"{name} is {said!r}; expected a table of names and conditions.")


def _with_file_read(said: Any, folder: Path) -> Any:
    if not isinstance(said, Mapping):
        return said
    if isinstance(said.get("file"), str):
        rest = {key: value for key, value in said.items() if key != "file"}
        return rest | read_table(folder / said["file"])
    return {key: _with_file_read(value, folder) for key, value in said.items()}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _by_component(said: Any) -> dict[str | None, Any]:
    """Conditions by the name of their component; None for one condition of all."""
    if isinstance(said, Mapping) and said and all(key in AXES or key.isdigit() for key in said):
        return dict(said)
    return {None: said}


def _component_number(name: str) -> int:
    return AXES.index(name) if name in AXES else int(name)


def _check_region(nodes: str, region: Any) -> None:
    if not isinstance(region, str):
        raise PhysgtError(f"[boundary.{nodes}] where = {region!r}; expected text such as 'x<0.01'.")
    try:
        where(region, np.ones((1, len(AXES))))
    except PhysgtError as error:
        raise PhysgtError(f"[boundary.{nodes}] where = '{region}': {error}") from error
