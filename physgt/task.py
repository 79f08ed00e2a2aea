"""What a learned time step advances, what it is given, and what the boundary does.

The only code that knows which column of a state or forcing is which field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from physgt.errors import PhysgtError
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
        if self.components < 1:
            raise PhysgtError(
                f"field '{self.name}': components = {self.components}, expected 1 or more."
            )

    def frame_shape(self, mesh: Mesh) -> tuple[int, ...]:
        """The shape of the field at one time on `mesh`."""
        entities = {"node": (mesh.num_points,), "cell": (mesh.num_cells,), "global": ()}
        return entities[self.location] + ((self.components,) if self.components > 1 else ())


@dataclass(frozen=True)
class Forcing(Field):
    """A known input. Unless `over_time`, it keeps the value it has in the initial state."""

    over_time: bool = False


@dataclass(frozen=True)
class BoundaryCondition:
    """What one target does on one set of nodes.

    free         the model advances it
    held         it keeps its initial value
    prescribed   it is `value` (one number a component) or, with value None, what the user's
                 prescribed trajectory says at each time
    """

    nodes: str
    field: str
    condition: Literal["free", "held", "prescribed"]
    value: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Task:
    """targets: advanced; forcings: given at every node and time; dt: seconds of one step.

    Where node sets overlap, the later boundary condition of the tuple wins.

    A target called `points` makes the mesh move. A state holds the displacement from the mesh's
    own points, its reference configuration: where the whole case lies makes no difference.
    """

    targets: tuple[Field, ...]
    dt: float
    forcings: tuple[Forcing, ...] = ()
    boundary: tuple[BoundaryCondition, ...] = ()

    def __post_init__(self) -> None:
        if not self.targets:
            raise PhysgtError("a task needs at least one target field to advance.")
        if not self.dt > 0:
            raise PhysgtError(f"dt = {self.dt}, expected a time step greater than 0 s.")
        names = [f.name for f in (*self.targets, *self.forcings)]
        if len(set(names)) < len(names):
            raise PhysgtError(f"each field may be declared once, found {names}.")
        for target in self.targets:
            if target.location != "node":
                raise PhysgtError(
                    f"target '{target.name}' lives on {target.location}s, but targets are "
                    "advanced on nodes; convert it to point data first."
                )
        for rule in self.boundary:
            self._check(rule)
            if rule.field == POINTS and rule.value is not None:
                raise PhysgtError(
                    f"boundary '{rule.nodes}' puts all its points at {list(rule.value)}; expected "
                    "'free', 'held', or 'prescribed' with the positions over time in a file."
                )

    def _check(self, rule: BoundaryCondition) -> None:
        targets = {target.name: target for target in self.targets}
        if rule.field not in targets:
            raise PhysgtError(
                f"boundary '{rule.nodes}' names the field '{rule.field}', "
                f"but the targets are {sorted(targets)}."
            )
        components = targets[rule.field].components
        if rule.value is not None and len(rule.value) != components:
            raise PhysgtError(
                f"boundary '{rule.nodes}' gives {len(rule.value)} values for '{rule.field}', "
                f"which has {components} components."
            )

    @property
    def moves(self) -> bool:
        """Whether the mesh moves: its points are a target."""
        return any(target.name == POINTS for target in self.targets)

    @property
    def state_size(self) -> int:
        return sum(target.components for target in self.targets)

    @property
    def forcing_size(self) -> int:
        return sum(forcing.components for forcing in self.forcings)

    def columns(self, name: str) -> slice:
        """The columns of target `name` in a state."""
        return _columns(self.targets, name, "target")

    def target_of_column(self, column: int) -> Field:
        """The target that has this column of a state: the inverse of `columns`."""
        return next(t for t in self.targets if column < self.columns(t.name).stop)

    def forcing_columns(self, name: str) -> slice:
        """The columns of forcing `name` in a forcing."""
        return _columns(self.forcings, name, "forcing")

    def pack_state(self, values: Mapping[str, np.ndarray], mesh: Mesh | None = None) -> np.ndarray:
        """Targets by name, each (..., N[, C]), side by side: (..., N, S).

        Points become displacements from those of `mesh`, which only tasks that move ask for.
        """
        parts = [_with_component_axis(f, values) for f in self.targets]
        for k, target in enumerate(self.targets):
            if target.name == POINTS:
                parts[k] = parts[k] - _reference(mesh, target)
        return np.concatenate(parts, axis=-1)

    def unpack_state(self, state: np.ndarray, mesh: Mesh | None = None) -> dict[str, np.ndarray]:
        """The inverse of pack_state: (..., N, S) to fields by name, in the precision of `state`."""
        found = {}
        for target in self.targets:
            columns = state[..., self.columns(target.name)]
            if target.name == POINTS:
                columns = (columns + _reference(mesh, target)).astype(state.dtype)
            found[target.name] = columns[..., 0] if target.components == 1 else columns
        return found

    def pack_forcing(self, values: Mapping[str, np.ndarray], num_nodes: int) -> np.ndarray:
        """Forcings by name at one time, side by side: (N, F). A global value goes to each node."""
        columns = [np.zeros((num_nodes, 0))]
        for forcing in self.forcings:
            given = np.asarray(_value_of(forcing, values))
            shared = given.shape == (() if forcing.components == 1 else (forcing.components,))
            if shared:
                columns.append(np.broadcast_to(given, (num_nodes, forcing.components)))
            else:
                columns.append(_with_component_axis(forcing, values))
        return np.concatenate(columns, axis=-1)

    def free_mask(self, mesh: Mesh) -> np.ndarray:
        """(N, S) bool: what the model advances."""
        return self._conditions(mesh) == "free"

    def prescribed_mask(self, mesh: Mesh) -> np.ndarray:
        """(N, S) bool: what must come from the user's prescribed trajectory at each time."""
        return (self._conditions(mesh) == "prescribed") & np.isnan(self.constants(mesh))

    def constants(self, mesh: Mesh) -> np.ndarray:
        """(N, S) float64: values that the boundary states once and for all, NaN elsewhere."""
        values = np.full((mesh.num_points, self.state_size), np.nan)
        for rule in self.boundary:
            constant = np.nan if rule.value is None else rule.value
            values[mesh.nodes_of(rule.nodes), self.columns(rule.field)] = constant
        return values

    def _conditions(self, mesh: Mesh) -> np.ndarray:
        conditions = np.full((mesh.num_points, self.state_size), "free", dtype="<U10")
        for rule in self.boundary:
            conditions[mesh.nodes_of(rule.nodes), self.columns(rule.field)] = rule.condition
        return conditions

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; from_dict is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Task:
        return cls(
            targets=tuple(Field(**f) for f in values["targets"]),
            dt=values["dt"],
            forcings=tuple(Forcing(**f) for f in values["forcings"]),
            boundary=tuple(
                BoundaryCondition(**{**rule, "value": rule["value"] and tuple(rule["value"])})
                for rule in values["boundary"]
            ),
        )


def require_fields(
    source: str, found: Sequence[Field], needed: Sequence[Field], *, where: str
) -> None:
    """Raise PhysgtError unless `source` has each needed field, on nodes, with its components.

    `where` names the place that declares them, for the message: "[task.targets]".
    """
    by_name = {f.name: f for f in found}
    for field in needed:
        if field.name not in by_name:
            raise PhysgtError(
                f"{source}: no field '{field.name}', which {where} declares. "
                f"It has {sorted(by_name) or 'no fields'}."
            )
        if by_name[field.name].location == "cell" and field.location == "node":
            raise PhysgtError(
                f"{source}: field '{field.name}' lies on cells, but {where} takes it on nodes; "
                "convert the file with --to-nodes."
            )
        components = by_name[field.name].components
        if components != field.components and by_name[field.name].location != "global":
            raise PhysgtError(
                f"{source}: field '{field.name}' has {components} components, but {where} "
                f"declares {field.components}. Set components = {components} there, "
                "or write the field with as many components as declared."
            )


def _reference(mesh: Mesh | None, target: Field) -> np.ndarray:
    """(N, D) the points of the reference configuration."""
    assert mesh is not None, "who packs states of a moving mesh has the mesh"
    if mesh.dimension != target.components:
        raise PhysgtError(
            f"target '{POINTS}' has {target.components} components, but the mesh has "
            f"{mesh.dimension} dimensions. Set components = {mesh.dimension} under "
            f"[task.targets.{POINTS}]."
        )
    return mesh.points


def _columns(fields: Sequence[Field], name: str, kind: str) -> slice:
    start = 0
    for field in fields:
        if field.name == name:
            return slice(start, start + field.components)
        start += field.components
    raise PhysgtError(f"no {kind} '{name}'; the {kind}s are {[f.name for f in fields]}.")


def _value_of(field: Field, values: Mapping[str, np.ndarray]) -> np.ndarray:
    if field.name not in values:
        raise PhysgtError(f"no field '{field.name}'; there are {sorted(values) or 'none'}.")
    return values[field.name]


def _with_component_axis(field: Field, values: Mapping[str, np.ndarray]) -> np.ndarray:
    given = np.asarray(_value_of(field, values))
    given = given[..., None] if field.components == 1 else given
    if given.shape[-1] != field.components:
        raise PhysgtError(
            f"field '{field.name}' has {given.shape[-1]} components, "
            f"but the task declares {field.components}."
        )
    return given
