"""A sweep: one model, a table of cases that differ in their forcings or starts."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from physgt.conditions import Condition, Constant
from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError, require_one_or_more
from physgt.fields import component_suffix, field_variable
from physgt.rates import start_alone, start_and_rates
from physgt.rollout.engine import Progress
from physgt.rollout.ensembles import append_members, member_files
from physgt.rollout.members import Member, integrate_members
from physgt.rollout.restart import mesh_fingerprint
from physgt.simulator import Simulator
from physgt.task import Field, Forcing, Task
from physgt.trajectory import Trajectory


def read_sweep(path: Path, simulator: Simulator, start: Trajectory) -> list[Member]:
    """The cases of a CSV table, a row each; its first line names the columns.

    name: of the case and its file; its row's number without it. start: a file to start from, seen
    from the table's folder; `start` without it. Any other column is a forcing that doesn't change
    over time, the same at all nodes; of a vector, one column a component: gravity_x, gravity_y.

    Raises PhysgtError naming the row and column.
    """
    rows = _rows(path)
    known = {name: forcing for forcing in _constant(simulator.task) for name in names(forcing)}
    for name in rows[0]:
        if name not in ("name", "start", *known):
            raise PhysgtError(
                f"{path}: no column '{name}' is known; expected 'name', 'start' or a forcing of "
                f"the model that stays over time: {list(known) or 'it has none'}."
            )
    members: list[Member] = []
    for number, row in enumerate(rows, start=1):
        name = row.get("name") or f"{number:0{len(str(len(rows)))}d}"
        own = row.get("start")
        try:
            _check_name(name, [member.name for member in members])
            found = open_trajectory(path.parent / own) if own else start
            initial = start_alone(simulator.task, found)
            own_start = _with_forcings(initial, simulator.task, row)
            stated = _stated(own_start, simulator.task, row)
            member = Member(name, simulator, own_start, forcings=stated)
            member.boundary_values(start_and_rates(simulator.task, own_start)[0]).initial_state()
            members.append(member)
        except PhysgtError as error:
            raise PhysgtError(f"{path}: row {number}: {error}") from error
    return members


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table by column; what a row lacks at its end is empty."""
    if not path.is_file():
        raise PhysgtError(f"{path}: no such table.")
    try:
        # Spreadsheets begin UTF-8 with a mark.
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.reader(file, skipinitialspace=True)
            lines = [[cell.strip() for cell in line] for line in table if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise PhysgtError(f"{path}: not a CSV table in UTF-8 ({error}).") from error
    if len(lines) < 2:
        raise PhysgtError(f"{path}: no case; expected a line of column names and a line a case.")
    columns, *rows = lines
    for column in columns:
        if columns.count(column) > 1:
            raise PhysgtError(f"{path}: two columns called '{column}'.")
    for number, row in enumerate(rows, start=1):
        if any(row[len(columns) :]):
            told = f"{len(row)} values for {len(columns)} columns"
            raise PhysgtError(f"{path}: row {number}: {told}.")
    return [dict(zip(columns, [*row, *[""] * len(columns)], strict=False)) for row in rows]


def _check_name(name: str, taken: Sequence[str]) -> None:
    if Path(name).name != name:
        raise PhysgtError(f"a case can't be called '{name}': its file is called so, in the folder.")
    if name in taken:
        raise PhysgtError(f"a second case called '{name}'.")


def names(field: Field) -> list[str]:
    """A name a component: speed; gravity_x, gravity_y."""
    return [field.name + component_suffix(field, column) for column in range(field.components)]


def _constant(task: Task) -> list[Forcing]:
    return [forcing for forcing in task.forcings if not forcing.over_time]


def _with_forcings(initial: Trajectory, task: Task, row: Mapping[str, str | None]) -> Trajectory:
    """`initial` with the forcings of a row, on all nodes, in place of its own."""
    fields = initial.fields
    for forcing in _constant(task):
        given = {k: row[name] for k, name in enumerate(names(forcing)) if row.get(name)}
        if not given:
            continue
        values = np.full(forcing.components, np.nan)
        if forcing.name in fields:
            own = fields[forcing.name].values.reshape(-1, forcing.components)
            values = np.where((own == own[0]).all(axis=0), own[0], np.nan)
        for k, text in given.items():
            values[k] = _number(names(forcing)[k], text)
        if np.isnan(values).any():
            raise PhysgtError(
                f"the forcing '{forcing.name}' needs all of its columns {names(forcing)}, as the "
                "start has none or other values at other nodes."
            )
        declared = Field(forcing.name, forcing.components, forcing.units, "global", "float64")
        variable = field_variable(
            declared, values if forcing.components > 1 else values[0], over_time=False
        )
        fields = fields.drop_vars(forcing.name, errors="ignore").assign({forcing.name: variable})
    return Trajectory(initial.mesh, fields, initial.attributes)


def _stated(start: Trajectory, task: Task, row: Mapping[str, str | None]) -> dict[str, Condition]:
    """The forcings of a row in place of those that the task itself states."""
    return {
        forcing.name: Constant(tuple(start.fields[forcing.name].values.ravel().tolist()))
        for forcing in _constant(task)
        if forcing.value is not None and any(row.get(name) for name in names(forcing))
    }


def _number(name: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise PhysgtError(f"{name} = '{text}', expected a finite number.")
    return value


def sweep(
    members: Sequence[Member],
    num_steps: int,
    folder: Path,
    *,
    every: int = 1,
    batch_size: int = 8,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Roll out all cases to FOLDER/NAME.vtkhdf and sum them up.

    The summary has, over (case, field), the least, mean and largest length of each target at the
    last time, the largest over all times, and over (case) the steps that stayed finite. Cases on
    one mesh are advanced together, batch_size at a time. It is also written to FOLDER/summary.csv.
    """
    require_one_or_more(cases=len(members), num_steps=num_steps, every=every, batch_size=batch_size)
    total, done, summaries = num_steps * len(members), 0, []
    for part in _parts(members, batch_size):
        summary = _Summary(part)
        with member_files(part, folder) as writers:
            for states in integrate_members(part, num_steps, batch_size=batch_size):
                summary.add(states.step, states.values, states.alive)
                if states.step % every == 0:
                    append_members(writers, part, states)
                if progress is not None and states.step:
                    progress(done + states.step * len(part), total, "")
        done += num_steps * len(part)
        summaries.append(summary.dataset())
    found = xr.concat(summaries, dim="case").sel(case=[member.name for member in members])
    found.to_dataframe().to_csv(folder / "summary.csv")
    return found


def _parts(members: Sequence[Member], batch_size: int) -> list[list[Member]]:
    """Members that start on one mesh at one time, at most batch_size together.

    One part after the other: a table of many cases must not hold a file open for each.
    """
    alike: dict[tuple[str, float], list[Member]] = {}
    for member in members:
        key = mesh_fingerprint(member.initial.mesh), float(member.initial.times[0])
        alike.setdefault(key, []).append(member)
    return [
        part[i : i + batch_size] for part in alike.values() for i in range(0, len(part), batch_size)
    ]


class _Summary:
    """What is told of each case."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members, self.task = members, members[0].simulator.task
        shape = len(members), len(self.task.targets)
        self.last = {kind: np.full(shape, np.nan) for kind in ("least", "mean", "largest")}
        self.largest_ever = np.full(shape, -np.inf)
        self.steps = np.zeros(len(members), dtype=int)

    def add(self, step: int, values: np.ndarray, alive: np.ndarray) -> None:
        for number in np.flatnonzero(alive):
            self.steps[number] = step
            for k, target in enumerate(self.task.targets):
                columns = values[number][:, self.task.columns(target.name)]
                size = columns[:, 0] if target.components == 1 else np.linalg.norm(columns, axis=1)
                self.last["least"][number, k] = size.min()
                self.last["mean"][number, k] = size.mean()
                self.last["largest"][number, k] = size.max()
                self.largest_ever[number, k] = max(self.largest_ever[number, k], size.max())

    def dataset(self) -> xr.Dataset:
        over_fields = {**self.last, "largest_ever": self.largest_ever}
        return xr.Dataset(
            {
                **{name: (("case", "field"), values) for name, values in over_fields.items()},
                "finite_steps": ("case", self.steps),
            },
            {
                "case": [member.name for member in self.members],
                "field": [target.name for target in self.task.targets],
            },
        )
