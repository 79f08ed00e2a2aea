"""The pretrained flow past a cylinder of the user's choice, beside the solver's.

Solver and model run at the same time, each in a process and on one thread: where there are two
cores they don't wait for each other. What needs torch is imported after the solver has started.
"""

from __future__ import annotations

import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from physgt.datasets import open_trajectory, write_trajectory
from physgt.datasets.generate import make_family
from physgt.pretrained import read_record
from physgt.pretrained.recipes import RECIPES
from physgt.pretrained.solving import solve, solve_into
from physgt.progress import progress_bar
from physgt.trajectory import Trajectory

NAME = "cylinder"
SEED = 0
"""Of the mesh's inner points: all else is given."""
RECIPE = RECIPES[NAME]
FILM_SIZE = 800
"""Pixels of the longer side: fewer than usual, for the film is a third of the waiting."""


@dataclass(frozen=True)
class Geometry:
    """A cylinder and the flow that meets it; as physgt.datasets.cylinder.CylinderCase has them."""

    radius: float
    center_x: float
    center_y: float
    inlet_speed: float


def demonstrate(geometry: Geometry, folder: Path, seconds: float, console: Console) -> None:
    """Start, learned rollout, solver, comparison and film; leaves their files in `folder`.

    Raises PhysgtError for a cylinder that the channel has no room for.
    """
    began = time.perf_counter()
    dt = read_record(NAME)["model"]["task"]["dt"]
    num_steps = max(round(seconds / dt), 1)
    family = family_of(geometry, dt)
    folder.mkdir(parents=True, exist_ok=True)
    solved = folder / "solver.vtkhdf"
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        whole = replace(family, num_steps=num_steps)
        reference = process.submit(solve_into, solved, RECIPE, whole, SEED)
        start = make_start(family, folder, console)
        prediction, learned = go_on(start, num_steps)
        write_trajectory(prediction, folder / "prediction.vtkhdf")
        console.print(
            f"From there the model goes on alone: {num_steps * dt:g} s of flow in {num_steps} "
            f"steps, {learned * num_steps * dt:.2g} s of computing."
        )
        solver = reference.result()
    console.print(
        f"The solver takes {solver * num_steps * dt:.2g} s for the same on the same mesh, on one "
        f"thread as well: the model is {solver / learned:.2g} times as fast."
    )
    show(prediction, open_trajectory(solved), folder, console)
    console.print(f"All took {time.perf_counter() - began:.0f} s.")


def make_start(family: Any, folder: Path, console: Console) -> Trajectory:
    """The first saved state, by the solver, in start.vtkhdf as well."""
    case, cost = solve(RECIPE, family, SEED)
    start = case.initial()
    write_trajectory(start, folder / "start.vtkhdf")
    console.print(
        f"Reynolds number {start.attributes['reynolds']:.0f}, {start.mesh.num_points} nodes. "
        f"The solver makes the start, {family.spin_up:g} s after the flow sets in: "
        f"{cost * family.spin_up:.2g} s of computing."
    )
    return start


def go_on(start: Trajectory, num_steps: int) -> tuple[Trajectory, float]:
    """The model's rollout, and its seconds for a simulated one."""
    from physgt.pretrained.speed import predict
    from physgt.simulator import Simulator

    simulator = Simulator.load(NAME)
    predict(simulator, start, 1)  # loads kernels and libraries
    return predict(simulator, start, num_steps)


def show(prediction: Trajectory, reference: Trajectory, folder: Path, console: Console) -> None:
    """Both in numbers and as a film."""
    console.print(comparison(prediction, reference))
    film = draw(prediction, reference, folder)
    console.print(
        f"Open {film} in any player: the solver's flow, the model's, and their difference;\n"
        f"{folder}/prediction.vtkhdf and {folder}/solver.vtkhdf in ParaView."
    )


def family_of(geometry: Geometry, dt: float) -> Any:
    """The family that the model was trained on, narrowed to one geometry, of one step of `dt`.

    Warns of what is outside of the ranges that the model was trained on.
    """
    parameters = read_record(NAME)["data"]["parameters"]
    trained: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()
    }
    for name, value in asdict(geometry).items():
        low, high = trained[name]
        if not low <= value <= high:
            warnings.warn(
                f"{name} = {value:g}, but the model has learned from {low:g} to {high:g}: beyond, "
                "its flow is a guess.",
                stacklevel=2,
            )
    narrowed = {name: (value, value) for name, value in asdict(geometry).items()}
    # The solver's own time step stays.
    substeps = round(dt / trained["dt"] * trained["substeps"])
    return make_family(NAME, trained | narrowed | {"dt": dt, "substeps": substeps, "num_steps": 1})


def comparison(prediction: Trajectory, reference: Trajectory) -> Table:
    """What an engineer reads off both flows."""
    from physgt.case import find_case, read_case
    from physgt.quantities import history
    from physgt.rollout import compare_histories

    settings = read_case(find_case(NAME)).outputs
    compared = compare_histories(history(prediction, settings), history(reference, settings))
    listing = Table("", "solver", "model", "difference", box=SIMPLE_HEAD)
    for line in RECIPE.shown:
        ours, theirs = compared[line.number].sel(quantity=line.quantity).values
        share = f"{ours / theirs - 1:+.1%}" if theirs else "too short to tell"
        listing.add_row(line.label, f"{theirs:.3g}", f"{ours:.3g}", share)
    return listing


def draw(prediction: Trajectory, reference: Trajectory, folder: Path) -> Path:
    """A film as quick as the flow itself: MP4, or GIF where there is no ffmpeg."""
    from physgt.viz import animate
    from physgt.viz.film import film_suffix

    film = folder / f"flow{film_suffix()}"
    with progress_bar("film") as update:
        return animate(
            prediction,
            "velocity",
            film,
            reference=reference,
            size=FILM_SIZE,
            frames_per_second=1 / float(prediction.times[1] - prediction.times[0]),
            progress=update,
        )
