"""What a simulated second costs, learned and solved: seconds of one thread of the same machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from physgt.pretrained.recipes import Recipe
from physgt.pretrained.solving import one_thread, solve
from physgt.rollout import rollout
from physgt.simulator import Simulator
from physgt.trajectory import Trajectory


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
