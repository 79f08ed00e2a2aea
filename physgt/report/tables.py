"""What the trials of a model come to, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from physgt.quantities import stated_numbers
from physgt.report.listing import Card, Listing, field_name, figure, per_cent, span
from physgt.report.trials import Trial
from physgt.rollout import compare_histories, over_all_times, relative_differences, valid_time

FORECASTS = {
    "prediction": "this model",
    "persistence": "nothing changes",
    "dynamic_modes": "dynamic modes",
}
SHOWN_STEPS = (1, 10, 50)
MOST_NUMBERS = 6
"""Numbers of a case that are listed beside its errors."""


def all_scores(trials: Sequence[Trial]) -> xr.Dataset:
    """The scores of all trials over (case, forecast, field, step); NaN where one has none."""
    scored = [trial for trial in trials if trial.assessment is not None]
    by_step = [trial.scores.swap_dims(time="step").drop_vars("time") for trial in scored]
    found = xr.concat(
        by_step,
        xr.DataArray([trial.name for trial in scored], dims="case", name="case"),
        join="outer",
        combine_attrs="drop",
        coords="minimal",
        compat="override",
    )
    # Where some have no dynamic modes the outer join sorts by name.
    return found.sel(forecast=[name for name in FORECASTS if name in found["forecast"].values])


def cards(trials: Sequence[Trial]) -> list[Card]:
    """Of each field the mean error beside that of nothing changes; how many rollouts diverged.

    One that diverged isn't better, however good it was before.
    """
    errors = all_scores(trials)["relative_l2"].mean("step")
    ended = [trial.name for trial in trials if not trial.diverged]
    found = []
    for field in errors["field"].values.tolist():
        ours, still = (
            errors.sel(field=field, forecast=forecast) for forecast in ("prediction", "persistence")
        )
        better = int((ours < still).sel(case=ended).sum())
        lost = len(trials) - errors.sizes["case"]
        compared = int((ours.notnull() & still.notnull()).sum()) + lost
        note = (
            f"nothing changes: {figure(float(still.mean()))}; "
            f"better in {better} of {compared} cases"
        )
        found.append(Card(f"relative L2 of {field_name(field)}", figure(float(ours.mean())), note))
    diverged = sum(bool(trial.diverged) for trial in trials)
    if diverged:
        note = "scores are of what came before" + _left_out(trials)
        found.append(Card("rollouts that diverged", f"{diverged} of {len(trials)}", note))
    return found


def _left_out(trials: Sequence[Trial]) -> str:
    """Empty where every trial has scores."""
    lost = sum(trial.assessment is None for trial in trials)
    return f"; {lost} diverged in the first step: no scores, and in no mean" if lost else ""


def accuracy(trials: Sequence[Trial], threshold: float) -> Listing:
    """Means over the cases: relative L2 at some steps and over all, and the other metrics."""
    scores = all_scores(trials)
    at_steps = [step for step in SHOWN_STEPS if step in scores["step"].values]
    # As each case has its own mean: one that is longer, or didn't diverge, counts no more.
    over_steps = scores.mean("step").mean("case")
    valid = _valid_times(trials, threshold)
    scored = next(trial for trial in trials if trial.assessment is not None)
    together = over_all_times(scores.rename(step="time")).mean("case")
    rows = []
    for field in scores["field"].values.tolist():
        for forecast in scores["forecast"].values.tolist():
            chosen = {"field": field, "forecast": forecast}
            errors = scores["relative_l2"].sel(chosen)
            means = over_steps.sel(chosen)
            unit = f" {scored.shown.reference.fields[field].attrs['units']}".rstrip()
            rows.append(
                [
                    field_name(field),
                    FORECASTS[forecast],
                    *(figure(float(errors.sel(step=step).mean())) for step in at_steps),
                    figure(float(means["relative_l2"])),
                    figure(float(together.sel(chosen))),
                    figure(float(means["weighted_l2"])),
                    figure(float(means["rmse"])) + unit,
                    figure(float(means["largest_error"])) + unit,
                    figure(float(means["correlation"])),
                    valid.get((field, forecast), "–"),
                ]
            )
    heads = [
        "field", "forecast", *(f"relative L2, step {step}" for step in at_steps),
        "mean of all steps",
        "over all steps at once", "by volume", "RMSE", "largest error", "correlation",
        f"below {threshold:g} for (median)",
    ]  # fmt: skip
    note = (
        "Nothing changes: the first state stays. Dynamic modes: a linear model fitted to the first "
        "half of the very reference and scored in its second, so that it has seen the case, which "
        "this model has not. Means are over the steps of each case, then over cases. At once: the "
        "error's norm over all nodes and steps of a case by the reference's, which steps at which "
        "hardly anything has happened yet don't rule."
    )
    caption = f"Errors, means over {scores.sizes['case']} cases{_left_out(trials)}"
    return Listing(caption, heads, rows, 2, note)


def _valid_times(trials: Sequence[Trial], threshold: float) -> dict[tuple[str, str], str]:
    """By (field, forecast) the median of the valid times, of two in the middle the lower one.

    A rollout that diverged is valid until then at most; in its first step, not at all.
    """
    found: dict[tuple[str, str], list[float]] = {}
    lengths = []
    for trial in trials:
        if trial.assessment is None:
            continue
        length = float(trial.scores["time"][-1]) - trial.scores.attrs["start"]
        lengths.append(length)
        valid = valid_time(trial.scores, threshold)
        for field in valid["field"].values.tolist():
            for forecast in valid["forecast"].values.tolist():
                seconds = float(valid.sel(field=field, forecast=forecast))
                if trial.diverged and forecast == "prediction":
                    seconds = min(seconds, length)
                if not np.isnan(seconds):
                    found.setdefault((field, forecast), []).append(seconds)
    lost = [0.0] * sum(trial.assessment is None for trial in trials)
    told = {}
    for (field, forecast), known in found.items():
        ordered = sorted(known + lost if forecast == "prediction" else known)
        median = ordered[(len(ordered) - 1) // 2]
        reach = f"all {span(min(lengths), max(lengths))}" if np.isinf(median) else figure(median)
        told[field, forecast] = f"{reach} s"
    return told


def of_cases(trials: Sequence[Trial], training: Mapping[str, Any]) -> Listing:
    """A row a case, the worst first, with the numbers by which the cases differ.

    training: the summary of the training data, see physgt.provenance.
    """
    numbers = [stated_numbers(trial.reference) for trial in trials]
    shared = [n for n in numbers[0] if n not in ("seed", "dt") and all(n in m for m in numbers)]
    differing = [name for name in shared if len({m[name] for m in numbers}) > 1][:MOST_NUMBERS]
    known = training.get("numbers", {})
    fields = next(t for t in trials if t.assessment is not None).scores["field"].values.tolist()
    rows = []
    for trial, stated in reversed(list(zip(trials, numbers, strict=True))):
        errors = ["–"] * (2 * len(fields))
        if trial.assessment is not None:
            means = trial.scores["relative_l2"].mean("time")
            errors = [
                figure(float(means.sel(field=field, forecast=forecast)))
                for field in fields
                for forecast in ("prediction", "persistence")
            ]
        end = f"{trial.num_steps} steps"
        if trial.diverged:
            end = f"{trial.num_finite} of {end}: diverged"
        told = [_beside_training(stated[name], known.get(name)) for name in differing]
        rows.append([trial.name, str(trial.reference.mesh.num_points), *errors, end, *told])
    heads = ["case", "nodes"]
    heads += [
        f"{field_name(field)}, {f}" for field in fields for f in ("this model", "nothing changes")
    ]
    heads += ["rolled out", *differing]
    note = "Relative L2, means over all steps."
    if any("*" in cell for row in rows for cell in row[-len(differing) :] if differing):
        note += " * outside of the range of the training data."
    lost = next((trial for trial in trials if trial.assessment is None), None)
    if lost is not None:
        note += f" What diverged in its first step has none; {lost.name}: {lost.diverged}"
    return Listing("Each case, the worst first", heads, rows, 1, note)


def _beside_training(value: float, known: Sequence[float] | None) -> str:
    outside = known is not None and not known[0] <= value <= known[1]
    return figure(value, 4) + (" *" if outside else "")


def quantities(trials: Sequence[Trial]) -> Listing | None:
    """A row a quantity and number: the reference's, this model's, and how far they are apart."""
    compared = [
        compare_histories(*t.assessment.histories)
        for t in trials
        if t.assessment is not None and t.assessment.histories is not None
    ]
    if not compared:
        return None
    found = xr.concat(compared, "case")
    rows = []
    for name in found["quantity"].values.tolist():
        rows += [[name, *cells] for cells in _of_quantity(found.sel(quantity=name))]
    heads = ["quantity", "", "reference", "this model", "error, mean", "error, worst case"]
    note = (
        "Means over the cases; errors are means of the cases' own, in per cent of the reference "
        "where that isn't as good as 0. Amplitude: half of peak to peak. Drift: from the mean of "
        "the first tenth to that of the last. Phase: by how much this model is ahead or behind."
    )
    return Listing("Quantities", heads, rows, 2, note)


NAMES = {"mean": "mean", "amplitude": "amplitude", "frequency": "frequency in Hz",
         "strouhal": "Strouhal number", "change": "drift"}  # fmt: skip


def _of_quantity(found: xr.Dataset) -> list[list[str]]:
    """Of compare_histories over (case, forecast): the cells after the quantity's name."""
    ours, theirs = found.sel(forecast="prediction"), found.sel(forecast="reference")
    shares = abs(relative_differences(found))
    rows = []
    for number, name in NAMES.items():
        told = theirs[number].notnull()
        if number in ("frequency", "strouhal"):
            told &= theirs["frequency"] > 0
        if told.any():
            means = (figure(float(side[number].where(told).mean())) for side in (theirs, ours))
            errors = (per_cent(float(e)) for e in (shares[number].mean(), shares[number].max()))
            rows.append([name, *means, *errors])
    phase = abs(found["phase_error"])
    if phase.notnull().any():
        rows.append(["phase at the end", "", "", f"{phase.mean():.0f}°", f"{phase.max():.0f}°"])
    return rows


def aligned(trials: Sequence[Trial]) -> Listing | None:
    """Errors to the closest state of the reference, and how far that is apart in time."""
    found = [t for t in trials if t.assessment is not None and t.assessment.aligned]
    if not found:
        return None
    rows = []
    for field in found[0].scores["field"].values.tolist():
        plain, near, shift = [], [], []
        for trial in found:
            data = trial.shown.aligned[field]
            errors = trial.scores["relative_l2"].sel(field=field, forecast="prediction")
            plain.append(float(errors.mean()))
            near.append(float(data["relative_l2"][1:].mean()))
            shift.append(abs(float(data["shift"][-1])))
        means = figure(float(np.mean(plain))), figure(float(np.mean(near)))
        rows.append([field_name(field), *means, f"{figure(float(np.mean(shift)))} s"])
    heads = ["field", "relative L2", "to the closest state", "time apart at the end"]
    note = (
        "A flow that sheds a little too fast is soon in error, though each of its states is one of "
        "the flow's: so here is the error to the closest state within half a period as well."
    )
    return Listing("Errors but for the phase", heads, rows, 1, note)
