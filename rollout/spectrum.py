"""How often, how strongly and how far in time a periodic signal swings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLEAR = 0.05
"""Of peak to peak: farther from its mean a signal is above or below it, whatever its noise."""
ROUNDING = 1e-6
"""Of a signal's largest value: a few roundings of single precision."""
STEADY = 0.01
"""Of the reference's swing: a signal that swings less has no phase."""


@dataclass(frozen=True)
class Oscillation:
    """frequency in Hz (0 without a full period), amplitude as half of peak to peak; NaN both for a
    signal that isn't finite."""

    frequency: float
    amplitude: float


def oscillation(times: np.ndarray, signal: np.ndarray) -> Oscillation:
    """Frequency and amplitude of a signal with one dominant oscillation.

    The frequency is that of the upward crossings of the signal's mean, each placed linearly
    between two samples, which over a few periods is finer than a Fourier transform's bins. Noise
    makes a signal cross several times at once: one crossing counts, the last, each time the signal
    comes from clearly below its mean to clearly above. What swings by no more than the rounding of
    single precision stays.
    """
    if not np.isfinite(signal).all():
        return Oscillation(np.nan, np.nan)
    centred = np.asarray(signal, dtype=np.float64) - np.mean(signal)
    clear = max(CLEAR * np.ptp(centred), ROUNDING * np.abs(signal).max())
    beyond = np.flatnonzero(np.abs(centred) > clear)
    rises = beyond[1:][(centred[beyond[:-1]] < 0) & (centred[beyond[1:]] > 0)]
    up = np.flatnonzero((centred[:-1] < 0) & (centred[1:] >= 0))
    up = up[np.searchsorted(up, rises) - 1]
    spacing = times[up + 1] - times[up]
    crossings = times[up] - centred[up] * spacing / (centred[up + 1] - centred[up])
    frequency = 0.0
    if len(crossings) > 1:
        frequency = float((len(crossings) - 1) / (crossings[-1] - crossings[0]))
    return Oscillation(frequency, float(np.ptp(centred) / 2))


def spectrum(times: np.ndarray, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(frequencies in Hz, amplitudes) of the signal's sines, its mean taken away.

    times: evenly spaced. A Hann window keeps the ends from leaking over all frequencies; a sine of
    amplitude a that falls on a frequency has the height a there.
    """
    values = np.asarray(signal, dtype=np.float64)
    window = np.hanning(len(values) + 1)[:-1]
    amplitudes = 2 * np.abs(np.fft.rfft((values - values.mean()) * window)) / window.sum()
    return np.fft.rfftfreq(len(values), (times[-1] - times[0]) / (len(times) - 1)), amplitudes


def phase_error(
    times: np.ndarray, signal: np.ndarray, reference: np.ndarray, periods: float = 2.0
) -> float:
    """By how many degrees a signal is ahead of a reference at the end, from -180 to 180.

    Both are compared with a sine of the reference's frequency over the last `periods` of its
    periods. NaN where the reference has no full period, or fewer than `periods` fit, and where the
    signal doesn't swing with that frequency.
    """
    frequency = oscillation(times, reference).frequency
    if not 0 < periods <= frequency * (times[-1] - times[0]):
        return float("nan")
    last = times >= times[-1] - periods / frequency
    basis = np.exp(-2j * np.pi * frequency * times[last])
    window = np.hanning(last.sum() + 2)[1:-1]
    ours, theirs = (
        ((values[last] - np.average(values[last], weights=window)) * window * basis).sum()
        for values in (np.asarray(signal, float), np.asarray(reference, float))
    )
    if not abs(ours) > STEADY * abs(theirs):
        return float("nan")
    return float(np.degrees(np.angle(ours * np.conj(theirs))))
