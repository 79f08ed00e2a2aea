"""How good a model is on cases that it has never seen: the figures of its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from physgt.errors import DivergedError
from physgt.pretrained.recipes import Recipe
from physgt.quantities import history, stated_numbers
from physgt.quantities.settings import Settings
from physgt.rollout import (
    compare_histories,
    oscillation,
    over_all_times,
    phase_aligned,
    rollout,
    valid_time,
)
from physgt.rollout.assessment import assess
from physgt.simulator import Simulator
from physgt.trajectory import Trajectory

VALID_BELOW = 0.2
"""The relative L2 error up to which a forecast counts as valid, that of physgt score."""
LONGER = 10
"""How many times longer than the test cases the long rollouts of a periodic flow are."""


def score_cases(
    simulator: Simulator,
    recipe: Recipe,
    settings: Settings,
    tests: Mapping[str, Trajectory],
    folder: Path,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    """Free rollouts of the test cases, by the paths of their files, scored as physgt score does.

    settings: the quantities to judge by. `folder` gets the predictions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scores, compared, periodic = [], [], []
    for number, (path, case) in enumerate(tests.items()):
        progress(number, len(tests))
        num_steps = case.num_steps // case.stride(simulator.task.dt)
        output = folder / Path(path).name
        prediction = rollout(simulator, case, num_steps, output=output, prescribed=case)
        assessed = assess(prediction, case, on=recipe.scored_on, settings=settings)
        scores.append(assessed.scores)
        assert assessed.histories is not None, "each case file states a quantity over time"
        compared.append(compare_histories(*assessed.histories))
        if recipe.periodic is not None:
            found = _periodic(simulator, recipe.periodic, settings, case, prediction, compared[-1])
            periodic.append(found)
    progress(len(tests), len(tests))
    every = xr.concat(scores, "case")
    fields = every["field"].values.tolist()
    return {
        "cases": len(tests),
        "steps": every.sizes["time"],
        "seconds": float(every["time"][-1] - every.attrs["start"]),
        "on": recipe.scored_on,
        "valid_below": VALID_BELOW,
        "units": {name: assessed.prediction.fields[name].attrs["units"] for name in fields},
        "fields": {name: _errors(every.sel(field=name)) for name in fields},
        "kinds": _by_kind(every, [case.attributes[recipe.kinds] for case in tests.values()])
        if recipe.kinds
        else {},
        "quantities": _deviations(recipe, compared),
        "periodic": _periodic_summary(periodic) if periodic else None,
    }


def _errors(scores: xr.Dataset) -> dict[str, dict[str, float | None]]:
    """Of one field, by forecast: means over the cases; None where a forecast has no scores."""
    l2 = scores["relative_l2"]
    of_cases = l2.mean("time", skipna=False)
    # The dynamic modes are fitted to the first half.
    second_half = l2.where(l2.notnull().all("forecast")).mean("time")
    last = float(scores["time"][-1]) - scores.attrs["start"]
    columns = {
        "first_step": l2.isel(time=0).mean("case"),
        "mean": of_cases.mean("case"),
        "worst_case": of_cases.max("case"),
        "second_half": second_half.mean("case"),
        "rmse": scores["rmse"].mean(("case", "time"), skipna=False),
        "valid_time": valid_time(scores, VALID_BELOW).clip(max=last).mean("case", skipna=False),
    }
    return {
        forecast: {key: _number(found.sel(forecast=forecast)) for key, found in columns.items()}
        for forecast in scores["forecast"].values.tolist()
    }


def _by_kind(scores: xr.Dataset, kinds: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The errors of the prediction by kind of case and field."""
    found: dict[str, dict[str, Any]] = {}
    for kind in sorted(set(kinds)):
        ours = scores.isel(case=np.equal(kinds, kind).nonzero()[0])
        together = over_all_times(ours.sel(forecast="prediction")).mean("case")
        found[kind] = {
            name: _errors(ours.sel(field=name))["prediction"]
            | {"over_all_times": float(together.sel(field=name))}
            for name in scores["field"].values.tolist()
        }
    return found


def _deviations(recipe: Recipe, compared: Sequence[xr.Dataset]) -> list[dict[str, Any]]:
    """By what share numbers differ from the solver's: the mean and the largest of the cases."""
    found = []
    for line in recipe.shown:
        pairs = np.array([c[line.number].sel(quantity=line.quantity).values for c in compared])
        shares = np.abs(pairs[:, 0] / pairs[:, 1] - 1)
        found.append(
            {"label": line.label, "mean": float(shares.mean()), "worst": float(shares.max())}
        )
    return found


def _periodic(
    simulator: Simulator,
    quantity: str,
    settings: Settings,
    case: Trajectory,
    prediction: Trajectory,
    compared: xr.Dataset,
) -> dict[str, Any]:
    """How a prediction is but for its phase, and what the flow does long after the test's end."""
    theirs = compared.sel(quantity=quantity, forecast="reference")
    frequency, swing = float(theirs["frequency"]), float(theirs["amplitude"])
    aligned = {
        target.name: float(
            phase_aligned(prediction, case, target.name, 0.5 / frequency)["relative_l2"][1:].mean()
        )
        for target in simulator.task.targets
    }
    phase = float(compared["phase_error"].sel(quantity=quantity))
    found = {"aligned": aligned, "phase": abs(phase)}
    try:
        long = rollout(simulator, case, LONGER * prediction.num_steps)
    except DivergedError:
        return found
    end = long.select(slice(-prediction.num_steps - 1, None))
    signal = history(end, settings, stated_numbers(case))[quantity]
    late = oscillation(end.times, signal.values)
    return found | {"frequency": late.frequency / frequency, "swing": late.amplitude / swing}


def _periodic_summary(cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over the cases; of the long rollouts the range, of those that stayed finite.

    phase: None where not every case still swings at its end.
    """
    long = [case for case in cases if "swing" in case]
    phase = float(np.mean([case["phase"] for case in cases]))
    fields = cases[0]["aligned"]
    return {
        "aligned": {name: float(np.mean([c["aligned"][name] for c in cases])) for name in fields},
        "phase": None if np.isnan(phase) else phase,
        "longer": LONGER,
        "finite": len(long),
        "frequency": [f([case["frequency"] for case in long], default=0.0) for f in (min, max)],
        "swing": [f([case["swing"] for case in long], default=0.0) for f in (min, max)],
    }


def _number(value: xr.DataArray) -> float | None:
    return None if np.isnan(float(value)) else float(value)
