"""How a stepper's state goes on in time: whole steps of the model, and what lies between them."""

from __future__ import annotations

from dataclasses import replace
from math import floor

import numpy as np

from physgt.coupling.state import StepperState, require_stated
from physgt.rollout.boundary import BoundaryValues, overlaid
from physgt.rollout.integrator import Integrator, with_boundary_rates
from physgt.simulator import Simulator
from physgt.task import Task
from physgt.trajectory import Trajectory

SAME_TIME = 1e-6
"""Two times closer than this share of the model's dt are the same."""


class Advance:
    """From one StepperState to the next; it keeps nothing that changes."""

    def __init__(
        self,
        simulator: Simulator,
        task: Task,
        initial: Trajectory,
        prescribed: Trajectory | None,
    ) -> None:
        self.task = task
        self._boundary = BoundaryValues(task, initial, prescribed)
        self._integrator = Integrator(simulator, self._boundary)

    def start(self, time: float, rates: np.ndarray, num_nodes: int) -> StepperState:
        """The first state, of which the caller has set nothing."""
        state = self._integrator.start(time, rates)
        return StepperState(
            origin=time,
            num_steps=0,
            offset=0.0,
            state=state,
            ahead=None,
            stated=np.full_like(state, np.nan),
            stated_forcing=np.full((num_nodes, self.task.forcing_size), np.nan),
            ended=state,
            before=None,
            seconds=self.task.dt,
        )

    def time(self, now: StepperState) -> float:
        """Seconds."""
        return self._model_time(now) + now.offset

    def state(self, now: StepperState) -> np.ndarray:
        """(N, S + R) at its time, with what the caller prescribed."""
        if now.ahead is None:
            return overlaid(now.state, now.stated)
        share = now.state.dtype.type(now.offset / self.task.dt)
        between = now.state + share * (now.ahead - now.state)
        return overlaid(between, now.stated)

    def forcing(self, now: StepperState) -> np.ndarray:
        """(N, F) at its time, with what the caller set."""
        return self._forcing(now, self.time(now))

    def step(self, now: StepperState, seconds: float) -> StepperState:
        """`seconds` later, see Stepper.step. Raises DivergedError."""
        dt, before = self.task.dt, now.ended
        offset = now.offset + seconds
        whole = floor(offset / dt + SAME_TIME)
        for _ in range(whole):
            now = self._whole_step(now)
        offset -= whole * dt
        if offset > SAME_TIME * dt:
            now = replace(now, offset=offset, ahead=self._ahead(now))
        return replace(now, before=before, seconds=seconds, ended=self.state(now))

    def _model_time(self, now: StepperState) -> float:
        # origin + n * dt rather than a running sum: as in a rollout, to the last bit.
        return now.origin + now.num_steps * self.task.dt

    def _forcing(self, now: StepperState, time: float) -> np.ndarray:
        return overlaid(self._boundary.forcing(time), now.stated_forcing)

    def _whole_step(self, now: StepperState) -> StepperState:
        state = overlaid(self._ahead(now), now.stated)
        state = with_boundary_rates(self._boundary, now.state, state)
        return replace(now, num_steps=now.num_steps + 1, offset=0.0, state=state, ahead=None)

    def _ahead(self, now: StepperState) -> np.ndarray:
        """(N, S + R) one dt after the model's last own time."""
        if now.ahead is not None:
            return now.ahead
        boundary = self._boundary.overlaid(now.stated[:, : self.task.state_size])
        forcing = self._forcing(now, self._model_time(now))
        require_stated(self.task, boundary.unstated, np.isnan(forcing))
        time = now.origin + (now.num_steps + 1) * self.task.dt
        seen = boundary.ahead(now.state, time)
        return self._integrator.under(boundary).advance(seen, forcing, now.num_steps + 1, time)
