"""What a rollout is told: the initial state, forcings and boundary values at each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

import numpy as np

from physgt.boundary import BoundaryCondition
from physgt.conditions import Condition
from physgt.declared_fields import require_fields
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.rates import joined
from physgt.rollout.one_mesh import require_one_mesh
from physgt.task import Field, Task
from physgt.trajectory import Frame, Trajectory


def overlaid(values: np.ndarray, stated: np.ndarray) -> np.ndarray:
    """`values` with what is stated: NaN is not."""
    return np.where(np.isnan(stated), values, stated)


def restated(
    task: Task,
    mesh: Mesh,
    boundary: Sequence[BoundaryCondition] = (),
    forcings: Mapping[str, Condition] | None = None,
) -> Task:
    """`task` with what the user states anew for one rollout on `mesh`.

    Raises PhysgtError where that would change what the model advances: it has not learned to.
    """
    changed = task.restated(boundary, forcings or {})
    before = task.free_mask(mesh)
    for count, rule in enumerate(boundary, start=1):
        until = task.restated(boundary[:count], {}).free_mask(mesh)
        different = int((until != before).any(axis=1).sum())
        if different:
            learned = "free" if before[until != before].any() else "stated"
            raise PhysgtError(
                f"{rule.name}: the model was trained with it {learned} on {different} of these "
                "nodes; what may be stated anew is what its task states."
            )
        if task.restated([rule], {}).motion_columns != task.motion_columns:
            raise PhysgtError(
                f"{rule.name}: the model was trained with this field at rest on all boundaries "
                "and isn't told how they move it; train it with a case that drives the field."
            )
    return changed


class BoundaryValues:
    """The stated conditions of one rollout.

    Reads the first time of `initial`, and of `prescribed` all times: it is what the user states
    about the future. Fields of `initial` are float; values between two prescribed times are
    interpolated linearly, and a time outside of them is an error. Without `prescribed`, what the
    task prescribes over time is left as it is: see require_complete and unstated.
    """

    def __init__(self, task: Task, initial: Trajectory, prescribed: Trajectory | None) -> None:
        self.task = task
        self.mesh = initial.mesh
        self._sites = task.sites(self.mesh)
        self.prescribed = prescribed
        kept = (f for f in task.file_forcings if not f.over_time)
        needed: list[Field] = [*task.targets, *kept]
        require_fields("the start", initial.declared(), needed, where="the model's task")
        self._initial = initial.frame(0, [field.name for field in needed])
        self.on_mesh = task.boundary_on(self.mesh)
        self.free = self.on_mesh.free
        self._start = task.pack_state(self._initial, self.mesh)
        self._overlay: np.ndarray | None = None
        if prescribed is not None:
            self._check_prescribed(prescribed)

    def overlaid(self, values: np.ndarray) -> BoundaryValues:
        """The same with `values` (N, S) at every time where they aren't NaN."""
        changed = copy(self)
        changed._overlay = values
        return changed

    @property
    def unstated(self) -> np.ndarray:
        """(N, S) bool: what the task prescribes over time and nobody tells."""
        told = self.on_mesh.told
        if self.prescribed is not None:
            return np.zeros_like(told)
        return told if self._overlay is None else told & np.isnan(self._overlay)

    def require_complete(self) -> None:
        """Raise PhysgtError where the start has a forcing that isn't finite, or the task
        prescribes over time what nobody has stated.
        """
        for forcing in self.task.file_forcings:
            if not forcing.over_time and not np.isfinite(self._initial[forcing.name]).all():
                raise PhysgtError(
                    f"the start's forcing '{forcing.name}' is not finite; look at it with physgt "
                    "info and export it again."
                )
        needed = self._needed()
        if needed and self.prescribed is None:
            raise PhysgtError(
                f"the task prescribes {needed} over time, but no values were given; "
                "state them with --prescribed FILE (prescribed= in Python)."
            )

    def require_stated(self, before: float, time: float) -> None:
        """Raise PhysgtError where nothing is stated for the step from `before` to `time`."""
        self.forcing(before)
        self.enforce(self.initial_state(), time)

    def initial_state(self) -> np.ndarray:
        """(N, S) the targets at the start."""
        bad = np.argwhere(~np.isfinite(self._start))
        if len(bad):
            raise PhysgtError(
                f"the start is not finite at {self.task.location} {bad[0][0]}; "
                "look at it with physgt info and export it again."
            )
        return self._start

    def enforce(self, state: np.ndarray, time: float) -> np.ndarray:
        """`state` (N, S) with what the boundary states for `time`."""
        enforced = self.on_mesh.enforce(state, time, self._start)
        if self.prescribed is not None and self.on_mesh.told.any():
            values = self.task.pack_state(self._at(time, self._prescribed_targets()), self.mesh)
            enforced = np.where(self.on_mesh.told, values, enforced).astype(state.dtype)
        return enforced if self._overlay is None else overlaid(enforced, self._overlay)

    def ahead(self, state: np.ndarray, time: float) -> np.ndarray:
        """`state` (N, S + R) as the model sees it before the step that ends at `time`.

        Free values are those of the beginning of the step, boundary values those of its end, but
        for what physgt.rates.motion tells of.
        """
        ahead = self.task.seen_ahead
        if not any(ahead):
            return state
        targets, rates = np.split(state, [self.task.state_size], axis=1)
        return joined(np.where(ahead, self.enforce(targets, time), targets), rates)

    def forcing(self, time: float) -> np.ndarray:
        """(N, F) the forcings at `time`; NaN where they change over time and nobody tells how."""
        changing = [forcing for forcing in self.task.file_forcings if forcing.over_time]
        told: Frame = {}
        if self.prescribed is None:
            told = {f.name: _unknown(f) for f in changing}
        elif changing:
            told = self._at(time, [forcing.name for forcing in changing])
        stated = self.task.stated_forcings(self._sites.points, time)
        return self.task.pack_forcing(self._initial | told | stated, self._sites.num_points)

    def _needed(self) -> list[str]:
        """The fields that the task prescribes over time."""
        changing = [forcing.name for forcing in self.task.file_forcings if forcing.over_time]
        return self._prescribed_targets() + changing

    def _prescribed_targets(self) -> list[str]:
        told = self.on_mesh.told
        return [t.name for t in self.task.targets if told[:, self.task.columns(t.name)].any()]

    def _check_prescribed(self, prescribed: Trajectory) -> None:
        fields = {field.name: field for field in (*self.task.targets, *self.task.forcings)}
        require_fields(
            "the prescribed values",
            prescribed.declared(),
            [fields[name] for name in self._needed()],
            where="the model's task",
        )
        try:
            where = "the prescribed values", "the start"
            require_one_mesh(prescribed.mesh, self.mesh, where)
        except PhysgtError as error:
            raise PhysgtError(f"{error} physgt convert FILE --remap START interpolates.") from error

    def _at(self, time: float, names: list[str]) -> Frame:
        """Prescribed fields at `time`, linear between the two times around it."""
        assert self.prescribed is not None, "callers ask only where there are some"
        times = self.prescribed.times
        tolerance = 1e-6 * self.task.dt
        if time < times[0] - tolerance or time > times[-1] + tolerance:
            raise PhysgtError(
                f"the prescribed values cover {times[0]:g} to {times[-1]:g} s, "
                f"but the rollout needs {time:g} s."
            )
        after = int(np.searchsorted(times, time).clip(0, len(times) - 1))
        before = max(after - 1, 0)
        if after == before:
            return self._complete(self.prescribed.frame(after, names))
        share = np.clip((time - times[before]) / (times[after] - times[before]), 0.0, 1.0)
        low, high = self.prescribed.frame(before, names), self.prescribed.frame(after, names)
        return self._complete({n: (1 - share) * low[n] + share * high[n] for n in names})

    def _complete(self, values: Frame) -> Frame:
        """Targets that aren't prescribed stand in with their initial values."""
        return {**self._initial, **values}


def _unknown(field: Field) -> np.ndarray:
    return np.full(field.components if field.components > 1 else (), np.nan)
