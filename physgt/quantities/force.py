"""The force of a fluid on a body: by the stresses on its boundary, or by the balance around it."""

from __future__ import annotations

import numpy as np

from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.quantities.linear_elements import (
    Convection,
    divergences,
    only_simplices,
    stiffness_and_mass,
)
from physgt.quantities.output import Output, per_depth, target_of, total, vector_of
from physgt.quantities.surface import SimplexSurface, boundary_normals
from physgt.task import Field, Task
from physgt.trajectory import Frame
from physgt.units import are_same_units, require_same_units


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
    the body. density: kg/m^3; viscosity: kinematic, m^2/s; pressure: in Pa where its units say so,
    else kinematic, m^2/s^2.
    """
    p, u = target_of(task, pressure), vector_of(mesh, task, velocity)
    surface = SimplexSurface.of(mesh, on)
    ids, size, products = mesh.nodes_of(on), mesh.dimension, surface.shape_products()
    unit = surface.normals / surface.areas[:, None]
    scale = _to_pascal(p, density)

    def evaluate(frame: Frame) -> np.ndarray:
        values = scale * np.asarray(frame[p.name], dtype=np.float64)[surface.nodes]
        loads = np.einsum("fij,fj,fd->fid", products, values, unit)
        flow = np.asarray(frame[u.name], dtype=np.float64)[surface.cells]
        gradient = np.einsum("fai,faj->fij", flow, surface.gradients)
        strain = gradient + gradient.transpose(0, 2, 1)
        traction = viscosity * np.einsum("fij,fj->fi", strain, surface.normals)
        loads = loads - density * traction[:, None, :] / size
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


def nodal_reaction_force(
    mesh: Mesh,
    task: Task,
    *,
    on: str,
    density: float,
    viscosity: float,
    pressure: str = "pressure",
    velocity: str = "velocity",
) -> Output:
    """The fluid's force on each node of a body's boundary by the balance around it: (n, D) in N.

    -rho (M du/dt + C(u) u + nu K u) + B p at these nodes, with the matrices of linear elements for
    mass, convection, viscosity and divergence: the residual of the momentum equation, which is
    what a finite-element solver holds the body with. Other than the stresses of `force`, which
    need gradients at the wall, it converges as fast as the flow itself.

    density: kg/m^3; viscosity: kinematic, m^2/s; pressure: in Pa where its units say so, else
    kinematic, m^2/s^2. Before the first step the flow counts as steady.

    Source: John, "Reference values for drag and lift of a two-dimensional time-dependent flow
    around a cylinder", Int. J. Numer. Meth. Fluids 44, 2004.
    """
    p, u = target_of(task, pressure), vector_of(mesh, task, velocity)
    SimplexSurface.of(mesh, on)
    ids = mesh.nodes_of(on)
    cells = only_simplices(mesh, ids)
    stiffness, mass = (matrix[ids] for matrix in stiffness_and_mass(mesh, cells))
    gradients = [matrix[ids] for matrix in divergences(mesh, cells)]
    convection = Convection(mesh, cells)
    scale = _to_pascal(p, density)

    def evaluate(frame: Frame) -> np.ndarray:
        flow = np.asarray(frame[u.name], dtype=np.float64)
        values = scale * np.asarray(frame[p.name], dtype=np.float64)
        pushed = np.stack([matrix @ values for matrix in gradients], axis=1)
        carried = convection(flow, flow)[ids]
        return np.asarray(pushed - density * (carried + viscosity * (stiffness @ flow)))

    return Output(
        evaluate,
        per_depth("N", mesh),
        mesh.dimension,
        ids,
        content=lambda frame: -density * (mass @ np.asarray(frame[u.name], np.float64)),
    )


def reaction_force(
    mesh: Mesh,
    task: Task,
    *,
    on: str,
    density: float,
    viscosity: float,
    pressure: str = "pressure",
    velocity: str = "velocity",
) -> Output:
    """The fluid's force on a body by the balance around it, (D,) in N: see nodal_reaction_force."""
    return total(
        nodal_reaction_force(
            mesh, task, on=on, density=density, viscosity=viscosity,
            pressure=pressure, velocity=velocity,
        )
    )  # fmt: skip


def pressure_force(mesh: Mesh, task: Task, *, on: str, pressure: str = "pressure") -> Output:
    """The pressure's force on a body, (D,) in N, of a pressure in Pa on cells, as it is in each.

    on: a set of nodes, to which the boundary's faces between them belong.
    """
    p = target_of(task, pressure, location="cell")
    require_same_units(f"field '{p.name}'", p.units, "Pa")
    normals, cells = boundary_normals(mesh, on)
    return Output(
        lambda frame: np.asarray(np.asarray(frame[p.name], np.float64)[cells] @ normals),
        per_depth("N", mesh),
        mesh.dimension,
    )


def _to_pascal(pressure: Field, density: float) -> float:
    """What a pressure is multiplied by: a kinematic one, as are those without units, by density."""
    if are_same_units(pressure.units, "Pa"):
        return 1.0
    try:
        require_same_units(f"field '{pressure.name}'", pressure.units, "m^2/s^2")
    except PhysgtError as error:
        raise PhysgtError(f"{error} A pressure in Pa will do as well.") from error
    return density
