"""A learned simulator as the micro simulation of the preCICE Micro Manager.

A module of your own names the file that describes it; the Micro Manager is told that module:

    from physgt.coupling.micro_manager import micro_simulation

    MicroSimulation = micro_simulation("micro.toml")

Source: preCICE, "Prepare micro simulation" (Micro Manager, version 0.4 and newer).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field as Setting

from physgt.case import Section
from physgt.coupling.settings import StepperSettings, hold_start
from physgt.coupling.state import StepperState
from physgt.coupling.stepper import Stepper
from physgt.datasets.vtkhdf import VTKHDFWriter
from physgt.errors import PhysgtError
from physgt.task import POINTS


class MacroInput(Section):
    """Where one value of the macro simulation goes: a target or forcing, on a node set or all.

    Of `points` it is a displacement.
    """

    field: str
    nodes: str | None = None


class MicroSettings(StepperSettings):
    """
    read    macro data -> {field = ..., nodes = ...}
    write   micro data -> an output with one value, or several components
    output  what `output` writes to, once for each simulation: NAME-ID.vtkhdf; without it nothing
    """

    read: dict[str, MacroInput] = Setting(default_factory=dict)
    write: dict[str, str]
    output: Path | None = None


def micro_simulation(path: Path | str) -> type:
    """The class MicroSimulation of a TOML file. Its instances share the model, not their states."""
    settings = MicroSettings.from_file(path)
    simulator, start = settings.open_simulator(), settings.open_start()

    class MicroSimulation:
        """The interface that the Micro Manager calls; one instance at each macro point."""

        def __init__(self, sim_id: int) -> None:
            self._id = sim_id
            self._stepper = settings.build_stepper(simulator, start)
            self._writer: VTKHDFWriter | None = None
            for data, where in settings.read.items():
                hold_start(self._stepper, data, where.field, where.nodes)
            for name in settings.write.values():
                _require_value(self._stepper, name)

        def initialize(self) -> dict[str, Any]:
            """Micro data of the start."""
            return self._micro_data()

        def solve(self, macro_data: dict[str, Any], dt: float) -> dict[str, Any]:
            """One step: forcings as given all along it, boundary values at its end."""
            missing = sorted(set(settings.read) - set(macro_data))
            if missing:
                raise PhysgtError(f"macro data {missing} of [read] wasn't given: {[*macro_data]}.")
            for data, where in settings.read.items():
                value = macro_data[data]
                if where.field == POINTS:
                    value = np.asarray(value) + self._stepper.coordinates(where.nodes)
                self._stepper.set_field(where.field, value, on=where.nodes)
            self._stepper.step(dt)
            return self._micro_data()

        def get_state(self) -> StepperState:
            return self._stepper.save_state()

        def set_state(self, state: StepperState) -> None:
            self._stepper.restore_state(state)

        def get_global_id(self) -> int:
            return self._id

        def set_global_id(self, sim_id: int) -> None:
            self._id = sim_id

        def output(self) -> None:
            """Append the present state to this simulation's file.

            The Micro Manager calls it after every time window, asked for or not.
            """
            if settings.output is None:
                return
            if self._writer is None:
                self._writer = self._open_writer(settings.output)
            self._writer.append(self._stepper.time, self._stepper.frame())

        def _open_writer(self, output: Path) -> VTKHDFWriter:
            name = f"{output.stem}-{self._id}{output.suffix}"
            return VTKHDFWriter(output.with_name(name), start.mesh, self._stepper.task.targets)

        def _micro_data(self) -> dict[str, Any]:
            return {
                data: np.asarray(self._stepper.get_field(name)).tolist()
                for data, name in settings.write.items()
            }

    return MicroSimulation


def _require_value(stepper: Stepper, name: str) -> None:
    field = stepper.field(name)
    if name not in stepper.outputs or field.location != "global":
        raise PhysgtError(
            f"'{name}' can't be micro data, which is one value: name one of [outputs], such as a "
            "mean, an integral or a probe."
        )
