"""The picture of conjugate_heat.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from plates import DT, MIDDLE, NUM_STEPS

if TYPE_CHECKING:
    from conjugate_heat import Comparison


def draw(found: Comparison, path: Path) -> None:
    """Fields at the end, and the interface and errors over time."""
    figure = plt.figure(figsize=(12, 8), layout="constrained")
    fields, courses = figure.subfigures(2, 1, height_ratios=(1, 1.6))
    (left, right), final, true = found.meshes, found.field()[-1], found.true_field()[-1]
    low, high = true.min(), true.max()
    largest = np.abs(final - true).max()
    panels = (
        ("left: finite elements | right: learned, K", final, "inferno", low, high),
        ("the whole by finite elements, K", true, "inferno", low, high),
        ("difference, K", final - true, "RdBu_r", -largest, largest),
    )
    for axes, (title, values, colours, *limits) in zip(fields.subplots(1, 3), panels, strict=True):
        for mesh, part in (left, values[: left.num_points]), (right, values[left.num_points :]):
            triangles = mesh.connectivity.reshape(-1, 3)
            image = axes.tripcolor(
                *mesh.points.T, triangles, part, shading="gouraud", cmap=colours,
                vmin=limits[0], vmax=limits[1],
            )  # fmt: skip
        axes.axvline(MIDDLE, color="white" if colours == "inferno" else "black", lw=0.8, ls="--")
        axes.set(title=title, aspect="equal", xlabel="x in m")
        fields.colorbar(image, ax=axes, orientation="horizontal", shrink=0.9)
    time = DT * np.arange(NUM_STEPS + 1) / 3600
    interface = right.node_sets["interface"]
    above, below = courses.subplots(2, 2, sharex=True)
    middle = interface[len(interface) // 2]
    above[0].plot(
        time, found.reference[1][:, middle], "k", lw=2.5, label="whole plate by finite elements"
    )
    above[0].plot(time, found.run.right[:, middle], "C1", lw=1.2, label="coupled")
    above[0].set(title="middle of the interface, K")
    above[0].legend()
    above[1].plot(time[1:], found.reference_heat.sum(axis=1), "k", lw=2.5)
    above[1].plot(time[1:], found.run.given.sum(axis=1), "C1", lw=1.2)
    above[1].plot(
        time[1:], found.alone_heat.sum(axis=1), "C0", lw=0.8, ls="--", label="surrogate alone"
    )
    above[1].set(title="heat from the right half into the left one, W/m")
    above[1].legend()
    whole, true_right = found.true_field(), found.reference[1]
    below[0].plot(time[1:], rms(found.field() - whole)[1:], "C1", label="coupled, whole plate")
    below[0].plot(
        time[1:], rms(found.run.right - true_right)[1:], "C3", lw=0.8, label="coupled, right half"
    )
    below[0].plot(
        time[1:],
        rms(found.alone - true_right)[1:],
        "C0",
        ls="--",
        lw=0.8,
        label="surrogate alone, right half",
    )
    below[0].set(title="root of the mean squared error, K", xlabel="time in h", ylim=(0, None))
    below[0].legend(loc="lower right")
    true_heat = found.reference_heat.sum(axis=1)
    below[1].plot(time[1:], found.run.given.sum(axis=1) - true_heat, "C1", label="coupled")
    below[1].plot(
        time[1:], found.alone_heat.sum(axis=1) - true_heat, "C0", ls="--", lw=0.8,
        label="surrogate alone",
    )  # fmt: skip
    below[1].set(title="error of that heat, W/m", xlabel="time in h")
    below[1].legend(loc="lower right")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def rms(error: np.ndarray) -> np.ndarray:
    """(T,) of (T, N)."""
    return np.sqrt((error**2).mean(axis=1))
