"""What training minimises, and the noise that makes a rollout forgive its own errors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from physgt.samples import Window
from physgt.simulator import Simulator


def free_noise(
    simulator: Simulator, window: Window, share: float, generator: np.random.Generator
) -> Tensor:
    """(N, S + R) noise for the first state of a window, in physical units, on free components only.

    Normal, with a standard deviation of `share` times that of each component in the training set.
    Of components of second order the rate is noisy alone: as if the state before had the noise.
    The target, the inverse of a step, then takes the error of the rate back.

    Source: Sanchez-Gonzalez et al., "Learning to Simulate Complex Physics with Graph Networks",
    ICML 2020, section 4.4.
    """
    unit = generator.standard_normal(window.states.shape[1:], dtype=np.float32)
    noise = torch.as_tensor(unit, device=simulator.device) * (share * simulator.state.std)
    if len(simulator.second_order):
        noise[:, simulator.second_order] = 0.0
    return torch.where(simulator.with_rates(window.graph.free), noise, torch.zeros_like(noise))


def unrolled_loss(simulator: Simulator, window: Window, noise: Tensor) -> Tensor:
    """Mean squared error of normalised increments over free components and unrolled steps.

    Each step starts from the prediction of the one before and is compared with the increment
    that leads from there to the true next state, so the target corrects noise and drift alike.
    What isn't free is given at each time: a step starts from its true values at the step's end,
    where the task has the boundary ahead, or else at its beginning, as in a rollout.
    """
    state = window.states[0] + noise
    total = torch.zeros((), device=state.device)
    free = window.graph.free
    free_or_rate = simulator.with_rates(free)
    steps = zip(window.forcings, window.states[:-1], window.states[1:], strict=True)
    for forcing, true_state, next_state in steps:
        boundary = torch.where(simulator.seen_ahead, next_state, true_state)
        state = torch.where(free_or_rate, state, boundary)
        predicted = simulator.predict(window.graph, state, forcing)
        target = simulator.target(window.graph, state, next_state)
        error = torch.where(free, predicted - target, torch.zeros_like(target))
        total = total + error.square().sum() / free.sum()
        state = simulator.advanced(window.graph, state, predicted)
    return total / len(window.forcings)
