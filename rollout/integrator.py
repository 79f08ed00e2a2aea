"""One step in time with its boundary, in arrays: what rollouts and coupling share."""

from __future__ import annotations

from copy import copy

import numpy as np
import torch

from physgt.errors import DivergedError
from physgt.rates import joined, motion, rates_between
from physgt.rollout.boundary import BoundaryValues
from physgt.simulator import Simulator


class Integrator:
    """Advances states (N, S), arrays in the order of the mesh and the precision of the model.

    The one border between arrays and tensors. It holds no state: several threads may share it.
    """

    def __init__(self, simulator: Simulator, boundary: BoundaryValues) -> None:
        self.task = simulator.task
        self.boundary = boundary
        self._graph = simulator.build_graph(boundary.mesh)
        with torch.inference_mode():
            self._step = simulator.on_fixed_mesh(self._graph)

    def under(self, boundary: BoundaryValues) -> Integrator:
        """The same under other stated conditions on the same mesh."""
        changed = copy(self)
        changed.boundary = boundary
        return changed

    @torch.inference_mode()
    def start(self, time: float, rates: np.ndarray) -> np.ndarray:
        """(N, S + R) the state at the start, with what the boundary states for `time`.

        rates: (N, R), see physgt.rates.start_and_rates.
        """
        # Rounded to the model's precision once, so that held nodes keep exactly what is written.
        initial = joined(self.boundary.initial_state(), rates)
        rounded = self._graph.to_mesh(self._graph.from_mesh(initial))
        return enforced_targets(self.boundary, rounded, time)

    @torch.inference_mode()
    def advance(self, state: np.ndarray, forcing: np.ndarray, step: int, time: float) -> np.ndarray:
        """(N, S + R) the state one dt later: that of step number `step`, at `time`.

        state: (N, S) as the model is to see it, see BoundaryValues.ahead; forcing: (N, F) at the
        beginning of the step. Raises DivergedError where the new state is not
        finite.
        """
        given = given_for_step(self.boundary, state, forcing, time)
        advanced = self._graph.to_mesh(
            self._step(self._graph.from_mesh(state), self._graph.from_mesh(given))
        )
        enforced = with_boundary(self.boundary, state, advanced, time)
        self._require_finite(enforced, step, time)
        return enforced

    def _require_finite(self, state: np.ndarray, step: int, time: float) -> None:
        bad = np.argwhere(~np.isfinite(state))
        if len(bad):
            node, column = bad[0]
            name = self.task.target_of_column(int(column)).name
            raise DivergedError(
                f"the rollout diverged: '{name}' is not finite at {self.task.location} {node}, "
                f"step {step}, time {time:g} s. Start from a state like those of the training "
                "data, or train longer with noise or unrolled steps; a file being written keeps "
                "the steps before."
            )


def given_for_step(
    boundary: BoundaryValues, state: np.ndarray, forcing: np.ndarray, time: float
) -> np.ndarray:
    """(N, F + K) forcings (N, F), and how far the boundary moves points until `time`."""
    task = boundary.task
    coming = enforced_targets(boundary, state, time)
    return joined(forcing, motion(task, boundary.on_mesh, state, coming))


def with_boundary(
    boundary: BoundaryValues, before: np.ndarray, advanced: np.ndarray, time: float
) -> np.ndarray:
    """What the model made of `before` (N, S + R), with what the boundary states for `time`."""
    enforced = enforced_targets(boundary, advanced, time)
    return with_boundary_rates(boundary, before, enforced)


def enforced_targets(boundary: BoundaryValues, state: np.ndarray, time: float) -> np.ndarray:
    """`state` (N, S + R), its targets as the boundary states them for `time`."""
    targets, rates = np.split(state, [boundary.task.state_size], axis=1)
    return joined(boundary.enforce(targets, time), rates)


def with_boundary_rates(
    boundary: BoundaryValues, before: np.ndarray, state: np.ndarray
) -> np.ndarray:
    """`state` (N, S + R), where it isn't free with the rates that led there from `before`."""
    columns, size = boundary.task.second_order, boundary.task.state_size
    free = boundary.free[:, columns]
    rates = np.where(free, state[:, size:], rates_between(boundary.task, before, state))
    return joined(state[:, :size], rates)
