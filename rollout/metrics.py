"""How far a prediction is from a reference, at each time and for each field."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.task import POINTS
from physgt.trajectory import Trajectory, matching_times

Metric = Callable[[np.ndarray, np.ndarray], float]


def relative_l2(prediction: np.ndarray, reference: np.ndarray) -> float:
    """|prediction - reference| / |reference|, Euclidean over all nodes and components."""
    norm = float(np.linalg.norm(reference))
    return float(np.linalg.norm(prediction - reference)) / norm if norm > 0 else np.nan


def rmse(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Root of the mean over nodes of the squared length of the error, in the field's units."""
    error = (prediction - reference).reshape(len(reference), -1)
    return float(np.sqrt((error**2).sum(axis=1).mean()))


METRICS: dict[str, Metric] = {"relative_l2": relative_l2, "rmse": rmse}


def score(prediction: Trajectory, reference: Trajectory) -> xr.Dataset:
    """Each metric of METRICS over (forecast, field, time), for every field that both have.

    forecast is `prediction` or `persistence`, the forecast that nothing changes. Times that only
    one of the two has are left out, as is the first: it is given. All nodes count alike. The
    coordinate `step` numbers the prediction's steps. Of the points of a moving mesh, the
    displacement from the reference's mesh is scored: errors are relative to that.

    Raises PhysgtError where meshes differ or no field or time is in both.
    """
    names = _common_fields(prediction, reference)
    found, expected = matching_times(prediction.times, reference.times)
    if len(found) < 2:
        raise PhysgtError(
            "prediction and reference share one time only, and that is the initial state; "
            "score needs one step or more."
        )
    values = np.full((len(METRICS), 2, len(names), len(found) - 1), np.nan)
    initial = _frame(reference, int(expected[0]), names, reference.mesh)
    for t, (i, j) in enumerate(zip(found[1:], expected[1:], strict=True)):
        true = _frame(reference, int(j), names, reference.mesh)
        predicted = _frame(prediction, int(i), names, reference.mesh)
        for m, metric in enumerate(METRICS.values()):
            for n, name in enumerate(names):
                values[m, 0, n, t] = metric(predicted[name], true[name])
                values[m, 1, n, t] = metric(initial[name], true[name])
    return xr.Dataset(
        {m: (("forecast", "field", "time"), values[k]) for k, m in enumerate(METRICS)},
        {
            "forecast": ["prediction", "persistence"],
            "field": names,
            "time": ("time", prediction.times[found[1:]], {"units": "s"}),
            "step": ("time", found[1:]),
        },
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


def _frame(
    trajectory: Trajectory, index: int, names: list[str], mesh: Mesh
) -> dict[str, np.ndarray]:
    """Fields in float64; of points the displacement from those of `mesh`."""
    frame = trajectory.frame(index, names)
    found = {name: np.asarray(values, dtype=np.float64) for name, values in frame.items()}
    if POINTS in found:
        # Relative to where the origin happens to be, an error of position would mean nothing.
        found[POINTS] = found[POINTS].reshape(mesh.points.shape) - mesh.points
    return found
