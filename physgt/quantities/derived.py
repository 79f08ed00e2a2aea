"""All kinds of quantities that are computed from fields, by name; probes and surface integrals.

Integrals are exact for fields that are linear in each triangle or tetrahedron. In a planar mesh
they are per metre of depth: W/m, N/m.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.quantities.force import (
    force,
    nodal_force,
    nodal_reaction_force,
    pressure_force,
    reaction_force,
)
from physgt.quantities.heat_flux import (
    heat_flux,
    heat_flux_density,
    heat_imbalance,
    nodal_heat_flux,
    nodal_reaction_heat_flux,
    reaction_heat_flux,
)
from physgt.quantities.linear_elements import simplices
from physgt.quantities.output import Output, surface_weights, target_of
from physgt.quantities.stress import von_mises_linear, von_mises_neo_hookean
from physgt.quantities.surface import shape_gradients
from physgt.quantities.whole import (
    divergence,
    kinetic_energy,
    largest,
    volume_integral,
    volume_mean,
)
from physgt.task import Field, Task
from physgt.trajectory import Frame


def probe(mesh: Mesh, task: Task, *, field: str, point: list[float]) -> Output:
    """A target at a point, linear in the triangle or tetrahedron around it."""
    nodes, weights = _around(mesh, np.asarray(point, dtype=np.float64))
    return _weighted(target_of(task, field), nodes, weights, target_of(task, field).units)


def surface_integral(mesh: Mesh, task: Task, *, field: str, on: str) -> Output:
    """A target integrated over a part of the boundary."""
    target, weights = target_of(task, field), surface_weights(mesh, on)
    units = f"{target.units} m^{mesh.dimension - 1}".replace("m^1", "m").strip()
    return _weighted(target, np.arange(mesh.num_points), weights, units)


def surface_mean(mesh: Mesh, task: Task, *, field: str, on: str) -> Output:
    """The mean of a target over a part of the boundary, by area."""
    target, weights = target_of(task, field), surface_weights(mesh, on)
    return _weighted(target, np.arange(mesh.num_points), weights / weights.sum(), target.units)


OUTPUTS: dict[str, Callable[..., Output]] = {
    "probe": probe,
    "surface_integral": surface_integral,
    "surface_mean": surface_mean,
    "volume_mean": volume_mean,
    "volume_integral": volume_integral,
    "largest": largest,
    "kinetic_energy": kinetic_energy,
    "divergence": divergence,
    "heat_flux": heat_flux,
    "nodal_heat_flux": nodal_heat_flux,
    "heat_flux_density": heat_flux_density,
    "reaction_heat_flux": reaction_heat_flux,
    "nodal_reaction_heat_flux": nodal_reaction_heat_flux,
    "heat_imbalance": heat_imbalance,
    "force": force,
    "nodal_force": nodal_force,
    "reaction_force": reaction_force,
    "nodal_reaction_force": nodal_reaction_force,
    "pressure_force": pressure_force,
    "von_mises_neo_hookean": von_mises_neo_hookean,
    "von_mises_linear": von_mises_linear,
}


def _weighted(target: Field, nodes: np.ndarray, weights: np.ndarray, units: str) -> Output:
    def evaluate(frame: Frame) -> np.ndarray:
        return np.asarray(weights @ np.asarray(frame[target.name], dtype=np.float64)[nodes])

    return Output(evaluate, units, target.components)


def _around(mesh: Mesh, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nodes (D+1,) of the cell around a point, and its barycentric coordinates."""
    if point.shape != (mesh.dimension,):
        raise PhysgtError(f"the point {point.tolist()} needs {mesh.dimension} coordinates.")
    cells = simplices(mesh)
    corners = mesh.points[cells]
    from_centre = point - corners.mean(axis=1)
    weights = 1 / cells.shape[1] + np.einsum("mad,md->ma", shape_gradients(corners), from_centre)
    best = int(weights.min(axis=1).argmax())
    if weights[best].min() < -1e-6:
        raise PhysgtError(
            f"the point {point.tolist()} lies in no cell; the mesh spans "
            f"{mesh.points.min(axis=0).tolist()} to {mesh.points.max(axis=0).tolist()}."
        )
    return cells[best], weights[best]
