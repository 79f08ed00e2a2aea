"""Von Mises stress of a solid whose points move, at the nodes: the mean of the cells around each.

The displacement is linear in each triangle or tetrahedron, so that its gradient, and with it the
stress, is one value a cell; a node's is their mean by the cells' volumes in the mesh's reference
configuration, and 0 where it has no cell. Triangles are in plane strain.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.quantities.linear_elements import only_simplices, volumes
from physgt.quantities.output import Output, vector_of
from physgt.quantities.surface import shape_gradients
from physgt.task import POINTS, Task
from physgt.trajectory import Frame


def von_mises_neo_hookean(
    mesh: Mesh, task: Task, *, youngs_modulus: float, poisson_ratio: float
) -> Output:
    """(N,) Pa, of a compressible neo-Hookean solid at any deformation.

    Cauchy stress (mu (F F^T - I) + lambda ln J I) / J. Infinite at a cell that is turned inside
    out, which no solid can be. Moduli are those of small strains, youngs_modulus in Pa.

    Source: Bonet and Wood, "Nonlinear Continuum Mechanics for Finite Element Analysis", 2nd ed.,
    2008, section 6.4.3.
    """
    shear, lame = _lame_parameters(youngs_modulus, poisson_ratio)

    def stress(gradient: np.ndarray) -> np.ndarray:
        jacobian = np.linalg.det(gradient)[:, None, None]
        left = gradient @ gradient.transpose(0, 2, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (shear * (left - np.eye(3)) + lame * np.log(jacobian) * np.eye(3)) / jacobian
        return np.where(jacobian > 0, found, np.diag([np.inf, 0, 0]))

    return _nodal(mesh, task, stress)


def von_mises_linear(
    mesh: Mesh, task: Task, *, youngs_modulus: float, poisson_ratio: float
) -> Output:
    """(N,) Pa, by Hooke's law for small strains and turns; youngs_modulus in Pa."""
    shear, lame = _lame_parameters(youngs_modulus, poisson_ratio)

    def stress(gradient: np.ndarray) -> np.ndarray:
        strain = 0.5 * (gradient + gradient.transpose(0, 2, 1)) - np.eye(3)
        volume = np.trace(strain, axis1=1, axis2=2)[:, None, None]
        return 2 * shear * strain + lame * volume * np.eye(3)

    return _nodal(mesh, task, stress)


def von_mises(stress: np.ndarray) -> np.ndarray:
    """(M,) of stresses (M, 3, 3): the root of 3/2 s : s, s the part without the mean pressure."""
    xx, yy, zz = (stress[:, k, k] for k in range(3))
    shear = stress[:, 0, 1] ** 2 + stress[:, 1, 2] ** 2 + stress[:, 2, 0] ** 2
    squares = 0.5 * ((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) + 3 * shear
    return np.asarray(np.sqrt(squares))


def _nodal(mesh: Mesh, task: Task, stress: Callable[[np.ndarray], np.ndarray]) -> Output:
    """Of the stress (M, 3, 3) that deformation gradients (M, 3, 3) lead to."""
    vector_of(mesh, task, POINTS)
    cells = only_simplices(mesh)
    gradients = shape_gradients(mesh.points[cells])
    nodes = cells.ravel()
    weights = np.repeat(volumes(mesh, cells), cells.shape[1])
    around = np.bincount(nodes, weights, mesh.num_points)

    def evaluate(frame: Frame) -> np.ndarray:
        points = np.asarray(frame[POINTS], dtype=np.float64)
        deformation = np.tile(np.eye(3), (len(cells), 1, 1))
        dimension = mesh.dimension
        deformation[:, :dimension, :dimension] = np.einsum("mai,maj->mij", points[cells], gradients)
        of_cells = np.repeat(von_mises(stress(deformation)), cells.shape[1])
        sums = np.bincount(nodes, weights * of_cells, mesh.num_points)
        return np.divide(sums, around, out=np.zeros_like(sums), where=around > 0)

    return Output(evaluate, "Pa", ids=np.arange(mesh.num_points))


def _lame_parameters(youngs_modulus: float, poisson_ratio: float) -> tuple[float, float]:
    """mu and lambda in Pa."""
    if not (youngs_modulus > 0 and -1 < poisson_ratio < 0.5):
        raise PhysgtError(
            f"youngs_modulus = {youngs_modulus:g}, poisson_ratio = {poisson_ratio:g}: expected a "
            "modulus above 0, and a ratio above -1 and below 0.5, where nothing can be compressed."
        )
    shear = youngs_modulus / (2 * (1 + poisson_ratio))
    return shear, 2 * shear * poisson_ratio / (1 - 2 * poisson_ratio)
