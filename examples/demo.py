"""From nothing to a learned simulation: data, training, free rollout, scores and pictures.

Flow past a cylinder, shedding vortices. The model learns from a few geometries and is run on one
that it has never seen, from a single state. `make demo` runs this.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from physgt import PhysgtError, Simulator, Trajectory
from physgt.case import Case, read_case
from physgt.datasets import open_trajectory
from physgt.datasets.generate import generate
from physgt.progress import progress_bar
from physgt.rollout import Oscillation, oscillation, rollout, score, score_table
from physgt.training import STATE_FILE, Report, open_trajectories, train
from physgt.viz import animate, render

# Ranges that each geometry and inlet speed is drawn from, training and test alike.
FAMILY = {
    "radius": (0.045, 0.055),
    "center_x": (0.3, 0.34),
    "center_y": (0.18, 0.23),
    "inlet_speed": (1.4, 1.6),
}
TRAINING_CASES = 20
TRAINING_SECONDS = 1.0  # two to four vortices a case
TEST_SEED = 900
TEST_SECONDS = 3.0

console = Console()


def main(folder: Path, case: Case) -> None:
    """Run the whole line and leave its files in `folder`."""
    test = make_data(folder / "data")
    simulator = train_model(folder, case)
    reference = open_trajectory(test)
    prediction = predict(simulator, reference, folder / "prediction.vtkhdf")
    compare(prediction, reference)
    draw(prediction, reference, folder)
    console.print(
        f"\nOpen [bold]{folder}/velocity.mp4[/] in any player, {folder}/velocity.png in any "
        f"viewer,\n[bold]{folder}/prediction.vtkhdf[/] in ParaView 5.12 or newer (File > Open, "
        f"Apply, Play), beside the solver's own {test}.\nThe trained model is "
        f"{folder}/run/best.physgt; physgt rollout --help shows how to run it from another start."
    )


def make_data(folder: Path) -> Path:
    """Solve the Navier-Stokes equations on random geometries; returns the test case's file."""
    console.rule("1. Data: a finite-element solver simulates random geometries")
    seeds = {
        "train": range(TRAINING_CASES),
        "validation": range(TEST_SEED - 1, TEST_SEED),
        "test": range(TEST_SEED, TEST_SEED + 1),
    }
    paths: list[Path] = []
    for name, numbers in seeds.items():
        seconds = TEST_SECONDS if name == "test" else TRAINING_SECONDS
        with progress_bar(name) as update:
            paths = generate(
                "cylinder",
                folder / name,
                numbers,
                workers=os.cpu_count() or 1,
                num_steps=round(seconds / 0.01),
                progress=update,
                **FAMILY,
            )
    return paths[-1]


def train_model(folder: Path, case: Case) -> Simulator:
    console.rule(f"2. Training: {case.model_name}, {case.training.steps} steps")
    data = folder / "data"
    with progress_bar("training") as update:

        def report(result: Report) -> None:
            update(result.step, result.num_steps, f"loss {result.loss:.3f}")

        return train(
            case,
            open_trajectories(data, case.data.train),
            folder / "run",
            validation=open_trajectories(data, str(case.data.validation)),
            resume=(folder / "run" / STATE_FILE).exists(),
            report=report,
        )


def predict(simulator: Simulator, reference: Trajectory, path: Path) -> Trajectory:
    """Run freely from the first state of a geometry that wasn't in the training."""
    console.rule("3. Rollout: an unseen geometry, from its first state alone")
    num_steps = round(TEST_SECONDS / simulator.task.dt)
    with progress_bar("rollout") as update:
        return rollout(simulator, reference.initial(), num_steps, output=path, progress=update)


def compare(prediction: Trajectory, reference: Trajectory) -> None:
    console.rule("4. Scores beside persistence, the forecast that nothing changes")
    scores = score(prediction, reference)
    console.print(score_table(scores))
    ours, solver = shedding(prediction), shedding(reference)
    if solver.frequency == 0:
        console.print("The solver's flow has not shed two vortices: too short to compare.")
        return
    period = 1 / solver.frequency
    errors = scores["relative_l2"].sel(field="velocity", time=slice(0, period)).mean("time")
    ratio = float(errors.sel(forecast="persistence") / errors.sel(forecast="prediction"))
    console.print(
        f"Over the first shedding period ({period:.2f} s) the velocity is {ratio:.1f} times "
        "closer to the solver's than persistence."
    )
    table = Table("vortices in the second half", "solver", "prediction", box=SIMPLE_HEAD)
    table.add_row("frequency in Hz", f"{solver.frequency:.2f}", f"{ours.frequency:.2f}")
    table.add_row("amplitude in m/s", f"{solver.amplitude:.3f}", f"{ours.amplitude:.3f}")
    console.print(table)


def shedding(trajectory: Trajectory) -> Oscillation:
    """The swing of the cross-stream velocity behind the cylinder, in the second half."""
    attributes = trajectory.attributes
    probe = [attributes["center_x"] + 5 * attributes["radius"], attributes["center_y"]]
    node = int(np.linalg.norm(trajectory.mesh.points - probe, axis=1).argmin())
    signal = trajectory.fields["velocity"][:, node, 1].values
    half = trajectory.num_times // 2
    return oscillation(trajectory.times[half:], signal[half:])


def draw(prediction: Trajectory, reference: Trajectory, folder: Path) -> None:
    console.rule("5. Pictures")
    render(prediction, "velocity", folder / "velocity.png", reference=reference)
    with progress_bar("film") as update:
        animate(
            prediction, "velocity", folder / "velocity.mp4", reference=reference, progress=update
        )


if __name__ == "__main__":
    try:
        main(Path("demo"), read_case(Path(__file__).with_name("demo.toml")))
    except PhysgtError as error:
        sys.exit(f"demo: {error}")
