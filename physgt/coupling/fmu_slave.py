"""A learned simulator as a co-simulation component by FMI 2.0: what runs inside of an FMU.

Source: Modelica Association, "Functional Mock-up Interface for Model Exchange and Co-Simulation",
2.0.4; the wrapper between C and Python is pythonfmu's.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from physgt.conditions import Constant, Prescribed
from physgt.coupling.settings import StepperSettings
from physgt.coupling.stepper import Stepper, StepperState
from physgt.errors import PhysgtError
from physgt.fields import component_suffix
from physgt.task import Field, Task
from physgt.trajectory import Trajectory

try:
    from pythonfmu import DefaultExperiment, Fmi2Causality, Fmi2Slave, Real
    from pythonfmu.enums import Fmi2Status
except ImportError as error:
    raise PhysgtError(
        f'FMUs need pythonfmu ({error}): pip install "physgt[fmu]", in the Python that the '
        "simulator loads."
    ) from error

SETTINGS_FILE = "stepper.toml"
NAME_FILE = "model_name.txt"
VALUE = "value."
LOGGER = logging.getLogger(__name__)

_held_namespaces: list[dict[str, Any]] = []


def hold(namespace: dict[str, Any]) -> None:
    """Keep the globals of an FMU's script alive.

    pythonfmu 0.7 runs the script once for each instance and gives up one reference to its globals
    too many: without this the second instance in a process fails, or crashes it.
    """
    _held_namespaces.append(namespace)


@dataclass(frozen=True)
class Input:
    """A forcing, or with `on` a target prescribed on a node set: the same value at all nodes."""

    field: Field
    on: str | None = None

    def name(self, column: int) -> str:
        of_component = self.field.name + component_suffix(self.field, column)
        return of_component if self.on is None else f"{self.on}.{of_component}"


class SimulatorSlave(Fmi2Slave):
    """A stepper made of the files in the FMU's resources.

    Inputs keep their values over a step, as FMI has it; outputs are those of the present time.
    Steps of other lengths than the model's are interpolated, see Stepper.

    An exception that leaves a method is fatal in pythonfmu: its C code then frees the instance
    twice. So what can't be set is told to the log and makes the steps fail (doStep
    returns fmi2Discard) until a right value comes.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        resources = Path(self.resources)
        settings = StepperSettings.from_file(resources / SETTINGS_FILE)
        start = settings.open_start()
        self._stepper = stepper = settings.build_stepper(settings.open_simulator(), start)
        self.modelName = (resources / NAME_FILE).read_text()
        self.default_experiment = DefaultExperiment(start_time=0.0, step_size=stepper.dt)
        self._values: dict[Input, np.ndarray] = {}
        self._refused: dict[str, str] = {}
        for given in inputs(stepper.task, start):
            hold_start(stepper, given, start)
            of_nodes = stepper.get_field(given.field.name, given.on)
            self._values[given] = of_nodes.reshape(-1, given.field.components).mean(axis=0)
            for column in range(given.field.components):
                self._declare_input(given, column)
        for name in stepper.outputs:
            for column in range(stepper.field(name).components):
                self._declare_output(stepper.field(name), column)

    def do_step(self, current_time: float, step_size: float) -> bool:
        try:
            if self._refused:
                raise PhysgtError(" ".join(self._refused.values()))
            self._stepper.step(step_size)
        except PhysgtError as error:
            self._tell(str(error))
            return False
        return True

    def to_xml(self, model_options: Mapping[str, str] = MappingProxyType({})) -> Element:
        """The description, with what pythonfmu leaves out: which outputs are known at the start."""
        description: Element = super().to_xml(model_options)
        (structure,) = description.iter("ModelStructure")
        outputs = SubElement(structure, "InitialUnknowns")
        outputs.extend(copy.copy(output) for output in structure.iterfind("Outputs/Unknown"))
        return description

    def _declare_input(self, given: Input, column: int) -> None:
        name = given.name(column)

        def change(value: float) -> None:
            if not np.isfinite(value):
                self._refuse(name, f"the input '{name}' was set to {value}: expected a number.")
                return
            values = self._values[given].copy()
            values[column] = value
            scalar = given.field.components == 1
            self._stepper.set_field(given.field.name, values[0] if scalar else values, given.on)
            self._values[given] = values
            self._refused.pop(name, None)

        self.register_variable(
            Real(
                name,
                causality=Fmi2Causality.input,
                description=f"in {given.field.units or '1'}",
                getter=lambda: float(self._values[given][column]),
                setter=change,
            ),
            nested=False,
        )

    def _declare_output(self, field: Field, column: int) -> None:
        self.register_variable(
            Real(
                field.name + component_suffix(field, column),
                causality=Fmi2Causality.output,
                description=f"in {field.units or '1'}",
                getter=lambda: float(np.atleast_1d(self._stepper.get_field(field.name))[column]),
            ),
            nested=False,
        )

    def _refuse(self, what: str, message: str) -> None:
        self._refused[what] = message
        self._tell(message)

    def _tell(self, message: str) -> None:
        # The simulator's log is silent where logging is off; Python's then writes to stderr.
        self.log(message, Fmi2Status.error)
        LOGGER.error("%s: %s", self.instance_name, message)

    def _get_fmu_state(self) -> dict[str, Any]:
        return {
            "stepper": self._stepper.save_state(),
            "values": list(self._values.values()),
            "refused": dict(self._refused),
        }

    def _set_fmu_state(self, state: dict[str, Any]) -> None:
        try:
            if "unreadable" in state:
                raise PhysgtError(state["unreadable"])
            self._stepper.restore_state(state["stepper"])
        except PhysgtError as error:
            self._refuse("state", f"setFMUstate: {error}")
            return
        self._values = dict(zip(self._values, state["values"], strict=True))
        self._refused = dict(state["refused"])

    @staticmethod
    def _fmu_state_to_bytes(state: dict[str, Any]) -> bytes:
        # Arrays alone, by name and without pickle: reading them never runs code.
        arrays = {k: v for k, v in asdict(state["stepper"]).items() if v is not None}
        arrays |= {f"{VALUE}{i}": value for i, value in enumerate(state["values"])}
        buffer = io.BytesIO()
        np.savez(buffer, refused=json.dumps(state["refused"]), **arrays)
        return buffer.getvalue()

    @staticmethod
    def _fmu_state_from_bytes(state: bytes) -> dict[str, Any]:
        try:
            with np.load(io.BytesIO(state), allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in arrays.files}
            refused = json.loads(found.pop("refused").item())
            values = [found.pop(name) for name in list(found) if name.startswith(VALUE)]
            plain = {k: v if v.ndim else v.item() for k, v in found.items()}
            stepper = StepperState(**{"ahead": None, "before": None, **plain})
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            return {"unreadable": f"these bytes are no state of this component ({error})."}
        return {"stepper": stepper, "values": values, "refused": refused}


def inputs(task: Task, start: Trajectory) -> list[Input]:
    """What an FMU of this task takes: numbers, so one a component that all nodes share.

    Forcings, but not those that the task states or that differ from node to node and stay; targets
    on each set where the task prescribes them, unless it says how they change. Raises PhysgtError
    where a forcing over time differs between nodes.
    """
    found = []
    for forcing in task.file_forcings:
        if forcing.name not in start.fields:
            raise PhysgtError(
                f"the start has no '{forcing.name}', a forcing of the model's task; add it: "
                "an FMU starts with the value there."
            )
        values = _rows(start, forcing)
        if (values == values[:1]).all():
            found.append(Input(forcing))
        elif forcing.over_time:
            raise PhysgtError(
                f"the forcing '{forcing.name}' changes over time and differs between nodes, but "
                "FMI's inputs are numbers; drive the model through physgt.coupling.Stepper."
            )
    targets = {target.name: target for target in task.targets}
    for rule in task.boundary:
        given = Input(targets[rule.field], rule.nodes)
        told = isinstance(rule.condition, Prescribed | Constant) and rule.component is None
        if told and given not in found:
            found.append(given)
    return found


def hold_start(stepper: Stepper, given: Input, start: Trajectory) -> None:
    """Until an input is set it is as in the start, which may differ between the nodes of a set."""
    if given.on is not None:
        stepper.hold_field(given.field.name, given.on)
    else:
        value = _rows(start, given.field)[0]
        stepper.set_field(given.field.name, value[0] if given.field.components == 1 else value)


def _rows(start: Trajectory, field: Field) -> np.ndarray:
    """(N, C), or (1, C) of one value for all nodes."""
    values: np.ndarray = start.frame(0, [field.name])[field.name]
    return values.astype(np.float64).reshape(-1, field.components)
