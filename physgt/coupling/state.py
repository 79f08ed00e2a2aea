"""The state of a stepper, and the values that callers set in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physgt.errors import PhysgtError
from physgt.task import Task
from physgt.trajectory import Trajectory
from physgt.units import require_same_units


@dataclass(frozen=True, eq=False)
class StepperState:
    """Everything that a stepper may change: what `save_state` gives. To callers it is opaque.

    Its arrays are never written to, so keeping one costs nothing but the memory. It can be pickled
    and restored in any stepper of the same task and mesh.

    origin, num_steps   the model's last own time is origin + num_steps * dt
    offset              seconds from there to the stepper's time, 0 or more and less than dt
    state               (N, S + R) at the model's last own time, with the rates of second order,
                        without boundary values set since: these are of the step's end
    ahead               (N, S + R) one dt later, where offset > 0
    stated              (N, S + R) what the caller prescribed, NaN where the caller said nothing
    stated_forcing      (N, F) the same for forcings
    ended               (N, S + R) at the end of the last step, without boundary values set since
    before              (N, S + R) the same of the step before it, None before the first
    seconds             how long the last step was
    """

    origin: float
    num_steps: int
    offset: float
    state: np.ndarray
    ahead: np.ndarray | None
    stated: np.ndarray
    stated_forcing: np.ndarray
    ended: np.ndarray
    before: np.ndarray | None
    seconds: float

    def require_like(self, other: StepperState) -> None:
        """Raise PhysgtError where the other is a state of another task or mesh."""
        expected = other.state.shape, other.stated_forcing.shape
        found = self.state.shape, self.stated_forcing.shape
        if found != expected:
            raise PhysgtError(
                f"this saved state has arrays {found}, but the stepper's are {expected}: "
                "it comes from another task or mesh."
            )


def checked_ids(on: np.ndarray, num_nodes: int) -> np.ndarray:
    """(n,) node numbers that a caller gives. Raises PhysgtError where they are none."""
    ids = np.array(on)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise PhysgtError(
            f"expected the name of a set or node numbers (n,), found {ids.dtype} of shape "
            f"{ids.shape}."
        )
    outside = ids[(ids < 0) | (ids >= num_nodes)]
    if len(outside):
        raise PhysgtError(f"no node {outside[0]}; there are 0 to {num_nodes - 1}.")
    return ids


def checked_rows(
    values: np.ndarray | float, ids: np.ndarray, columns: slice, dtype: np.dtype, *, where: str
) -> np.ndarray:
    """What a caller sets, as one row a node: (n, C), or (1, C) for all nodes alike.

    Raises PhysgtError, naming `where`, for another shape and for values that aren't finite in the
    precision of the model.
    """
    given = np.asarray(values)
    components = columns.stop - columns.start
    one = (components,) if components > 1 else ()
    if given.dtype.kind not in "fiu" or given.shape not in (one, (len(ids), *one)):
        raise PhysgtError(
            f"{where}: expected numbers of shape {(len(ids), *one)}, one a node, or {one} for "
            f"all nodes alike, found {given.dtype} of shape {given.shape}."
        )
    rows = given.reshape(-1, components)
    with np.errstate(over="ignore"):
        bad = np.argwhere(~np.isfinite(rows.astype(dtype)))
    if len(bad):
        which = f"node {ids[bad[0][0]]}" if len(rows) == len(ids) else "all nodes"
        value = rows[tuple(bad[0])]
        raise PhysgtError(f"{where}: the value for {which} is not finite in {dtype}: {value}.")
    return rows


def replaced(values: np.ndarray, ids: np.ndarray, columns: slice, rows: np.ndarray) -> np.ndarray:
    """A copy of `values` that has `rows` at nodes `ids`."""
    copy = values.copy()
    copy[ids, columns] = rows
    return copy


def read_only(values: np.ndarray) -> np.ndarray:
    """A view that can't be written to: saved states share the array."""
    view = values.view()
    view.flags.writeable = False
    return view


def require_units_of(task: Task, trajectory: Trajectory, *, where: str) -> None:
    """Raise PhysgtError where a trajectory has a field of the task in other units."""
    units = {field.name: field.units for field in trajectory.declared()}
    for field in (*task.targets, *task.forcings):
        require_same_units(f"{where}: '{field.name}'", units.get(field.name, ""), field.units)


def require_stated(task: Task, missing: np.ndarray, unknown: np.ndarray) -> None:
    """What the task prescribes over time someone must have told.

    missing: (N, S) bool, boundary values that nobody has; unknown: (N, F) the same of forcings.
    """
    names = [t.name for t in task.targets if missing[:, task.columns(t.name)].any()]
    names += [f.name for f in task.forcings if unknown[:, task.forcing_columns(f.name)].any()]
    if names:
        raise PhysgtError(
            f"the task prescribes {names} over time, but not all values were given; set them "
            "with set_field before the first step, or state them with prescribed=."
        )
