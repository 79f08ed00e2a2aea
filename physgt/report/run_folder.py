"""What the folder of a run holds: the model, the record of its training, the curves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from physgt.errors import PhysgtError
from physgt.provenance import read_record
from physgt.simulator import Simulator

Curve = tuple[np.ndarray, np.ndarray]
"""Optimiser steps and values, (n,) each."""


@dataclass(frozen=True, eq=False)
class RunFolder:
    """record: see physgt.provenance. curves: by the names that training gives them."""

    path: Path
    checkpoint: Path
    simulator: Simulator
    record: dict[str, Any]
    curves: dict[str, Curve]

    @property
    def case(self) -> dict[str, Any]:
        """The case as it ran, as its file would say it."""
        found: dict[str, Any] = self.record["case"]
        return found

    @property
    def started_from(self) -> str:
        """The fingerprint of the weights that the training began with; empty for new ones."""
        return str(self.record["sessions"][0].get("started_from", ""))

    @property
    def num_steps(self) -> int:
        """Optimiser steps done so far: of a run that was stopped not all that its case states."""
        steps, _ = self.curves.get("loss", (np.array([self.case["training"]["steps"]]), None))
        return int(steps[-1])

    @property
    def test_pattern(self) -> str:
        """Raises PhysgtError where the case names no test cases."""
        pattern = self.case["data"].get("test")
        if pattern is None:
            raise PhysgtError(
                f"{self.path}: its case names no test cases; name a pattern with --cases, or set "
                'test = "test/*.vtkhdf" under [data] in the next.'
            )
        return str(pattern)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the checkpoint's file."""
        return hashlib.sha256(self.checkpoint.read_bytes()).hexdigest()


def read_run(path: Path, checkpoint: str, device: torch.device) -> RunFolder:
    """Raises PhysgtError where `path` is not the folder of a run with that checkpoint."""
    record = read_record(path)
    file = path / checkpoint
    return RunFolder(path, file, Simulator.load(file, device), record, _curves(path))


def _curves(path: Path) -> dict[str, Curve]:
    """The scalars of the TensorBoard events; of a step that was repeated, the last."""
    events = EventAccumulator(str(path), size_guidance={"scalars": 0})
    events.Reload()
    found = {}
    for name in events.Tags()["scalars"]:
        values = {event.step: event.value for event in events.Scalars(name)}
        steps = np.array(sorted(values))
        found[name] = steps, np.array([values[step] for step in steps.tolist()])
    return found
