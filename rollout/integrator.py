"""One step in time with its boundary, in arrays: what rollouts and coupling share."""

from __future__ import annotations

import numpy as np
import torch

from physgt.errors import DivergedError
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

    @torch.inference_mode()
    def start(self, time: float) -> np.ndarray:
        """(N, S) the state at the start, with what the boundary states for `time`."""
        # Rounded to the model's precision once, so that held nodes keep exactly what is written.
        rounded = self._graph.to_mesh(self._graph.from_mesh(self.boundary.initial_state()))
        return self.boundary.enforce(rounded, time)

    @torch.inference_mode()
    def advance(self, state: np.ndarray, forcing: np.ndarray, step: int, time: float) -> np.ndarray:
        """(N, S) the state one dt later: that of step number `step`, at `time`.

        state: (N, S) as the model is to see it, see BoundaryValues.ahead; forcing: (N, F) at the
        beginning of the step. Raises DivergedError where the new state is not
        finite.
        """
        advanced = self._step(self._graph.from_mesh(state), self._graph.from_mesh(forcing))
        enforced = self.boundary.enforce(self._graph.to_mesh(advanced), time)
        self._require_finite(enforced, step, time)
        return enforced

    def _require_finite(self, state: np.ndarray, step: int, time: float) -> None:
        bad = np.argwhere(~np.isfinite(state))
        if len(bad):
            node, column = bad[0]
            name = self.task.target_of_column(int(column)).name
            raise DivergedError(
                f"the rollout diverged: '{name}' is not finite at node {node}, step {step}, "
                f"time {time:g} s. Start from a state like those of the training data, or train "
                "longer with noise or unrolled steps; a file being written keeps the steps before."
            )
