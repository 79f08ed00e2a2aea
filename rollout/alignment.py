"""The error of a prediction that is right but for its phase."""

from __future__ import annotations

import numpy as np
import xarray as xr

from physgt.errors import PhysgtError
from physgt.rollout.metrics import relative_l2
from physgt.trajectory import Trajectory, matching_times


def phase_aligned(
    prediction: Trajectory, reference: Trajectory, field: str, window: float
) -> xr.Dataset:
    """Over (time): the smallest relative_l2 to the reference at any time within `window` seconds,
    and `shift`, by how many seconds that time is later.

    A shedding flow that runs 5 % too fast has a large error a few periods later, though each of
    its states is one of the flow's: here that shows as a small error and a growing shift. Choose
    half a period as the window: wider ones find the periods before and after.
    """
    if not window > 0:
        raise PhysgtError(f"window = {window} s, expected a time above 0, such as half a period.")
    found, expected = matching_times(prediction.times, reference.times)
    errors, shifts = np.empty(len(found)), np.empty(len(found))
    for k, (i, j) in enumerate(zip(found, expected, strict=True)):
        ours = np.asarray(prediction.frame(int(i), [field])[field], dtype=np.float64)
        near = np.flatnonzero(np.abs(reference.times - reference.times[j]) <= window * (1 + 1e-9))
        candidates = [_error(ours, reference, int(time), field) for time in near]
        best = int(np.argmin(candidates))
        errors[k] = candidates[best]
        shifts[k] = reference.times[near[best]] - reference.times[j]
    return xr.Dataset(
        {"relative_l2": ("time", errors), "shift": ("time", shifts, {"units": "s"})},
        {"time": ("time", prediction.times[found], {"units": "s"})},
    )


def _error(ours: np.ndarray, reference: Trajectory, time: int, field: str) -> float:
    theirs = np.asarray(reference.frame(time, [field])[field], dtype=np.float64)
    return relative_l2(ours, theirs, np.empty(0))
