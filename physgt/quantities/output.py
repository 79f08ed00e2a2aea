"""What an output of a stepper is, and what the kinds of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.quantities.surface import SimplexSurface
from physgt.task import Field, Location, Task
from physgt.trajectory import Frame


@dataclass(frozen=True)
class Output:
    """A derived quantity of a frame, the targets by name.

    evaluate   frame -> () or (C,), or, where it lies on the nodes of a set, (n,) or (n, C)
    units      SI
    components of one value
    ids        (n,) the nodes it lies on, in the order of the set; None for one value in all
    content    frame -> an array like those of `evaluate`; its rate of change over the last step is
               added to what `evaluate` gives
    """

    evaluate: Callable[[Frame], np.ndarray]
    units: str
    components: int = 1
    ids: np.ndarray | None = None
    content: Callable[[Frame], np.ndarray] | None = None

    def over(self, seconds: float, before: Frame, after: Frame) -> np.ndarray:
        """The value at the end of a step that led from one frame to another."""
        value = self.evaluate(after)
        if self.content is None:
            return value
        return value + (self.content(after) - self.content(before)) / seconds

    def field(self, name: str) -> Field:
        location: Location = "global" if self.ids is None else "node"
        return Field(name, self.components, self.units, location, "float64")


def target_of(task: Task, name: str) -> Field:
    """A target by name. Raises PhysgtError where there is none, and where it lies on cells."""
    task.columns(name)
    if task.location == "cell":
        raise PhysgtError(
            f"'{name}' lies on cells, but outputs are derived from fields on nodes; get the field "
            "itself, or train on nodes (physgt convert --to-nodes)."
        )
    return next(target for target in task.targets if target.name == name)


def total(nodal: Output) -> Output:
    """The sum of an output over the nodes that it lies on."""

    def summed(of_nodes: Callable[[Frame], np.ndarray]) -> Callable[[Frame], np.ndarray]:
        return lambda frame: np.asarray(of_nodes(frame).sum(axis=0))

    content = None if nodal.content is None else summed(nodal.content)
    return Output(summed(nodal.evaluate), nodal.units, nodal.components, content=content)


def per_depth(units: str, mesh: Mesh) -> str:
    """Units of an integral: in a planar mesh it is one per metre of depth."""
    return f"{units}/m" if mesh.dimension == 2 else units


def surface_weights(mesh: Mesh, on: str) -> np.ndarray:
    """(N,) the integrals of the shape functions over a part of the boundary."""
    surface = SimplexSurface.of(mesh, on)
    return surface.scattered(surface.shape_products().sum(axis=2), mesh.num_points)
