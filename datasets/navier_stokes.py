"""Unsteady incompressible flow in two dimensions.

    du/dt + (u . grad) u = -grad p + nu laplace u,    div u = 0,

for a density of 1 kg/m3. Space: Taylor-Hood elements (velocity quadratic, pressure linear) on
triangles, curved where the mesh is. Time: second-order backward differences (SBDF2: Ascher, Ruuth
and Wetton, SIAM J. Numer. Anal. 32, 1995). Convection by a frozen field is implicit, the rest of
it is extrapolated; so one sparse factorisation serves many steps, and these may be larger than
fully explicit convection allows. On boundaries without a given velocity nothing is imposed:
nu du/dn = p n, the usual outflow condition.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from physgt.datasets.finite_elements import assemble, factorize, grad, mass, skfem, stiffness
from physgt.errors import PhysgtError

Array = NDArray[np.float64]
BoundaryVelocity = Callable[[Array, float], Array]
"""Velocity (2, n) in m/s given at positions (2, n) in m at a time in s."""

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
    """The matrices of one mesh. n velocity nodes per component, q pressure nodes.

    mass, stiffness (n, n); divergence: two (q, n), one a component; `vertices` and
    `pressure_vertices` are the numbers of the mesh's points among velocity and pressure nodes.
    """

    def __init__(self, mesh: skfem.MeshTri1 | skfem.MeshTri2) -> None:
        # Order 5 integrates the convection of straight triangles, 2 + 1 + 2, exactly.
        self.velocity_basis = velocity = skfem.Basis(mesh, skfem.ElementTriP2(), intorder=5)
        self.pressure_basis = pressure = velocity.with_element(skfem.ElementTriP1())
        self.positions: Array = velocity.doflocs
        self.vertices = velocity.nodal_dofs[0]
        self.pressure_vertices = pressure.nodal_dofs[0]
        self.mass = mass(velocity)
        self.stiffness = stiffness(velocity)
        self.divergence = [
            assemble(lambda u, p, w, axis=axis: -p * grad(u)[axis], velocity, pressure)
            for axis in range(2)
        ]
        self.node_size = _node_size(velocity)
        self._prepare_convection()

    def _prepare_convection(self) -> None:
        """Tables over M triangles with Q quadrature points each.

        _shape_functions (Q, 6), _table (3 Q, 6): values, and derivatives on the reference triangle;
        _weighted_inverse_jacobian (2, 2, Q, M); _scatter (n, 6 M): sums triangles into nodes.
        """
        basis = self.velocity_basis
        nodes, quadrature_points = basis.element_dofs, basis.quadrature[0]
        functions = [basis.elem.lbasis(quadrature_points, i) for i in range(basis.Nbfun)]
        self._shape_functions = np.stack([value for value, _ in functions], axis=-1)
        derivatives = [np.stack([d[axis] for _, d in functions], axis=-1) for axis in range(2)]
        self._table = np.concatenate([self._shape_functions, *derivatives])
        inverse_jacobian = basis.mapping.invDF(quadrature_points) * basis.dx
        self._weighted_inverse_jacobian = np.ascontiguousarray(np.swapaxes(inverse_jacobian, 2, 3))
        self._scatter = sparse.csr_matrix(
            (np.ones(nodes.size), (nodes.ravel(), np.arange(nodes.size))),
            shape=(basis.N, nodes.size),
        )

    def convection(self, velocity: Array) -> Array:
        """(u . grad) u tested with every basis function: (n, 2) -> (n, 2).

        Dense algebra on the reference triangle: four times faster than sparse matrices.
        """
        nodes = self.velocity_basis.element_dofs
        at_points = self._table @ np.take(velocity.T, nodes, axis=1)
        at_points = at_points.reshape(2, 3, len(self._shape_functions), nodes.shape[1])
        to_reference = self._weighted_inverse_jacobian
        speed = to_reference[:, 0] * at_points[0, 0] + to_reference[:, 1] * at_points[1, 0]
        change = speed[0] * at_points[:, 1] + speed[1] * at_points[:, 2]
        return self._scatter @ (self._shape_functions.T @ change).reshape(2, -1).T

    def convection_matrix(self, velocity: Array) -> sparse.csr_matrix:
        """The matrix of (w . grad) for a fixed field w (n, 2)."""
        basis = self.velocity_basis
        wx, wy = (basis.interpolate(component) for component in velocity.T.copy())
        return assemble(
            lambda u, v, w: v * (w.x * grad(u)[0] + w.y * grad(u)[1]), basis, x=wx, y=wy
        )


class IncompressibleFlow:
    """Time steps of one flow.

    `boundary_velocity` gives the velocity on the boundary facets `held`, numbers of the mesh's
    facets; the others, at least one, are outflow. `velocity` (n, 2) and `pressure` (q,) are those
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
        self.velocity = self._solve(load=np.zeros((space.velocity_basis.N, 2)))
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
        """Force (2,) in N/m of the flow on the boundary velocity nodes `nodes`.

        From the residual of the momentum equation, which is more accurate than an integral of
        stresses over the boundary (John, Int. J. Numer. Meth. Fluids 44, 2004).
        """
        residual = self._momentum[nodes] @ self.velocity - self._load[nodes]
        for axis in range(2):
            residual[:, axis] += self.space.divergence[axis].T.tocsr()[nodes] @ self.pressure
        return -residual.sum(axis=0)

    def divergence(self) -> Array:
        """Divergence tested with each pressure basis function (q,): zero but for rounding."""
        return sum(self.space.divergence[axis] @ self.velocity[:, axis] for axis in range(2))

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
        """Factorise [[A, 0, Bx'], [0, A, By'], [Bx, By, 0]] on the free velocity nodes."""
        self._momentum = momentum.tocsr()
        rows = self._momentum[self._free]
        block, self._momentum_of_held = rows[:, self._free], rows[:, self.held_nodes]
        bx, by = self._free_divergence
        system = sparse.bmat([[block, None, bx.T], [None, block, by.T], [bx, by, None]], "csc")
        self._factors = factorize(system)
        self.factorizations += 1

    def _solve(self, load: Array) -> Array:
        """Velocity (n, 2) for a load (n, 2), boundary velocity included; sets the pressure."""
        free, count = self._free, len(self._free)
        held = self._boundary_velocity(self.space.positions[:, self.held_nodes], self.time).T
        self._fastest_boundary = max(self._fastest_boundary, float(np.abs(held).max()))
        velocity = np.zeros_like(load)
        velocity[self.held_nodes] = held
        self._load = load
        momentum = load[free] - self._momentum_of_held @ held
        continuity = -sum(self.space.divergence[axis] @ velocity[:, axis] for axis in range(2))
        solution = self._factors.solve(np.concatenate([*momentum.T, continuity]))
        velocity[free, 0], velocity[free, 1] = solution[:count], solution[count : 2 * count]
        self.pressure = solution[2 * count :]
        return velocity

    def _check_bounded(self) -> None:
        if not np.abs(self.velocity).max() <= 100 * self._fastest_boundary:
            raise PhysgtError(
                f"The flow solver diverged at t = {self.time:g} s with dt = {self.dt:g} s. "
                "Give more substeps."
            )


def _node_size(basis: skfem.Basis) -> Array:
    """Edge length (n,) of the smallest triangle at each node, as if of equal sides."""
    size = np.full(basis.N, np.inf)
    for dofs in basis.element_dofs:
        np.minimum.at(size, dofs, np.sqrt(2 * basis.dx.sum(axis=1)))
    return size
