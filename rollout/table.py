"""Scores as a table for people."""

from __future__ import annotations

import numpy as np
import xarray as xr
from rich.box import SIMPLE_HEAD
from rich.table import Table

from physgt.rollout.histories import NUMBERS, relative_differences
from physgt.rollout.metrics import METRICS
from physgt.rollout.scores import over_all_times, summarize, valid_time

SHOWN = ("relative_l2", "rmse")
"""The metrics whose values are shown at several steps; of the others the mean over all."""


def score_table(scores: xr.Dataset) -> Table:
    """The summary of `score`: a row a metric, field and forecast."""
    summary = summarize(scores)
    horizons = summary["horizon"].values.tolist()
    heads = [f"step {h}" if h != "all" else f"mean of {scores.sizes['time']}" for h in horizons]
    listing = _table("metric", "field", "forecast", *heads)
    for metric in SHOWN:
        for field in summary["field"].values:
            for forecast in summary["forecast"].values:
                row = summary[metric].sel(field=field, forecast=forecast).values
                listing.add_row(metric, str(field), str(forecast), *(_figure(v) for v in row))
    return listing


def means_table(scores: xr.Dataset, threshold: float = 0.2) -> Table:
    """The error over all times, means of what score_table doesn't show, and the valid time."""
    others = [metric for metric in METRICS if metric not in SHOWN]
    means, valid = scores.mean("time"), valid_time(scores, threshold)
    together = over_all_times(scores)
    last = float(scores["time"][-1]) - scores.attrs["start"]
    heads = [_stacked(metric) for metric in others]
    listing = _table("field", "forecast", "over all\ntimes", *heads, f"below\n{threshold:g} for")
    for field in means["field"].values:
        for forecast in means["forecast"].values:
            chosen = {"field": field, "forecast": forecast}
            kinds = [together, *(means[metric] for metric in others)]
            figures = [_figure(float(kind.sel(chosen))) for kind in kinds]
            seconds = float(valid.sel(chosen))
            told = f"all {last:.4g} s" if np.isinf(seconds) else f"{seconds:.4g} s"
            told = "" if np.isnan(seconds) else told
            listing.add_row(str(field), _stacked(forecast), *figures, told)
    return listing


def histories_table(compared: xr.Dataset) -> Table:
    """What compare_histories gives: a row a quantity and number."""
    listing = _table("quantity", "", "prediction", "reference", "difference")
    shares = relative_differences(compared)
    for name in compared["quantity"].values:
        for kind in NUMBERS:
            ours, theirs = compared[kind].sel(quantity=name).values.tolist()
            if np.isnan(theirs):
                continue
            share = float(shares[kind].sel(quantity=name))
            told = "" if np.isnan(share) else f"{share:+.1%}"
            label = "Strouhal number" if kind == "strouhal" else kind
            listing.add_row(str(name), label, f"{ours:.5g}", f"{theirs:.5g}", told)
        phase = float(compared["phase_error"].sel(quantity=name))
        if not np.isnan(phase):
            listing.add_row(str(name), "phase at the end", "", "", f"{phase:+.0f} degrees")
    return listing


def alignment_table(aligned: dict[str, xr.Dataset], scores: xr.Dataset) -> Table:
    """Relative errors as they are and to the closest state, and how far that is apart in time."""
    heads = "mean relative l2", "phase-aligned", "shift at the end"
    listing = _table("field", *heads)
    for name, found in aligned.items():
        plain = scores["relative_l2"].sel(field=name, forecast="prediction").mean()
        listing.add_row(
            name,
            _figure(float(plain)),
            _figure(float(found["relative_l2"][1:].mean())),
            f"{float(found['shift'][-1]):+.4g} s",
        )
    return listing


def _table(*heads: str) -> Table:
    """Narrow enough for 80 columns."""
    return Table(*heads, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def _stacked(name: object) -> str:
    """A word a line, for a narrow column."""
    return str(name).replace("_", "\n")


def _figure(value: float) -> str:
    """Four digits that count: errors of a displacement may be of micrometres."""
    return "" if np.isnan(value) else f"{value:.4g}"


def sweep_table(summary: xr.Dataset) -> Table:
    """The summary of `sweep`: a row a case and field."""
    listing = Table(
        "case", "field", "least", "mean", "largest", "largest ever", "finite steps",
        box=SIMPLE_HEAD,
    )  # fmt: skip
    for case in summary["case"].values:
        of_case = summary.sel(case=case)
        for field in summary["field"].values:
            row = of_case.sel(field=field)
            kinds = ("least", "mean", "largest", "largest_ever")
            figures = [f"{float(row[kind]):.4g}" for kind in kinds]
            listing.add_row(str(case), str(field), *figures, str(int(of_case["finite_steps"])))
    return listing
