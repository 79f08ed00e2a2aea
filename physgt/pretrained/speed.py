"""What a simulated second costs, learned and solved: seconds of one thread of the same machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from physgt.pretrained.recipes import Recipe
from physgt.rollout import rollout
from physgt.simulator import Simulator
from physgt.trajectory import Trajectory


@contextmanager
def one_thread() -> Iterator[Callable[[], float]]:
    """Run what is within on one thread; what it yields tells the processor's seconds so far.

    On several threads, waiting for each other would count as work.
    """
    with threadpool_limits(1):
        start = time.process_time()
        yield lambda: time.process_time() - start


def solve(recipe: Recipe, family: Any, seed: int) -> tuple[Trajectory, float]:
    """The case of a seed, and the solver's seconds for a simulated one, from the mesh on.

    The time before the first saved state counts as simulated.
    """
    with one_thread() as seconds:
        recipe.mesh(family.draw(seed), family.refinement, seed)
        meshing = seconds()
        case = family.simulate(seed)
        solving = seconds() - 2 * meshing
    simulated = family.num_steps * family.dt + getattr(family, "spin_up", 0.0)
    return case, solving / simulated


def predict(simulator: Simulator, case: Trajectory, num_steps: int) -> tuple[Trajectory, float]:
    """A rollout from the first state of a case, and its seconds for a simulated one."""
    with one_thread() as seconds:
        prediction = rollout(simulator, case, num_steps, prescribed=case)
        return prediction, seconds() / (num_steps * simulator.task.dt)


def compare_costs(
    simulator: Simulator, recipe: Recipe, family: Any, tests: Sequence[Trajectory]
) -> Mapping[str, float]:
    """Both over the test cases in turn, and how many times quicker the learned one is."""
    costs = []
    for case in [tests[0], *tests]:
        num_steps = case.num_steps // case.stride(simulator.task.dt)
        solver = solve(recipe, family, case.attributes["seed"])[1]
        costs.append((solver, predict(simulator, case, num_steps)[1]))
    # The first time loads kernels and libraries.
    solver, learned = np.mean(costs[1:], axis=0).tolist()
    return {"solver": solver, "learned": learned, "ratio": solver / learned}
