"""How far free rollouts stay with the solver, at equal cost: models, and ways to train them.

    python benchmarks/accuracy.py cylinder models --seconds 600 --seeds 0 1 2 -o DIRECTORY
    python benchmarks/accuracy.py heat training --seconds 120 -o DIRECTORY

Every row of a study learns from the same cases for the same CPU-seconds on one thread, and is run
freely from one state over test cases of other seeds. Rows change the family's case file as the
tables below say. What is there already is not done again: DIRECTORY keeps data, runs and a JSON
file a row.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from accuracy_families import FAMILIES, Settings, make_data
from rich.console import Console
from rich.table import Table

from physgt import PhysgtError, Simulator, Trajectory
from physgt.case import Case, find_case
from physgt.fit_normalizers import fit_normalizers
from physgt.rollout import history, oscillation, phase_aligned, rollout, score, valid_time
from physgt.samples import Samples
from physgt.training import Run, train

LONG = 10  # times the horizon of a test case

PHYSGTO = {"name": "physgto", "width": 64, "mlp_width": 64, "tokens": 32, "blocks": 4}
NEAR_FAR = {"name": "near_far_transformer", "width": 64, "tokens": 32, "blocks": 4}
MASKED = {"name": "masked_transformer", "width": 64, "blocks": 8}
MESHGRAPHNET = {"name": "meshgraphnet", "width": 64, "blocks": 8}
PUSHED: Settings = {"unroll": {0.0: 1, 0.5: 2}, "training": {"push_forward": True}}
NOISY = {"noise": 3.0}
MIRRORED = {"training": {"mirror": ["y"]}}
STUDIES: dict[str, dict[str, Settings]] = {
    "models": {
        "meshgraphnet": {"model": MESHGRAPHNET},
        "masked_transformer": {"model": MASKED},
        "masked_transformer, dilated, global": {
            "model": {**MASKED, "dilations": [2, 4], "global_nodes": 0.02}
        },
        "near_far_transformer": {"model": {**NEAR_FAR, "rotary": True}},
        "near_far_transformer, 6 blocks": {"model": {**NEAR_FAR, "rotary": True, "blocks": 6}},
        "near_far_transformer, width 96": {"model": {**NEAR_FAR, "rotary": True, "width": 96}},
        "physgto": {"model": PHYSGTO},
    },
    "training": {
        "plain": {},
        "no noise": {"noise": 0.0},
        "three times the noise": NOISY,
        "half the time step": {"task": {"dt": 0.02}},
        "curriculum to 4 steps": {"unroll": {0.0: 1, 0.5: 2, 0.75: 4}},
        "push-forward, 2 steps": PUSHED,
        "relative L2, curriculum": {
            "unroll": {0.0: 1, 0.5: 2, 0.75: 4}, "training": {"loss": "relative_l2"}
        },
        "pre-training, a tenth": {"pretraining": 0.1},
        "bfloat16": {"training": {"bfloat16": True}},
        "batches of 4": {"training": {"batch_size": 4}},
    },
    "tuned": {
        f"{model['name']}, {way}": {"model": model, **changes}
        for model in (MESHGRAPHNET, {**NEAR_FAR, "rotary": True})
        for way, changes in {
            "plain": {},
            "noise": NOISY,
            "push-forward": PUSHED,
            "noise, push-forward": {**NOISY, **PUSHED},
            "noise, curriculum": {**NOISY, "unroll": {0.0: 1, 0.5: 2, 0.75: 4}},
            "noise, mirror": {**NOISY, **MIRRORED},
            "noise, push-forward, mirror": {
                **NOISY, **PUSHED, "training": PUSHED["training"] | MIRRORED["training"]
            },
            "noise, push-forward, twice the time step": {
                **NOISY, **PUSHED, "task": {"dt": 0.08}
            },
        }.items()
    },
}  # fmt: skip
"""Per row, what differs from the case file, of which noise and unroll are set aside.

noise: in that of the family; unroll, one step where a row doesn't say, and pretraining: in shares
of the steps.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--seconds", type=float, default=600, help="CPU-seconds of each training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rows", nargs="+", help="some rows of the study instead of all")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = make_data(options.family, options.output / "data" / options.family)
    results = []
    for row in options.rows or STUDIES[options.study]:
        for seed in options.seeds:
            name = f"{options.family}-{options.study}-{row}-{options.seconds:g}s-{seed}"
            path = options.output / f"{name.replace(' ', '_').replace(',', '')}.json"
            if not path.exists():
                case = changed_case(options.family, STUDIES[options.study][row], seed)
                found = measure(options.family, case, data, options.seconds)
                path.write_text(json.dumps({"row": row, "seed": seed, **found}, indent=1))
            results.append(json.loads(path.read_text()))
            Console(width=150).print(table(results))


def changed_case(family: str, changes: Settings, seed: int) -> Settings:
    """The tables of the family's case file with a row's changes, one case a step without them."""
    told = FAMILIES[family]
    tables = copy.deepcopy(tomllib.loads(find_case(family).read_text()))
    noise = changes.get("noise", 1.0) * told.noise
    plain = {"seed": seed, "noise": noise, "batch_size": 1}
    tables["training"] |= plain | changes.get("training", {})
    tables["task"] |= changes.get("task", {})
    others = {"unroll": {0.0: 1}} | changes
    return tables | {n: others[n] for n in ("unroll", "pretraining", "model") if n in others}


def measure(
    family: str, tables: Settings, data: Mapping[str, Mapping[str, Trajectory]], seconds: float
) -> Settings:
    """Train for `seconds` CPU-seconds, then score over all test cases."""
    training = dict(data["train"])
    case = with_steps(tables, training, seconds)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as run:
        simulator = train(case, training, Path(run))
    spent = time.process_time() - began
    began = time.process_time()
    rows = [score_case(family, simulator, test) for test in data["test"].values()]
    keys = dict.fromkeys(key for row in rows for key in row)
    scores = {key: [row.get(key, np.nan) for row in rows] for key in keys}
    first = next(iter(data["test"].values()))
    return {
        "steps": case.training.steps,
        "training_cpu_seconds": spent,
        "scoring_cpu_seconds": time.process_time() - began,
        "parameters": sum(weight.numel() for weight in simulator.model.parameters()),
        "scores": scores,
        "long": long_run(family, simulator, first),
    }


def with_steps(tables: Settings, training: dict[str, Trajectory], seconds: float) -> Case:
    """The case whose training takes `seconds`, from the time that a few of its steps take."""
    tables = dict(tables)
    shares = tables.pop("unroll")
    pretraining = tables.pop("pretraining", 0.0)

    def case_of(steps: int, unroll: Mapping[int, int]) -> Case:
        settings = {
            **tables["training"], "steps": steps, "unroll": unroll,
            "validate_every": steps, "pretraining_steps": round(pretraining * steps),
        }  # fmt: skip
        if max(unroll.values()) == 1:
            settings.pop("push_forward", None)
        return Case.model_validate({**tables, "training": settings})

    ends = [*list(shares)[1:], 1.0]
    costs = [step_seconds(case_of(10**6, {0: k}), training) for k in shares.values()]
    per_step = sum((b - a) * c for a, b, c in zip(shares, ends, costs, strict=True))
    steps = max(round(seconds / per_step), 10)
    return case_of(steps, {round(share * steps): k for share, k in shares.items()})


def step_seconds(case: Case, training: dict[str, Trajectory], repeats: int = 20) -> float:
    """CPU-seconds of one optimiser step, reading included; the mean over drawn cases."""
    task = case.task()
    dimension = next(iter(training.values())).mesh.dimension
    simulator = Simulator(task, dimension, case.model_name, case.model_options)
    some = dict(list(training.items())[:5])
    samples = Samples(some, task, simulator.build_graph, max(case.training.unroll.values()))
    fit_normalizers(simulator, samples)
    run = Run(simulator, case.training, Path())
    for _ in range(3):
        run.advance(samples)
    began = time.process_time()
    for _ in range(repeats):
        run.advance(samples)
    return (time.process_time() - began) / repeats


def score_case(family: str, simulator: Simulator, reference: Trajectory) -> dict[str, float]:
    """Numbers of a free rollout over the whole of a test case, NaN for what it has not."""
    told = FAMILIES[family]
    stride = reference.stride(simulator.task.dt)
    steps = (reference.num_times - 1) // stride
    names = [target.name for target in simulator.task.targets]
    try:
        prediction = rollout(simulator, reference, steps, prescribed=reference)
    except PhysgtError:  # diverged
        return {"relative_l2": np.inf, "valid_time": 0.0}
    scores = score(prediction, reference).sel(field=names)
    errors = scores["relative_l2"].mean("field")
    found = {
        "relative_l2": float(errors.sel(forecast="prediction").mean()),
        "one_step": float(errors.sel(forecast="prediction")[0]),
        "persistence": float(errors.sel(forecast="persistence").mean()),
        "valid_time": float(valid_time(scores).sel(forecast="prediction").min()),
    }
    if told.aligned:
        aligned = phase_aligned(prediction, reference, told.aligned, told.half_period)
        found["aligned"] = float(aligned["relative_l2"].mean())
        found["shift"] = float(aligned["shift"][-1])
    for name, settings in told.quantities.items():
        ours, theirs = (history(t, {name: settings}) for t in (prediction, reference))
        mean, swing = list(ours.data_vars)[:2]
        found["mean_error"] = float(ours[mean][1:].mean() / theirs[mean][1:].mean() - 1)
        rates = [oscillation(h["time"].values, h[swing].values).frequency for h in (ours, theirs)]
        found["frequency_error"] = rates[0] / rates[1] - 1
    return found


def long_run(family: str, simulator: Simulator, reference: Trajectory) -> dict[str, float]:
    """Ten times the horizon of a shedding flow: largest value and swing of its last tenth, over
    those of the reference."""
    told = FAMILIES[family]
    if not told.aligned:
        return {}
    steps = LONG * ((reference.num_times - 1) // reference.stride(simulator.task.dt))
    try:
        prediction = rollout(simulator, reference.initial(), steps)
    except PhysgtError:
        return {"largest": np.inf, "swing": np.nan}
    (settings,) = told.quantities.items()
    ours, theirs = (history(t, dict([settings])) for t in (prediction, reference))
    swing = list(ours.data_vars)[1]
    last = ours[swing][-len(ours[swing]) // LONG :]
    largest = [float(np.abs(t.fields[told.aligned]).max()) for t in (prediction, reference)]
    return {
        "largest": largest[0] / largest[1],
        "swing": float(np.ptp(last.values) / np.ptp(theirs[swing].values)),
    }


def table(results: list[Settings]) -> Table:
    """A line a row and seed: medians over the test cases."""
    found = Table(
        "row", "seed", "steps", "CPU-s", "weights", "one step", "rollout", "persistence",
        "valid, s", "aligned", "drift, ms", "mean force", "frequency", "10x: largest, swing",
    )  # fmt: skip
    for result in results:
        scores = result["scores"]

        def middle(key: str, form: str, scores: Settings = scores, scale: float = 1.0) -> str:
            values = np.abs(np.array(scores.get(key, [np.nan]), dtype=float)) * scale
            return format(float(np.median(values)), form)

        long = result["long"]
        found.add_row(
            result["row"], str(result["seed"]), str(result["steps"]),
            f"{result['training_cpu_seconds']:.0f}", f"{result['parameters']:,}",
            middle("one_step", ".4f"), middle("relative_l2", ".3f"), middle("persistence", ".3f"),
            middle("valid_time", ".2f"), middle("aligned", ".3f"),
            middle("shift", ".0f", scale=1e3), middle("mean_error", ".1%"),
            middle("frequency_error", ".1%"),
            f"{long['largest']:.2f}, {long['swing']:.2f}" if long else "",
        )  # fmt: skip
    return found


if __name__ == "__main__":
    main()
