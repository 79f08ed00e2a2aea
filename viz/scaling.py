"""The time of a step against the number of nodes, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from physgt.bench import Measurement


def plot_scaling(measurements: Sequence[Measurement], path: Path | str, title: str) -> None:
    """Milliseconds per step over nodes, one line a model, both axes logarithmic."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name in sorted({m.model for m in measurements}):
        line = [m for m in measurements if m.model == name]
        axes.loglog([m.num_nodes for m in line], [m.milliseconds for m in line], "o-", label=name)
    axes.set(xlabel="nodes", ylabel="ms per step", title=title)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
