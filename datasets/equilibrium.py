"""Equilibrium of a hyperelastic solid under loads: Newton's method, and steps in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from physgt.datasets.finite_elements import factorize
from physgt.datasets.neo_hookean import NeoHookeanSolid
from physgt.errors import PhysgtError

Array = NDArray[np.float64]

MAX_ITERATIONS = 25
# Residual, relative to the largest force on a node, and change, relative to the solid's size.
FORCE_TOLERANCE = 1e-9
DISPLACEMENT_TOLERANCE = 1e-12
SMALLEST_SHARE = 0.05
# How often a step of the motion may be halved where no equilibrium is found.
MAX_HALVINGS = 6


class NotConvergedError(PhysgtError):
    """Newton's method found no equilibrium."""


class Load(Protocol):
    """A force on the solid's nodes that may depend on where they are."""

    def force(self, displacement: Array) -> Array:
        """(n, 2) in N/m."""

    def stiffness(self, displacement: Array) -> sparse.spmatrix | None:
        """(2 n, 2 n): minus the derivative of the force; None for zero."""


@dataclass(frozen=True, eq=False)
class DeadLoad:
    """Forces (n, 2) in N/m that stay as they are."""

    forces: Array

    def force(self, displacement: Array) -> Array:
        return self.forces

    def stiffness(self, displacement: Array) -> None:
        return None


@dataclass(frozen=True, eq=False)
class Inertia:
    """-M a with the acceleration a = (u - u*) / (beta dt^2) of a Newmark step."""

    mass: sparse.csr_matrix
    factor: float
    predicted: Array

    def force(self, displacement: Array) -> Array:
        return -self.factor * (self.mass @ (displacement - self.predicted))

    def stiffness(self, displacement: Array) -> sparse.spmatrix:
        return self.factor * sparse.kron(self.mass, np.eye(2), format="csc")


@dataclass(frozen=True, eq=False)
class Held:
    """Nodes whose displacement is given: (k,) node numbers, (k, 2) displacements in m."""

    nodes: NDArray[np.int64]
    displacement: Array

    @classmethod
    def in_place(cls, nodes: NDArray[np.int64]) -> Held:
        return cls(nodes, np.zeros((len(nodes), 2)))

    @property
    def dofs(self) -> NDArray[np.int64]:
        return (2 * self.nodes[:, None] + np.arange(2)).ravel()


def equilibrium(
    solid: NeoHookeanSolid, start: Array, held: Held, loads: Sequence[Load] = ()
) -> Array:
    """The displacement (n, 2) at which internal forces balance the loads, near `start`.

    Newton's method with the consistent tangent. The held nodes move to their place within the
    first linear solve, so that the nodes around them follow. A step that would turn a triangle
    inside out, or take the forces further from balance, is halved.

    Raises NotConvergedError.
    """
    free = np.setdiff1d(np.arange(start.size), held.dofs)
    size = np.ptp(solid.positions, axis=0).max()

    def forces(displacement: Array) -> tuple[Array, float]:
        """What is out of balance on the free degrees of freedom, and the largest force."""
        internal = solid.internal_force(displacement)
        external = sum((load.force(displacement) for load in loads), np.zeros(start.shape))
        largest = max(np.abs(internal).max(), np.abs(external).max())
        return (internal - external).ravel()[free], largest

    displacement = start
    residual, largest = forces(displacement)
    for _ in range(MAX_ITERATIONS):
        missing = (held.displacement - displacement[held.nodes]).ravel()
        if not missing.any() and np.abs(residual).max() <= FORCE_TOLERANCE * largest:
            return displacement
        stiffness = solid.tangent(displacement)
        for load in loads:
            added = load.stiffness(displacement)
            stiffness = stiffness if added is None else stiffness + added
        change = np.zeros(start.size)
        change[held.dofs] = missing
        rows = stiffness.tocsr()[free]
        change[free] = factorize(rows[:, free]).solve(-residual - rows[:, held.dofs] @ missing)
        way = change.reshape(start.shape)
        share, before = _valid_share(solid, displacement, way), np.linalg.norm(residual)
        residual, largest = forces(displacement + share * way)
        # Where nodes come into contact and leave it by turns, whole steps would go on for ever.
        while not missing.any() and share > SMALLEST_SHARE and np.linalg.norm(residual) > before:
            share *= 0.5
            residual, largest = forces(displacement + share * way)
        displacement = displacement + share * way
        if share == 1 and np.abs(way).max() <= DISPLACEMENT_TOLERANCE * size:
            return displacement
    raise NotConvergedError("no equilibrium was found.")


class Dynamics:
    """Motion in time by Newmark's method with constant average acceleration (beta 1/4, gamma 1/2).

    Second order, and without numerical damping (Newmark, J. Eng. Mech. Div. ASCE 85, 1959).
    `displacement` and `velocity` (n, 2) in m and m/s; the motion starts from rest.
    """

    def __init__(self, solid: NeoHookeanSolid, held: Held, forces: Array) -> None:
        self.solid, self.held = solid, held
        self.displacement = np.zeros_like(solid.positions)
        self.velocity = np.zeros_like(solid.positions)
        free = np.setdiff1d(np.arange(solid.num_nodes), held.nodes)
        self._acceleration = np.zeros_like(solid.positions)
        self._acceleration[free] = factorize(solid.mass[free][:, free]).solve(forces[free])

    def step(self, dt: float, forces: Array, halvings: int = 0) -> None:
        """Advance by dt seconds under forces (n, 2) in N/m, in halves where the way is too far."""
        try:
            self._step(dt, forces)
        except NotConvergedError:
            if halvings == MAX_HALVINGS:
                raise
            self.step(0.5 * dt, forces, halvings + 1)
            self.step(0.5 * dt, forces, halvings + 1)

    def _step(self, dt: float, forces: Array) -> None:
        start = self.displacement
        predicted = start + dt * self.velocity + 0.25 * dt**2 * self._acceleration
        inertia = Inertia(self.solid.mass, 4 / dt**2, predicted)
        guess = start + dt * self.velocity
        guess = guess if self.solid.is_valid(guess) else start
        self.displacement = equilibrium(self.solid, guess, self.held, [DeadLoad(forces), inertia])
        acceleration = 4 / dt**2 * (self.displacement - predicted)
        self.velocity = self.velocity + 0.5 * dt * (self._acceleration + acceleration)
        self._acceleration = acceleration

    def energy(self) -> float:
        """Elastic and kinetic energy in J/m."""
        kinetic = 0.5 * (self.velocity * (self.solid.mass @ self.velocity)).sum()
        return self.solid.energy(self.displacement) + float(kinetic)


def _valid_share(solid: NeoHookeanSolid, displacement: Array, change: Array) -> float:
    """1, or the largest of its halves that turns no triangle inside out."""
    share = 1.0
    while not solid.is_valid(displacement + share * change):
        share *= 0.5
        if share < SMALLEST_SHARE:
            raise NotConvergedError("a triangle would be turned inside out.")
    return share
