"""The curves of the page: training, errors over time, quantities and their spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from physgt.report.listing import field_name
from physgt.report.run_folder import Curve
from physgt.report.tables import FORECASTS, all_scores
from physgt.report.trials import Trial
from physgt.rollout import oscillation, spectrum
from physgt.viz.svg import DYNAMIC_MODES, INK, PERSISTENCE, PREDICTION

WIDTH = 9.0
"""Inches, of the whole page."""
COLOURS = {
    "prediction": PREDICTION,
    "persistence": PERSISTENCE,
    "dynamic_modes": DYNAMIC_MODES,
}
MOST_POINTS = 300
FEWEST_PERIODS = 2
"""Of a quantity whose spectrum is drawn."""
TITLES = {
    "loss": "loss",
    "learning_rate": "learning rate",
    "validation/relative_l2": "validation: relative L2 of free rollouts",
}


def training_curves(curves: Mapping[str, Curve]) -> Figure:
    """Each scalar of the training over optimiser steps, the well-known ones first."""
    names = [*(n for n in TITLES if n in curves), *(n for n in sorted(curves) if n not in TITLES)]
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    figure = Figure((WIDTH, 2.3 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        steps, values = curves[name]
        steps, values, low, high = _thinned(steps, values)
        if len(low):
            axes.fill_between(steps, low, high, color=PREDICTION, alpha=0.2, linewidth=0)
        axes.plot(steps, values, color=PREDICTION, marker="o" if len(steps) < 30 else "", ms=3)
        if (values > 0).all():
            _make_logarithmic(axes)
        axes.set_title(TITLES.get(name, name), fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    for axes in panels[-columns:]:
        axes.set_xlabel("optimiser step")
    return figure


def errors_over_time(trials: Sequence[Trial], dt: float) -> Figure:
    """Of each field the relative L2 of every case, and the means of the model and the others."""
    scores = all_scores(trials)["relative_l2"]
    fields = scores["field"].values.tolist()
    columns = min(len(fields), 2)
    rows = -(-len(fields) // columns)
    figure = Figure((WIDTH, 2.9 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    times = scores["step"].values * dt
    for axes, field in zip(panels, fields, strict=False):
        of_field = scores.sel(field=field)
        for case in of_field["case"].values:
            line = of_field.sel(case=case, forecast="prediction")
            axes.plot(times, line, color=PREDICTION, alpha=0.35, linewidth=0.7)
        for forecast in of_field["forecast"].values.tolist():
            mean = of_field.sel(forecast=forecast).mean("case")
            label = f"{FORECASTS[forecast]}, mean"
            axes.plot(times, mean, color=COLOURS[forecast], label=label, linewidth=2)
        _make_logarithmic(axes)
        axes.set_title(f"relative L2 of {field_name(field)}", fontsize=9)
    for axes in panels[len(fields) :]:
        axes.set_visible(False)
    for axes in panels[-columns:]:
        axes.set_xlabel("time from the start in s")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def quantities_and_spectra(ours: xr.Dataset, theirs: xr.Dataset) -> Figure:
    """A row a quantity: over time and, where any swings in the reference, the spectra of those."""
    names = [str(name) for name in theirs.data_vars]
    swinging = [name for name in names if _num_periods(theirs[name]) >= FEWEST_PERIODS]
    columns = 2 if swinging else 1
    figure = Figure((WIDTH, 1.6 * len(names) + 0.5), layout="constrained")
    panels = figure.subplots(
        len(names), columns, squeeze=False, sharex="col", width_ratios=(2, 1)[:columns]
    )
    sides = (("reference", theirs, INK), ("this model", ours, PREDICTION))
    for row, name in zip(panels, names, strict=True):
        units = theirs[name].attrs.get("units", "")
        row[0].set_ylabel(f"{name}\n{units}" if units else name)
        for label, data, colour in sides:
            row[0].plot(data["time"], data[name], color=colour, label=label)
            if name in swinging:
                _draw_spectrum(row[1], data[name], colour)
    for row, name in zip(panels, names, strict=True):
        if columns == 2 and name not in swinging:
            row[1].set_visible(False)
    panels[0, 0].set_title("over time", fontsize=9)
    panels[-1, 0].set_xlabel("time in s")
    if swinging:
        right = [row[1] for row, name in zip(panels, names, strict=True) if name in swinging]
        right[0].set_title("amplitude by frequency", fontsize=9)
        right[-1].set_xlabel("frequency in Hz")
        right[-1].tick_params(labelbottom=True)
        # Beyond, the coarser of the two has nothing.
        steps = [float(data["time"][1] - data["time"][0]) for data in (ours, theirs)]
        right[0].set_xlim(0, 0.5 / max(steps))
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _make_logarithmic(axes: Axes) -> None:
    """With plain numbers at the ticks: over less than a decade powers of ten would be too few."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    plain = StrMethodFormatter("{x:g}")
    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_minor_formatter(plain if high < 30 * low else NullFormatter())


def _num_periods(signal: xr.DataArray) -> float:
    times = signal["time"].values
    return oscillation(times, signal.values).frequency * float(times[-1] - times[0])


def _draw_spectrum(axes: Axes, signal: xr.DataArray, colour: str) -> None:
    if np.isfinite(signal).all():
        frequencies, amplitudes = spectrum(signal["time"].values, signal.values)
        axes.plot(frequencies[1:], amplitudes[1:], color=colour)


def _thinned(
    steps: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Steps and values, or of many the means over equal stretches with their least and largest."""
    if len(steps) <= MOST_POINTS:
        return steps, values, np.empty(0), np.empty(0)
    parts = np.array_split(np.arange(len(steps)), MOST_POINTS)
    middle, mean = (np.array([column[part].mean() for part in parts]) for column in (steps, values))
    low, high = (np.array([end(values[part]) for part in parts]) for end in (np.min, np.max))
    return middle, mean, low, high
