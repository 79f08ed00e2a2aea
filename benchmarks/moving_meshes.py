"""Soft plates that are pulled, pressed and let swing: how far learned rollouts are from the solver.

    python benchmarks/moving_meshes.py FOLDER            # simulates, trains and rolls out
    python benchmarks/moving_meshes.py FOLDER --workers 8

FOLDER gets the data, the runs and the predictions; what is there already is not made again. The
plates are predicted by the model that comes with physgt, the cantilevers by one that is trained by
hyperelastic_swing.toml; none is among those that were learned from. Errors are root mean squares
of the distance to the solver's position, over all nodes that are free and all times of a free
rollout: relative to that of the displacement from the reference configuration, and in mm.
`persist.` is the forecast that nothing moves any more, `velocity` that every node goes on as in the
last step before the start; where all was at rest they are the same.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from physgt import Simulator, Trajectory
from physgt.case import find_case, read_case
from physgt.datasets import open_trajectory
from physgt.datasets.generate import generate
from physgt.pretrained import names
from physgt.rates import needs_history
from physgt.rollout import rollout
from physgt.training import open_trajectories, train

SCENARIOS = {
    "hyperelastic": {"cantilever": 0.0},
    "hyperelastic_swing": {"pull": 0.0, "press": 0.0},
}
SEEDS = {
    "hyperelastic": {"test": range(950, 958)},
    "hyperelastic_swing": {
        "train": range(48),
        "validation": range(900, 904),
        "test": range(950, 954),
    },
}
REFINEMENT = 0.7
STARTS = {"hyperelastic": (0.0,), "hyperelastic_swing": (0.0, 0.6)}
"""Seconds at which rollouts start: a cantilever also while it swings."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    print(f"{'':38}{'relative error of position':^30}{'error, mm':^22}")
    print(f"{'':38}{'rollout':>10}{'persist.':>10}{'velocity':>10}{'rollout':>12}{'persist.':>10}")
    for name, scenario in SCENARIOS.items():
        folder = arguments.folder / name
        for part, seeds in SEEDS[name].items():
            settings = {"refinement": REFINEMENT, **scenario}
            generate("hyperelastic", folder / part, seeds, workers=arguments.workers, **settings)
        simulator = trained(name, folder)
        for path in sorted((folder / "test").glob("*.vtkhdf")):
            for start in STARTS[name]:
                report(simulator, path, start, folder / "predictions")


def trained(name: str, folder: Path) -> Simulator:
    """The pretrained model of that name, or else one of the case of that name."""
    if name in names():
        return Simulator.load(name)
    best = folder / "run" / "best.physgt"
    if not best.exists():
        case = read_case(find_case(name))
        parts = {
            part: open_trajectories(folder, f"{part}/*.vtkhdf") for part in ("train", "validation")
        }
        train(case, parts["train"], folder / "run", validation=parts["validation"])
    return Simulator.load(best)


def report(simulator: Simulator, path: Path, start: float, predictions: Path) -> None:
    """A line of the table for one rollout, and one more for the contact where there is a disc."""
    solver = open_trajectory(path)
    first = int(np.searchsorted(solver.times, start - 1e-6))
    reference = solver.select(slice(first, None))
    stride = reference.stride(simulator.task.dt)
    steps = reference.num_steps // stride - needs_history(simulator.task)
    scenario = reference.attributes["scenario"]
    output = predictions / f"{path.stem}-{start:g}.vtkhdf"
    prediction = rollout(simulator, reference, steps, prescribed=reference, output=output)
    history = stride * needs_history(simulator.task)
    free = simulator.task.free_mask(reference.mesh).all(axis=1)
    before, first, *true = (
        reference.points_at(k)[free] for k in (0, *range(history, reference.num_times, stride))
    )
    predicted = np.array([prediction.points_at(k)[free] for k in range(1, steps + 1)])
    at_rest, ahead = reference.mesh.points[free], np.arange(1, steps + 1)[:, None, None]
    forecasts = predicted, first, first + ahead * (first - before)
    ours, nothing, velocity = (distance(forecast, np.array(true)) for forecast in forecasts)
    scale = distance(at_rest, np.array(true))
    print(
        f"{scenario + ' ' + path.stem + f' from {start:g} s':38}"
        f"{ours / scale:10.3f}{nothing / scale:10.3f}{velocity / scale:10.3f}"
        f"{1e3 * ours:12.2f}{1e3 * nothing:10.2f}"
    )
    if scenario == "press":
        depth = [1e3 * deepest(t) for t in (prediction, reference)]
        print(f"{'':38}deepest in the disc: {depth[0]:.2f} mm, solver {depth[1]:.2f} mm")


def distance(positions: np.ndarray, true: np.ndarray) -> float:
    """Root mean square over times and nodes, in m."""
    return float(np.sqrt(np.square(positions - true).sum(axis=-1).mean()))


def deepest(trajectory: Trajectory) -> float:
    """How deep a node of the plate's surface lies in the disc at most, over all times, in m."""
    sets, radius = trajectory.mesh.node_sets, trajectory.attributes["radius"]
    found = 0.0
    for index in range(trajectory.num_times):
        points = trajectory.points_at(index)
        center = points[sets["disc_surface"]].mean(axis=0)
        distance = np.linalg.norm(points[sets["surface"]] - center, axis=1)
        found = max(found, radius - distance.min())
    return found


if __name__ == "__main__":
    main()
