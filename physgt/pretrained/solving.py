"""What a simulated second costs the solver. A process that only solves needn't import torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from physgt.datasets import write_trajectory
from physgt.pretrained.recipes import Recipe
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


def solve_into(path: Path, recipe: Recipe, family: Any, seed: int) -> float:
    """`solve` with the case written to `path`: for another process, which returns the seconds."""
    case, cost = solve(recipe, family, seed)
    write_trajectory(case, path)
    return cost
