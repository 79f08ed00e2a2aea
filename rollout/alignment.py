"""The error of a prediction that is right but for its phase."""

from __future__ import annotations

import numpy as np
import xarray as xr

from physgt.errors import PhysgtError
from physgt.rollout.metrics import measure
from physgt.rollout.scores import View
from physgt.trajectory import Trajectory, matching_times


def phase_aligned(
    prediction: Trajectory,
    reference: Trajectory,
    field: str,
    window: float,
    *,
    on: str | None = None,
) -> xr.Dataset:
    """Over (time): the smallest relative_l2 to the reference at any time within `window` seconds,
    and `shift`, by how many seconds that time is later.

    A shedding flow that runs 5 % too fast has a large error a few periods later, though each of
    its states is one of the flow's: here that shows as a small error and a growing shift. Choose
    half a period as the window: wider ones find the periods before and after.

    on: see score; as there, of the points of a moving mesh the displacement is compared.
    """
    if not window > 0:
        raise PhysgtError(f"window = {window} s, expected a time above 0, such as half a period.")
    found, expected = matching_times(prediction.times, reference.times)
    view = View.of(prediction, reference, on)
    errors, shifts = np.empty(len(found)), np.empty(len(found))
    for k, (i, j) in enumerate(zip(found, expected, strict=True)):
        ours = view.frame(prediction, int(i), [field])
        near = np.flatnonzero(np.abs(reference.times - reference.times[j]) <= window * (1 + 1e-9))
        frames = (view.frame(reference, int(time), [field]) for time in near)
        parts = view.shares[field]
        candidates = [measure("relative_l2", ours[field], f[field], parts) for f in frames]
        # Where the reference is 0 nothing is relative to it: another time is closer.
        best = int(np.argmin(np.nan_to_num(candidates, nan=np.inf)))
        errors[k] = candidates[best]
        shifts[k] = reference.times[near[best]] - reference.times[j]
    return xr.Dataset(
        {"relative_l2": ("time", errors), "shift": ("time", shifts, {"units": "s"})},
        {"time": ("time", prediction.times[found], {"units": "s"})},
    )
