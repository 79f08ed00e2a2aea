"""What training minimises: unrolled steps, their weights, their gradients and their memory."""

import copy
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor

from heat_case import HEAT, SMALL_MODELS, build_heat_graph, heat_trajectory
from physgt import Field, Task, Trajectory
from physgt.fit_normalizers import fit_normalizers
from physgt.loss import LOSSES, free_noise, relative_l2, unrolled_loss
from physgt.ops.memory import gnu_libc
from physgt.pretraining import reconstruction_loss
from physgt.samples import Samples, Window
from physgt.simulator import Simulator
from unrolled_memory import memory_of_checkpointed_unroll


@pytest.fixture
def window() -> Window:
    """Three steps of two cases end to end."""
    data = {f"case {seed}": heat_trajectory(seed) for seed in range(2)}
    return Samples(data, HEAT, build_heat_graph, unroll=3).batch([3, 40])


def still(window: Window) -> Tensor:
    return torch.zeros_like(window.states[0])


def losses_of_steps(simulator: Simulator, window: Window) -> list[Tensor]:
    """Of each step of a rollout from the window's first state, by the definition."""
    state, losses = window.states[0], []
    for forcing, truth in zip(window.forcings, window.states[1:], strict=True):
        state = simulator.step(window.graph, state, forcing)
        error = ((state - truth) / simulator.increment.std)[window.graph.free]
        losses.append(error.square().mean())
    return losses


def test_unrolled_steps_weigh_the_same_unless_a_discount_says_otherwise(simulator, window):
    first, second, third = (x.item() for x in losses_of_steps(simulator, window))
    same = unrolled_loss(simulator, window, still(window))
    assert same.item() == pytest.approx((first + second + third) / 3, rel=1e-4)
    found = unrolled_loss(simulator, window, still(window), discount=0.5)
    assert found.item() == pytest.approx((4 * first + 2 * second + third) / 7, rel=1e-4)


def test_push_forward_learns_the_last_step_from_where_the_model_brought_itself(simulator, window):
    unrolled_loss(simulator, window, still(window), push_forward=True).backward()
    found = [w.grad.clone() for w in simulator.parameters()]
    simulator.zero_grad()
    with torch.no_grad():
        state = window.states[0]
        for forcing in window.forcings[:-1]:
            state = simulator.step(window.graph, state, forcing)
    last = Window(window.graph, torch.stack([state, window.states[-1]]), window.forcings[-1:])
    unrolled_loss(simulator, last, still(window)).backward()
    for ours, weights in zip(found, simulator.parameters(), strict=True):
        torch.testing.assert_close(ours, weights.grad, rtol=1e-4, atol=1e-7)


def test_what_never_changed_in_training_has_no_noise():
    """Else a motion of 1e-3 m in a plane would be shaken by `share` times 1 m out of it."""
    heat = heat_trajectory(0)
    shape = (heat.num_times, heat.mesh.num_points)
    motion = np.zeros((*shape, 3), np.float32)
    motion[..., 0] = np.random.default_rng(0).normal(scale=1e-3, size=shape)
    motion[..., 1] = 0.7
    case = Trajectory.from_arrays(heat.mesh, heat.times, {"motion": motion})
    task = Task((Field("motion", 3),), dt=0.1)
    simulator = Simulator(task, 2, "physgto", SMALL_MODELS["physgto"])
    samples = Samples({"a": case}, task, simulator.build_graph)
    fit_normalizers(simulator, samples)
    noise = free_noise(simulator, samples.batch([0]), 0.1, np.random.default_rng(1))
    assert noise[:, 0].std().item() == pytest.approx(1e-4, rel=0.3)
    assert noise[:, 1:].count_nonzero() == 0


def test_relative_l2_is_the_error_over_the_truth_of_each_graph(simulator, window):
    first = Window(window.graph, window.states[:2], window.forcings[:1])
    free = window.graph.free[:, 0]
    truth = window.states[1][:, 0]
    with torch.no_grad():
        error = simulator.step(window.graph, window.states[0], window.forcings[0])[:, 0] - truth
    ratios = []
    for graph in range(2):
        ours = free & (window.graph.graph_index == graph)
        ratios.append(error[ours].norm() / truth[ours].norm())
    found = unrolled_loss(simulator, first, still(window), measure=relative_l2)
    assert found.item() == pytest.approx(float(sum(ratios)) / 2, rel=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_an_exact_model_has_no_loss_and_finite_gradients(name, simulator, window):
    one = Window(window.graph, window.states[:2], window.forcings[:1])
    exact = simulator.target(window.graph, *window.states[:2]).requires_grad_()
    simulator.predict = lambda graph, state, forcing: exact
    loss = unrolled_loss(simulator, one, still(window), measure=LOSSES[name])
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert exact.grad.isfinite().all()


def test_a_state_at_rest_has_a_finite_relative_error(simulator, window):
    at_rest = torch.zeros_like(window.states[:2])
    loss = unrolled_loss(
        simulator, Window(window.graph, at_rest, window.forcings[:1]), still(window),
        measure=relative_l2,
    )  # fmt: skip
    assert loss.isfinite()


def test_checkpointing_changes_memory_and_nothing_else(simulator, window):
    results = []
    for checkpointing in (False, True):
        saved: list[int] = []

        def keep(tensor: Tensor, saved: list[int] = saved) -> Tensor:
            saved.append(tensor.nbytes)
            return tensor

        simulator.zero_grad()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = unrolled_loss(simulator, window, still(window), checkpointing=checkpointing)
        held = sum(saved)
        loss.backward()
        results.append((loss.detach(), [w.grad.clone() for w in simulator.parameters()], held))
    (loss, gradients, memory), (loss_again, gradients_again, little) = results
    assert torch.equal(loss, loss_again)
    for ours, theirs in zip(gradients, gradients_again, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-8)
    assert little < memory / 10


@pytest.mark.skipif(gnu_libc() is None, reason="no GNU C library, which gives back what is free")
def test_memory_of_checkpointed_steps_does_not_add_up_over_them():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        one, six = pool.map(memory_of_checkpointed_unroll, (1, 6))
    assert six < 1.5 * one


def test_pre_training_measures_what_the_model_says_of_hidden_nodes(simulator, window):
    """A model that says the mean everywhere is off by each hidden node's normalised state."""
    seen: list[Tensor] = []

    def mean_everywhere(graph, state, forcing):
        seen.append(state)
        return torch.zeros_like(state)

    simulator.predict = mean_everywhere
    loss = reconstruction_loss(simulator, window, np.random.default_rng(0))
    true = window.states[0]
    hidden = seen[0] != true
    assert 0.3 < hidden[window.graph.free].float().mean() < 0.5
    assert not hidden[~window.graph.free].any()
    torch.testing.assert_close(seen[0][hidden], simulator.state.mean.expand_as(true)[hidden])
    expected = ((true - simulator.state.mean) / simulator.state.std)[hidden].square().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_pre_training_teaches_a_model_to_reconstruct(simulator):
    """After some steps the hidden state is known better than by the mean alone."""
    window = Samples({"a": heat_trajectory(0)}, HEAT, build_heat_graph).batch([20])
    trained = copy.deepcopy(simulator)
    optimizer = torch.optim.Adam(trained.parameters(), 1e-2)
    losses = []
    for step in range(60):
        optimizer.zero_grad()
        loss = reconstruction_loss(trained, window, np.random.default_rng(step))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < np.mean(losses[:5]) / 2
