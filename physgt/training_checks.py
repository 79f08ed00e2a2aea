"""What a training may not be told, found before it has cost anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from physgt.case import Case
from physgt.errors import PhysgtError
from physgt.loss import LOSSES
from physgt.provenance import RUN_FILE, read_record
from physgt.samples import Samples
from physgt.simulator import Simulator
from physgt.trajectory import Trajectory


def check_settings(case: Case) -> None:
    """Raise PhysgtError for a loss that isn't there, and for pre-training that can't be."""
    settings = case.training
    if settings.loss not in LOSSES:
        raise PhysgtError(
            f"training.loss: no loss '{settings.loss}'; the losses are {', '.join(LOSSES)}."
        )
    if settings.pretraining_steps and case.task().moves:
        raise PhysgtError(
            "training.pretraining_steps: where the mesh moves, its edges tell what is hidden; "
            "set it to 0."
        )


def check_validation(simulator: Simulator, validation: Mapping[str, Trajectory]) -> None:
    """Raise PhysgtError, naming it, where a trajectory has no rollout of a step or more."""
    if validation:
        Samples(dict(validation), simulator.task, simulator.build_graph)


def check_same_cases(directory: Path, data: Mapping[str, Mapping[str, Trajectory]]) -> None:
    """Raise PhysgtError where the run in `directory` had cases of other names, or in other order.

    data: see physgt.provenance.recorded. Folders don't count: data may have moved.
    """
    if not (directory / RUN_FILE).is_file():
        return
    for part, before in read_record(directory)["data"].items():
        parts = before["cases"], data[part]
        seen, given = ([Path(name).name for name in names] for names in parts)
        if seen != given:
            raise PhysgtError(
                f"{directory}: had {len(seen)} cases for {part}, now there are {len(given)}, and "
                "not the same; go on with those it was started with, or train anew."
            )
