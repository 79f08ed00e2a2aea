"""Which colour means which value, the same at every time of a film."""

from __future__ import annotations

from dataclasses import dataclass, replace

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, Normalize

from physgt.errors import PhysgtError
from physgt.viz.scene import Scene

FIELD_COLOURS = "viridis"
ERROR_COLOURS = "magma_r"
NOT_FINITE = "0.75"


@dataclass(frozen=True)
class Scale:
    """Colours from `low` to `high`; `below`, `above`: whether drawn values lie beyond these."""

    low: float
    high: float
    colours: Colormap
    below: bool = False
    above: bool = False

    @property
    def norm(self) -> Normalize:
        return Normalize(self.low, self.high)

    @property
    def extend(self) -> str:
        return {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[
            self.below, self.above
        ]


def make_scales(scene: Scene, colour_map: str | None, error_limit: float | None) -> list[Scale]:
    """One scale a panel; reference and prediction share the reference's.

    The error's scale begins at 0 and is as wide as the field's, so that the same step in value is
    the same step in colour, unless `error_limit` says where it ends.

    Raises PhysgtError for a colour map that matplotlib doesn't know and where the field has no
    finite value at any drawn time.
    """
    lows, highs = np.transpose(
        [[finite_range(p.values) for p in ps] for ps in scene.all_panels()], (2, 0, 1)
    )
    lows, highs = np.fmin.reduce(lows), np.fmax.reduce(highs)
    if np.isnan(lows[0]):
        raise PhysgtError(
            f"field '{scene.quantity.field.name}' has no finite value at any drawn time."
        )
    low, high = apart(float(lows[0]), float(highs[0]))
    field = Scale(low, high, colours_of(colour_map or FIELD_COLOURS))
    scales = [field]
    if scene.reference is not None:
        limit = high - low if error_limit is None else error_limit
        if not limit > 0:
            raise PhysgtError(f"error_limit = {error_limit}, expected more than 0.")
        scales = [field, field, Scale(0.0, limit, colours_of(ERROR_COLOURS))]
    return [
        replace(s, below=bool(lo < s.low), above=bool(hi > s.high))
        for s, lo, hi in zip(scales, lows, highs, strict=True)
    ]


def finite_range(values: np.ndarray) -> tuple[float, float]:
    """nan where no value is finite."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)


def apart(low: float, high: float) -> tuple[float, float]:
    """A constant field gets a range around its value, so that the colour bar has two ends."""
    if high > low:
        return low, high
    margin = 0.5 * abs(low) or 0.5
    return low - margin, high + margin


def colours_of(name: str) -> Colormap:
    if name not in matplotlib.colormaps:
        raise PhysgtError(f"no colour map '{name}'; choose one of matplotlib's, such as viridis.")
    return matplotlib.colormaps[name].with_extremes(bad=NOT_FINITE)
