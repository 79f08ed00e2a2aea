"""Forecasts that every learned one is held against."""

from __future__ import annotations

import warnings
from typing import Protocol

import numpy as np

Frames = dict[str, np.ndarray]
"""Fields by name, each (times, nodes or cells[, components]), float64."""


class Baseline(Protocol):
    """Made of the reference's first state, or more where its docstring says so."""

    def frame(self, k: int) -> dict[str, np.ndarray] | None:
        """Fields k scored times after the initial state, those that it can forecast; or None."""


class Persistence:
    """Nothing changes."""

    def __init__(self, initial: dict[str, np.ndarray]) -> None:
        self._initial = initial

    def frame(self, k: int) -> dict[str, np.ndarray]:
        return self._initial


class DynamicModes:
    """Dynamic mode decomposition, fitted to the first half of the reference itself.

    A linear forecast of each field from its leading proper orthogonal modes, those with 99.99 % of
    the energy, extrapolated over the second half. It has seen the very case that it forecasts,
    which a learned simulator has not: a hard measure, and none where a model can't be. What begins
    at rest, as a displacement of 0, stays at rest in it as in every linear model. A field that is 0
    or not finite all through the first half has no modes, and no forecast.

    Source: Tu et al., "On dynamic mode decomposition: theory and applications", J. Comput. Dyn.
    2014, exact DMD; the implementation is PyDMD's.
    """

    ENERGY = 0.9999

    def __init__(self, first_half: Frames) -> None:
        """first_half: at evenly spaced times from the initial state on, three or more."""
        from pydmd import DMD  # slow to import, and few need it

        self._num_seen = len(next(iter(first_half.values())))
        self._fits = {}
        for name, frames in first_half.items():
            snapshots = frames.reshape(self._num_seen, -1).T
            if not np.isfinite(snapshots).all() or not snapshots.any():
                continue
            with warnings.catch_warnings():
                # It warns of snapshots that depend on each other; fewer modes are kept then.
                warnings.simplefilter("ignore", UserWarning)
                # Amplitudes by all snapshots: what starts from zero would be forecast as zero.
                fit = DMD(svd_rank=self.ENERGY, exact=True, opt=True).fit(snapshots)
            self._fits[name] = fit.modes, fit.eigs, fit.amplitudes, frames.shape[1:]

    def frame(self, k: int) -> dict[str, np.ndarray] | None:
        if k < self._num_seen:
            return None
        return {
            name: (modes @ (amplitudes * eigenvalues**k)).real.reshape(shape)
            for name, (modes, eigenvalues, amplitudes, shape) in self._fits.items()
        }
