"""Make a pretrained model from nothing: data, training, scores, speed, card.

    python -m physgt.pretrained.make cylinder WORK

leaves WORK/cylinder.physgt, its card cylinder.md and its record cylinder.json. What was done
already in WORK is not done again: a run that was stopped goes on.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from physgt.case import Case, TrainingSettings, find_case, read_case
from physgt.datasets import open_trajectory
from physgt.datasets.generate import generate
from physgt.errors import PhysgtError
from physgt.files import write_text
from physgt.pretrained.card import render_card
from physgt.pretrained.recipes import RECIPES, Recipe
from physgt.pretrained.scores import score_cases
from physgt.pretrained.speed import compare_costs
from physgt.progress import progress_bar
from physgt.provenance import read_record
from physgt.simulator import Simulator
from physgt.tensor_files import read_safetensors
from physgt.training import STATE_FILE, Report, train
from physgt.trajectory import Trajectory

app = App(name="physgt.pretrained.make", help="Make a pretrained model from nothing.")
Cases = dict[str, Trajectory]


@app.default
def make(
    name: str,
    work: Path,
    /,
    *,
    data: Path | None = None,
    run: Path | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    workers: int | None = None,
) -> None:
    """Make the pretrained model NAME.

    Parameters
    ----------
    name
        The model: cylinder, heat or hyperelastic.
    work
        The folder for data, training and predictions.
    data
        A folder with train, validation and test as this command makes them; WORK/data without it.
    run
        The folder of the first training, done or to go on with; WORK/run without it.
    output
        The folder for NAME.physgt, NAME.md and NAME.json, physgt/pretrained to ship them; WORK
        without it.
    workers
        Cases simulated at a time; as many as there are cores without it.
    """
    if name not in RECIPES:
        raise PhysgtError(f"no recipe '{name}'; the recipes are {', '.join(RECIPES)}.")
    recipe, case = RECIPES[name], read_case(find_case(name))
    parts = make_data(name, recipe, data or work / "data", workers)
    folder = run or work / "run"
    cases = parts["train"]
    simulator = train_model(case, cases, parts["validation"], folder)
    trainings = [_training(case, folder)]
    if recipe.refinement:
        case, folder = refined(case, recipe), work / "refinement"
        cases = cases | parts.get("refinement", {})
        simulator = train_model(case, cases, parts["validation"], folder, simulator)
        trainings.append(_training(case, folder) | {"changed": dict(recipe.refinement)})
    tests = parts["test"]
    with progress_bar("scoring") as update:
        scores = score_cases(simulator, recipe, case.outputs, tests, work / "test", update)
    costs = compare_costs(simulator, recipe, recipe.family(name), list(tests.values()))
    record = {
        "name": name,
        "what": recipe.what,
        "limits": list(recipe.limits),
        "data": _data(name, recipe, parts),
        "model": _model(simulator),
        "trainings": trainings,
        "scores": scores,
        "costs": costs,
        "measured_on": _machine(read_record(folder)["sessions"][-1]),
    }
    output = output or work
    output.mkdir(parents=True, exist_ok=True)
    simulator.save(output / f"{name}.physgt")
    write_text(output / f"{name}.json", json.dumps(record, indent=1) + "\n")
    write_text(output / f"{name}.md", render_card(record))
    print(f"wrote {name}.physgt, {name}.json and {name}.md to {output}")


def make_data(name: str, recipe: Recipe, folder: Path, workers: int | None) -> dict[str, Cases]:
    """The cases for train, validation and test, by the paths of their files."""
    parts = {}
    for part, seeds in recipe.seeds.items():
        with progress_bar(part) as update:
            paths = generate(
                name,
                folder / part,
                range(*seeds),
                workers=workers or os.cpu_count() or 1,
                progress=update,
                **recipe.parameters,
            )
        parts[part] = {str(path): open_trajectory(path) for path in paths}
    return parts


def refined(case: Case, recipe: Recipe) -> Case:
    """The case of the second training."""
    settings = case.training.model_dump() | dict(recipe.refinement)
    return case.model_copy(update={"training": TrainingSettings.model_validate(settings)})


def train_model(
    case: Case, cases: Cases, validation: Cases, folder: Path, start: Simulator | None = None
) -> Simulator:
    """The best simulator of the run in `folder`, which goes on where it isn't done.

    Raises PhysgtError where that has learned from other data or by another case.
    """
    with progress_bar("training") as update:

        def report(result: Report) -> None:
            update(result.step, result.num_steps, f"loss {result.loss:.3g}")

        going_on = (folder / STATE_FILE).exists()
        return train(
            case,
            cases,
            folder,
            validation=validation,
            start=None if going_on else start,
            resume=going_on,
            report=report,
        )


def _data(name: str, recipe: Recipe, parts: Mapping[str, Cases]) -> dict[str, Any]:
    """Where the data come from and what they span: all that the model has ever seen."""
    seen = [case for part in parts if part != "test" for case in parts[part].values()]
    nodes = [case.mesh.num_points for case in seen]
    return {
        "parameters": asdict(recipe.family(name)),
        "changed": dict(recipe.parameters),
        "seeds": dict(recipe.seeds),
        "nodes": [min(nodes), max(nodes)],
        "solver": seen[0].attributes["solver"],
    }


def _model(simulator: Simulator) -> dict[str, Any]:
    return {
        "name": simulator.model_name,
        "options": simulator.model_options,
        "parameters": sum(weights.numel() for weights in simulator.parameters()),
        "task": simulator.task.to_dict(),
    }


def _training(case: Case, folder: Path) -> dict[str, Any]:
    """cpu_seconds: of all sessions; those that were killed left no time."""
    record = read_record(folder)
    sessions = record["sessions"]
    state, _ = read_safetensors(folder / STATE_FILE, "training")
    return {
        "steps": state["step"],
        "planned_steps": case.training.steps,
        "cases": len(record["data"]["training"]["cases"]),
        "cpu_seconds": sum(session.get("cpu_seconds", 0.0) for session in sessions),
        "sessions_without_time": sum("cpu_seconds" not in session for session in sessions),
        "machine": _machine(sessions[0]),
    }


def _machine(session: Mapping[str, Any]) -> dict[str, Any]:
    """What others may know of it: no paths, which are in the command."""
    return {key: session[key] for key in ("device", "cores", "threads", "versions")}


if __name__ == "__main__":
    try:
        app()
    except PhysgtError as error:
        sys.exit(f"physgt.pretrained.make: {error}")
