"""The solver of `physgt generate hyperelastic` against closed forms.

    python benchmarks/validate_hyperelastic.py

A bar stretched to twice its length; the tangent against differences of the forces; a clamped beam
under little weight (Timoshenko); its first frequency (Euler and Bernoulli) and its energy, also in
the family's large swings; a disc pressed into a large block, on meshes that resolve the contact
(Hertz; Johnson, "Contact Mechanics", 1985, section 4.2). Half a minute on one core.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from reference_table import print_header, print_row
from scipy.optimize import brentq

from physgt.datasets.equilibrium import DeadLoad, Dynamics, Held, equilibrium
from physgt.datasets.hyperelastic import HyperelasticFamily, solid_mesh
from physgt.datasets.neo_hookean import NeoHookeanSolid
from physgt.datasets.rigid_disc import PENALTY, DiscContact
from physgt.datasets.triangulation import SizeFunction, polygon_points, triangulate

Array = NDArray[np.float64]
YOUNGS_MODULUS, POISSON_RATIO, DENSITY = 1e6, 0.35, 1000.0
SHEAR = YOUNGS_MODULUS / (2 * (1 + POISSON_RATIO))
LAME = 2 * SHEAR * POISSON_RATIO / (1 - 2 * POISSON_RATIO)
PLANE_STRAIN_MODULUS = YOUNGS_MODULUS / (1 - POISSON_RATIO**2)
LENGTH = 1.0


def main() -> None:
    started = time.process_time()
    print_header()
    stretched_bar()
    tangent()
    for cells in (2, 4, 8):
        bent_beam(cells)
    swinging_beam()
    for finest in (2e-3, 1e-3, 5e-4):
        pressed_disc(finest)
    print(f"{time.process_time() - started:.0f} CPU-seconds")


def block(length: float, height: float, size: SizeFunction) -> NeoHookeanSolid:
    corners = [(0.0, 0.0), (length, 0.0), (length, height), (0.0, height)]
    points, triangles = triangulate([polygon_points(corners, size)], size)
    return NeoHookeanSolid(
        points,
        triangles,
        youngs_modulus=YOUNGS_MODULUS,
        poisson_ratio=POISSON_RATIO,
        density=DENSITY,
    )


def even(size: float) -> SizeFunction:
    return lambda points: np.full(len(points), size)


def stretched_bar() -> None:
    """Ends that slide, free sides: no stress across gives the width, and then the force along."""
    solid = block(1.0, 1.0, even(0.15))
    x = solid.positions[:, 0]
    across = brentq(lambda s: SHEAR * (s - 1 / s) + LAME * np.log(2 * s) / s, 0.3, 1.0)
    ends = np.flatnonzero((x == 0) | (x == 1))
    displacement = np.zeros_like(solid.positions)
    for share in (0.5, 1.0):
        held = Held(ends, share * solid.positions[ends] * [1.0, across - 1])
        displacement = equilibrium(solid, displacement, held)
    top = solid.positions[:, 1] == 1
    print_row("bar of twice the length: width", 1 + displacement[top, 1].mean(), across)
    force = solid.internal_force(displacement)[x == 1, 0].sum()
    print_row("  force (N/m)", force, SHEAR * (2 - 1 / 2) + LAME * np.log(2 * across) / 2)


def tangent() -> None:
    """The slope of the forces along a random way: tangent, and central differences."""
    solid, random = block(0.2, 0.1, even(0.02)), np.random.default_rng(0)
    at, way = 2e-4 * random.standard_normal((2, *solid.positions.shape))
    ahead, behind = (solid.internal_force(at + step * way) for step in (1e-4, -1e-4))
    found = solid.tangent(at) @ way.ravel()
    expected = ((ahead - behind) / 2e-4).ravel()
    print_row("tangent: norm of slope (N)", np.linalg.norm(found), np.linalg.norm(expected))
    print(f"  largest difference {np.abs(found - expected).max() / np.abs(found).max():.1e} of it")


def clamped_beam(height: float, cells: int) -> tuple[NeoHookeanSolid, Held, int]:
    solid = block(LENGTH, height, even(height / cells))
    held = Held.in_place(np.flatnonzero(solid.positions[:, 0] == 0))
    tip = int(np.hypot(*(solid.positions - [LENGTH, height / 2]).T).argmin())
    return solid, held, tip


def bent_beam(cells: int) -> None:
    height, weight = 0.1, 1e-3
    solid, held, tip = clamped_beam(height, cells)
    masses = np.asarray(solid.mass.sum(axis=1)).reshape(-1, 1)
    load = DeadLoad(masses / DENSITY * np.array([0.0, -weight]))
    bent = equilibrium(solid, np.zeros_like(solid.positions), held, [load])
    bending = weight * LENGTH**4 / (8 * PLANE_STRAIN_MODULUS * height**2 / 12)
    shear = weight * LENGTH**2 / (2 * SHEAR * 5 / 6)
    place = solid.positions[tip, 0]
    # Where the nearest node isn't at the very end, the beam's line is straight to first order.
    reference = (bending + shear) * (1 - 4 / 3 * (LENGTH - place) / LENGTH)
    print_row(f"beam 10:1, {cells} cells high: tip (m)", -bent[tip, 1], reference)


def swinging_beam() -> None:
    """Over five periods, small; and the family's own cantilevers after their load has ended."""
    height = 0.05
    solid, held, tip = clamped_beam(height, 2)
    rigidity = PLANE_STRAIN_MODULUS * height**2 / 12
    frequency = 1.87510**2 * np.sqrt(rigidity / (DENSITY * LENGTH**4)) / (2 * np.pi)
    dt, still = 1 / (60 * frequency), np.zeros_like(solid.positions)
    motion = Dynamics(solid, held, still)
    motion.velocity = 0.01 * solid.positions[:, :1] ** 2 * np.array([0.0, 1.0])
    start, heights, energies = motion.energy(), [], []
    for _ in range(300):
        motion.step(dt, still)
        heights.append(motion.displacement[tip, 1])
        energies.append(motion.energy())
    print_row("beam 20:1: frequency (Hz)", crossings(np.array(heights), dt), frequency)
    print(f"  energy changes by {np.abs(np.array(energies) / start - 1).max():.1e} at most")
    for seed in (0, 1):
        family_energy(seed)


def family_energy(seed: int) -> None:
    """A cantilever of the family, with its own steps, from the end of its load on."""
    family = HyperelasticFamily(pull=0, press=0)
    case = family.draw(seed)
    solid = case.solid(solid_mesh(case, family.refinement, seed))
    energies, reach = [], 0.0
    states = case.scenario.states(solid, family.dt, family.num_steps)
    for step, (displacement, velocity) in enumerate(states):
        reach = max(reach, float(np.abs(displacement).max()))
        if case.scenario.acceleration(step * family.dt) == 0:
            kinetic = 0.5 * (velocity * (solid.mass @ velocity)).sum()
            energies.append(solid.energy(displacement) + kinetic)
    change = np.ptp(energies) / np.mean(energies)
    print(f"cantilever, seed {seed}: tip moves {reach:.2f} of {family.beam[0]} m; ", end="")
    print(f"energy changes by {change:.1e} in {len(energies)} saved steps", flush=True)


def crossings(signal: Array, dt: float) -> float:
    up = np.flatnonzero((signal[:-1] < 0) & (signal[1:] >= 0))
    places = up - signal[up] / (signal[up + 1] - signal[up])
    return float(1 / (np.diff(places).mean() * dt))


def pressed_disc(finest: float) -> None:
    """Half-width and largest pressure of the contact, for the force that was found."""
    radius, length, height = 0.1, 0.4, 0.4
    middle = np.array([length / 2, height])

    def size(points: Array) -> Array:
        return np.minimum(finest + 0.15 * np.hypot(*(points - middle).T), 0.04)

    solid = block(length, height, size)
    held = Held.in_place(np.flatnonzero(solid.positions[:, 1] == 0))
    top = solid.mesh.facets_satisfying(lambda x: x[1] == height, boundaries_only=True)
    displacement = np.zeros_like(solid.positions)
    center = middle + np.array([0.0, radius])
    # As stiff as the family's where edges are as fine as here; elsewhere nothing touches.
    penalty = PENALTY * YOUNGS_MODULUS / finest
    start = replace(DiscContact.on(solid, top, center, radius), penalty=penalty)
    for depth in np.linspace(0, 1.0e-3, 6)[1:]:
        contact = start.moved(np.array([0.0, -depth]))
        displacement = equilibrium(solid, displacement, held, [contact])
    upwards = contact.force(displacement)[contact.nodes, 1]
    force = -upwards.sum()
    offset = (contact.positions + displacement[contact.nodes])[:, 0] - middle[0]
    # The pressure p0 sqrt(1 - x2 / a2) has the second moment a2 / 4.
    half_width = 2 * np.sqrt((upwards @ offset**2) / upwards.sum())
    print_row(
        f"disc, edges of {1e3 * finest:g} mm: half-width (mm)",
        1e3 * half_width,
        1e3 * np.sqrt(4 * force * radius / (np.pi * PLANE_STRAIN_MODULUS)),
    )
    print_row(
        "  largest pressure (Pa)",
        float((-upwards / contact.lengths).max()),
        float(np.sqrt(force * PLANE_STRAIN_MODULUS / (np.pi * radius))),
    )


if __name__ == "__main__":
    main()
