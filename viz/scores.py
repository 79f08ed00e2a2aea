"""Errors and quantities over time, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physgt.errors import PhysgtError
from physgt.viz.picture import PICTURE_SUFFIXES

if TYPE_CHECKING:
    from physgt.rollout.assessment import Assessment

COLOURS = {"prediction": "C0", "persistence": "0.6", "dynamic_modes": "C1", "reference": "0.15"}
HEIGHT = 2.2
"""Inches of a panel."""


def plot_scores(assessment: Assessment, path: Path | str) -> None:
    """Relative errors of each field, then each quantity beside the reference's, in rows."""
    path = Path(path)
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise PhysgtError(f"{path}: a plot ends in {', '.join(sorted(PICTURE_SUFFIXES))}.")
    figure = draw_scores(assessment)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def draw_scores(assessment: Assessment) -> Figure:
    fields = assessment.scores["field"].values.tolist()
    quantities = (
        [] if assessment.histories is None else [str(n) for n in assessment.histories[0].data_vars]
    )
    count = len(fields) + len(quantities)
    figure = Figure(figsize=(7, HEIGHT * count + 0.4), layout="constrained")
    panels = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for axes, field in zip(panels, fields, strict=False):
        _errors(axes, assessment, field)
    for axes, name in zip(panels[len(fields) :], quantities, strict=True):
        _quantity(axes, assessment, name)
    panels[-1].set_xlabel("time in s")
    return figure


def _errors(axes: Axes, assessment: Assessment, field: str) -> None:
    errors = assessment.scores["relative_l2"].sel(field=field)
    for forecast in errors["forecast"].values.tolist():
        axes.semilogy(
            errors["time"],
            errors.sel(forecast=forecast),
            color=COLOURS[forecast],
            label=forecast.replace("_", " "),
        )
    if field in assessment.aligned:
        aligned = assessment.aligned[field]["relative_l2"][1:]
        axes.semilogy(aligned["time"], aligned, "--", color=COLOURS["prediction"], label="aligned")
    _finish(axes, f"relative L2 of {field}")


def _quantity(axes: Axes, assessment: Assessment, name: str) -> None:
    assert assessment.histories is not None, "there are quantities only where there are histories"
    prediction, reference = assessment.histories
    for label, series in (("reference", reference), ("prediction", prediction)):
        axes.plot(series["time"], series[name], color=COLOURS[label], label=label)
    units = prediction[name].attrs.get("units", "")
    _finish(axes, f"{name} in {units}" if units else name)


def _finish(axes: Axes, title: str) -> None:
    # Above and not beside: names are longer than a panel is high.
    axes.set_title(title, loc="left", fontsize=10, parse_math=False)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="upper left", fontsize=8, ncols=4, frameon=False)
