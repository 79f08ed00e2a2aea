"""Masked pre-training: what the nodes that are seen tell of those that are hidden."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from physgt.samples import Window
from physgt.simulator import Simulator

HIDDEN_SHARE = 0.4


def reconstruction_loss(
    simulator: Simulator, window: Window, generator: np.random.Generator
) -> Tensor:
    """Mean squared error of the normalised state that the model gives hidden nodes.

    Each free node is hidden with the probability HIDDEN_SHARE: its free components, and their
    rates, are the training set's mean. The model's output is then read as a state, not as an
    increment, so that the blocks learn what a field looks like before they learn how it changes.

    Source: Garnier et al., "Training Transformers for Mesh-Based Simulations", 2025 (the share,
    and pre-training before the fine-tuning on time steps); here the hidden nodes stay in the
    graph, so that any model can be trained so.
    """
    state = window.states[0]
    free = window.graph.free
    hidden = torch.as_tensor(generator.random(len(state)) < HIDDEN_SHARE, device=state.device)
    hidden_free = free & hidden[:, None]
    mean = simulator.state.mean.to(state.dtype).expand_as(state)
    seen = torch.where(simulator.with_rates(hidden_free), mean, state)
    predicted = simulator.predict(window.graph, seen, window.forcings[0])
    true = simulator.state.normalize(state)[:, : predicted.shape[1]]
    error = torch.where(hidden_free, predicted - true, torch.zeros_like(predicted))
    return error.square().sum() / hidden_free.sum().clamp(min=1)
