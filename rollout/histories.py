"""How quantities over time of a prediction differ from those of a reference."""

from __future__ import annotations

import numpy as np
import xarray as xr

from physgt.rollout.spectrum import oscillation, phase_error
from physgt.trajectory import matching_times

NUMBERS = ("mean", "amplitude", "frequency", "strouhal", "change")


def compare_histories(prediction: xr.Dataset, reference: xr.Dataset) -> xr.Dataset:
    """NUMBERS over (forecast, quantity), over the times that both histories have.

    mean; amplitude (half of peak to peak) and frequency in Hz of the dominant oscillation;
    strouhal, the frequency times the quantity's time scale, NaN without one; change, the
    difference of the mean of the last tenth from that of the first, which for something conserved
    is the drift. And over (quantity): phase_error, by how many degrees the prediction is ahead at
    the end.
    """
    found, expected = matching_times(prediction["time"].values, reference["time"].values)
    times = prediction["time"].values[found]
    names = [str(name) for name in prediction.data_vars if name in reference.data_vars]
    values = {kind: np.full((2, len(names)), np.nan) for kind in NUMBERS}
    phases = np.full(len(names), np.nan)
    for n, name in enumerate(names):
        signals = prediction[name].values[found], reference[name].values[expected]
        for s, signal in enumerate(signals):
            swing = oscillation(times, signal)
            tenth = max(len(signal) // 10, 1)
            values["mean"][s, n] = signal.mean()
            values["amplitude"][s, n] = swing.amplitude
            values["frequency"][s, n] = swing.frequency
            scale = reference[name].attrs.get("time_scale", np.nan)
            values["strouhal"][s, n] = swing.frequency * scale
            values["change"][s, n] = signal[-tenth:].mean() - signal[:tenth].mean()
        phases[n] = phase_error(times, *signals)
    return xr.Dataset(
        {kind: (("forecast", "quantity"), values[kind]) for kind in NUMBERS}
        | {"phase_error": ("quantity", phases)},
        {"forecast": ["prediction", "reference"], "quantity": names},
    )


def relative_differences(compared: xr.Dataset) -> xr.Dataset:
    """Of compare_histories, (prediction - reference) / |reference| of each of NUMBERS.

    NaN where the reference is as good as 0: a mean of less than a tenth of the amplitude, as of a
    lift, an amplitude of less than a thousandth of the mean, a change of less than a tenth of both.
    """
    ours, theirs = compared.sel(forecast="prediction"), compared.sel(forecast="reference")
    mean, amplitude = abs(theirs["mean"]), theirs["amplitude"]
    least = {
        "mean": 0.1 * amplitude,
        "amplitude": 1e-3 * mean,
        "change": 0.1 * xr.where(mean > amplitude, mean, amplitude),
    }
    sizes = {kind: abs(theirs[kind]) for kind in NUMBERS}
    told = {kind: sizes[kind].where(sizes[kind] > least.get(kind, 0.0)) for kind in NUMBERS}
    return xr.Dataset({kind: (ours[kind] - theirs[kind]) / told[kind] for kind in NUMBERS})
