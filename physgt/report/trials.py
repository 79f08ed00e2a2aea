"""A model's free rollouts of test cases, each from its first state alone, and their scores."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from physgt.datasets.vtkhdf import read_vtkhdf
from physgt.errors import DivergedError, PhysgtError
from physgt.quantities.settings import Settings
from physgt.rates import needs_history
from physgt.rollout import compare_histories, phase_aligned, rollout
from physgt.rollout.assessment import Assessment, assess
from physgt.simulator import Simulator
from physgt.trajectory import Trajectory

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Trial:
    """One test case.

    name: its file's, without suffix; the whole path where other cases have files of that name.
    seconds: of the processor, for the rollout. diverged: why it stopped before its end, or empty;
    then what came before is scored, and where nothing did, `assessment` is None.
    """

    name: str
    file: str
    reference: Trajectory
    num_steps: int
    seconds: float
    diverged: str
    assessment: Assessment | None

    @property
    def shown(self) -> Assessment:
        """Only of a trial of which anything can be shown."""
        assert self.assessment is not None, "a trial without an assessment has nothing to show"
        return self.assessment

    @property
    def scores(self) -> xr.Dataset:
        """See score; only as `shown`."""
        return self.shown.scores

    @property
    def error(self) -> float:
        """The mean relative L2 over fields and times; infinite for a rollout that diverged.

        NaN where the reference is 0 throughout: nothing is relative to that.
        """
        if self.diverged:
            return np.inf
        return float(self.scores["relative_l2"].sel(forecast="prediction").mean())

    @property
    def num_finite(self) -> int:
        """The steps that were done before the rollout diverged, or all."""
        if not self.diverged:
            return self.num_steps
        return 0 if self.assessment is None else int(self.scores["step"][-1])


def run_trials(
    simulator: Simulator,
    references: Mapping[str, Trajectory],
    settings: Settings,
    folder: Path,
    *,
    steps: int | None = None,
    progress: Progress | None = None,
) -> list[Trial]:
    """Roll out each reference, by its file, into `folder` and score it, the best first.

    Before them are those to which nothing is relative.
    steps: of each rollout; as many as the reference has without it.
    """
    trials = []
    stems = Counter(Path(file).stem for file in references)
    for number, (file, reference) in enumerate(references.items()):
        try:
            count = _num_steps(simulator, reference, steps)
        except PhysgtError as error:
            raise PhysgtError(f"{file}: {error}") from error
        name = Path(file).stem if stems[Path(file).stem] == 1 else file
        if progress is not None:
            progress(number, len(references), name)
        # Predictions are read when they are drawn: each has a file of its own.
        output = folder / f"{number}.vtkhdf"
        trials.append(_trial(simulator, name, file, reference, count, settings, output))
    if progress is not None:
        progress(len(references), len(references), "")
    return sorted(trials, key=lambda trial: -1.0 if np.isnan(trial.error) else trial.error)


def worst(trials: Sequence[Trial], most: int) -> list[Trial]:
    """Those with scores, the worst first."""
    return [trial for trial in reversed(trials) if trial.assessment is not None][:most]


def typical(trials: Sequence[Trial]) -> Trial | None:
    """The one in the middle of those that came to their end, of those with an error if any has."""
    ended = [trial for trial in trials if not trial.diverged]
    ended = [trial for trial in ended if not np.isnan(trial.error)] or ended
    return ended[(len(ended) - 1) // 2] if ended else None


def _num_steps(simulator: Simulator, reference: Trajectory, steps: int | None) -> int:
    task = simulator.task
    possible = (reference.num_times - 1) // reference.stride(task.dt) - needs_history(task)
    if steps is not None and not 1 <= steps <= possible:
        raise PhysgtError(f"steps = {steps}, expected 1 to {possible}, as far as the file goes.")
    return possible if steps is None else steps


def _trial(
    simulator: Simulator,
    name: str,
    file: str,
    reference: Trajectory,
    num_steps: int,
    settings: Settings,
    output: Path,
) -> Trial:
    started, diverged = time.process_time(), ""
    try:
        prediction = rollout(simulator, reference, num_steps, output=output, prescribed=reference)
    except DivergedError as error:
        diverged = str(error)
        prediction = read_vtkhdf(output.with_suffix(".partial.vtkhdf"))
    seconds = time.process_time() - started
    found = None
    if prediction.num_times > 1:
        found = _with_alignment(assess(prediction, reference, settings=settings))
        found = _targets_first(found, [target.name for target in simulator.task.targets])
    return Trial(name, file, reference, num_steps, seconds, diverged, found)


def _targets_first(found: Assessment, targets: Sequence[str]) -> Assessment:
    """The scores in the order of the task's targets, whatever that of the file; others after."""
    names = found.scores["field"].values.tolist()
    others = [name for name in names if name not in targets]
    ordered = [name for name in targets if name in names] + others
    return replace(found, scores=found.scores.sel(field=ordered))


def _with_alignment(found: Assessment) -> Assessment:
    """Where the case states a time scale and the reference swings: also the phase-aligned errors.

    The window is half a period of the slowest such quantity.
    """
    if found.histories is None:
        return found
    compared = compare_histories(*found.histories).sel(forecast="reference")
    frequencies = compared["frequency"].where(compared["strouhal"] > 0).values
    if not np.isfinite(frequencies).any():
        return found
    window = 0.5 / float(np.nanmin(frequencies))
    names = found.scores["field"].values.tolist()
    aligned = {
        name: phase_aligned(found.prediction, found.reference, name, window) for name in names
    }
    return replace(found, aligned=aligned)
