"""How far a prediction is from a reference, at each time and for each field."""

from __future__ import annotations

import numpy as np
import xarray as xr

from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.rollout.baselines import Baseline, DynamicModes, Persistence
from physgt.rollout.metrics import METRICS, measure, rms
from physgt.rollout.one_mesh import require_same_points
from physgt.task import POINTS
from physgt.trajectory import Trajectory, matching_times
from physgt.volumes import cell_volumes, node_volumes

FEWEST_FOR_MODES = 10
"""Times that a dynamic mode decomposition needs to be fitted to half of them."""


def score(
    prediction: Trajectory,
    reference: Trajectory,
    *,
    on: str | None = None,
    dynamic_modes: bool = False,
) -> xr.Dataset:
    """Each metric of METRICS over (forecast, field, time), for every field that both have.

    forecast is `prediction`, `persistence`, the forecast that nothing changes, and, where asked
    for and where there are ten evenly spaced times or more, `dynamic_modes`, see DynamicModes: it
    has no scores in the first half. Times that only one of the two has are left out, as is the
    first: it is given. The coordinate `step` numbers the prediction's times. Of the points of a
    moving mesh, the displacement from the reference's mesh is scored: errors are relative to that.
    Where a prediction isn't finite its errors are infinite; where a reference isn't, or is 0, there
    are none relative to it. How large it is stands in `reference_rms` over (field, time).

    on: a node set or node type (NORMAL: nodes without boundary conditions) whose nodes alone
        count; then fields on cells are left out.

    Raises PhysgtError where meshes differ, no field or time is in both, or the reference lacks the
    time at which the prediction starts.
    """
    found, expected = matching_times(prediction.times, reference.times)
    if found[0] != 0:
        raise PhysgtError(
            f"the prediction starts at {prediction.times[0]:g} s, a time that the reference "
            f"({reference.times[0]:g} to {reference.times[-1]:g} s) doesn't have; take one that "
            "holds the state the prediction started from."
        )
    if len(found) < 2:
        raise PhysgtError(
            "prediction and reference share one time only, and that is the initial state; "
            "score needs one step or more."
        )
    view = View.of(prediction, reference, on)
    baselines: dict[str, Baseline] = {
        "persistence": Persistence(view.frame(reference, int(expected[0])))
    }
    if dynamic_modes and _can_have_modes(reference.times[expected]):
        half = [view.frame(reference, int(j)) for j in expected[: (len(expected) + 1) // 2]]
        stacked = {name: np.stack([frame[name] for frame in half]) for name in view.names}
        baselines["dynamic_modes"] = DynamicModes(stacked)
    shape = len(METRICS), 1 + len(baselines), len(view.names), len(found) - 1
    values, sizes = np.full(shape, np.nan), np.full(shape[2:], np.nan)
    for t, (i, j) in enumerate(zip(found[1:], expected[1:], strict=True)):
        true = view.frame(reference, int(j))
        sizes[:, t] = [rms(true[name]) for name in view.names]
        forecasts: list[dict[str, np.ndarray] | None] = [view.frame(prediction, int(i))]
        forecasts += [baseline.frame(t + 1) for baseline in baselines.values()]
        for f, forecast in enumerate(forecasts):
            if forecast is not None:
                values[:, f, :, t] = view.measure(forecast, true)
    return xr.Dataset(
        {m: (("forecast", "field", "time"), values[k]) for k, m in enumerate(METRICS)}
        | {"reference_rms": (("field", "time"), sizes)},
        {
            "forecast": ["prediction", *baselines],
            "field": view.names,
            "time": ("time", prediction.times[found[1:]], {"units": "s"}),
            "step": ("time", found[1:]),
        },
        {"start": float(prediction.times[found[0]])},
    )


def summarize(scores: xr.Dataset, steps: tuple[int, ...] = (1, 10, 50)) -> xr.Dataset:
    """The scores at some steps, those beyond the last left out, and their mean over all steps.

    The result has the dimension `horizon`, with entries "1", "10", ..., "all".
    """
    present = [step for step in steps if step in scores["step"].values]
    parts = [scores.isel(time=int(np.flatnonzero(scores["step"].values == s)[0])) for s in present]
    parts = [part.drop_vars(("time", "step")) for part in parts] + [scores.mean("time")]
    labels = [str(step) for step in present] + ["all"]
    return xr.concat(parts, dim="horizon").assign_coords(horizon=labels)


def valid_time(scores: xr.Dataset, threshold: float = 0.2) -> xr.DataArray:
    """(forecast, field) seconds from the start until relative_l2 first passes `threshold`.

    Infinite where it never does; NaN for a forecast that isn't there from the start, that is from
    the first time at which the reference isn't 0.
    """
    errors = scores["relative_l2"]
    passed = errors > threshold
    first = passed.argmax("time")
    seconds = scores["time"].isel(time=first) - scores.attrs["start"]
    begins = errors.notnull().any("forecast").argmax("time")
    from_start = errors.isel(time=begins).notnull()
    valid = seconds.where(passed.any("time"), np.inf).where(from_start)
    return valid.drop_vars(("time", "step"), errors="ignore")


def over_all_times(scores: xr.Dataset) -> xr.DataArray:
    """(forecast, field) |prediction - reference| / |reference| over all nodes and times at once.

    Times at which there is hardly anything yet, as when a solid has barely moved, don't rule it as
    they do a mean of the ratios of each time. Times without scores are left out.
    """
    errors = scores["rmse"]
    sizes = scores["reference_rms"].where(errors.notnull())
    squares = (sizes**2).sum("time")
    return ((errors**2).sum("time") / squares.where(squares > 0)) ** 0.5


def _can_have_modes(times: np.ndarray) -> bool:
    """Whether there are enough of them, evenly spaced: a mode grows by one factor a step."""
    steps = np.diff(times)
    return len(times) >= FEWEST_FOR_MODES and bool(np.allclose(steps, steps.mean(), rtol=1e-3))


class View:
    """What is compared: the fields that both have, on all nodes or those of a set.

    names: of the fields. shares: by name (n,), of each node or cell that counts.
    """

    def __init__(
        self, mesh: Mesh, names: list[str], ids: np.ndarray | None, shares: dict[str, np.ndarray]
    ) -> None:
        self.mesh, self.names, self._ids, self.shares = mesh, names, ids, shares

    @classmethod
    def of(cls, prediction: Trajectory, reference: Trajectory, on: str | None) -> View:
        mesh = reference.mesh
        ids = None if on is None else mesh.nodes_of(on)
        if ids is not None and not len(ids):
            raise PhysgtError(f"'{on}' holds no node to score on.")
        located = {f.name: f.location for f in reference.declared(over_time=True)}
        names = [
            name
            for name in _common_fields(prediction, reference)
            if ids is None or located[name] == "node"
        ]
        if not names:
            raise PhysgtError(f"no field on nodes is in both, so none can be scored on '{on}'.")
        volumes = {"node": node_volumes(mesh), "cell": cell_volumes(mesh)}
        if ids is not None:
            volumes["node"] = volumes["node"][ids]
        shares = {name: volumes[located[name]] / volumes[located[name]].sum() for name in names}
        return cls(mesh, names, ids, shares)

    def frame(
        self, trajectory: Trajectory, index: int, names: list[str] | None = None
    ) -> dict[str, np.ndarray]:
        """All fields or some, in float64; of points the displacement from those of the mesh."""
        frame = trajectory.frame(index, self.names if names is None else names)
        found = {name: np.asarray(values, dtype=np.float64) for name, values in frame.items()}
        if POINTS in found:
            # Relative to where the origin happens to be, an error of position would mean nothing.
            found[POINTS] = found[POINTS].reshape(self.mesh.points.shape) - self.mesh.points
        if self._ids is None:
            return found
        return {name: values[self._ids] for name, values in found.items()}

    def measure(self, forecast: dict[str, np.ndarray], true: dict[str, np.ndarray]) -> np.ndarray:
        """(metrics, fields); NaN for a field that isn't forecast."""
        found = np.full((len(METRICS), len(self.names)), np.nan)
        for n, name in enumerate(self.names):
            if name in forecast:
                parts = forecast[name], true[name], self.shares[name]
                found[:, n] = [measure(metric, *parts) for metric in METRICS]
        return found


def _common_fields(prediction: Trajectory, reference: Trajectory) -> list[str]:
    for count in ("num_points", "num_cells"):
        here, there = getattr(prediction.mesh, count), getattr(reference.mesh, count)
        if here != there:
            raise PhysgtError(
                f"the prediction's mesh has {count} = {here}, the reference's {there}; "
                "both must lie on one mesh."
            )
    ours, theirs = (
        {f.name: f.components for f in t.declared(over_time=True) if f.location != "global"}
        for t in (prediction, reference)
    )
    moving = POINTS in ours and POINTS in theirs  # what moves may have begun elsewhere
    if not moving and prediction.mesh.dimension == reference.mesh.dimension:
        require_same_points(prediction.mesh, reference.mesh, ("the prediction", "the reference"))
    names = [name for name in ours if name in theirs]
    if not names:
        raise PhysgtError(
            f"no field is in both: the prediction has {sorted(ours)}, "
            f"the reference {sorted(theirs)}."
        )
    for name in names:
        if ours[name] != theirs[name]:
            raise PhysgtError(
                f"field '{name}' has {ours[name]} components in the prediction, "
                f"{theirs[name]} in the reference."
            )
    return names
