"""What is drawn: one quantity over some times, alone or as reference, prediction and error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory, matching_times
from physgt.viz.quantity import Quantity, find_quantity

COMPARED = ("reference", "prediction", "error  |prediction − reference|")


@dataclass(frozen=True)
class Panel:
    """points (N, D) and the values drawn on them, (N,) or (M,)."""

    points: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Scene:
    """Times to draw, as numbers in the trajectory and, where there is one, in the reference."""

    trajectory: Trajectory
    quantity: Quantity
    indices: np.ndarray
    reference: Trajectory | None = None
    reference_indices: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def titles(self) -> tuple[str, ...]:
        return ("",) if self.reference is None else COMPARED

    @property
    def times(self) -> np.ndarray:
        return self.trajectory.times[self.indices]

    def panels(self, k: int) -> list[Panel]:
        """The k-th drawn time: one panel, or reference, prediction and error.

        The error of a vector is the length of the difference of the vectors, not the difference
        of their lengths: a flow of the right speed in the wrong direction is wrong.
        """
        index = int(self.indices[k])
        predicted = self.quantity.vectors(self.trajectory, index)
        prediction = Panel(self.trajectory.points_at(index), self.quantity.numbers(predicted))
        if self.reference is None or self.reference_indices is None:
            return [prediction]
        index = int(self.reference_indices[k])
        expected = self.quantity.vectors(self.reference, index)
        points = self.reference.points_at(index)
        error = np.abs(self.quantity.numbers(predicted - expected))
        return [Panel(points, self.quantity.numbers(expected)), prediction, Panel(points, error)]

    def all_panels(self) -> Iterator[list[Panel]]:
        return (self.panels(k) for k in range(len(self)))

    def at(self, time: float | None) -> Scene:
        """The drawable time nearest to `time` seconds alone; None is the last."""
        if time is None:
            return self._select(slice(len(self) - 1, None))
        spacing = np.diff(self.times).min() if len(self) > 1 else 0.0
        if not self.times[0] - spacing <= time <= self.times[-1] + spacing:
            raise PhysgtError(
                f"time {time:g} s is not drawable: "
                f"the times reach from {self.times[0]:g} to {self.times[-1]:g} s."
            )
        nearest = int(np.abs(self.times - time).argmin())
        return self._select(slice(nearest, nearest + 1))

    def every(self, step: int) -> Scene:
        """Each step-th drawable time, the first included."""
        if step < 1:
            raise PhysgtError(f"every = {step}, expected 1 or more.")
        return self._select(slice(None, None, step))

    def _select(self, which: slice) -> Scene:
        reference = self.reference_indices
        return replace(
            self,
            indices=self.indices[which],
            reference_indices=None if reference is None else reference[which],
        )


def make_scene(
    trajectory: Trajectory,
    field: str,
    component: int | str | None = None,
    reference: Trajectory | None = None,
) -> Scene:
    """All drawable times: those of the trajectory that the reference, where given, has as well.

    Raises PhysgtError as find_quantity does, where the two meshes differ, and where no time is
    in both.
    """
    quantity = find_quantity(trajectory, field, component)
    if reference is None:
        return Scene(trajectory, quantity, np.arange(trajectory.num_times))
    _require_comparable(quantity, trajectory, reference)
    ours, theirs = matching_times(trajectory.times, reference.times)
    return Scene(trajectory, quantity, ours, reference, theirs)


def _require_comparable(quantity: Quantity, ours: Trajectory, theirs: Trajectory) -> None:
    expected = find_quantity(theirs, quantity.field.name, quantity.component).field
    if (expected.location, expected.components) != (
        quantity.field.location,
        quantity.field.components,
    ):
        raise PhysgtError(
            f"field '{expected.name}' has {quantity.field.components} components on "
            f"{quantity.field.location}s in the prediction, but {expected.components} on "
            f"{expected.location}s in the reference."
        )
    same_cells = np.array_equal(ours.mesh.connectivity, theirs.mesh.connectivity)
    if ours.mesh.points.shape != theirs.mesh.points.shape or not same_cells:
        raise PhysgtError(
            f"prediction and reference lie on different meshes, of {ours.mesh.num_points} nodes "
            f"and {ours.mesh.num_cells} cells and of {theirs.mesh.num_points} nodes and "
            f"{theirs.mesh.num_cells} cells; compare a prediction with the reference it started "
            "from."
        )
