"""Scores as a table for people."""

from __future__ import annotations

import xarray as xr
from rich.box import SIMPLE_HEAD
from rich.table import Table

from physgt.rollout.metrics import summarize


def score_table(scores: xr.Dataset) -> Table:
    """The summary of `score`: a row a metric, field and forecast."""
    summary = summarize(scores)
    horizons = summary["horizon"].values.tolist()
    heads = [f"step {h}" if h != "all" else f"mean of {scores.sizes['time']}" for h in horizons]
    # Narrow enough for 80 columns.
    listing = Table(
        "metric", "field", "forecast", *heads, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    for metric in summary.data_vars:
        for field in summary["field"].values:
            for forecast in summary["forecast"].values:
                row = summary[metric].sel(field=field, forecast=forecast).values
                listing.add_row(
                    str(metric), str(field), str(forecast), *(f"{value:.4f}" for value in row)
                )
    return listing


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
