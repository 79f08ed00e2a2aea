"""Numbers that tell how far a prediction is from a reference at one time.

Each takes prediction and reference, (n,) or (n, C), and the share (n,) that each node or cell has
of the mesh, which add up to 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


def relative_l2(prediction: np.ndarray, reference: np.ndarray, shares: np.ndarray) -> float:
    """|prediction - reference| / |reference|, Euclidean over all nodes and components."""
    return _quotient(np.linalg.norm(prediction - reference), np.linalg.norm(reference))


def weighted_l2(prediction: np.ndarray, reference: np.ndarray, shares: np.ndarray) -> float:
    """The same in the L2 norm over the mesh: a node counts as much as its volume."""
    error = (shares * _squares(prediction - reference)).sum()
    return _quotient(np.sqrt(error), np.sqrt((shares * _squares(reference)).sum()))


def rmse(prediction: np.ndarray, reference: np.ndarray, shares: np.ndarray) -> float:
    """Root of the mean over nodes of the squared length of the error, in the field's units."""
    return rms(prediction - reference)


def largest_error(prediction: np.ndarray, reference: np.ndarray, shares: np.ndarray) -> float:
    """The largest length of the error at a node, in the field's units."""
    return float(np.sqrt(_squares(prediction - reference).max()))


def correlation(prediction: np.ndarray, reference: np.ndarray, shares: np.ndarray) -> float:
    """Pearson's, over nodes and components, after each component's mean is taken away."""
    ours, theirs = prediction - prediction.mean(axis=0), reference - reference.mean(axis=0)
    return _quotient((ours * theirs).sum(), np.linalg.norm(ours) * np.linalg.norm(theirs))


def rms(values: np.ndarray) -> float:
    """Root of the mean over nodes of the squared length, in the field's units."""
    return float(np.sqrt(_squares(values).mean()))


METRICS: dict[str, Metric] = {
    "relative_l2": relative_l2,
    "weighted_l2": weighted_l2,
    "rmse": rmse,
    "largest_error": largest_error,
    "correlation": correlation,
}


LOST = {"correlation": 0.0}
"""What a metric says of a prediction that isn't finite; the others say infinity."""


def measure(
    metric: str, prediction: np.ndarray, reference: np.ndarray, shares: np.ndarray
) -> float:
    """A metric by its name; NaN where the reference isn't finite, LOST where the prediction isn't.

    NaN of the prediction would be left out of a mean over times as if it had not been there.
    """
    if not np.isfinite(reference).all():
        return float("nan")
    if not np.isfinite(prediction).all():
        return LOST.get(metric, float("inf"))
    return METRICS[metric](prediction, reference, shares)


def _squares(values: np.ndarray) -> np.ndarray:
    """(n,) squared lengths."""
    squares: np.ndarray = np.square(values.reshape(len(values), -1)).sum(axis=1)
    return squares


def _quotient(numerator: float | np.floating, denominator: float | np.floating) -> float:
    """NaN where there is nothing to compare with."""
    return float(numerator / denominator) if denominator > 0 else float("nan")
