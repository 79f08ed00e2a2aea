"""Quantities computed from the fields of a stepper: probes, means, integrals, heat flux, force.

Integrals are exact for fields that are linear in each triangle or tetrahedron. In a planar mesh
they are per metre of depth: W/m, N/m.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from physgt.coupling.surface import SimplexSurface, shape_gradients
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.task import Field, Location, Task
from physgt.trajectory import Frame


@dataclass(frozen=True)
class Output:
    """A derived quantity of a frame, the targets by name.

    evaluate   frame -> () or (C,), or, where it lies on the nodes of a set, (n,) or (n, C)
    units      SI
    components of one value
    ids        (n,) the nodes it lies on, in the order of the set; None for one value in all
    """

    evaluate: Callable[[Frame], np.ndarray]
    units: str
    components: int = 1
    ids: np.ndarray | None = None

    def field(self, name: str) -> Field:
        location: Location = "global" if self.ids is None else "node"
        return Field(name, self.components, self.units, location, "float64")


def probe(mesh: Mesh, task: Task, *, field: str, point: list[float]) -> Output:
    """A target at a point, linear in the triangle or tetrahedron around it."""
    nodes, weights = _around(mesh, np.asarray(point, dtype=np.float64))
    return _weighted(_target(task, field), nodes, weights, _target(task, field).units)


def surface_integral(mesh: Mesh, task: Task, *, field: str, on: str) -> Output:
    """A target integrated over a part of the boundary."""
    target, weights = _target(task, field), _surface_weights(mesh, on)
    units = f"{target.units} m^{mesh.dimension - 1}".replace("m^1", "m").strip()
    return _weighted(target, np.arange(mesh.num_points), weights, units)


def surface_mean(mesh: Mesh, task: Task, *, field: str, on: str) -> Output:
    """The mean of a target over a part of the boundary, by area."""
    target, weights = _target(task, field), _surface_weights(mesh, on)
    return _weighted(target, np.arange(mesh.num_points), weights / weights.sum(), target.units)


def volume_mean(mesh: Mesh, task: Task, *, field: str) -> Output:
    """The mean of a target over the whole mesh, by volume."""
    target, cells = _target(task, field), _simplices(mesh)
    edges = mesh.points[cells[:, 1:]] - mesh.points[cells[:, :1]]
    shares = np.repeat(np.abs(np.linalg.det(edges)), cells.shape[1])
    weights = np.bincount(cells.ravel(), shares, mesh.num_points)
    return _weighted(target, np.arange(mesh.num_points), weights / weights.sum(), target.units)


def nodal_heat_flux(
    mesh: Mesh, task: Task, *, on: str, conductivity: float, temperature: str = "temperature"
) -> Output:
    """Heat that leaves through each node of a set: -k grad T . n phi_i over its faces, in W.

    conductivity: W/(m K). The sum over the nodes is `heat_flux`: what a conservative mapping keeps.
    The gradient is that of the cell behind a face, of first order in its size.
    """
    target, surface = _target(task, temperature), SimplexSurface.of(mesh, on)
    ids, size = mesh.nodes_of(on), mesh.dimension

    def evaluate(frame: Frame) -> np.ndarray:
        values = np.asarray(frame[target.name], dtype=np.float64)
        gradient = np.einsum("fa,fad->fd", values[surface.cells], surface.gradients)
        through = -conductivity * (gradient * surface.normals).sum(axis=1)
        loads = np.repeat(through[:, None] / size, size, axis=1)
        return surface.scattered(loads, mesh.num_points)[ids]

    return Output(evaluate, _per_depth("W", mesh), ids=ids)


def heat_flux(
    mesh: Mesh, task: Task, *, on: str, conductivity: float, temperature: str = "temperature"
) -> Output:
    """Heat that leaves through a part of the boundary, in W: see nodal_heat_flux."""
    nodal = nodal_heat_flux(mesh, task, on=on, conductivity=conductivity, temperature=temperature)
    return _total(nodal)


def heat_flux_density(
    mesh: Mesh, task: Task, *, on: str, conductivity: float, temperature: str = "temperature"
) -> Output:
    """Heat flux at the nodes of a set in W/m^2, positive outward: for a consistent mapping."""
    nodal = nodal_heat_flux(mesh, task, on=on, conductivity=conductivity, temperature=temperature)
    ids = mesh.nodes_of(on)
    areas = _surface_weights(mesh, on)[ids]
    if (areas == 0).any():
        raise PhysgtError(
            f"node {ids[areas == 0][0]} of the set '{on}' belongs to no whole face of it, so that "
            "it has no flux density; take the node out of the set."
        )
    return Output(lambda frame: nodal.evaluate(frame) / areas, "W/m^2", ids=ids)


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
    p, u = _target(task, pressure), _target(task, velocity)
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

    return Output(evaluate, _per_depth("N", mesh), mesh.dimension, ids)


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
    return _total(
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
    "heat_flux": heat_flux,
    "nodal_heat_flux": nodal_heat_flux,
    "heat_flux_density": heat_flux_density,
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


def _target(task: Task, name: str) -> Field:
    task.columns(name)
    return next(target for target in task.targets if target.name == name)


def _weighted(target: Field, nodes: np.ndarray, weights: np.ndarray, units: str) -> Output:
    def evaluate(frame: Frame) -> np.ndarray:
        return np.asarray(weights @ np.asarray(frame[target.name], dtype=np.float64)[nodes])

    return Output(evaluate, units, target.components)


def _total(nodal: Output) -> Output:
    return Output(
        lambda frame: np.asarray(nodal.evaluate(frame).sum(axis=0)), nodal.units, nodal.components
    )


def _per_depth(units: str, mesh: Mesh) -> str:
    return f"{units}/m" if mesh.dimension == 2 else units


def _surface_weights(mesh: Mesh, on: str) -> np.ndarray:
    """(N,) the integrals of the shape functions over a part of the boundary."""
    surface = SimplexSurface.of(mesh, on)
    return surface.scattered(surface.shape_products().sum(axis=2), mesh.num_points)


def _simplices(mesh: Mesh) -> np.ndarray:
    """(M, D+1) all cells of a mesh of triangles or tetrahedra."""
    number = {2: 5, 3: 10}.get(mesh.dimension)
    cells = [nodes for found, _, nodes in mesh.blocks() if found == number]
    if not cells:
        raise PhysgtError("probes and means over the mesh need triangles or tetrahedra.")
    return np.concatenate(cells)


def _around(mesh: Mesh, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nodes (D+1,) of the cell around a point, and its barycentric coordinates."""
    if point.shape != (mesh.dimension,):
        raise PhysgtError(f"the point {point.tolist()} needs {mesh.dimension} coordinates.")
    cells = _simplices(mesh)
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
