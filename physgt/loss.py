"""What training minimises, and the noise that makes a rollout forgive its own errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from physgt.graph import Graph
from physgt.ops.memory import return_free_memory
from physgt.samples import Window
from physgt.simulator import Simulator

Measure = Callable[[Simulator, Graph, Tensor, Tensor], Tensor]


def free_noise(
    simulator: Simulator, window: Window, share: float, generator: np.random.Generator
) -> Tensor:
    """(N, S + R) noise for the first state of a window, in physical units, on free components only.

    Normal, with a standard deviation of `share` times that of each component in the training set;
    a component that never changed there has none.
    Of components of second order it is that of the rate, and the last two states have noise of
    their own: the component that of the last, the rate the difference. The target, the inverse of
    a step, takes both back. Noise of the rate alone teaches to stop a drift, but not to return
    from where it led: what no motion in the data does, as node against node, then adds up.

    Source: Sanchez-Gonzalez et al., "Learning to Simulate Complex Physics with Graph Networks",
    ICML 2020, section 4.4.
    """
    unit = generator.standard_normal(window.states.shape[1:], dtype=np.float32)
    second_order, size = simulator.second_order, simulator.task.state_size
    scales = simulator.state
    # Of what never changed std is 1, in whatever units, but the range is 0; else it is the wider.
    deviation = share * torch.minimum(scales.std, scales.highest - scales.lowest)
    deviation[second_order] = deviation[size:].clone()
    noise = torch.as_tensor(unit, device=simulator.device) * deviation
    noise[:, size:] += noise[:, second_order]
    return torch.where(simulator.with_rates(window.graph.free), noise, torch.zeros_like(noise))


def unrolled_loss(
    simulator: Simulator,
    window: Window,
    noise: Tensor,
    *,
    measure: Measure | None = None,
    discount: float = 1.0,
    push_forward: bool = False,
    checkpointing: bool = False,
) -> Tensor:
    """The mean error over free components and unrolled steps, by default squared_error.

    Each step starts from the prediction of the one before and is compared with the increment
    that leads from there to the true next state, so the target corrects noise and drift alike.
    What isn't free is given at each time: a step starts from its true values at the step's end,
    where the task has the boundary ahead, or else at its beginning, as in a rollout.

    discount: the weight of a step relative to the one before it.
    push_forward: only the last step has a weight and gradients; the others bring the model where
        its own errors lead it (Brandstetter, Worrall and Welling, "Message Passing Neural PDE
        Solvers", ICLR 2022, section 3.1).
    checkpointing: see TrainingSettings.
    """
    measure = measure or squared_error
    state = window.states[0] + noise
    total, weights = torch.zeros((), device=state.device), 0.0
    free = window.graph.free
    free_or_rate = simulator.with_rates(free)

    def advance(state: Tensor, forcing: Tensor, next_state: Tensor) -> tuple[Tensor, Tensor]:
        predicted = simulator.predict(window.graph, state, forcing)
        target = simulator.target(window.graph, state, next_state)
        error = torch.where(free, predicted - target, torch.zeros_like(target))
        lost = measure(simulator, window.graph, error, next_state)
        return simulator.advanced(window.graph, state, predicted), lost

    def advance_leanly(*arguments: Tensor) -> tuple[Tensor, Tensor]:
        # Forwards and, when it is computed again, backwards: what the step before has left lies in
        # pieces between what stays, and would add up over the steps.
        return_free_memory()
        return advance(*arguments)

    last = len(window.forcings) - 1
    steps = zip(window.forcings, window.states[:-1], window.states[1:], strict=True)
    for step, (forcing, true_state, next_state) in enumerate(steps):
        boundary = simulator.seeing_ahead(window.graph, true_state, next_state)
        state = torch.where(free_or_rate, state, boundary)
        arguments = state, forcing, next_state
        if push_forward and step < last:
            with torch.no_grad():
                state, _ = advance(*arguments)
            continue
        if checkpointing:
            state, lost = checkpoint(advance_leanly, *arguments, use_reentrant=False)
        else:
            state, lost = advance(*arguments)
        weight = discount**step
        total, weights = total + weight * lost, weights + weight
    return total / weights


def squared_error(simulator: Simulator, graph: Graph, error: Tensor, next_state: Tensor) -> Tensor:
    """The mean square of the error of normalised increments, over free components."""
    return error.square().sum() / graph.free.sum()


def relative_l2(simulator: Simulator, graph: Graph, error: Tensor, next_state: Tensor) -> Tensor:
    """|prediction - truth| over |truth|, of free components; the mean over fields and graphs.

    Norms are Euclidean over the nodes of a graph, in physical units. In |truth| a value counts as
    at least a thousandth of its component's deviation, so that a state at rest has a finite loss.
    """
    size = error.shape[1]
    wrong = (error * simulator.increment.std * simulator.unit(graph, next_state)).square()
    true = next_state[:, :size].abs().maximum(1e-3 * simulator.state.std[:size]).square()
    true = torch.where(graph.free, true, torch.zeros_like(true))
    norms = []
    for squares in (wrong, true):
        fields = [squares[:, simulator.task.columns(t.name)].sum(1) for t in simulator.task.targets]
        sums = squares.new_zeros(graph.num_graphs, len(fields))
        norms.append(sums.index_add(0, graph.graph_index, torch.stack(fields, 1)))
    smallest = torch.finfo(true.dtype).tiny  # the root has no derivative at 0
    return (norms[0].clamp(min=smallest) / norms[1].clamp(min=smallest)).sqrt().mean()


LOSSES: dict[str, Measure] = {"squared_error": squared_error, "relative_l2": relative_l2}
"""(simulator, graph, error (N, S) of the normalised increment, next state) -> a number."""
