"""The one number a picture shows at each node or cell: a component of a field, or its magnitude."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from physgt.errors import PhysgtError
from physgt.formulas import AXES
from physgt.task import POINTS, Field
from physgt.trajectory import Trajectory


@dataclass(frozen=True)
class Quantity:
    """`component` None means the field itself or, for several components, its magnitude."""

    field: Field
    component: int | None = None

    @property
    def label(self) -> str:
        """What stands above a picture: "velocity magnitude (m/s)"."""
        name = "displacement" if self.field.name == POINTS else self.field.name
        if self.component is not None and self.field.components > 1:
            name += f" {_component_names(self.field)[self.component]}"
        elif self.field.components > 1:
            name += " magnitude"
        return f"{name} ({self.field.units})" if self.field.units else name

    @property
    def on_cells(self) -> bool:
        return self.field.location == "cell"

    def vectors(self, trajectory: Trajectory, index: int) -> np.ndarray:
        """(N, C) or (M, C) float64: the field itself at time number `index`.

        Of the points of a moving mesh the displacement: how far a node has come says more than how
        far it is from the origin.
        """
        if self.field.name == POINTS:
            return trajectory.points_at(index) - trajectory.mesh.points
        values = np.asarray(trajectory.frame(index, [self.field.name])[self.field.name], float)
        return values.reshape(len(values), -1)

    def numbers(self, vectors: np.ndarray) -> np.ndarray:
        """(N, C) -> (N,): what is drawn; NaN where it isn't finite.

        Infinity would be drawn in the colour of an end of the scale, as if it were that value.
        """
        if self.component is not None:
            found = vectors[:, self.component]
        elif self.field.components == 1:
            found = vectors[:, 0]
        else:
            found = np.linalg.norm(vectors, axis=1)
        return np.where(np.isfinite(found), found, np.nan)


def find_quantity(trajectory: Trajectory, field: str, component: int | str | None) -> Quantity:
    """The quantity a user asks for: a field's name, and a component by number or as x, y or z.

    Raises PhysgtError for a field that isn't there or lies on neither nodes nor cells, and for a
    component that the field doesn't have.
    """
    declared = {f.name: f for f in trajectory.declared() if f.location != "global"}
    if field not in declared:
        raise PhysgtError(
            f"no field '{field}' on nodes or cells; there are {sorted(declared) or 'none'}."
        )
    found = declared[field]
    if component is None:
        return Quantity(found)
    names = _component_names(found)
    number = names.index(component) if component in names else str(component)
    number = int(number) if str(number).isdecimal() else -1
    if not 0 <= number < found.components:
        raise PhysgtError(
            f"field '{field}' has no component {component!r}; choose one of "
            f"{', '.join(f'{i} ({name})' for i, name in enumerate(names))}."
        )
    return Quantity(found, number)


def _component_names(field: Field) -> list[str]:
    """x, y, z for vectors; counted from 1 for longer ones, as tensors have no common order."""
    if field.components <= len(AXES):
        return list(AXES[: field.components])
    return [f"component {i}" for i in range(1, field.components + 1)]
