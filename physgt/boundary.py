"""The boundary of a task: named sets with a condition a field, and their values on a mesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from physgt.conditions import Condition, Free, Held, Prescribed, condition_of, from_plain, to_plain
from physgt.errors import PhysgtError
from physgt.formulas import points_where
from physgt.mesh import Mesh


@dataclass(frozen=True)
class BoundaryCondition:
    """What one target, or one component of it, does on one set of nodes.

    nodes: a node or cell set of the mesh, or a node type; with `where` a name of your own.
    condition: a Condition, or what a case file says: see physgt.conditions.condition_of.
    component: its number; without it the condition is of all components.
    where: the nodes are those at which a condition on x, y and z holds, such as "x < 0.01".
    """

    nodes: str
    field: str
    condition: Condition
    component: int | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "condition", condition_of(self.condition))

    def to_plain(self) -> dict[str, Any]:
        """Plain values for JSON; from_plain is the inverse."""
        return {**asdict(self), "condition": to_plain(self.condition)}

    @classmethod
    def from_plain(cls, rule: Mapping[str, Any]) -> BoundaryCondition:
        """The inverse of to_plain, also of what models of file version 1 hold."""
        if isinstance(rule["condition"], str):
            # A word, and beside it the numbers of a constant.
            said = condition_of(rule["condition"] if rule["value"] is None else rule["value"])
            return cls(rule["nodes"], rule["field"], said)
        return cls(**{**rule, "condition": from_plain(rule["condition"])})

    @property
    def name(self) -> str:
        """For messages: where a case file says it."""
        component = "" if self.component is None else f", component {self.component}"
        return f"boundary '{self.nodes}', field '{self.field}'{component}"

    def nodes_on(self, mesh: Mesh) -> np.ndarray:
        """Node numbers. Raises PhysgtError, naming the sets there are, where none is called so."""
        if self.where is None:
            return mesh.nodes_of(self.nodes)
        try:
            return points_where(self.where, mesh.points)
        except PhysgtError as error:
            raise PhysgtError(f"boundary '{self.nodes}', '{self.where}': {error}") from error


@dataclass(frozen=True)
class Piece:
    """One boundary condition on one mesh: on nodes (n,) and columns of the state."""

    condition: BoundaryCondition
    nodes: np.ndarray
    columns: slice


class MeshBoundary:
    """The boundary of a task on one mesh: what is free, and what the rest is at each time.

    Where pieces overlap, the later wins, component by component.

    free    (N, S) bool, what the model advances
    told    (N, S) bool, what only a prescribed trajectory tells
    held    (N, S) bool, what keeps its initial value
    names_initial   whether the value of any condition is a formula of the initial one
    """

    def __init__(self, points: np.ndarray, state_size: int, pieces: Sequence[Piece]) -> None:
        self.points = points
        self._pieces = pieces
        self._owner = np.full((len(points), state_size), -1)
        for number, piece in enumerate(pieces):
            self._owner[piece.nodes, piece.columns] = number
        self.told = self._of_kind(Prescribed)
        self.held = self._of_kind(Held)
        self.free = self._of_kind(Free) | (self._owner < 0)
        self.names_initial = any(piece.condition.condition.names_initial for piece in pieces)

    def enforce(self, state: np.ndarray, time: float, initial: np.ndarray) -> np.ndarray:
        """`state` (N, S) with the values that the conditions state for `time`.

        initial: (N, S) the state at the start.
        """
        enforced = state.copy()
        for number, piece in enumerate(self._pieces):
            own = self._owner[piece.nodes, piece.columns] == number
            if not own.any():
                continue
            before = enforced[piece.nodes, piece.columns]
            try:
                stated = piece.condition.condition.at(
                    time, self.points[piece.nodes], initial[piece.nodes, piece.columns]
                )
            except PhysgtError as error:
                raise PhysgtError(f"{piece.condition.name}: {error}") from error
            known = own & ~np.isnan(np.broadcast_to(stated, before.shape))
            enforced[piece.nodes, piece.columns] = np.where(known, stated, before)
        return enforced

    def won_by(self, chosen: Callable[[BoundaryCondition], bool]) -> np.ndarray:
        """(N, S) bool: where one of the chosen conditions holds, and no later one wins over it."""
        numbers = [i for i, piece in enumerate(self._pieces) if chosen(piece.condition)]
        return np.isin(self._owner, numbers)

    def _of_kind(self, kind: type[Condition]) -> np.ndarray:
        return self.won_by(lambda rule: isinstance(rule.condition, kind))
