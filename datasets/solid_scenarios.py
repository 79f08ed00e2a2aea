"""What happens to a hyperelastic plate: it is pulled, pressed with a disc, or let swing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from physgt.datasets.equilibrium import (
    MAX_HALVINGS,
    Dynamics,
    Held,
    Load,
    NotConvergedError,
    equilibrium,
)
from physgt.datasets.neo_hookean import NeoHookeanSolid
from physgt.datasets.rigid_disc import DiscContact
from physgt.errors import PhysgtError

Array = NDArray[np.float64]
Constraints = tuple[Held, Sequence[Load]]
State = tuple[Array, Array | None]
"""Displacement (n, 2) in m, and velocity (n, 2) in m/s where there is inertia."""

# The disc starts this share of its radius above the plate.
GAP = 0.04


@dataclass(frozen=True)
class Scenario:
    """One plate (length, height in m) and what happens to it over `duration` seconds.

    By default nothing: no disc, nothing driven, no acceleration, and the left end held.
    """

    name: ClassVar[str]
    plate: tuple[float, float]
    duration: float

    @property
    def disc(self) -> tuple[Array, float] | None:
        """Center (2,) at time 0 and radius of a rigid disc, if there is one."""
        return None

    def clamped(self, positions: Array) -> NDArray[np.bool_]:
        """Which of positions (n, 2) on the plate are held in place."""
        return positions[:, 0] == 0

    def driven(self, positions: Array) -> NDArray[np.bool_]:
        """Which of positions (n, 2) on the plate move as `drive` says."""
        return np.zeros(len(positions), dtype=bool)

    def drive(self, time: float) -> Array:
        """How far the disc or the driven end has moved (2,) at a time."""
        return np.zeros(2)

    def acceleration(self, time: float) -> float:
        """What acts on all of the plate at a time, upwards, in m/s2."""
        return 0.0

    def states(self, solid: NeoHookeanSolid, dt: float, num_steps: int) -> Iterator[State]:
        """The plate at rest and after each of `num_steps` steps of dt seconds."""
        raise NotImplementedError


@dataclass(frozen=True)
class Pull(Scenario):
    """The left end is held, the right end moves out, and to the side and back; slowly.

    elongation and shear in m: the largest displacements of the right end along x and y.
    """

    name: ClassVar[str] = "pull"
    elongation: float
    shear: float

    def driven(self, positions: Array) -> NDArray[np.bool_]:
        return positions[:, 0] == self.plate[0]

    def drive(self, time: float) -> Array:
        phase = np.pi * time / self.duration
        return np.array([self.elongation * np.sin(phase / 2), self.shear * np.sin(phase)])

    def states(self, solid: NeoHookeanSolid, dt: float, num_steps: int) -> Iterator[State]:
        clamped = np.flatnonzero(self.clamped(solid.positions))
        nodes = np.concatenate([clamped, np.flatnonzero(self.driven(solid.positions))])

        def constraints(time: float) -> Constraints:
            moved = np.zeros((len(nodes), 2))
            moved[len(clamped) :] = self.drive(time)
            return Held(nodes, moved), ()

        return _slow_states(solid, constraints, dt, num_steps)


@dataclass(frozen=True)
class Press(Scenario):
    """The bottom is held; a rigid disc comes down from above and then slides, frictionless; slowly.

    radius, center_x, depth and slide in m: the disc, how deep it is pressed below the plate's
    top in the first half of the time, and how far it slides to the right in the second.
    """

    name: ClassVar[str] = "press"
    radius: float
    center_x: float
    depth: float
    slide: float

    @property
    def disc(self) -> tuple[Array, float]:
        return np.array([self.center_x, self.plate[1] + (1 + GAP) * self.radius]), self.radius

    def clamped(self, positions: Array) -> NDArray[np.bool_]:
        return positions[:, 1] == 0

    def drive(self, time: float) -> Array:
        down, aside = np.clip([2 * time / self.duration, 2 * time / self.duration - 1], 0, 1)
        return np.array([self.slide * aside, -(self.depth + GAP * self.radius) * down])

    def states(self, solid: NeoHookeanSolid, dt: float, num_steps: int) -> Iterator[State]:
        held = Held.in_place(np.flatnonzero(self.clamped(solid.positions)))
        length, height = self.plate
        touchable = solid.mesh.facets_satisfying(
            lambda x: (x[1] == height) | (x[0] == 0) | (x[0] == length), boundaries_only=True
        )
        contact = DiscContact.on(solid, touchable, *self.disc)

        def constraints(time: float) -> Constraints:
            return held, [contact.moved(self.drive(time))]

        return _slow_states(solid, constraints, dt, num_steps)


@dataclass(frozen=True)
class Cantilever(Scenario):
    """The left end is held; an acceleration bends the plate, ends, and lets it swing.

    load in m/s2, upwards; load_time in s; the solver takes `substeps` steps per saved one.
    """

    name: ClassVar[str] = "cantilever"
    load: float
    load_time: float
    substeps: int

    def acceleration(self, time: float) -> float:
        return self.load if time < self.load_time else 0.0

    def states(self, solid: NeoHookeanSolid, dt: float, num_steps: int) -> Iterator[State]:
        held = Held.in_place(np.flatnonzero(self.clamped(solid.positions)))
        node_mass = np.asarray(solid.mass.sum(axis=1))
        upwards = node_mass.reshape(-1, 1) * np.array([0.0, 1.0])
        motion = Dynamics(solid, held, self.acceleration(0.0) * upwards)
        small = dt / self.substeps
        yield motion.displacement, motion.velocity
        for step in range(num_steps):
            for part in range(self.substeps):
                # Constant over a step: a load that ends within one ends with it.
                middle = (step * self.substeps + part + 0.5) * small
                motion.step(small, self.acceleration(middle) * upwards)
            yield motion.displacement, motion.velocity


def _slow_states(
    solid: NeoHookeanSolid,
    constraints: Callable[[float], Constraints],
    dt: float,
    num_steps: int,
) -> Iterator[State]:
    """Equilibrium at each time, without inertia."""
    previous = displacement = np.zeros_like(solid.positions)
    yield displacement, None
    for step in range(num_steps):
        start, end = step * dt, (step + 1) * dt
        try:
            # What moves tends to move on.
            following = equilibrium(solid, 2 * displacement - previous, *constraints(end))
        except NotConvergedError:
            following = _follow(solid, displacement, constraints, start, end)
        previous, displacement = displacement, following
        yield displacement, None


def _follow(
    solid: NeoHookeanSolid,
    displacement: Array,
    constraints: Callable[[float], Constraints],
    start: float,
    end: float,
    halvings: int = 0,
) -> Array:
    """From the equilibrium at `start` to that at `end`, by way of the middle where it is far."""
    try:
        return equilibrium(solid, displacement, *constraints(end))
    except NotConvergedError as error:
        if halvings == MAX_HALVINGS:
            raise PhysgtError(
                f"the solid finds no equilibrium at t = {end:g} s: {error} "
                "Narrow the ranges of the motion, or refine the mesh."
            ) from error
    middle = 0.5 * (start + end)
    halfway = _follow(solid, displacement, constraints, start, middle, halvings + 1)
    return _follow(solid, halfway, constraints, middle, end, halvings + 1)
