"""Heat conducted through a resting or moving medium, on triangles or tetrahedra.

    dT/dt + v . grad T = kappa laplace T + q

Space: linear elements. Time: Crank-Nicolson, whose first step is four implicit Euler steps of a
quarter: those damp what an initial state that doesn't fit the boundary stirs up, and the whole
stays of second order (Rannacher, Numer. Math. 43, 1984). On boundaries where the temperature
isn't held, no heat is conducted through.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from physgt.datasets.finite_elements import (
    assemble,
    factorize,
    grad,
    mass,
    simplices,
    skfem,
    stiffness,
)
from physgt.mesh import Mesh

Array = NDArray[np.float64]
HeldTemperature = Callable[[float], Array]
"""The temperature (h,) of the held nodes at a time in s."""


class AdvectionDiffusion:
    """Time steps of one temperature field.

    initial      (N,) temperature at time 0, in the units of all temperatures
    diffusivity  kappa in m2/s
    dt           s
    held         (h,) numbers of the nodes whose temperature is given, `held_temperature`
    velocity     (D,) of the medium, in m/s
    heating      (N,) q, in units of temperature per second

    `temperature` (N,) is that of `time`.
    """

    def __init__(
        self,
        mesh: Mesh,
        initial: Array,
        diffusivity: float,
        dt: float,
        held: NDArray[np.int64],
        held_temperature: HeldTemperature,
        velocity: Array | None = None,
        heating: Array | None = None,
    ) -> None:
        elements = {2: skfem.ElementTriP1(), 3: skfem.ElementTetP1()}
        basis = skfem.Basis(simplices(mesh), elements[mesh.dimension], intorder=2)
        self.mass = mass(basis)
        self._transport = diffusivity * stiffness(basis)
        if velocity is not None:
            self._transport = self._transport + assemble(
                lambda u, v, w: (
                    v * sum(velocity[axis] * grad(u)[axis] for axis in range(len(u.grad)))
                ),
                basis,
            )
        self._load = self.mass @ (np.zeros(mesh.num_points) if heating is None else heating)
        self.dt, self._steps = dt, 0
        self._held, self._held_temperature = held, held_temperature
        self._free = np.setdiff1d(np.arange(mesh.num_points), held)
        self.temperature = initial.copy()
        self.temperature[held] = held_temperature(0.0)

    @property
    def time(self) -> float:
        return self._steps * self.dt

    def step(self) -> None:
        """Advance the temperature by dt."""
        start = self.time
        if self._steps == 0:
            self._prepare(self.dt / 4, implicit=1.0)
            for quarter in range(1, 5):
                self._advance(start + quarter * self.dt / 4)
            self._prepare(self.dt, implicit=0.5)
        else:
            self._advance(start + self.dt)
        self._steps += 1

    def _prepare(self, dt: float, implicit: float) -> None:
        self._after = (self.mass / dt + implicit * self._transport).tocsr()
        self._before = (self.mass / dt - (1 - implicit) * self._transport).tocsr()
        rows = self._after[self._free]
        self._factors = factorize(rows[:, self._free])
        self._after_of_held = rows[:, self._held]

    def _advance(self, time: float) -> None:
        held = self._held_temperature(time)
        load = (self._before @ self.temperature + self._load)[self._free]
        advanced = np.empty_like(self.temperature)
        advanced[self._held] = held
        advanced[self._free] = self._factors.solve(load - self._after_of_held @ held)
        self.temperature = advanced


def record(
    heat: AdvectionDiffusion, spin_up: float, num_steps: int, substeps: int
) -> NDArray[np.float32]:
    """Let `spin_up` seconds pass, then keep every `substeps`-th temperature: (T, N) float32."""
    for _ in range(round(spin_up / heat.dt)):
        heat.step()
    temperature = np.empty((num_steps + 1, len(heat.temperature)), np.float32)
    for frame in range(num_steps + 1):
        for _ in range(substeps if frame else 0):
            heat.step()
        temperature[frame] = heat.temperature
    return temperature
