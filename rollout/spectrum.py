"""How often and how strongly a periodic signal swings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Oscillation:
    """frequency in Hz (0 without a full period), amplitude as half of peak to peak."""

    frequency: float
    amplitude: float


def oscillation(times: np.ndarray, signal: np.ndarray) -> Oscillation:
    """Frequency and amplitude of a signal with one dominant oscillation.

    The frequency is that of the upward crossings of the signal's mean, each placed linearly
    between two samples, which over a few periods is finer than a Fourier transform's bins.
    """
    centred = np.asarray(signal, dtype=np.float64) - np.mean(signal)
    up = np.flatnonzero((centred[:-1] < 0) & (centred[1:] >= 0))
    spacing = times[up + 1] - times[up]
    crossings = times[up] - centred[up] * spacing / (centred[up + 1] - centred[up])
    frequency = 0.0
    if len(crossings) > 1:
        frequency = float((len(crossings) - 1) / (crossings[-1] - crossings[0]))
    return Oscillation(frequency, float(np.ptp(centred) / 2))
