"""The solver of `physgt generate beam3d` against the theory of Timoshenko's beam.

    python benchmarks/validate_beam3d.py

Beams eight and twelve times as long as high, clamped at one end. The deflection of the tip under an
even load: S. Timoshenko and J. Gere, "Mechanics of Materials", 1972, with the shear coefficient
10 (1 + nu) / (12 + 11 nu) of Cowper, J. Appl. Mech. 33, 1966. The frequency of the first mode:
Timoshenko's equations (Phil. Mag. 41, 1921), solved here along the beam to rounding. The theory
knows nothing of how the clamp keeps the section from contracting: with Poisson's ratio 0 that makes
no difference, with 0.3 it stiffens the beam by about a percent. About two minutes.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from reference_table import print_header, print_row
from scipy.linalg import expm
from scipy.optimize import brentq

from physgt.datasets.beam3d import Beam3DCase, Beam3DFamily, beam3d_mesh
from physgt.datasets.elasticity import ElasticBody, Material

Array = NDArray[np.float64]
CASE = replace(
    Beam3DFamily().draw(seed=0),
    length=0.8,
    height=0.08,
    width=0.08,
    youngs_modulus=5e6,
    poissons_ratio=0.3,
    relaxation_time=0.0,
)


def main() -> None:
    print_header()
    for length, refinement, nu in ((0.64, 1, 0.0), (0.96, 1, 0.0), (0.64, 1, 0.3), (0.96, 1, 0.3)):
        case = replace(CASE, length=length, poissons_ratio=nu)
        about = f"L/h = {length / case.height:.0f}, nu = {nu:g}"
        started = time.process_time()
        print_row(f"deflection (mm), {about}", *(1e3 * w for w in deflection(case, refinement)))
        print_row(f"frequency (Hz), {about}", *frequency(case, refinement))
        print(f"  {time.process_time() - started:.1f} CPU-seconds")
    print_row("energy kept, 20 periods", energy_kept(CASE), 1.0)
    damped, expected = damping(replace(CASE, relaxation_time=0.002))
    print_row("energy left by damping, 5 periods", damped, expected)


def body(case: Beam3DCase, refinement: float, dt: float, load_at=None) -> tuple[ElasticBody, Array]:
    """The body and the numbers of its tip's points."""
    mesh = beam3d_mesh(case, refinement)
    material = Material(
        case.youngs_modulus, case.poissons_ratio, case.density, case.relaxation_time
    )
    load_at = load_at or (lambda t: np.zeros(3))
    return ElasticBody(mesh, material, dt, mesh.node_sets["clamped"], load_at), mesh.node_sets[
        "tip"
    ]


def section(case: Beam3DCase) -> tuple[float, float, float]:
    """Area, second moment of area for bending along y, shear coefficient."""
    nu = case.poissons_ratio
    area = case.height * case.width
    return area, area * case.height**2 / 12, 10 * (1 + nu) / (12 + 11 * nu)


def shear_modulus(case: Beam3DCase) -> float:
    return case.youngs_modulus / (2 * (1 + case.poissons_ratio))


def deflection(case: Beam3DCase, refinement: float) -> tuple[float, float]:
    """Of the tip in m, under 100 N/m3: ours, and q L4 / (8 E I) + q L2 / (2 k G A)."""
    still, tip = body(case, refinement, dt=1.0)
    area, moment, shear = section(case)
    load = 100.0 * area
    bending = load * case.length**4 / (8 * case.youngs_modulus * moment)
    shearing = load * case.length**2 / (2 * shear * shear_modulus(case) * area)
    ours = still.static_displacement(np.array([0.0, 100.0, 0.0]))[tip, 1].mean()
    return float(ours), bending + shearing


def frequency(case: Beam3DCase, refinement: float) -> tuple[float, float]:
    """Of the first mode in Hz: ours, from the tip's swings after a short pull, and the theory's."""
    expected = timoshenko_frequency(case)
    dt = 1 / expected / 80

    def pulse(t: float) -> Array:
        return np.array([0.0, 100.0 if t < 0.5 / expected else 0.0, 0.0])

    swinging, tip = body(case, refinement, dt, pulse)
    speeds = []
    for _ in range(80 * 12):
        swinging.step()
        speeds.append(swinging.displacement[tip, 1].mean())
    free = np.array(speeds[80:])
    rising = np.flatnonzero((free[:-1] < 0) & (free[1:] >= 0))
    crossings = rising - free[rising] / np.diff(free)[rising]
    return 1 / (np.diff(crossings).mean() * dt), expected


def timoshenko_frequency(case: Beam3DCase) -> float:
    """Hz. (deflection, rotation, moment, shear force) from the clamp to the free end."""
    area, moment, shear = section(case)
    stiffness = case.youngs_modulus * moment
    shear_stiffness = shear * shear_modulus(case) * area

    def free_end(omega: float) -> float:
        along = np.zeros((4, 4))
        along[0, 1], along[0, 3] = 1.0, 1 / shear_stiffness
        along[1, 2] = 1 / stiffness
        along[2, 1], along[2, 3] = -case.density * moment * omega**2, -1.0
        along[3, 0] = -case.density * area * omega**2
        at_end = expm(along * case.length)
        return float(np.linalg.det(at_end[2:, 2:]))

    slender = 1.8751**2 * math.sqrt(stiffness / (case.density * area)) / case.length**2
    return brentq(free_end, 0.5 * slender, 1.1 * slender) / (2 * math.pi)


def energy_kept(case: Beam3DCase) -> float:
    period = 1 / timoshenko_frequency(case)
    swinging, _ = body(
        case, 0.7, period / 40, lambda t: np.array([0.0, 100.0 if t < period else 0.0, 0.0])
    )
    energies = []
    for _ in range(40 * 22):
        swinging.step()
        energies.append(swinging.energy)
    return energies[-1] / energies[45]


def damping(case: Beam3DCase) -> tuple[float, float]:
    """Of the energy, after 5 periods of the first mode: ours, and exp(-w2 tau t)."""
    omega = 2 * math.pi * timoshenko_frequency(case)
    period = 2 * math.pi / omega

    def pulse(t: float) -> Array:
        return np.array([0.0, 100 * math.sin(math.pi * t / (2 * period)) ** 2, 0.0]) * (
            t < 2 * period
        )

    swinging, _ = body(case, 0.7, period / 80, pulse)
    energies = []
    for _ in range(80 * 8):
        swinging.step()
        energies.append(swinging.energy)
    return energies[-1] / energies[-1 - 80 * 5], math.exp(
        -(omega**2) * case.relaxation_time * 5 * period
    )


if __name__ == "__main__":
    main()
