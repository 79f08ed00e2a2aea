"""What the TOML files of coupling adapters say, and the stepper that they describe."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import Field as Setting
from pydantic import ValidationError

from physgt.case import Section
from physgt.coupling.stepper import Stepper
from physgt.datasets import open_trajectory
from physgt.device import find_device
from physgt.errors import PhysgtError
from physgt.pretrained import find_model
from physgt.quantities import build_outputs
from physgt.simulator import Simulator
from physgt.trajectory import Trajectory


class StepperSettings(Section):
    """
    model        the .physgt file, or the name of a pretrained model
    start        a file whose first state is the initial state
    prescribed   a file with values over time that nobody else sets
    interpolate  allow other steps than the model's, see Stepper
    device       cpu, or cuda where there is one
    outputs      derived fields by name: {kind = "heat_flux", ...}, see physgt.quantities.derived

    Paths are relative to the folder of the file.
    """

    model: Path
    start: Path
    prescribed: Path | None = None
    interpolate: bool = False
    device: str = "cpu"
    outputs: dict[str, dict[str, Any]] = Setting(default_factory=dict)

    @classmethod
    def from_file(cls, path: Path | str) -> Self:
        """Read and check a file. Raises PhysgtError naming the file and the key."""
        path = Path(path)
        try:
            settings = cls.model_validate(tomllib.loads(path.read_text()))
        except OSError as error:
            raise PhysgtError(f"{path}: no such coupling file.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PhysgtError(f"{path}: not valid TOML: {error}.") from error
        except ValidationError as error:
            raise PhysgtError(f"{path}: {_explain(error)}") from error
        return settings._below(path.parent)

    def _below(self, folder: Path) -> Self:
        """The same with paths that start from `folder`."""
        paths = {
            name: folder / value
            for name in type(self).model_fields
            if isinstance(value := getattr(self, name), Path)
        }
        paths["model"] = find_model(self.model, folder)
        return self.model_copy(update=paths)

    def open_simulator(self) -> Simulator:
        return Simulator.load(self.model, find_device(self.device))

    def open_start(self) -> Trajectory:
        """The initial state alone."""
        return open_trajectory(self.start)

    def build_stepper(self, simulator: Simulator, start: Trajectory) -> Stepper:
        """The stepper that the file describes."""
        return Stepper(
            simulator,
            start,
            prescribed=None if self.prescribed is None else open_trajectory(self.prescribed),
            interpolate=self.interpolate,
            outputs=build_outputs(start.mesh, simulator.task, self.outputs),
        )


def hold_start(stepper: Stepper, data: str, name: str, nodes: str | None) -> None:
    """What is read is not the model's to advance; until the first read it keeps its value.

    Of forcings nothing is held. Raises PhysgtError, naming the `data`, where the model advances
    the field or it isn't to be set.
    """
    field = stepper.field(name)
    if field in stepper.task.forcings:
        return
    if field not in stepper.task.targets:
        raise PhysgtError(f"'{data}' can't be read into '{name}', which is computed.")
    ids = stepper.ids(nodes)
    free = stepper.task.free_mask(stepper.mesh)[ids, stepper.task.columns(name)]
    if free.any():
        on = "all nodes" if nodes is None else f"'{nodes}'"
        raise PhysgtError(
            f"'{data}' can't be read into '{name}' on {on}: the model advances it on "
            f"{int(free.any(axis=1).sum())} of these {len(ids)} nodes. Give them a boundary "
            "condition in the case that the model is trained from, or name nodes that have one."
        )
    stepper.hold_field(name, on=nodes)


def _explain(error: ValidationError) -> str:
    """The first problem; an unknown key comes first, as a missing one is likely it, misspelt."""
    problem = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    *table, key = [str(part) for part in problem["loc"]]
    where = f"[{'.'.join(table)}] " if table else ""
    if problem["type"] == "extra_forbidden":
        return f"{where}unknown key '{key}'."
    if problem["type"] == "missing":
        return f"{where}the key '{key}' is missing."
    return f"{where}{key} = {problem['input']!r}: {problem['msg']}."
