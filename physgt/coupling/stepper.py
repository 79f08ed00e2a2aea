"""A learned simulator inside a running solver: set fields, step, get fields, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from physgt.boundary import BoundaryCondition
from physgt.conditions import Condition
from physgt.coupling.advance import SAME_TIME, Advance
from physgt.coupling.state import (
    StepperState,
    checked_ids,
    checked_rows,
    read_only,
    replaced,
    require_units_of,
)
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.quantities.derived import Output
from physgt.rates import start_and_rates
from physgt.rollout.boundary import restated
from physgt.simulator import Simulator
from physgt.task import POINTS, Field
from physgt.trajectory import Frame, Trajectory
from physgt.units import require_same_units


class Stepper:
    """Advances one state, step by step, while the caller sets and gets fields on node sets.

    Fields go by the names and units of the simulator's task, nodes by the numbers of the mesh.
    Arrays are (n,) for one component and (n, C) for more, in the precision of the model. A set is
    the name of a node set of the mesh or of a node type, or (n,) node numbers; without one, all
    nodes are meant. Of a task on cells, all that is said of nodes holds for cells, at their
    centres: see physgt.sites.

    What the caller may set:
    - a target where the boundary conditions of the task don't leave it free: the value is
      prescribed from now on, over what the task says, until it is set again;
    - a target where it is free: the state changes, and the model goes on from there;
    - a forcing: it keeps the value until it is set again, over what the start or `prescribed` say.
    A step from t to t + dt sees forcings as they are at t and boundary values as they will be at
    t + dt, as in training: so set forcings of t and boundary values of t + dt before the step.

    A stepper belongs to one thread at a time. Steppers share nothing that changes, so that many
    may run side by side, on one simulator as well; training it meanwhile changes their results.
    """

    def __init__(
        self,
        simulator: Simulator,
        initial: Trajectory,
        *,
        prescribed: Trajectory | None = None,
        boundary: Sequence[BoundaryCondition] = (),
        forcings: Mapping[str, Condition] | None = None,
        interpolate: bool = False,
        outputs: Mapping[str, Output] | None = None,
    ) -> None:
        """Start from the first state of `initial`, and read nothing later.

        prescribed, boundary, forcings: see physgt.rollout.rollout; what the task prescribes over
            time and is not told there must be set before the first step.
        interpolate: allow steps of other lengths than the model's, see `step`.
        outputs: further fields to get, see physgt.quantities.derived.

        Raises PhysgtError where `initial` or `prescribed` lack a field or have it in other units.
        """
        self.mesh: Mesh = initial.mesh
        self.task = restated(simulator.task, self.mesh, boundary, forcings)
        self.sites = self.task.sites(self.mesh)
        self.interpolate = interpolate
        self.outputs = dict(outputs or {})
        initial, rates = start_and_rates(self.task, initial)
        self._advance = Advance(simulator, self.task, initial, prescribed)
        self._free = self.task.free_mask(self.mesh)
        self._now = self._advance.start(float(initial.times[0]), rates, self.sites.num_points)
        for where, trajectory in ("the start", initial), ("the prescribed values", prescribed):
            if trajectory is not None:
                require_units_of(self.task, trajectory, where=where)
        self._check_outputs()

    @property
    def dt(self) -> float:
        """Seconds of one step of the model."""
        return self.task.dt

    @property
    def time(self) -> float:
        """Seconds; the first time of `initial` before the first step."""
        return self._advance.time(self._now)

    def field(self, name: str) -> Field:
        """Components and units of a target, forcing or output."""
        fields = (*self.task.targets, *self.task.forcings)
        found = {field.name: field for field in fields}
        found |= {key: output.field(key) for key, output in self.outputs.items()}
        if name not in found:
            raise PhysgtError(
                f"no field '{name}'; targets are {[t.name for t in self.task.targets]}, forcings "
                f"{[f.name for f in self.task.forcings]}, outputs {sorted(self.outputs)}."
            )
        return found[name]

    def ids(self, on: str | np.ndarray | None = None) -> np.ndarray:
        """(n,) node numbers of a set: the order of its values and coordinates."""
        if on is None:
            return np.arange(self.sites.num_points)
        if isinstance(on, str):
            return self.task.nodes_of(self.mesh, on).copy()
        return checked_ids(on, self.sites.num_points)

    def coordinates(self, on: str | np.ndarray | None = None) -> np.ndarray:
        """(n, D) where the nodes of a set lie."""
        return self.sites.points[self.ids(on)]

    def displacement(self, on: str | np.ndarray | None = None) -> np.ndarray:
        """(n, D) how far the nodes of a mesh that moves are now from where the mesh has them.

        Far from the origin it has digits that `get_field("points")`, where they are, has not.
        """
        return self._advance.state(self._now)[self.ids(on), self.task.columns(POINTS)]

    def get_field(self, name: str, on: str | np.ndarray | None = None) -> np.ndarray:
        """A target, forcing or output now. Of all nodes it is a view that can't be written to.

        An output has its own shape and nodes and takes no set.
        """
        if name in self.outputs:
            if on is not None:
                raise PhysgtError(f"the output '{name}' has its own nodes; get it without a set.")
            return self._output(self.outputs[name])
        field = self.field(name)
        if field in self.task.forcings:
            values = self._advance.forcing(self._now)[:, self._columns(field)]
            values = values[:, 0] if field.components == 1 else values
        else:
            values = self.frame()[name]
        return read_only(values) if on is None else values[self.ids(on)]

    def frame(self) -> Frame:
        """All targets now by name."""
        return self.task.unpack_state(self._advance.state(self._now), self.mesh)

    def set_field(
        self,
        name: str,
        values: np.ndarray | float,
        on: str | np.ndarray | None = None,
        *,
        component: int | None = None,
        units: str | None = None,
    ) -> None:
        """Set a target or forcing on a set: one value a node in the order of `ids`, or one for all.

        component: the number of the one to set; without it all are.
        units: what the values are in, to have it checked; nothing is converted.
        Raises PhysgtError where the shape or the units are others or a value is not finite.
        """
        field = self.field(name)
        require_same_units(f"set_field('{name}')", units or "", field.units)
        if name in self.outputs:
            raise PhysgtError(f"the output '{name}' is computed and can't be set.")
        ids, columns = self.ids(on), self._columns(field, component)
        where = f"set_field('{name}', on={on!r})" if isinstance(on, str) else f"set_field('{name}')"
        rows = checked_rows(values, ids, columns, self._now.state.dtype, where=where)
        if field in self.task.forcings:
            if field.location == "global" and (on is not None or (rows != rows[:1]).any()):
                raise PhysgtError(f"the forcing '{name}' is global: set one value on all nodes.")
            stated = replaced(self._now.stated_forcing, ids, columns, rows)
            self._now = replace(self._now, stated_forcing=stated)
        else:
            if name == POINTS:
                # A state holds displacements.
                axes = slice(None) if component is None else [component]
                rows = rows - self.mesh.points[ids][:, axes]
            self._set_target(ids, columns, rows)

    def hold_field(
        self, name: str, on: str | np.ndarray | None = None, *, component: int | None = None
    ) -> None:
        """Set a field on a set to what it is: for a boundary until somebody tells its values."""
        field = self.field(name)
        if field in self.task.targets:
            # Not through get_field: far from the origin positions lose digits of displacements.
            ids, columns = self.ids(on), self._columns(field, component)
            self._set_target(ids, columns, self._advance.state(self._now)[ids, columns])
        else:
            values = self.get_field(name, on)
            values = values if component is None else values[..., component]
            self.set_field(name, values, on=on, component=component)

    def step(self, dt: float | None = None) -> None:
        """Advance by one step of the model or, where the stepper may interpolate, by `dt`.

        A longer `dt` takes several steps of the model, with forcings and boundary values as they
        were last set. Between two times of the model the state is interpolated linearly: the model
        steps ahead from its last own time and sees what is set meanwhile from its next step on.

        Raises PhysgtError for another dt than the model's where the stepper may not interpolate,
        and DivergedError where the state stops being finite; the stepper then stays as it was.
        """
        self._now = self._advance.step(self._now, self._checked_dt(dt))

    def save_state(self) -> StepperState:
        """The state as it is now, with all that was set; any number may be kept."""
        return self._now

    def restore_state(self, token: StepperState) -> None:
        """Go back, or on, to a saved state."""
        token.require_like(self._now)
        self._now = token

    def _output(self, output: Output) -> np.ndarray:
        now, frame = self._now, self.frame()
        before = frame if now.before is None else self.task.unpack_state(now.before, self.mesh)
        return output.over(now.seconds, before, frame)

    def _set_target(self, ids: np.ndarray, columns: slice, rows: np.ndarray) -> None:
        free = self._free[ids, columns]
        stated = replaced(self._now.stated, ids, columns, np.where(free, np.nan, rows))
        now = replace(self._now, stated=stated)
        kept = np.where(free, rows, now.ended[ids, columns])
        ended = replaced(now.ended, ids, columns, kept)
        if not np.array_equal(ended, now.ended):
            # The model has a new state to start from, at a time that becomes its own.
            now = replace(now, state=ended, ended=ended)
            if now.ahead is not None:
                now = replace(now, origin=self.time, num_steps=0, offset=0.0, ahead=None)
        self._now = now

    def _columns(self, field: Field, component: int | None = None) -> slice:
        forcing = field in self.task.forcings
        whole = (self.task.forcing_columns if forcing else self.task.columns)(field.name)
        if component is None:
            return whole
        if not 0 <= component < field.components:
            raise PhysgtError(
                f"'{field.name}' has {field.components} components, no number {component}."
            )
        return slice(whole.start + component, whole.start + component + 1)

    def _checked_dt(self, dt: float | None) -> float:
        if dt is None:
            return self.dt
        if not 0 < dt < np.inf:
            raise PhysgtError(f"step(dt={dt}): expected seconds, greater than 0.")
        if self.interpolate:
            return dt
        if abs(dt - self.dt) > SAME_TIME * self.dt:
            raise PhysgtError(
                f"step(dt={dt:g}): the model's step is {self.dt:g} s. Take that one, or make the "
                "stepper with interpolate=True to have the state interpolated between its steps."
            )
        return self.dt

    def _check_outputs(self) -> None:
        declared = {field.name for field in (*self.task.targets, *self.task.forcings)}
        taken = sorted(declared & set(self.outputs))
        if taken:
            raise PhysgtError(f"outputs {taken} have names of fields; choose others.")
        for output in self.outputs.values():
            self._output(output)
