"""Fields by name: what a task advances and is given, and what files must hold of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from physgt.conditions import WORDS, Condition, condition_of, from_plain, to_plain
from physgt.errors import PhysgtError, require_whole
from physgt.mesh import Mesh

Location = Literal["node", "cell", "global"]

POINTS = "points"
"""The field that holds where the nodes of a moving mesh are (see Trajectory)."""


@dataclass(frozen=True)
class Field:
    """A named quantity. A field with one component has no component axis."""

    name: str
    components: int = 1
    units: str = ""
    location: Location = "node"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        require_whole(f"field '{self.name}': components", self.components, 1)

    def frame_shape(self, mesh: Mesh) -> tuple[int, ...]:
        """The shape of the field at one time on `mesh`."""
        entities = {"node": (mesh.num_points,), "cell": (mesh.num_cells,), "global": ()}
        return entities[self.location] + ((self.components,) if self.components > 1 else ())


@dataclass(frozen=True)
class Forcing(Field):
    """A known input: it has the value it has in the initial state or, `over_time`, in the data.

    value: what it is instead, in training and rollout; no file needs to hold it then. A Condition,
    or what a case file says: see physgt.conditions.condition_of.
    """

    over_time: bool = False
    value: Condition | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.value is None:
            return
        try:
            value = condition_of(self.value)
            if value in WORDS.values():
                raise PhysgtError(f"{self.value!r} is no value; state numbers, formula or table.")
            value.check(self.components)
        except PhysgtError as error:
            raise PhysgtError(f"forcing '{self.name}', value: {error}") from error
        object.__setattr__(self, "value", value)

    def to_plain(self) -> dict[str, Any]:
        """Plain values for JSON; from_plain is the inverse."""
        return {**asdict(self), "value": self.value and to_plain(self.value)}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Forcing:
        """The inverse of to_plain, also of what models of file version 1 hold."""
        stated = values.get("value")
        return cls(**{**values, "value": from_plain(stated) if stated else None})


@dataclass(frozen=True)
class SecondOrder(Field):
    """A target of second order in time: the model advances its rate, and the rate advances it.

    initial_rate: what the start says of the rate: `at_rest`, `history` (the start has a time dt
    before the first state), or the name of a field in the target's units per second.

    See physgt.rates.
    """

    initial_rate: str = "at_rest"


class Quasistatic(Field):
    """A target without memory, as the points of a solid that is slow: it is in equilibrium always.

    It follows from where the boundary is, and from forcings that don't change over time. The model
    predicts its value, not by how much it changes, and doesn't see what it was before: errors
    don't add up over time, and there is no trend to go on with.
    """


def target_to_plain(target: Field) -> dict[str, Any]:
    """Plain values for JSON; target_from_plain is the inverse."""
    order = {"order": 0} if isinstance(target, Quasistatic) else {}
    return {**asdict(target), **order}


def target_from_plain(values: Mapping[str, Any]) -> Field:
    """The inverse of target_to_plain."""
    if "order" in values:
        return Quasistatic(**{key: value for key, value in values.items() if key != "order"})
    return SecondOrder(**values) if "initial_rate" in values else Field(**values)


def require_fields(
    source: str, found: Sequence[Field], needed: Sequence[Field], *, where: str
) -> None:
    """Raise PhysgtError unless `source` has each needed field, where declared, with its components.

    A forcing may be one value for the whole mesh.
    `where` names the place that declares them, for the message: "[task.targets]".
    """
    by_name = {f.name: f for f in found}
    for field in needed:
        if field.name not in by_name:
            raise PhysgtError(
                f"{source}: no field '{field.name}', which {where} declares. "
                f"It has {sorted(by_name) or 'no fields'}."
            )
        lies = by_name[field.name].location
        if lies == "global" and not isinstance(field, Forcing):
            raise PhysgtError(
                f"{source}: field '{field.name}' is one value for all of the mesh, but {where} "
                f"takes it on {field.location}s; declare it under [task.forcings]."
            )
        if lies != field.location and "global" not in (lies, field.location):
            cure = (
                "convert the file with --to-nodes, or say location = 'cell' under [task]"
                if lies == "cell"
                else "leave location = 'cell' under [task] out"
            )
            raise PhysgtError(
                f"{source}: field '{field.name}' lies on {lies}s, but {where} takes it on "
                f"{field.location}s; {cure}."
            )
        components = by_name[field.name].components
        if components != field.components:
            raise PhysgtError(
                f"{source}: field '{field.name}' has {components} components, but {where} "
                f"declares {field.components}. Set components = {components} there, "
                "or write the field with as many components as declared."
            )


def columns_of(fields: Sequence[Field], name: str, kind: str) -> slice:
    """The columns of field `name` where `fields` lie side by side; kind: what they are called."""
    start = 0
    for field in fields:
        if field.name == name:
            return slice(start, start + field.components)
        start += field.components
    raise PhysgtError(f"no {kind} '{name}'; the {kind}s are {[f.name for f in fields]}.")


def value_of(field: Field, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Raises PhysgtError, naming what there is, where `values` lack the field."""
    if field.name not in values:
        raise PhysgtError(f"no field '{field.name}'; there are {sorted(values) or 'none'}.")
    return values[field.name]


def with_component_axis(field: Field, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """(..., C) the values of a field. Raises PhysgtError where they have other components."""
    given = np.asarray(value_of(field, values))
    given = given[..., None] if field.components == 1 else given
    if given.shape[-1] != field.components:
        raise PhysgtError(
            f"field '{field.name}' has {given.shape[-1]} components, "
            f"but the task declares {field.components}."
        )
    return given


def reference_points(mesh: Mesh | None, target: Field) -> np.ndarray:
    """(N, D) the points of the reference configuration."""
    assert mesh is not None, "who packs states of a moving mesh has the mesh"
    if mesh.dimension != target.components:
        raise PhysgtError(
            f"target '{POINTS}' has {target.components} components, but the mesh has "
            f"{mesh.dimension} dimensions. Set components = {mesh.dimension} under "
            f"[task.targets.{POINTS}]."
        )
    return mesh.points
