"""What an output of a stepper is, and what the kinds of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.quantities.surface import SimplexSurface
from physgt.task import Field, Location, Task
from physgt.trajectory import Frame
from physgt.volumes import cell_volumes, node_volumes

INSTEAD: dict[Location, str] = {
    "node": "get the field itself, or train on nodes (physgt convert --to-nodes).",
    "cell": "of nodes there are force and reaction_force.",
}


@dataclass(frozen=True)
class Output:
    """A derived quantity of a frame, the targets by name.

    evaluate   frame -> () or (C,), or, where it lies on the nodes of a set, (n,) or (n, C)
    units      SI
    components of one value
    ids        (n,) the nodes it lies on, in the order of the set; None for one value in all
    shares     (n,) of a density, by which the nodes' values make their mean; None where they add up
    content    frame -> an array like those of `evaluate`; its rate of change over the last step is
               added to what `evaluate` gives
    time_scale seconds, length over speed: frequencies times it are Strouhal numbers
    """

    evaluate: Callable[[Frame], np.ndarray]
    units: str
    components: int = 1
    ids: np.ndarray | None = None
    shares: np.ndarray | None = None
    content: Callable[[Frame], np.ndarray] | None = None
    time_scale: float | None = None

    def over(self, seconds: float, before: Frame, after: Frame) -> np.ndarray:
        """The value at the end of a step that led from one frame to another."""
        value = self.evaluate(after)
        if self.content is None:
            return value
        return value + (self.content(after) - self.content(before)) / seconds

    def mapped(self, change: Callable[[np.ndarray], np.ndarray]) -> Output:
        """The same with a linear change of its values."""
        evaluate, content = self.evaluate, self.content
        return replace(
            self,
            evaluate=lambda frame: np.asarray(change(evaluate(frame))),
            content=None if content is None else lambda frame: np.asarray(change(content(frame))),
        )

    def field(self, name: str) -> Field:
        location: Location = "global" if self.ids is None else "node"
        return Field(name, self.components, self.units, location, "float64")


def target_of(task: Task, name: str, location: Location = "node") -> Field:
    """A target by name. Raises PhysgtError where there is none, and where it lives elsewhere."""
    task.columns(name)
    if task.location != location:
        raise PhysgtError(
            f"'{name}' lies on {task.location}s, but this quantity is made of fields on "
            f"{location}s; " + INSTEAD[location]
        )
    return _target(task, name)


def target_anywhere(mesh: Mesh, task: Task, name: str) -> tuple[Field, np.ndarray]:
    """A target by name, and the volume of each node or cell that it lives on."""
    task.columns(name)
    volumes = cell_volumes(mesh) if task.location == "cell" else node_volumes(mesh)
    return _target(task, name), volumes


def vector_of(mesh: Mesh, task: Task, name: str) -> Field:
    """A target with a component for each dimension. Raises PhysgtError for any other."""
    target = target_of(task, name)
    if target.components != mesh.dimension:
        raise PhysgtError(
            f"'{name}' has {target.components} components on a {mesh.dimension}-D mesh."
        )
    return target


def _target(task: Task, name: str) -> Field:
    return next(target for target in task.targets if target.name == name)


def total(nodal: Output) -> Output:
    """The sum of an output over the nodes that it lies on."""
    return replace(nodal.mapped(lambda values: values.sum(axis=0)), ids=None)


def per_depth(units: str, mesh: Mesh) -> str:
    """Units of an integral: in a planar mesh it is one per metre of depth."""
    return f"{units}/m" if mesh.dimension == 2 else units


def surface_weights(mesh: Mesh, on: str) -> np.ndarray:
    """(N,) the integrals of the shape functions over a part of the boundary."""
    surface = SimplexSurface.of(mesh, on)
    return surface.scattered(surface.shape_products().sum(axis=2), mesh.num_points)
