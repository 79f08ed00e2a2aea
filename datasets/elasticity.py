"""Small motions of an elastic body, on tetrahedra.

    rho u'' = div sigma(u + tau u') + f,    sigma(u) = 2 mu eps(u) + lambda tr eps(u) I

Space: quadratic elements. Time: the average-acceleration method (Newmark, J. Eng. Mech. Div. 85,
1959), of second order, stable for any step. tau is the relaxation time of a Kelvin-Voigt material;
without it the energy of a body left alone stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from physgt.datasets.finite_elements import (
    assemble,
    ddot,
    div,
    dot,
    factorize,
    simplices,
    skfem,
    sym_grad,
)
from physgt.mesh import Mesh

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Material:
    """SI units: Pa, kg/m3, and s for the relaxation time."""

    youngs_modulus: float
    poissons_ratio: float
    density: float
    relaxation_time: float = 0.0

    @property
    def shear_modulus(self) -> float:
        return self.youngs_modulus / (2 * (1 + self.poissons_ratio))

    @property
    def first_lame_parameter(self) -> float:
        return 2 * self.shear_modulus * self.poissons_ratio / (1 - 2 * self.poissons_ratio)


class ElasticBody:
    """Time steps of one body, at rest and undeformed at first.

    clamped  numbers of the mesh's points; a face moves only where one of its corners isn't clamped
    load     force by volume (3,) in N/m3 at a time in s, the same everywhere

    `displacement` and `velocity` are (N, 3) at the mesh's points, in m and m/s.
    """

    def __init__(
        self,
        mesh: Mesh,
        material: Material,
        dt: float,
        clamped: NDArray[np.int64],
        load: Callable[[float], Array],
    ) -> None:
        body = simplices(mesh)
        basis = skfem.Basis(body, skfem.ElementVector(skfem.ElementTetP2()), intorder=2)
        mu, first = material.shear_modulus, material.first_lame_parameter
        self.stiffness = assemble(
            lambda u, v, w: 2 * mu * ddot(sym_grad(u), sym_grad(v)) + first * div(u) * div(v), basis
        )
        # Products of quadratic functions are of order 4.
        exact = skfem.Basis(body, basis.elem, intorder=4)
        self.mass = material.density * assemble(lambda u, v, w: dot(u, v), exact)
        self._unit_loads = np.stack(
            [
                skfem.LinearForm(lambda v, w, axis=axis: v[axis]).assemble(basis)
                for axis in range(3)
            ],
            axis=1,
        )
        held = np.isin(body.facets, clamped).all(axis=0)
        self._free = basis.complement_dofs(basis.get_dofs(np.flatnonzero(held)))
        self._vertices = basis.nodal_dofs.T
        self._load, self._damping = load, material.relaxation_time
        self.dt, self._steps = dt, 0
        self._u, self._v = np.zeros(basis.N), np.zeros(basis.N)
        self._a = self._at_rest(self.mass, load(0.0))
        effective = 4 / dt**2 * self.mass + (1 + 2 * self._damping / dt) * self.stiffness
        self._factors = factorize(self._of_free(effective))

    @property
    def time(self) -> float:
        return self._steps * self.dt

    @property
    def displacement(self) -> Array:
        return self._u[self._vertices]

    @property
    def velocity(self) -> Array:
        return self._v[self._vertices]

    @property
    def energy(self) -> float:
        """Kinetic and elastic, in J."""
        return 0.5 * float(self._v @ (self.mass @ self._v) + self._u @ (self.stiffness @ self._u))

    def step(self) -> None:
        """Advance by dt."""
        dt, tau = self.dt, self._damping
        self._steps += 1
        # With a' the new acceleration: u' = ahead + dt2 / 4 a', v' = faster + dt / 2 a'.
        ahead = self._u + dt * self._v + 0.25 * dt**2 * self._a
        faster = self._v + 0.5 * dt * self._a
        force = self._unit_loads @ self._load(self.time)
        force += self.mass @ (4 / dt**2 * ahead)
        force -= self.stiffness @ (tau * (faster - 2 / dt * ahead))
        self._u = np.zeros_like(ahead)
        self._u[self._free] = self._factors.solve(force[self._free])
        self._a = 4 / dt**2 * (self._u - ahead)
        self._v = faster + 0.5 * dt * self._a

    def static_displacement(self, load: Array) -> Array:
        """(N, 3): where the mesh's points rest in the end under a load (3,) in N/m3."""
        return self._at_rest(self.stiffness, load)[self._vertices]

    def _at_rest(self, matrix: sparse.csr_matrix, load: Array) -> Array:
        """The solution of matrix @ solution = load that is 0 where the body is clamped."""
        solution = np.zeros(matrix.shape[0])
        if np.any(load):
            force = (self._unit_loads @ load)[self._free]
            solution[self._free] = factorize(self._of_free(matrix)).solve(force)
        return solution

    def _of_free(self, matrix: sparse.csr_matrix) -> sparse.csr_matrix:
        return matrix[self._free][:, self._free]
