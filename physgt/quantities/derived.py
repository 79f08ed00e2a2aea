"""Quantities computed from the fields of a stepper: probes, means, integrals, heat flux, force.

Integrals are exact for fields that are linear in each triangle or tetrahedron. In a planar mesh
they are per metre of depth: W/m, N/m.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.quantities.heat_flux import (
    heat_flux,
    heat_flux_density,
    nodal_heat_flux,
    nodal_reaction_heat_flux,
    reaction_heat_flux,
)
from physgt.quantities.linear_elements import simplices
from physgt.quantities.output import Output, per_depth, surface_weights, target_of, total
from physgt.quantities.surface import SimplexSurface, shape_gradients
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


def nodal_force(
    mesh: Mesh,
    task: Task,
    *,
    on: str,
    density: float,
    viscosity: float,
    pressure: str = "pressure",
    velocity: str = "velocity",
) -> Output:
    """The fluid's force on a body, shared among the nodes of its boundary: (n, D) in N.

    The integral of rho (p n - nu (grad u + grad u^T) n) phi_i with n outward from the fluid, into
    the body. density: kg/m^3; viscosity: kinematic, m^2/s; pressure: kinematic, m^2/s^2. For a
    pressure in Pa pass density = 1 and the dynamic viscosity in Pa s.
    """
    p, u = target_of(task, pressure), target_of(task, velocity)
    if u.components != mesh.dimension:
        raise PhysgtError(
            f"'{velocity}' has {u.components} components on a {mesh.dimension}-D mesh."
        )
    surface = SimplexSurface.of(mesh, on)
    ids, size, products = mesh.nodes_of(on), mesh.dimension, surface.shape_products()
    unit = surface.normals / surface.areas[:, None]

    def evaluate(frame: Frame) -> np.ndarray:
        values = np.asarray(frame[p.name], dtype=np.float64)[surface.nodes]
        loads = np.einsum("fij,fj,fd->fid", products, values, unit)
        flow = np.asarray(frame[u.name], dtype=np.float64)[surface.cells]
        gradient = np.einsum("fai,faj->fij", flow, surface.gradients)
        strain = gradient + gradient.transpose(0, 2, 1)
        traction = viscosity * np.einsum("fij,fj->fi", strain, surface.normals)
        loads = density * (loads - traction[:, None, :] / size)
        return surface.scattered(loads, mesh.num_points)[ids]

    return Output(evaluate, per_depth("N", mesh), mesh.dimension, ids)


def force(
    mesh: Mesh,
    task: Task,
    *,
    on: str,
    density: float,
    viscosity: float,
    pressure: str = "pressure",
    velocity: str = "velocity",
) -> Output:
    """The fluid's force on a body, (D,) in N: see nodal_force."""
    return total(
        nodal_force(
            mesh, task, on=on, density=density, viscosity=viscosity,
            pressure=pressure, velocity=velocity,
        )
    )  # fmt: skip


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
    "force": force,
    "nodal_force": nodal_force,
}


def build_outputs(
    mesh: Mesh, task: Task, settings: Mapping[str, Mapping[str, Any]]
) -> dict[str, Output]:
    """Outputs by name, from tables as a TOML file has them: {name: {"kind": ..., options}}.

    Raises PhysgtError for a kind of OUTPUTS or an option of it that doesn't exist or is missing.
    """
    found = {}
    for name, table in settings.items():
        options = {key: value for key, value in table.items() if key != "kind"}
        kind = table.get("kind")
        if kind not in OUTPUTS:
            raise PhysgtError(f"[outputs.{name}] kind = {kind!r}: expected one of {list(OUTPUTS)}.")
        parameters = inspect.signature(OUTPUTS[kind]).parameters.values()
        known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        required = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
        if not set(required) <= set(options) <= set(known):
            raise PhysgtError(
                f"[outputs.{name}] a {kind} takes {known} and needs {required}, "
                f"found {sorted(options)}."
            )
        found[name] = OUTPUTS[kind](mesh, task, **options)
    return found


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
