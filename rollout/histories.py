"""Quantities of a trajectory over time, and how those of a prediction differ from a reference's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from physgt.errors import PhysgtError
from physgt.fields import component_suffix
from physgt.quantities import build_outputs
from physgt.rollout.spectrum import oscillation, phase_error
from physgt.task import POINTS, Task
from physgt.trajectory import Trajectory, matching_times

Settings = Mapping[str, Mapping[str, Any]]
"""Tables of outputs as a TOML file has them, see physgt.quantities.build_outputs."""

NUMBERS = ("mean", "amplitude", "frequency", "change")


def history(trajectory: Trajectory, settings: Settings) -> xr.Dataset:
    """Each quantity over (time): one variable a component, force_x and force_y; with units.

    A quantity on the nodes of a set is summed over them. Raises PhysgtError for one that the
    fields of the trajectory don't give.
    """
    nodal = [f for f in trajectory.declared(over_time=True) if f.location == "node"]
    targets = tuple(field for field in nodal if field.name != POINTS)
    if not targets:
        raise PhysgtError("the trajectory has no field on nodes, of which quantities are made.")
    outputs = build_outputs(trajectory.mesh, Task(targets, dt=1.0), settings)
    names = [target.name for target in targets]
    frames = [trajectory.frame(0, names)]
    rows: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
    for k, time in enumerate(trajectory.times):
        frames = [frames[-1], trajectory.frame(k, names)]
        seconds = float(time - trajectory.times[k - 1]) if k else 1.0
        for name, output in outputs.items():
            value = output.over(seconds, frames[0], frames[1])
            rows[name].append(value if output.ids is None else value.sum(axis=0))
    variables = {}
    for name, output in outputs.items():
        values = np.stack(rows[name]).reshape(trajectory.num_times, -1)
        for column in range(output.components):
            full = name + component_suffix(output.field(name), column)
            variables[full] = ("time", values[:, column], {"units": output.units})
    return xr.Dataset(variables, {"time": ("time", trajectory.times, {"units": "s"})})


def compare_histories(prediction: xr.Dataset, reference: xr.Dataset) -> xr.Dataset:
    """NUMBERS over (forecast, quantity), over the times that both histories have.

    mean; amplitude (half of peak to peak) and frequency in Hz of the dominant oscillation; change,
    the difference of the mean of the last tenth from that of the first, which for something
    conserved is the drift. And over (quantity): phase_error, by how many degrees the prediction
    is ahead at the end.
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
            values["change"][s, n] = signal[-tenth:].mean() - signal[:tenth].mean()
        phases[n] = phase_error(times, *signals)
    return xr.Dataset(
        {kind: (("forecast", "quantity"), values[kind]) for kind in NUMBERS}
        | {"phase_error": ("quantity", phases)},
        {"forecast": ["prediction", "reference"], "quantity": names},
    )
