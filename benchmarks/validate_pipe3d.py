"""The solver of `physgt generate pipe3d` against exact flows through a straight pipe.

    python benchmarks/validate_pipe3d.py

Steady (Hagen and Poiseuille: Batchelor, "An Introduction to Fluid Dynamics", 1967, section 4.2) and
oscillating (Womersley, J. Physiol. 127, 1955): the mean speed swings about zero at Womersley's
number 5, entering as Womersley's profile. Compared are the velocity at all nodes, by L2 norms, and
the pressure drop between two sections, in the oscillating case its amplitude and phase. Less than a
minute.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from reference_table import print_header, print_row
from scipy.special import jv

from physgt.datasets.navier_stokes import IncompressibleFlow
from physgt.datasets.pipe3d import Pipe3DCase, Pipe3DFamily, flow_space, pipe3d_mesh

Array = NDArray[np.float64]
CASE = replace(Pipe3DFamily().draw(seed=0), bulge=0.0, shift=0.0, mean_speed=0.03, pulse=0.0)
SECTIONS = (0.25, 0.75)  # shares of the length
WOMERSLEY = 5.0
STEPS_PER_PERIOD, PERIODS = 80, 3


def main() -> None:
    print_header()
    for refinement in (0.7, 1.0):
        started = time.process_time()
        nodes = pipe3d_mesh(CASE, refinement).num_points
        error, ours, exact = poiseuille(refinement)
        print_row(f"steady, {nodes} nodes: p drop (Pa)", ours, exact)
        print(f"  velocity, L2 error {error:.2e}; {time.process_time() - started:.0f} CPU-seconds")
        started = time.process_time()
        error, ours_complex, exact_complex = womersley(refinement)
        print_row("oscillating: p drop (Pa)", abs(ours_complex), abs(exact_complex))
        print_row("  its phase (rad)", np.angle(ours_complex), np.angle(exact_complex))
        print(f"  velocity, L2 error {error:.2e}; {time.process_time() - started:.0f} CPU-seconds")


def sections_of(case: Pipe3DCase, refinement: float) -> tuple[Array, list[Array], float]:
    """Points, the node numbers of the levels next to SECTIONS, and the distance between these."""
    points = pipe3d_mesh(case, refinement).points
    levels = np.unique(points[:, 2])
    chosen = [levels[np.abs(levels - share * case.length).argmin()] for share in SECTIONS]
    return points, [np.flatnonzero(points[:, 2] == z) for z in chosen], chosen[1] - chosen[0]


def poiseuille(refinement: float) -> tuple[float, float, float]:
    """L2 error of the velocity after 2 s; the pressure drop between the sections, and the exact."""
    mesh = pipe3d_mesh(CASE, refinement)
    space, held = flow_space(CASE, mesh)
    flow = IncompressibleFlow(space, held, CASE.viscosity, 0.02, CASE.boundary_velocity)
    for _ in range(100):
        flow.step()
    exact = np.zeros_like(flow.velocity)
    radial = np.hypot(*space.positions[:2]) / CASE.radius
    exact[:, 2] = 2 * CASE.mean_speed * (1 - radial**2)
    _, sections, distance = sections_of(CASE, refinement)
    density = Pipe3DFamily().density
    gradient = 8 * density * CASE.viscosity * CASE.mean_speed / CASE.radius**2
    drop = density * pressure_drop(flow, sections)
    return relative_error(flow, exact), drop, gradient * distance


def womersley(refinement: float) -> tuple[float, complex, complex]:
    """Mean L2 error over the last period; complex amplitude of the pressure drop, and the exact."""
    omega = CASE.viscosity * (WOMERSLEY / CASE.radius) ** 2
    dt = 2 * np.pi / omega / STEPS_PER_PERIOD
    s = WOMERSLEY * 1j**1.5
    mean_share = 1 - 2 * jv(1, s) / (s * jv(0, s))
    driving = 1j * omega * CASE.mean_speed / mean_share  # -dp/dz / density

    def exact(positions: Array, t: float) -> Array:
        radial = np.minimum(np.hypot(*positions[:2]) / CASE.radius, 1.0)
        profile = driving / (1j * omega) * (1 - jv(0, s * radial) / jv(0, s))
        along = np.real(profile * np.exp(1j * omega * t))
        return np.stack([np.zeros_like(along), np.zeros_like(along), along])

    space, held = flow_space(CASE, pipe3d_mesh(CASE, refinement))
    flow = IncompressibleFlow(space, held, CASE.viscosity, dt, exact)
    _, sections, distance = sections_of(CASE, refinement)
    errors, spectrum = [], 0.0 + 0.0j
    for step in range(PERIODS * STEPS_PER_PERIOD):
        flow.step()
        if step >= (PERIODS - 1) * STEPS_PER_PERIOD:
            errors.append(absolute_error(flow, exact(space.positions, flow.time).T))
            wave = np.exp(-1j * omega * flow.time) * 2 / STEPS_PER_PERIOD
            spectrum += pressure_drop(flow, sections) * wave
    density = Pipe3DFamily().density
    volume = np.pi * CASE.radius**2 * CASE.length
    scale = CASE.mean_speed * np.sqrt(volume)
    return float(np.mean(errors) / scale), density * spectrum, density * driving * distance


def pressure_drop(flow: IncompressibleFlow, sections: list[Array]) -> float:
    """Between the means over two sections, for a density of 1 kg/m3."""
    at_points = flow.pressure[flow.space.pressure_vertices]
    return float(at_points[sections[0]].mean() - at_points[sections[1]].mean())


def absolute_error(flow: IncompressibleFlow, exact: Array) -> float:
    difference = flow.velocity - exact
    return float(np.sqrt((difference * (flow.space.mass @ difference)).sum()))


def relative_error(flow: IncompressibleFlow, exact: Array) -> float:
    norm = np.sqrt((exact * (flow.space.mass @ exact)).sum())
    return absolute_error(flow, exact) / float(norm)


if __name__ == "__main__":
    main()
