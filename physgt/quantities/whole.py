"""Quantities of a whole mesh: means, integrals, extremes, energy, divergence.

Means and integrals weigh a cell by its volume and a node by its share of the cells' volumes, which
is exact for fields that are linear in triangles or tetrahedra. In a planar mesh integrals are per
metre of depth.
"""

from __future__ import annotations

import numpy as np

from physgt.mesh import Mesh
from physgt.quantities.linear_elements import only_simplices, volumes
from physgt.quantities.output import Output, per_depth, target_anywhere, target_of, vector_of
from physgt.quantities.surface import shape_gradients
from physgt.task import Task
from physgt.trajectory import Frame
from physgt.volumes import node_volumes


def volume_mean(mesh: Mesh, task: Task, *, field: str) -> Output:
    """The mean of a target over the whole mesh, by volume."""
    target, weights = target_anywhere(mesh, task, field)
    share = weights / weights.sum()
    return Output(
        lambda frame: np.asarray(share @ _values(frame, field)), target.units, target.components
    )


def volume_integral(mesh: Mesh, task: Task, *, field: str) -> Output:
    """A target integrated over the whole mesh."""
    target, weights = target_anywhere(mesh, task, field)
    units = f"{target.units} m^{mesh.dimension}".strip()
    return Output(
        lambda frame: np.asarray(weights @ _values(frame, field)), units, target.components
    )


def largest(mesh: Mesh, task: Task, *, field: str) -> Output:
    """The largest value of a target, of a vector its largest length."""
    target, _ = target_anywhere(mesh, task, field)

    def evaluate(frame: Frame) -> np.ndarray:
        values = _values(frame, field)
        return np.asarray((np.linalg.norm(values, axis=1) if values.ndim > 1 else values).max())

    return Output(evaluate, target.units)


def kinetic_energy(mesh: Mesh, task: Task, *, density: float, velocity: str = "velocity") -> Output:
    """The integral of rho |u|^2 / 2 in J, with the square taken at the nodes."""
    weights = node_volumes(mesh)
    target_of(task, velocity)

    def evaluate(frame: Frame) -> np.ndarray:
        squares = np.square(_values(frame, velocity).reshape(mesh.num_points, -1)).sum(axis=1)
        return np.asarray(0.5 * density * (weights @ squares))

    return Output(evaluate, per_depth("J", mesh))


def divergence(mesh: Mesh, task: Task, *, velocity: str = "velocity") -> Output:
    """The root mean square of div u over the mesh, in 1/s: 0 for an incompressible flow.

    Of the linear function in each triangle or tetrahedron: a solver with other elements has some
    divergence by this measure as well, so compare with the reference's.
    """
    vector_of(mesh, task, velocity)
    cells = only_simplices(mesh)
    gradients, volume = shape_gradients(mesh.points[cells]), volumes(mesh, cells)

    def evaluate(frame: Frame) -> np.ndarray:
        found = np.einsum("mad,mad->m", gradients, _values(frame, velocity)[cells])
        return np.asarray(np.sqrt((volume * found**2).sum() / volume.sum()))

    return Output(evaluate, "1/s")


def _values(frame: Frame, field: str) -> np.ndarray:
    return np.asarray(frame[field], dtype=np.float64)
