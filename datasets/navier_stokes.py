"""Unsteady incompressible flow in two or three dimensions.

    du/dt + (u . grad) u = -grad p + nu laplace u,    div u = 0,

for a density of 1 kg/m3. Space: Taylor-Hood elements (velocity quadratic, pressure linear) on
triangles or tetrahedra, curved where the mesh is. Time: second-order backward differences (SBDF2:
Ascher, Ruuth and Wetton, SIAM J. Numer. Anal. 32, 1995). Convection by a frozen field is implicit,
the rest of it is extrapolated; so one sparse factorisation serves many steps, and these may be
larger than fully explicit convection allows. On boundaries without a given velocity nothing is
imposed: nu du/dn = p n, the usual outflow condition.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from physgt.datasets.finite_elements import assemble, factorize, grad, mass, skfem, stiffness
from physgt.errors import PhysgtError

Array = NDArray[np.float64]
BoundaryVelocity = Callable[[Array, float], Array]
"""Velocity (D, n) in m/s given at positions (D, n) in m at a time in s."""

# Of velocity and pressure, by dimension.
ELEMENTS = {
    2: (skfem.ElementTriP2, skfem.ElementTriP1),
    3: (skfem.ElementTetP2, skfem.ElementTetP1),
}
# Largest (difference from the frozen field) * dt / h for which the extrapolated part is stable.
COURANT_LIMIT = 0.4
# Memory of the running mean that becomes the frozen field, in s.
MEAN_FLOW_TIME = 0.5


def mesh_with_circle(
    points: Array, triangles: NDArray[np.int64], center: Array, radius: float
) -> skfem.MeshTri2:
    """Quadratic triangles whose edges between two points of the circle follow the circle."""
    straight = skfem.MeshTri(points.T.copy(), triangles.T.copy())
    curved = skfem.MeshTri2.from_mesh(straight)
    positions = curved.doflocs.copy()
    boundary = straight.boundary_facets()
    offset = straight.p[:, straight.facets[:, boundary]] - center[:, None, None]
    on_circle = np.isclose(np.linalg.norm(offset, axis=0), radius).all(axis=0)
    # Edge numbers of a quadratic mesh follow the facet numbers of the straight one.
    space = skfem.Basis(straight, skfem.ElementTriP2())
    middles = space.facet_dofs[0, boundary[on_circle]]
    offset = positions[:, middles] - center[:, None]
    positions[:, middles] = center[:, None] + offset * (radius / np.linalg.norm(offset, axis=0))
    return skfem.MeshTri2(positions, curved.t)


class TaylorHood:
    """The matrices of one mesh in D dimensions. n velocity nodes per component, q pressure nodes.

    mass, stiffness (n, n); divergence: D of (q, n), one a component; `vertices` and
    `pressure_vertices` are the numbers of the mesh's points among velocity and pressure nodes.
    """

    def __init__(self, mesh: skfem.Mesh) -> None:
        self.dimension = mesh.dim()
        quadratic, linear = ELEMENTS[self.dimension]
        # Order 5 integrates the convection of straight cells, 2 + 1 + 2, exactly.
        self.velocity_basis = velocity = skfem.Basis(mesh, quadratic(), intorder=5)
        self.pressure_basis = pressure = velocity.with_element(linear())
        self.positions: Array = velocity.doflocs
        self.vertices = velocity.nodal_dofs[0]
        self.pressure_vertices = pressure.nodal_dofs[0]
        self.mass = mass(velocity)
        self.stiffness = stiffness(velocity)
        self.divergence = [
            assemble(lambda u, p, w, axis=axis: -p * grad(u)[axis], velocity, pressure)
            for axis in range(self.dimension)
        ]
        self.node_size = _node_size(velocity)
        self._prepare_convection()

    def _prepare_convection(self) -> None:
        """Tables over M cells with Q quadrature points and F shape functions each.

        _shape_functions (Q, F), _table ((1 + D) Q, F): values, and derivatives on the reference
        cell; _weighted_inverse_jacobian (D, D, Q, M); _scatter (n, F M): sums cells into nodes.
        """
        basis = self.velocity_basis
        nodes, quadrature_points = basis.element_dofs, basis.quadrature[0]
        functions = [basis.elem.lbasis(quadrature_points, i) for i in range(basis.Nbfun)]
        self._shape_functions = np.stack([value for value, _ in functions], axis=-1)
        derivatives = [
            np.stack([d[axis] for _, d in functions], axis=-1) for axis in range(self.dimension)
        ]
        self._table = np.concatenate([self._shape_functions, *derivatives])
        inverse_jacobian = basis.mapping.invDF(quadrature_points) * basis.dx
        self._weighted_inverse_jacobian = np.ascontiguousarray(np.swapaxes(inverse_jacobian, 2, 3))
        self._scatter = sparse.csr_matrix(
            (np.ones(nodes.size), (nodes.ravel(), np.arange(nodes.size))),
            shape=(basis.N, nodes.size),
        )

    def convection(self, velocity: Array) -> Array:
        """(u . grad) u tested with every basis function: (n, D) -> (n, D).

        Dense algebra on the reference cell: four times faster than sparse matrices.
        """
        nodes, axes = self.velocity_basis.element_dofs, range(self.dimension)
        at_points = self._table @ np.take(velocity.T, nodes, axis=1)
        at_points = at_points.reshape(self.dimension, len(axes) + 1, -1, nodes.shape[1])
        to_reference = self._weighted_inverse_jacobian
        speed = sum(to_reference[:, axis] * at_points[axis, 0] for axis in axes)
        change = sum(speed[axis] * at_points[:, 1 + axis] for axis in axes)
        return self._scatter @ (self._shape_functions.T @ change).reshape(len(axes), -1).T

    def divergence_of(self, velocity: Array) -> Array:
        """Divergence of a velocity (n, D) tested with each pressure basis function: (q,)."""
        pairs = zip(self.divergence, velocity.T, strict=True)
        total: Array = sum(matrix @ component for matrix, component in pairs)
        return total

    def convection_matrix(self, velocity: Array) -> sparse.csr_matrix:
        """The matrix of (w . grad) for a fixed field w (n, D)."""
        basis = self.velocity_basis
        wind = {f"w{k}": basis.interpolate(w) for k, w in enumerate(velocity.T.copy())}
        return assemble(
            lambda u, v, w: v * sum(w[name] * grad(u)[k] for k, name in enumerate(wind)),
            basis,
            **wind,
        )


class IncompressibleFlow:
    """Time steps of one flow.

    `boundary_velocity` gives the velocity on the boundary facets `held`, numbers of the mesh's
    facets; the others, at least one, are outflow. `velocity` (n, D) and `pressure` (q,) are those
    of `time` in s. The first is the Stokes flow of the boundary velocity at time 0.
    """

    def __init__(
        self,
        space: TaylorHood,
        held: NDArray[np.int64],
        viscosity: float,
        dt: float,
        boundary_velocity: BoundaryVelocity,
    ) -> None:
        self.space, self.viscosity, self.dt = space, viscosity, dt
        self.time, self.factorizations = 0.0, 0
        self._steps = 0
        self._boundary_velocity = boundary_velocity
        self.held_nodes = space.velocity_basis.get_dofs(held).flatten()
        self._free = space.velocity_basis.complement_dofs(self.held_nodes)
        self._free_divergence = [matrix[:, self._free] for matrix in space.divergence]
        self.pressure = np.zeros(space.pressure_basis.N)
        self._factorize(viscosity * space.stiffness)
        self._fastest_boundary = 0.0
        self.velocity = self._solve(load=np.zeros((space.velocity_basis.N, space.dimension)))
        self._previous_velocity = self.velocity
        self._previous_convection = space.convection(self.velocity)
        self._mean_velocity = self.velocity
        self._freeze(self.velocity)

    def step(self) -> None:
        """Advance velocity and pressure by dt."""
        space, dt, velocity = self.space, self.dt, self.velocity
        extrapolated = 2 * velocity - self._previous_velocity
        self._refreeze_where_too_far(extrapolated)
        convection = space.convection(velocity)
        history = (2 * velocity - 0.5 * self._previous_velocity) / dt
        explicit = 2 * convection - self._previous_convection - self._frozen @ extrapolated
        # t0 + k dt: a repeated sum would gather rounding over thousands of steps.
        self._steps += 1
        self.time = self._steps * dt
        self._previous_velocity, self._previous_convection = velocity, convection
        self.velocity = self._solve(space.mass @ history - explicit)
        self._mean_velocity = self._mean_velocity + dt / MEAN_FLOW_TIME * (
            self.velocity - self._mean_velocity
        )
        self._check_bounded()

    def reaction(self, nodes: NDArray[np.int64]) -> Array:
        """Force (D,), in N/m in two dimensions and N in three, of the flow on velocity `nodes`.

        From the residual of the momentum equation, which is more accurate than an integral of
        stresses over the boundary (John, Int. J. Numer. Meth. Fluids 44, 2004).
        """
        residual = self._momentum[nodes] @ self.velocity - self._load[nodes]
        for axis, divergence in enumerate(self.space.divergence):
            residual[:, axis] += divergence.T.tocsr()[nodes] @ self.pressure
        return -residual.sum(axis=0)

    def divergence(self) -> Array:
        """Divergence tested with each pressure basis function (q,): zero but for rounding."""
        return self.space.divergence_of(self.velocity)

    def _refreeze_where_too_far(self, velocity: Array) -> None:
        if self._courant(velocity - self._frozen_velocity) <= COURANT_LIMIT:
            return
        # The running mean serves longer than a snapshot, if it is near enough by now.
        mean_serves = self._courant(velocity - self._mean_velocity) < 0.8 * COURANT_LIMIT
        self._freeze(self._mean_velocity if mean_serves else velocity)

    def _courant(self, velocity: Array) -> float:
        return float((np.abs(velocity) / self.space.node_size[:, None]).max() * self.dt)

    def _freeze(self, velocity: Array) -> None:
        self._frozen_velocity = velocity
        self._frozen = self.space.convection_matrix(velocity)
        self._factorize(
            1.5 / self.dt * self.space.mass + self.viscosity * self.space.stiffness + self._frozen
        )

    def _factorize(self, momentum: sparse.csr_matrix) -> None:
        """Factorise [[A, 0, Bx'], [0, A, By'], [Bx, By, 0]] on the free velocity nodes.

        Or the same with three components.
        """
        self._momentum = momentum.tocsr()
        rows = self._momentum[self._free]
        block, self._momentum_of_held = rows[:, self._free], rows[:, self.held_nodes]
        components = sparse.block_diag([block] * self.space.dimension)
        divergence = sparse.hstack(self._free_divergence)
        system = sparse.bmat([[components, divergence.T], [divergence, None]], "csc")
        self._factors = factorize(system)
        self.factorizations += 1

    def _solve(self, load: Array) -> Array:
        """Velocity (n, D) for a load (n, D), boundary velocity included; sets the pressure."""
        free, count = self._free, len(self._free)
        held = self._boundary_velocity(self.space.positions[:, self.held_nodes], self.time).T
        self._fastest_boundary = max(self._fastest_boundary, float(np.abs(held).max()))
        velocity = np.zeros_like(load)
        velocity[self.held_nodes] = held
        self._load = load
        momentum = load[free] - self._momentum_of_held @ held
        continuity = -self.space.divergence_of(velocity)
        solution = self._factors.solve(np.concatenate([*momentum.T, continuity]))
        size = self.space.dimension * count
        velocity[free] = solution[:size].reshape(-1, count).T
        self.pressure = solution[size:]
        return velocity

    def _check_bounded(self) -> None:
        if not np.abs(self.velocity).max() <= 100 * self._fastest_boundary:
            raise PhysgtError(
                f"The flow solver diverged at t = {self.time:g} s with dt = {self.dt:g} s. "
                "Give more substeps."
            )


def _node_size(basis: skfem.Basis) -> Array:
    """Edge length (n,) of the smallest cell at each node, as if it were half a square or a sixth
    of a cube."""
    dimension, size = basis.mesh.dim(), np.full(basis.N, np.inf)
    lengths = (math.factorial(dimension) * basis.dx.sum(axis=1)) ** (1 / dimension)
    for dofs in basis.element_dofs:
        np.minimum.at(size, dofs, lengths)
    return size
