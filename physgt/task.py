"""What a learned time step advances, what it is given, and what the boundary does.

The only code that knows which column of a state or forcing is which field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from physgt.boundary import BoundaryCondition, MeshBoundary, Piece
from physgt.conditions import Condition, Free, Held
from physgt.contact import Contact
from physgt.declared_fields import (
    POINTS,
    Field,
    Forcing,
    Location,
    Quasistatic,
    SecondOrder,
    columns_of,
    reference_points,
    target_from_plain,
    target_to_plain,
    value_of,
    with_component_axis,
)
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.sites import cell_sites
from physgt.task_checks import check_task


@dataclass(frozen=True)
class Task:
    """targets: advanced; forcings: given at every node and time; dt: seconds of one step.

    boundary: where sets overlap, the later condition wins, component by component.
    boundary_ahead: whether a step from t to t + dt starts from the boundary values of t + dt, as
        an implicit solver's does, or from those of t, as in models of physgt's file version 1.
        Of points and of second-order targets it starts from those of t, and is told the motion;
        of quasistatic ones always from those of t + dt.

    contact: which nodes feel each other through space; for meshes that move.

    A target called `points` makes the mesh move. A state holds the displacement from the mesh's
    own points, its reference configuration: where the whole case lies makes no difference. So the
    values of conditions on points are displacements, too.
    """

    targets: tuple[Field, ...]
    dt: float
    forcings: tuple[Forcing, ...] = ()
    boundary: tuple[BoundaryCondition, ...] = ()
    boundary_ahead: bool = True
    contact: Contact | None = None

    def __post_init__(self) -> None:
        check_task(self)

    @property
    def location(self) -> Location:
        """Where the targets live: "node" or "cell"."""
        return self.targets[0].location

    def sites(self, mesh: Mesh) -> Mesh:
        """What the task's fields live on, as points of a mesh: nodes, or cells (cell_sites)."""
        return cell_sites(mesh) if self.location == "cell" else mesh

    @property
    def moves(self) -> bool:
        """Whether the mesh moves: its points are a target."""
        return any(target.name == POINTS for target in self.targets)

    @property
    def state_size(self) -> int:
        return sum(target.components for target in self.targets)

    @property
    def second_order(self) -> list[int]:
        """The columns of a state that are of second order: R of the S."""
        return [
            column
            for target in self.targets
            if isinstance(target, SecondOrder)
            for column in range(self.state_size)[self.columns(target.name)]
        ]

    @property
    def forgotten(self) -> list[bool]:
        """For each of the S columns: whether a step forgets what is free of it (Quasistatic)."""
        return [
            isinstance(target, Quasistatic)
            for target in self.targets
            for _ in range(target.components)
        ]

    @property
    def motion_columns(self) -> list[int]:
        """The columns of which a model is told how the boundary changes them in a step.

        Those of points, and of what is of second order, where the boundary drives some. All other
        fields it sees as they will be, where the task has the boundary ahead.
        """
        driven = {
            rule.field for rule in self.boundary if not isinstance(rule.condition, Free | Held)
        }
        return [
            column
            for target in self.targets
            if target.name in driven and _is_told_its_motion(target)
            for column in range(self.state_size)[self.columns(target.name)]
        ]

    @property
    def loaded_by_boundary(self) -> bool:
        """Whether the boundary drives points that have no memory: it is then the only load.

        Where it rests, all that has no memory is 0.
        """
        columns = self.motion_columns
        return any(
            isinstance(target, Quasistatic)
            and target.name == POINTS
            and self.columns(POINTS).start in columns
            for target in self.targets
        )

    @property
    def seen_ahead(self) -> list[bool]:
        """For each of the S columns: whether a step sees what the boundary makes of it in the end.

        Points stay where they are: the current configuration is that of one time. Without memory
        it is that of the step's end, the free nodes at rest.
        """
        return [
            isinstance(target, Quasistatic)
            or (self.boundary_ahead and not _is_told_its_motion(target))
            for target in self.targets
            for _ in range(target.components)
        ]

    @property
    def forcing_size(self) -> int:
        return sum(forcing.components for forcing in self.forcings)

    def columns(self, name: str) -> slice:
        """The columns of target `name` in a state."""
        return columns_of(self.targets, name, "target")

    def target_of_column(self, column: int) -> Field:
        """The target that has this column of a state, itself or as its rate."""
        if column >= self.state_size:
            column = self.second_order[column - self.state_size]
        return next(t for t in self.targets if column < self.columns(t.name).stop)

    def forcing_columns(self, name: str) -> slice:
        """The columns of forcing `name` in a forcing."""
        return columns_of(self.forcings, name, "forcing")

    def pack_state(self, values: Mapping[str, np.ndarray], mesh: Mesh | None = None) -> np.ndarray:
        """Targets by name, each (..., N[, C]), side by side: (..., N, S).

        Points become displacements from those of `mesh`, which only tasks that move ask for.
        """
        parts = [with_component_axis(f, values) for f in self.targets]
        for k, target in enumerate(self.targets):
            if target.name == POINTS:
                parts[k] = parts[k] - reference_points(mesh, target)
        return np.concatenate(parts, axis=-1)

    def unpack_state(self, state: np.ndarray, mesh: Mesh | None = None) -> dict[str, np.ndarray]:
        """The inverse of pack_state: (..., N, S) to fields by name, in the precision of `state`."""
        found = {}
        for target in self.targets:
            columns = state[..., self.columns(target.name)]
            if target.name == POINTS:
                columns = (columns + reference_points(mesh, target)).astype(state.dtype)
            found[target.name] = columns[..., 0] if target.components == 1 else columns
        return found

    def pack_forcing(self, values: Mapping[str, np.ndarray], num_nodes: int) -> np.ndarray:
        """Forcings by name at one time, side by side: (N, F). A global value goes to each node."""
        columns = [np.zeros((num_nodes, 0))]
        for forcing in self.forcings:
            given = np.asarray(value_of(forcing, values))
            shared = given.shape == (() if forcing.components == 1 else (forcing.components,))
            if shared:
                columns.append(np.broadcast_to(given, (num_nodes, forcing.components)))
            else:
                columns.append(with_component_axis(forcing, values))
        return np.concatenate(columns, axis=-1)

    @property
    def file_forcings(self) -> tuple[Forcing, ...]:
        """The forcings that no condition states: files have to hold them."""
        return tuple(forcing for forcing in self.forcings if forcing.value is None)

    def stated_forcings(self, points: np.ndarray, time: float) -> dict[str, np.ndarray]:
        """The forcings that conditions state, at `time` on points (N, D): (N[, C]) by name."""
        found = {}
        for forcing in self.forcings:
            if forcing.value is None:
                continue
            unknown = np.full((len(points), forcing.components), np.nan)
            try:
                stated = forcing.value.at(time, points, unknown)
                if not np.isfinite(stated).all():
                    raise PhysgtError(
                        f"not finite at {time:g} s; besides, a forcing has no value `initial`."
                    )
            except PhysgtError as error:
                raise PhysgtError(f"forcing '{forcing.name}', value: {error}") from error
            rows = np.broadcast_to(stated, unknown.shape)
            found[forcing.name] = rows[:, 0] if forcing.components == 1 else rows
        return found

    def nodes_of(self, mesh: Mesh, name: str) -> np.ndarray:
        """Numbers of the nodes, or cells, of a set of a boundary condition's or of the mesh's.

        Raises PhysgtError, naming the sets there are, where nothing is called so, and where the
        nodes of a set hold no cell.
        """
        for rule in self.boundary:
            if rule.nodes == name and rule.where is not None:
                return rule.nodes_on(self.sites(mesh))
        found = self.sites(mesh).nodes_of(name)
        if self.location == "cell" and not found.size and len(mesh.node_sets.get(name, ())):
            raise PhysgtError(
                f"no cell has all its nodes, or those of a face on the boundary, in the node set "
                f"'{name}'; the fields are on cells: name a set that holds a part of the boundary."
            )
        return found

    def boundary_on(self, mesh: Mesh) -> MeshBoundary:
        """The boundary on one mesh. Raises PhysgtError where the mesh lacks a set it names."""
        pieces, sites = [], self.sites(mesh)
        for rule in self.boundary:
            columns = self.columns(rule.field)
            if rule.component is not None:
                first = columns.start + rule.component
                columns = slice(first, first + 1)
            own = rule.nodes_on(sites) if rule.where else self.nodes_of(mesh, rule.nodes)
            pieces.append(Piece(rule, own, columns))
        return MeshBoundary(sites.points, self.state_size, pieces)

    def free_mask(self, mesh: Mesh) -> np.ndarray:
        """(N, S) bool: what the model advances."""
        return self.boundary_on(mesh).free

    def restated(
        self, boundary: Sequence[BoundaryCondition], forcings: Mapping[str, Condition]
    ) -> Task:
        """The task with other conditions, which win over its own, and other known inputs.

        Raises PhysgtError for a forcing that the task hasn't.
        """
        for name in forcings:
            columns_of(self.forcings, name, "forcing")
        changed = [
            replace(f, value=forcings[f.name]) if f.name in forcings else f for f in self.forcings
        ]
        return replace(self, boundary=(*self.boundary, *boundary), forcings=tuple(changed))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; from_dict is the inverse."""
        return {
            **asdict(self),
            "targets": [target_to_plain(target) for target in self.targets],
            "forcings": [forcing.to_plain() for forcing in self.forcings],
            "boundary": [rule.to_plain() for rule in self.boundary],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Task:
        """The inverse of to_dict, also of that of file version 1."""
        return cls(
            targets=tuple(target_from_plain(target) for target in values["targets"]),
            dt=values["dt"],
            forcings=tuple(Forcing.from_plain(forcing) for forcing in values["forcings"]),
            boundary=tuple(BoundaryCondition.from_plain(rule) for rule in values["boundary"]),
            boundary_ahead=values.get("boundary_ahead", False),
            contact=Contact(**values["contact"]) if values.get("contact") else None,
        )


def _is_told_its_motion(target: Field) -> bool:
    return target.name == POINTS or isinstance(target, SecondOrder)
