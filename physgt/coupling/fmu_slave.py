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

from physgt.boundary import BoundaryCondition
from physgt.conditions import Constant, Prescribed
from physgt.coupling.settings import StepperSettings
from physgt.coupling.stepper import StepperState
from physgt.errors import PhysgtError
from physgt.fields import component_suffix
from physgt.mesh import Mesh
from physgt.task import POINTS, Field, Task
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
    """One number: a component of a forcing, or with `on` of a target prescribed on a node set."""

    field: Field
    column: int
    on: str | None = None

    @property
    def name(self) -> str:
        of_component = self.field.name + component_suffix(self.field, self.column)
        return of_component if self.on is None else f"{self.on}.{of_component}"

    @property
    def component(self) -> int | None:
        return self.column if self.field.components > 1 else None


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
        self._nodes: dict[Input, np.ndarray] = {}
        self._values: dict[Input, float] = {}
        self._refused: dict[str, str] = {}
        for given in inputs(stepper.task, start):
            if given.on is not None:
                self._nodes[given] = nodes_of(stepper.task, stepper.mesh, given)
            self._values[given] = self._hold_start(given, start)
            self._declare_input(given)
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
        parts = [part for variable in self.vars.values() for part in variable.name.split(".")]
        if not all(part.isascii() and part.isidentifier() for part in parts):
            # A set may be called "wall-1", which no structured name may have.
            description.set("variableNamingConvention", "flat")
        return description

    def _hold_start(self, given: Input, start: Trajectory) -> float:
        """Until an input is set it is as in the start; gives its value, of several the mean."""
        if given.on is None:
            value = float(_rows(start, given.field)[0, given.column])
            self._set(given, value)
            return value
        name, nodes = given.field.name, self._nodes[given]
        self._stepper.hold_field(name, nodes, component=given.component)
        values = self._stepper.get_field(name, nodes).reshape(len(nodes), -1)[:, given.column]
        return float((values - self._places(given)).mean())

    def _set(self, given: Input, value: float) -> None:
        nodes, values = self._nodes.get(given), value + self._places(given)
        self._stepper.set_field(given.field.name, values, nodes, component=given.component)

    def _places(self, given: Input) -> np.ndarray | float:
        """Of points: what a displacement, which all nodes of a set can share, is counted from."""
        if given.field.name != POINTS:
            return 0.0
        return self._stepper.mesh.points[self._nodes[given], given.column]

    def _declare_input(self, given: Input) -> None:
        def change(value: float) -> None:
            if not np.isfinite(value):
                self._refuse(
                    given.name, f"the input '{given.name}' was set to {value}: expected a number."
                )
                return
            try:
                self._set(given, value)
            except PhysgtError as error:
                self._refuse(given.name, f"the input '{given.name}': {error}")
                return
            self._values[given] = value
            self._refused.pop(given.name, None)

        self.register_variable(
            Real(
                given.name,
                causality=Fmi2Causality.input,
                description=f"in {given.field.units or '1'}",
                getter=lambda: self._values[given],
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
            if len(state["values"]) != len(self._values):
                raise PhysgtError("this saved state has other inputs: it is of another component.")
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
        buffer = io.BytesIO()
        told = {"values": state["values"], "refused": state["refused"]}
        np.savez(buffer, told=json.dumps(told), **arrays)
        return buffer.getvalue()

    @staticmethod
    def _fmu_state_from_bytes(state: bytes) -> dict[str, Any]:
        try:
            with np.load(io.BytesIO(state), allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in arrays.files}
            told = json.loads(found.pop("told").item())
            values, refused = told["values"], told["refused"]
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
            found += [Input(forcing, column) for column in range(forcing.components)]
        elif forcing.over_time:
            raise PhysgtError(
                f"the forcing '{forcing.name}' changes over time and differs between nodes, but "
                "FMI's inputs are numbers; drive the model through physgt.coupling.Stepper."
            )
    targets = {target.name: target for target in task.targets}
    for rule in filter(_is_told, task.boundary):
        for column in range(targets[rule.field].components):
            given = Input(targets[rule.field], column, rule.nodes)
            if given not in found and len(nodes_of(task, start.mesh, given)):
                found.append(given)
    return found


def nodes_of(task: Task, mesh: Mesh, given: Input) -> np.ndarray:
    """(n,) the nodes that an input is for: of its set, but where a later condition wins."""
    won = task.boundary_on(mesh).won_by(
        lambda rule: _is_told(rule) and (rule.nodes, rule.field) == (given.on, given.field.name)
    )
    return np.flatnonzero(won[:, task.columns(given.field.name)][:, given.column])


def _is_told(rule: BoundaryCondition) -> bool:
    return isinstance(rule.condition, Prescribed | Constant) and rule.component is None


def _rows(start: Trajectory, field: Field) -> np.ndarray:
    """(N, C), or (1, C) of one value for all nodes."""
    values: np.ndarray = start.frame(0, [field.name])[field.name]
    return values.astype(np.float64).reshape(-1, field.components)
