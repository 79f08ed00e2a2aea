"""The pretrained flow past a cylinder of the user's choice, beside the solver's."""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from physgt.case import find_case, read_case
from physgt.datasets import write_trajectory
from physgt.datasets.generate import make_family
from physgt.pretrained import read_record
from physgt.pretrained.recipes import RECIPES
from physgt.pretrained.speed import predict, solve
from physgt.progress import progress_bar
from physgt.quantities import history
from physgt.rollout import compare_histories
from physgt.simulator import Simulator
from physgt.trajectory import Trajectory
from physgt.viz import animate
from physgt.viz.film import film_suffix

NAME = "cylinder"
RECIPE = RECIPES[NAME]
FILM_SIZE = 960
"""Pixels of the longer side: half of the time of the usual size."""


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
    simulator = Simulator.load(NAME)
    dt = simulator.task.dt
    num_steps = max(round(seconds / dt), 1)
    family = family_of(geometry, dt)
    folder.mkdir(parents=True, exist_ok=True)

    start, cost = solve(RECIPE, family, seed=0)
    start = start.initial()
    write_trajectory(start, folder / "start.vtkhdf")
    console.print(
        f"Reynolds number {start.attributes['reynolds']:.0f}, {start.mesh.num_points} nodes. The "
        f"solver makes the start, {family.spin_up:g} s after the flow sets in: "
        f"{cost * family.spin_up:.2g} s of computing."
    )
    predict(simulator, start, 1)  # loads kernels and libraries
    prediction, learned = predict(simulator, start, num_steps)
    write_trajectory(prediction, folder / "prediction.vtkhdf")
    console.print(
        f"From there the model goes on alone: {num_steps * dt:g} s of flow in {num_steps} steps, "
        f"{learned * num_steps * dt:.2g} s of computing."
    )
    reference, solver = solve(RECIPE, replace(family, num_steps=num_steps), seed=0)
    write_trajectory(reference, folder / "solver.vtkhdf")
    console.print(
        f"The solver takes {solver * num_steps * dt:.2g} s for the same on the same mesh, on one "
        f"thread as well: the model is {solver / learned:.2g} times as fast."
    )
    console.print(comparison(prediction, reference))
    film = draw(prediction, reference, folder)
    console.print(
        f"Open {film} in any player: the solver's flow, the model's, and their difference;\n"
        f"{folder}/prediction.vtkhdf and {folder}/solver.vtkhdf in ParaView. "
        f"All took {time.perf_counter() - began:.0f} s."
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
