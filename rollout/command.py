"""A rollout as the command line states it, and states it again when it goes on after a stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from physgt.boundary_file import Scenario, read_scenario
from physgt.datasets import open_trajectory
from physgt.device import find_device
from physgt.errors import PhysgtError
from physgt.pretrained import find_model
from physgt.rollout.engine import Progress, rollout
from physgt.rollout.guards import GuardSetting
from physgt.rollout.restart import Restart, restart_path
from physgt.simulator import Simulator
from physgt.trajectory import Trajectory


@dataclass(frozen=True)
class RolloutCommand:
    """Files and options of one rollout: all that a restart file needs to know of them.

    guards: NAME=ACTION:LIMIT.
    """

    model: str
    start: str
    steps: int
    prescribed: str | None = None
    boundary: str | None = None
    every: int = 1
    fields: tuple[str, ...] | None = None
    guards: tuple[str, ...] = ()
    device: str = "cpu"
    bfloat16: bool = False

    @classmethod
    def stopped(cls, output: Path) -> RolloutCommand:
        """The command whose rollout to `output` was stopped. Raises PhysgtError without one."""
        path = restart_path(output)
        told = Restart.read(path).command
        if not told:
            raise PhysgtError(
                f"{path}: this rollout was started in Python; go on with it there, by "
                "rollout(..., resume=True)."
            )
        lists = {key: tuple(told[key]) for key in ("fields", "guards") if told[key] is not None}
        return cls(**{**told, **lists})

    def with_changes(self, steps: int | None, guards: Sequence[str] | None) -> RolloutCommand:
        """What may change while a rollout goes on; None keeps."""
        return replace(
            self,
            steps=self.steps if steps is None else steps,
            guards=self.guards if guards is None else tuple(guards),
        )

    def run(self, output: Path, *, resume: bool, progress: Progress) -> Trajectory:
        simulator = Simulator.load(self.model, find_device(self.device))
        stated = None if self.prescribed is None else open_trajectory(self.prescribed)
        scenario = Scenario((), {}) if self.boundary is None else read_scenario(self.boundary)
        with torch.autocast(simulator.device.type, torch.bfloat16, enabled=self.bfloat16):
            return rollout(
                simulator,
                open_trajectory(self.start),
                self.steps,
                output=output,
                prescribed=stated,
                boundary=scenario.boundary,
                forcings=scenario.forcings,
                every=self.every,
                fields=self.fields,
                guards=[GuardSetting.parse(text) for text in self.guards],
                resume=resume,
                command=self._absolute(),
                progress=progress,
            )

    def _absolute(self) -> dict[str, Any]:
        """With absolute paths: it may go on from another folder."""
        told = asdict(self)
        told["model"] = str(find_model(self.model).resolve())
        for name in ("start", "prescribed", "boundary"):
            if told[name] is not None:
                told[name] = str(Path(told[name]).resolve())
        return told
