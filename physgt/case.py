"""What a case file says: the data, the task, the boundary, the model and its training."""

from __future__ import annotations

import math
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic import Field as Setting

from physgt.boundary_file import boundary_conditions, with_tables_read
from physgt.contact import Contact
from physgt.errors import PhysgtError
from physgt.quantities import check_outputs
from physgt.task import Field, Forcing, Location, Quasistatic, SecondOrder, Task

Share = Annotated[float, Setting(ge=0, lt=1)]


class Section(BaseModel):
    """A table of the case file; a key it doesn't know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TargetSettings(Section):
    """order: in time; with 2 the model advances the rate, which begins as initial_rate says.

    With 0 there is no memory. See physgt.declared_fields, SecondOrder and Quasistatic.
    """

    components: PositiveInt = 1
    units: str = ""
    order: Literal[0, 1, 2] = 1
    initial_rate: str | None = None


class ForcingSettings(Section):
    components: PositiveInt = 1
    units: str = ""
    over_time: bool = False
    value: Any = None


class ContactSettings(Section):
    """See physgt.contact.Contact."""

    radius: PositiveFloat
    between: list[list[str]] = []
    hops: PositiveInt = 1
    max_neighbors: PositiveInt = 16


class TaskSettings(Section):
    """
    dt         seconds of one learned step, a multiple of the data's interval
    location   where targets and forcings live: node or, for finite volumes, cell
    """

    dt: PositiveFloat
    location: Literal["node", "cell"] = "node"
    targets: Annotated[dict[str, TargetSettings], Setting(min_length=1)]
    forcings: dict[str, ForcingSettings] = {}
    contact: ContactSettings | None = None


class DataSettings(Section):
    """Patterns of trajectory files, relative to the data folder (by default the case file's).

    test: cases that training never sees, for physgt report
    """

    train: str
    validation: str | None = None
    test: str | None = None


class TrainingSettings(Section):
    """
    steps              optimiser steps
    batch_size         graphs in one step
    unroll             time steps that one sample is rolled out over; a curriculum names the
                       optimiser steps from which it changes: unroll = { 0 = 1, 8000 = 4 }
    push_forward       with unroll: only the last time step is learned, from the state to which
                       the model brought itself; else gradients flow through all
    step_discount      weight of each time step relative to the one before it
    loss               of a time step: squared_error of normalised increments, or relative_l2 of
                       the state: a name of physgt.loss.LOSSES
    checkpointing      with unroll: forget what happened inside each time step and compute it
                       again for the gradients; a third more time, the memory of one time step
    pretraining_steps  of `steps`, the first that reconstruct hidden nodes (physgt.pretraining)
    mirror             axes: a window is shown as it is or, by chance, in a mirror normal to each,
                       see physgt.mirror; not where the physics has a handedness or the task a
                       direction that no field tells, like gravity
    noise              added to free components of the first state, in standard deviations of
                       the field; the target leads from the noisy state to the clean next one
    learning_rate      at its peak; linear warm-up over warmup_steps, then a cosine to
                       final_learning_rate times the peak
    gradient_clip      largest norm of all gradients together; inf for none
    ema_decay          of the averaged weights that are validated and saved; 0 turns it off
    bfloat16           matrix products in bfloat16; weights, states and the loss stay in float32
    validate_every     steps between validations by free rollout of validation_steps steps
    """

    steps: PositiveInt
    batch_size: PositiveInt = 4
    unroll: dict[NonNegativeInt, PositiveInt] = {0: 1}
    push_forward: bool = False
    step_discount: PositiveFloat = 1.0
    loss: str = "squared_error"
    checkpointing: bool = False
    pretraining_steps: NonNegativeInt = 0
    mirror: list[Literal["x", "y", "z"]] = []
    noise: Annotated[float, Setting(ge=0)] = 0.0
    learning_rate: PositiveFloat = 1e-3
    final_learning_rate: Share = 1e-3
    warmup_steps: Annotated[int, Setting(ge=0)] = 100
    weight_decay: Annotated[float, Setting(ge=0)] = 1e-4
    gradient_clip: Annotated[float, Setting(gt=0, allow_inf_nan=True)] = 1.0
    ema_decay: Share = 0.999
    validate_every: PositiveInt = 500
    validation_steps: PositiveInt = 50
    bfloat16: bool = False
    seed: Annotated[int, Setting(ge=0, lt=2**63)] = 0

    @field_validator("unroll", mode="before")
    @classmethod
    def _as_curriculum(cls, unroll: Any) -> Any:
        return unroll if isinstance(unroll, dict) else {0: unroll}

    @field_validator("unroll")
    @classmethod
    def _starts_at_zero(cls, unroll: dict[int, int]) -> dict[int, int]:
        if 0 not in unroll:
            raise ValueError("a curriculum says how it begins: unroll = { 0 = 1, 8000 = 4 }")
        return unroll

    @field_validator("push_forward", "step_discount")
    @classmethod
    def _has_steps_to_weigh(cls, said: float, info: ValidationInfo) -> float:
        """`said`, unless it changes nothing: a case file that asks for it means to have it."""
        asked = said != cls.model_fields[str(info.field_name)].default
        if asked and max(info.data.get("unroll", {0: 2}).values()) == 1:
            raise ValueError("samples of one time step know nothing of it; set unroll to 2 or more")
        if asked and info.field_name == "step_discount" and info.data.get("push_forward"):
            raise ValueError("with push_forward only the last time step has a weight")
        return said

    @field_validator("pretraining_steps")
    @classmethod
    def _leaves_steps(cls, pretraining_steps: int, info: ValidationInfo) -> int:
        if pretraining_steps >= info.data.get("steps", math.inf):
            raise ValueError("no time step is learned after it; steps must be more")
        return pretraining_steps


class Case(Section):
    """One case file, checked. `text` is what the file holds, empty for a case made in Python.

    outputs: quantities that its results are judged by, see physgt.quantities.
    """

    _text: str = PrivateAttr("")
    name: str
    data: DataSettings
    task_settings: Annotated[TaskSettings, Setting(alias="task")]
    boundary: dict[str, dict[str, Any]] = {}
    model: dict[str, Any]
    training: TrainingSettings
    outputs: dict[str, dict[str, Any]] = {}

    def task(self) -> Task:
        """The task that [task] and [boundary] declare."""
        settings = self.task_settings
        return Task(
            targets=tuple(
                _target(name, target, settings.location)
                for name, target in settings.targets.items()
            ),
            dt=settings.dt,
            contact=Contact(**settings.contact.model_dump()) if settings.contact else None,
            forcings=tuple(
                Forcing(name, location=settings.location, **forcing.model_dump())
                for name, forcing in settings.forcings.items()
            ),
            boundary=boundary_conditions(self.boundary),
        )

    @property
    def text(self) -> str:
        return self._text

    @property
    def model_name(self) -> str:
        return str(self.model["name"])

    @property
    def model_options(self) -> dict[str, Any]:
        """What [model] says beside the name: the keyword arguments of the model's constructor."""
        return {key: value for key, value in self.model.items() if key != "name"}


def find_case(name: Path | str) -> Path:
    """The case file `name`, or else the one of that name that comes with physgt."""
    path = Path(name)
    own = Path(str(files("physgt.datasets") / "cases" / f"{path.name}.toml"))
    if path.is_file() or not own.is_file() or path.name != str(name):
        return path
    return own


def read_case(path: Path | str) -> Case:
    """Read and check a case file. Raises PhysgtError naming the file and the key."""
    path = Path(path)
    if not path.is_file():
        raise PhysgtError(f"{path}: no such case file.")
    try:
        text = path.read_text()
        case = _checked(_with_tables_read(tomllib.loads(text), path.parent))
        case._text = text
        return case
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PhysgtError(f"{path}: not valid TOML: {error}.") from error
    except ValidationError as error:
        raise PhysgtError(f"{path}: {_explain(error)}") from error
    except PhysgtError as error:
        raise PhysgtError(f"{path}: {error}") from error


def _checked(values: dict[str, Any]) -> Case:
    case = Case.model_validate(values)
    if not isinstance(case.model.get("name"), str):
        raise PhysgtError('[model] needs a name, for example name = "physgto".')
    case.task()
    check_outputs(case.outputs)
    return case


def _with_tables_read(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The case with the tables over time that it names files for."""
    found = {**values, "boundary": with_tables_read(values.get("boundary", {}), folder)}
    task = values.get("task")
    if isinstance(task, dict) and "forcings" in task:
        found["task"] = {**task, "forcings": with_tables_read(task["forcings"], folder)}
    return found


def _target(name: str, settings: TargetSettings, location: Location) -> Field:
    declared: dict[str, Any] = {
        "components": settings.components, "units": settings.units, "location": location,
    }  # fmt: skip
    if settings.order != 2 and settings.initial_rate is None:
        return (Quasistatic if settings.order == 0 else Field)(name, **declared)
    if settings.order != 2 or settings.initial_rate is None:
        raise PhysgtError(
            f"[task.targets.{name}] order = 2 and initial_rate go together; initial_rate is "
            "'at_rest', 'history' (the start has a time dt before), or the name of a field."
        )
    return SecondOrder(name, initial_rate=settings.initial_rate, **declared)


def _explain(error: ValidationError) -> str:
    """The first problem of a pydantic error, as one line that says what to do.

    An unknown key comes first: where a key is missing too, it is likely that one, misspelt.
    """
    problem = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    parents = [str(part) for part in problem["loc"] if part != "float"]
    *table, key = [p for p in parents if not p.startswith(("literal[", "list["))]
    where = f"[{'.'.join(table)}] " if table else ""
    if problem["type"] == "extra_forbidden":
        return f"{where}unknown key '{key}'; {_allowed(table)}"
    if problem["type"] == "missing":
        return f"{where}the key '{key}' is missing."
    return f"{where}{key} = {problem['input']!r}: {problem['msg']}."


def _allowed(table: list[str]) -> str:
    sections: dict[str, type[Section]] = {
        "": Case, "data": DataSettings, "task": TaskSettings, "training": TrainingSettings,
        "task.targets": TargetSettings, "task.forcings": ForcingSettings,
        "task.contact": ContactSettings,
    }  # fmt: skip
    fields = sections[".".join(table[:2])].model_fields
    return "expected " + ", ".join(f.alias or name for name, f in fields.items()) + "."
