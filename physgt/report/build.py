"""The report as a whole: what is computed, in which order, and where it goes on the page."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from physgt.errors import PhysgtError
from physgt.provenance import session_of, summary_of
from physgt.quantities.settings import Settings
from physgt.report import data_tables, tables
from physgt.report.figures import errors_over_time, quantities_and_spectra, training_curves
from physgt.report.listing import figure
from physgt.report.page import render_page, write_page
from physgt.report.pictures import Film, film, worst_moment
from physgt.report.run_folder import RunFolder
from physgt.report.trials import Progress, Trial, run_trials, typical, worst
from physgt.trajectory import Trajectory
from physgt.viz.off_screen import prepare_off_screen_rendering
from physgt.viz.svg import inline_svg, page_style

NUM_WORST = 3
CONTROLS_HEIGHT = 90
"""Pixels below a film, for the controls that browsers lay over its lower rim."""


def write_report(
    run: RunFolder,
    references: Mapping[str, Trajectory],
    output: Path,
    *,
    settings: Settings | None = None,
    steps: int | None = None,
    threshold: float = 0.2,
    progress: Progress | None = None,
) -> None:
    """Roll out the test cases `references`, by their files, and write the page to `output`.

    settings: quantities; those of the run's case without it. steps: see run_trials. threshold: of
    the valid time. Raises PhysgtError where a reference doesn't fit the model's task.
    """
    quantities = run.case.get("outputs", {}) if settings is None else settings
    with tempfile.TemporaryDirectory() as folder:
        trials = run_trials(
            run.simulator, references, quantities, Path(folder), steps=steps, progress=progress
        )
        if all(trial.assessment is None for trial in trials):
            raise PhysgtError(
                f"{run.checkpoint}: every rollout diverged in its first step, so that there is "
                f"nothing to report; the first says: {trials[0].diverged}"
            )
        write_page(output, render_page(_content(run, references, trials, threshold)))


SECTIONS = {
    "errors": "Errors", "cases": "Cases", "films": "Films", "worst": "Worst cases",
    "quantities": "Quantities and spectra", "training": "Training", "data": "Data",
    "case": "Case", "provenance": "Provenance",
}  # fmt: skip


def _content(
    run: RunFolder, references: Mapping[str, Trajectory], trials: Sequence[Trial], threshold: float
) -> dict[str, Any]:
    """What the template names."""
    sets = {**run.record["data"], "test": summary_of(references)}
    middle, bad = typical(trials), worst(trials, NUM_WORST)
    no_pictures = _why_nothing_can_be_drawn(trials[0])
    with page_style():
        return {
            "name": run.case["name"],
            "sections": SECTIONS.items(),
            "lead": _lead(run, trials),
            "cards": [*tables.cards(trials), *data_tables.cards(run, trials)],
            "errors": inline_svg(
                errors_over_time(trials, run.simulator.task.dt), "errors",
                "Relative L2 error of each field over time, for each case and in the mean",
            ),
            "accuracy": tables.accuracy(trials, threshold),
            "aligned": tables.aligned(trials),
            "cases": tables.of_cases(trials, sets["training"]),
            "controls_height": CONTROLS_HEIGHT,
            "no_pictures": no_pictures,
            "films": [] if no_pictures else _films(middle, bad),
            "worst": [] if no_pictures else [(trial, worst_moment(trial)) for trial in bad],
            "quantities": tables.quantities(trials),
            "histories": _histories(middle, bad),
            "curves": _curves(run),
            "data": data_tables.sizes(sets),
            "numbers": data_tables.numbers(sets),
            "ranges": data_tables.field_ranges(run),
            "case_text": run.record["case_file"] or json.dumps(run.case, indent=2),
            "provenance": data_tables.provenance(run, session_of(run.simulator.device)),
            "rollout_command": partial(_rollout_command, run.checkpoint),
        }  # fmt: skip


def _lead(run: RunFolder, trials: Sequence[Trial]) -> str:
    longest = max(trial.num_steps for trial in trials)
    seconds = figure(longest * run.simulator.task.dt)
    told = (
        f"{run.simulator.model_name} on {len(trials)} test cases, each rolled out freely from its "
        f"first state over up to {longest} steps, {seconds} s."
    )
    diverged = sum(bool(trial.diverged) for trial in trials)
    if diverged:
        told += f" {diverged} of them diverged."
    for name, summary in run.record["data"].items():
        known = {Path(case).resolve() for case in summary["cases"]}
        seen = sum(Path(trial.file).resolve() in known for trial in trials)
        if seen:
            told += f" {seen} of them served for {name}: they say little of new cases."
    if run.started_from:
        told += " It learned on from another model, whose cases this page doesn't know."
    return told


def _rollout_command(model: Path, trial: Trial) -> str:
    """What shows a case whole; its file's own name stays the reference's."""
    output = f"{Path(trial.file).stem}-prediction.vtkhdf"
    words = ["physgt", "rollout", str(model), trial.file, "--prescribed", trial.file]
    return shlex.join([*words, "--steps", str(trial.num_steps), "-o", output])


def _curves(run: RunFolder) -> str:
    """Empty where the folder holds none."""
    if not run.curves:
        return ""
    return inline_svg(training_curves(run.curves), "training", "Curves of the training")


def _why_nothing_can_be_drawn(trial: Trial) -> str:
    """Empty where all is well; meshes in three dimensions need OpenGL."""
    try:
        if trial.reference.mesh.dimension == 3:
            prepare_off_screen_rendering()
    except PhysgtError as error:
        return str(error)
    return ""


def _chosen(middle: Trial | None, bad: Sequence[Trial]) -> list[tuple[str, Trial]]:
    """The case in the middle, and the worst where it is another."""
    found = [] if middle is None else [("typical", middle)]
    return found + [("worst", trial) for trial in bad[:1] if trial is not middle]


def _histories(middle: Trial | None, bad: Sequence[Trial]) -> list[dict[str, Any]]:
    found = []
    for kind, trial in _chosen(middle, bad):
        if trial.shown.histories is not None:
            drawn = quantities_and_spectra(*trial.shown.histories)
            title = f"Quantities of {trial.name} over time, and their spectra"
            svg = inline_svg(drawn, f"histories-{kind}", title)
            found.append({"kind": kind, "trial": trial, "svg": svg})
    return found


def _films(middle: Trial | None, bad: Sequence[Trial]) -> list[tuple[str, Trial, list[Film]]]:
    """Of the case in the middle all fields, of the worst one the first."""
    found = []
    for kind, trial in _chosen(middle, bad):
        names = trial.scores["field"].values.tolist()
        shown = names if kind == "typical" else names[:1]
        found.append((kind, trial, [film(trial, name) for name in shown]))
    return found
