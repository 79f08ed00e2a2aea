"""Heat through a part of the boundary: by the gradient of the temperature, or by balance."""

from __future__ import annotations

import numpy as np

from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.quantities.linear_elements import Convection, only_simplices, stiffness_and_mass
from physgt.quantities.output import (
    Output,
    per_depth,
    surface_weights,
    target_of,
    total,
    vector_of,
)
from physgt.quantities.surface import SimplexSurface
from physgt.task import Task
from physgt.trajectory import Frame


def nodal_heat_flux(
    mesh: Mesh, task: Task, *, on: str, conductivity: float, temperature: str = "temperature"
) -> Output:
    """Heat that leaves through each node of a set: -k grad T . n phi_i over its faces, in W.

    conductivity: W/(m K). The sum over the nodes is `heat_flux`: what a conservative mapping keeps.
    The gradient is that of the cell behind a face, of first order in its size.
    """
    target, surface = target_of(task, temperature), SimplexSurface.of(mesh, on)
    ids, size = mesh.nodes_of(on), mesh.dimension

    def evaluate(frame: Frame) -> np.ndarray:
        values = np.asarray(frame[target.name], dtype=np.float64)
        gradient = np.einsum("fa,fad->fd", values[surface.cells], surface.gradients)
        through = -conductivity * (gradient * surface.normals).sum(axis=1)
        loads = np.repeat(through[:, None] / size, size, axis=1)
        return surface.scattered(loads, mesh.num_points)[ids]

    return Output(evaluate, per_depth("W", mesh), ids=ids)


def heat_flux(
    mesh: Mesh, task: Task, *, on: str, conductivity: float, temperature: str = "temperature"
) -> Output:
    """Heat that leaves through a part of the boundary, in W: see nodal_heat_flux."""
    nodal = nodal_heat_flux(mesh, task, on=on, conductivity=conductivity, temperature=temperature)
    return total(nodal)


def heat_flux_density(
    mesh: Mesh, task: Task, *, on: str, conductivity: float, temperature: str = "temperature"
) -> Output:
    """Heat flux at the nodes of a set in W/m^2, positive outward: for a consistent mapping."""
    nodal = nodal_heat_flux(mesh, task, on=on, conductivity=conductivity, temperature=temperature)
    ids = mesh.nodes_of(on)
    areas = surface_weights(mesh, on)[ids]
    if (areas == 0).any():
        raise PhysgtError(
            f"node {ids[areas == 0][0]} of the set '{on}' belongs to no whole face of it, so that "
            "it has no flux density; take the node out of the set."
        )
    return Output(
        lambda frame: nodal.evaluate(frame) / areas, "W/m^2", ids=ids, shares=areas / areas.sum()
    )


def nodal_reaction_heat_flux(
    mesh: Mesh,
    task: Task,
    *,
    on: str,
    conductivity: float,
    capacity: float,
    temperature: str = "temperature",
    velocity: str | None = None,
    source: str | None = None,
) -> Output:
    """Heat that leaves through each node of a set by the balance of its surroundings, in W.

    -(M (T - T_before) / dt + K T) at these nodes, M the mass matrix of linear elements times the
    capacity, K the stiffness matrix times the conductivity: the reactions of a finite-element
    solution with backward Euler steps. Other than the gradient of nodal_heat_flux it is exact for
    that solution, so that two halves of a body exchange what the whole one has inside.

    conductivity: W/(m K); capacity: J/(m^3 K); velocity: a field in m/s, with which the medium
    carries heat; source: a field in W/m^3. What enters these nodes through other boundaries, or by
    a source that isn't named, is part of it. Before the first step the temperature counts as
    steady.

    Source: Carey, Chow and Seager, "Approximate boundary-flux calculations", Computer Methods in
    Applied Mechanics and Engineering 50, 1985.
    """
    SimplexSurface.of(mesh, on)
    gained = _gained(
        mesh, task, mesh.nodes_of(on), conductivity, capacity, temperature, velocity, source
    )
    return gained.mapped(np.negative)


def reaction_heat_flux(
    mesh: Mesh,
    task: Task,
    *,
    on: str,
    conductivity: float,
    capacity: float,
    temperature: str = "temperature",
    velocity: str | None = None,
    source: str | None = None,
) -> Output:
    """Heat that leaves through a part of the boundary, in W: see nodal_reaction_heat_flux."""
    return total(
        nodal_reaction_heat_flux(
            mesh, task, on=on, conductivity=conductivity, capacity=capacity,
            temperature=temperature, velocity=velocity, source=source,
        )
    )  # fmt: skip


def heat_imbalance(
    mesh: Mesh,
    task: Task,
    *,
    outside: list[str],
    conductivity: float,
    capacity: float,
    temperature: str = "temperature",
    velocity: str | None = None,
    source: str | None = None,
) -> Output:
    """Heat that appears from nowhere, in W: 0 where heat is conserved.

    What is stored at all nodes but those of the sets `outside`, through which heat may leave, less
    what is conducted, carried and set free there: the residual that a solver makes 0. For the
    other options see nodal_reaction_heat_flux.
    """
    held = np.concatenate([mesh.nodes_of(name) for name in outside])
    inside = np.setdiff1d(np.arange(mesh.num_points), held)
    return total(_gained(mesh, task, inside, conductivity, capacity, temperature, velocity, source))


def _gained(
    mesh: Mesh,
    task: Task,
    ids: np.ndarray,
    conductivity: float,
    capacity: float,
    temperature: str,
    velocity: str | None,
    source: str | None,
) -> Output:
    """What is stored at some nodes, and not brought there by conduction, flow or source: (n,) W."""
    target = target_of(task, temperature)
    flow = None if velocity is None else vector_of(mesh, task, velocity)
    heating = None if source is None else target_of(task, source)
    cells = only_simplices(mesh, ids)
    stiffness, mass = (matrix[ids] for matrix in stiffness_and_mass(mesh, cells))
    convection = Convection(mesh, cells)

    def evaluate(frame: Frame) -> np.ndarray:
        values = np.asarray(frame[target.name], np.float64)
        found = conductivity * (stiffness @ values)
        if flow is not None:
            carried = convection(np.asarray(frame[flow.name], np.float64), values)
            found = found + capacity * carried[ids]
        if heating is not None:
            found = found - mass @ np.asarray(frame[heating.name], np.float64)
        return np.asarray(found)

    return Output(
        evaluate,
        per_depth("W", mesh),
        ids=ids,
        content=lambda frame: capacity * (mass @ np.asarray(frame[target.name], np.float64)),
    )
