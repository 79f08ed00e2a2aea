"""What a model was made of and tested on, and where it comes from, as tables."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from physgt.fields import component_suffix
from physgt.report.listing import Card, Listing, duration, figure, span
from physgt.report.run_folder import RunFolder
from physgt.report.trials import Trial
from physgt.rollout.restart import fingerprint

Sets = Mapping[str, Mapping[str, Any]]
"""Summaries of data sets by name, the training's first: see physgt.provenance.summary_of."""

SIZES = ("nodes", "cells", "times", "seconds")
NOT_OF_THE_CASE = ("seed", "dt")


def sizes(sets: Sets) -> Listing:
    """How many cases there are, and how large."""
    rows = [
        [
            name,
            str(len(summary["cases"])),
            *(span(*summary[key]) if key in summary else "–" for key in SIZES),
        ]
        for name, summary in sets.items()
    ]
    return Listing("Cases and their sizes", ["set", "cases", *SIZES], rows)


def numbers(sets: Sets) -> Listing | None:
    """From where to where the numbers reach by which the training cases differ."""
    stated = [summary.get("numbers", {}) for summary in sets.values()]
    names = [n for n, (low, high) in stated[0].items() if n not in NOT_OF_THE_CASE and low < high]
    if not names:
        return None
    rows = [[n, *(span(*known[n]) if n in known else "–" for known in stated)] for n in names]
    return Listing("What differs from case to case", ["number", *sets], rows)


def field_ranges(run: RunFolder) -> Listing:
    """Mean, spread and range of each component of the targets over the training data.

    What starts from a trained model keeps its scales: they are of the data of that one.
    """
    simulator = run.simulator
    scales, rows = simulator.state, []
    for target in simulator.task.targets:
        for column in range(target.components):
            at = simulator.task.columns(target.name).start + column
            values = (scales.mean, scales.std, scales.lowest, scales.highest)
            rows.append(
                [
                    target.name + component_suffix(target, column),
                    target.units or "–",
                    *(figure(float(v[at]), 4) for v in values),
                ]
            )
    heads = ["field", "units", "mean", "standard deviation", "lowest", "highest"]
    whose = " of the model it started from" if run.started_from else ""
    return Listing(f"Fields in the training data{whose}", heads, rows)


def cards(run: RunFolder, trials: Sequence[Trial]) -> list[Card]:
    """What a step and the training cost."""
    steps = sum(trial.num_steps for trial in trials if not trial.diverged)
    seconds = sum(trial.seconds for trial in trials if not trial.diverged)
    found = []
    if steps:
        value = f"{figure(1000 * seconds / steps)} ms"
        found.append(
            Card("a step of the rollout", value, "of the processor, start and writing included")
        )
    sessions = run.record["sessions"]
    total = sum(session.get("seconds", 0.0) for session in sessions)
    asked = run.case["training"]["steps"]
    done = str(asked) if run.num_steps == asked else f"{run.num_steps} of {asked}"
    note = f"{done} optimiser steps"
    if run.started_from:
        note += ", on from a trained model"
    killed = sum("seconds" not in session for session in sessions)
    if killed:
        note += f"; without the time of {killed} of {len(sessions)} sessions, which didn't end"
    return [*found, Card("training", duration(total), note)]


def provenance(run: RunFolder, now: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and texts: the model, its training, and this report, made in the session `now`."""
    simulator, case = run.simulator, run.case
    options = ", ".join(f"{k} = {v}" for k, v in simulator.model_options.items())
    parameters = sum(p.numel() for p in simulator.parameters())
    sessions = run.record["sessions"]
    cpu = sum(session.get("cpu_seconds", 0.0) for session in sessions)
    found = [
        ("Model", f"{simulator.model_name}{', ' if options else ''}{options}"),
        ("Parameters", f"{parameters:,}".replace(",", "\u202f")),
        ("Time step", f"{simulator.task.dt:g} s"),
        ("Checkpoint", f"{run.checkpoint.name}, SHA-256 {run.fingerprint}"),
        ("Weights", fingerprint(simulator)),
        *([("Started from the weights", run.started_from)] if run.started_from else []),
        ("Seed", str(case["training"]["seed"])),
        ("CPU time of the training", duration(cpu)),
    ]
    for number, session in enumerate(sessions, start=1):
        of_all = f" {number} of {len(sessions)}" if len(sessions) > 1 else ""
        ended = session.get("ended", "not ended: killed, or still running")
        found.append((f"Training{of_all}", f"{session['started']} to {ended}"))
        found += _machine(session)
    return [*found, ("This report", str(now["started"])), *_machine(now)]


def _machine(session: Mapping[str, Any]) -> list[tuple[str, str]]:
    path, *words = session["command"]
    program = "physgt" if Path(path).parent.name == "physgt" else Path(path).stem
    threads = f"threads: {session['threads']}, cores: {session['cores']}"
    return [
        ("Command", shlex.join([program, *words])),
        ("Machine", f"{session['device']}, {threads}; {session['system']}"),
        ("Versions", ", ".join(f"{name} {v}" for name, v in session["versions"].items())),
    ]
