"""The solver of `physgt generate heat` against exact solutions of the heat equation.

    python benchmarks/validate_heat.py

On the family's own meshes of a plate of 0.1 m, at refinements 1, 2 and 4: the
decay of an eigenmode; a Gaussian that spreads while it drifts (Carslaw and Jaeger, "Conduction of
Heat in Solids", 1959, sections 3.3 and 10.3); the steady temperature ln r around a hole. Errors are
relative, in the L2 norm; linear elements and Crank-Nicolson are of second order. Seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from reference_table import print_header, print_row

from physgt.datasets.advection_diffusion import AdvectionDiffusion
from physgt.datasets.heat import HeatFamily, heat_mesh
from physgt.datasets.perforated_plate import Hole
from physgt.mesh import Mesh

Array = NDArray[np.float64]
SIDE, KAPPA, DRIFT = 0.1, 1e-4, np.array([0.005, 0.002])
REFINEMENTS = (1, 2, 4)
START = 0.05 * SIDE  # standard deviation of the Gaussian at the start


def main() -> None:
    print_header()
    for name, measure in {
        "eigenmode": eigenmode,
        "drifting Gaussian": drifting_gaussian,
        "steady ln r": steady_ring,
    }.items():
        started = time.process_time()
        errors = []
        for refinement in REFINEMENTS:
            mesh, ours, exact, error = measure(refinement)
            print_row(f"{name}, {mesh.num_points} nodes", ours, exact)
            errors.append(error)
        print(f"  L2 errors {', '.join(f'{error:.2e}' for error in errors)}", end=";")
        print(f" {time.process_time() - started:.1f} CPU-seconds")
        print_row("  order, finest pair", np.log2(errors[-2] / errors[-1]), 2.0)
    coarse, fine = (time_error(dt) for dt in (0.2, 0.1))
    print_row("order in time, jump at t = 0", np.log2(coarse / fine), 2.0)


def plate(refinement: float, holes: tuple[Hole, ...] = ()) -> Mesh:
    case = HeatFamily(num_holes=(0, 0)).draw(seed=0)
    return heat_mesh(replace(case, holes=holes), refinement)


def solve(
    mesh: Mesh,
    exact: Callable[[float], Array],
    end: float,
    dt: float,
    kappa: float = KAPPA,
    velocity: Array | None = None,
) -> tuple[AdvectionDiffusion, float]:
    """The solver at time `end` where all of the boundary is held, and its relative L2 error."""
    held = np.flatnonzero(mesh.node_type)
    heat = AdvectionDiffusion(mesh, exact(0.0), kappa, dt, held, lambda t: exact(t)[held], velocity)
    for _ in range(round(end / dt)):
        heat.step()
    return heat, relative_error(heat, exact(heat.time))


def relative_error(heat: AdvectionDiffusion, exact: Array) -> float:
    difference = heat.temperature - exact
    return float(np.sqrt((difference @ (heat.mass @ difference)) / (exact @ (heat.mass @ exact))))


def eigenmode(refinement: float) -> tuple[Mesh, float, float, float]:
    """sin(pi x / L) sin(pi y / L) decays as exp(-2 pi2 kappa t / L2); its amplitude at 5 s."""
    mesh, end = plate(refinement), 5.0
    mode = np.prod(np.sin(np.pi * mesh.points / SIDE), axis=1)
    mode[mesh.node_sets["sides"]] = 0.0
    decay = 2 * np.pi**2 * KAPPA / SIDE**2
    heat, error = solve(mesh, lambda t: mode * np.exp(-decay * t), end, 0.1 / refinement)
    ours = mode @ (heat.mass @ heat.temperature) / (mode @ (heat.mass @ mode))
    return mesh, ours, float(np.exp(-decay * end)), error


def drifting_gaussian(refinement: float) -> tuple[Mesh, float, float, float]:
    """A Gaussian of variance s2 + 2 kappa t, carried along; its temperature at the middle, 4 s."""
    mesh, end = plate(refinement), 4.0
    start, kappa = np.array([0.03, 0.04]), 0.2 * KAPPA

    def exact(t: float) -> Array:
        variance = START**2 + 2 * kappa * t
        squared = ((mesh.points - start - DRIFT * t) ** 2).sum(axis=1)
        return START**2 / variance * np.exp(-squared / (2 * variance))

    heat, error = solve(mesh, exact, end, 0.05 / refinement, kappa, DRIFT)
    nearest = np.argmin(((mesh.points - start - DRIFT * end) ** 2).sum(axis=1))
    return mesh, heat.temperature[nearest], exact(end)[nearest], error


def steady_ring(refinement: float) -> tuple[Mesh, float, float, float]:
    """ln(r / R) around a hole, reached from 0; the mean temperature of the plate."""
    radius = 0.2 * SIDE
    mesh = plate(refinement, (Hole(SIDE / 2, SIDE / 2, radius, radius, 0.0),))
    steady = np.log(np.hypot(*(mesh.points - SIDE / 2).T) / radius)
    held = np.flatnonzero(mesh.node_type)
    heat = AdvectionDiffusion(
        mesh, np.zeros(mesh.num_points), KAPPA, 1.0, held, lambda t: steady[held]
    )
    for _ in range(200):
        heat.step()
    weights = np.asarray(heat.mass.sum(axis=0)).ravel() / heat.mass.sum()
    return mesh, weights @ heat.temperature, weights @ steady, relative_error(heat, steady)


def time_error(dt: float) -> float:
    """Sides cooled at once: the difference at 5 s from steps of 0.0125 s on the same mesh."""
    mesh = plate(1)
    held = mesh.node_sets["sides"]

    def at_end(step: float) -> AdvectionDiffusion:
        heat = AdvectionDiffusion(
            mesh, np.ones(mesh.num_points), KAPPA, step, held, lambda t: np.zeros(len(held))
        )
        for _ in range(round(5.0 / step)):
            heat.step()
        return heat

    fine = at_end(0.0125)
    return relative_error(at_end(dt), fine.temperature)


if __name__ == "__main__":
    main()
