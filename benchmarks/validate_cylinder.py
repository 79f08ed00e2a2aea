"""The flow solver of `physgt generate cylinder` against the DFG benchmarks 2D-2 and 2D-3.

    python benchmarks/validate_cylinder.py [--refinement 2] [--dt 0.0025]

2D-2: steady inlet, Reynolds number 100, shedding; intervals of Schäfer and Turek, "Benchmark
computations of laminar flow around a cylinder", 1996. 2D-3: inlet speed sin(pi t / 8); values of
John, "Reference values for drag and lift of a two-dimensional time-dependent flow around a
cylinder", Int. J. Numer. Meth. Fluids 44, 2004. Two to five minutes on one core.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray
from reference_table import print_header, print_row

from physgt.datasets.cylinder import CylinderCase, cylinder_mesh, flow_space
from physgt.datasets.navier_stokes import BoundaryVelocity, IncompressibleFlow

Array = NDArray[np.float64]
DFG = CylinderCase(0.05, 0.2, 0.2, inlet_speed=1.5, channel=(2.2, 0.41), viscosity=1e-3)
COEFFICIENT = 20.0  # 2 / (density * mean speed squared * diameter)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--refinement", type=float, default=2.0)
    parser.add_argument("--dt", type=float, default=0.0025, help="solver's time step in s")
    options = parser.parse_args()

    print_header()
    history = forces(DFG.boundary_velocity, 6.0, options.refinement, options.dt)
    for name, ours, low, high in shedding(history):
        print_row("2D-2 " + name, ours, low, high)
    history = forces(pulse, 8.0, options.refinement, options.dt)
    for name, ours, published in pulse_extrema(history):
        print_row("2D-3 " + name, ours, published)


def pulse(positions: Array, time: float) -> Array:
    return DFG.inlet_profile(positions) * np.sin(np.pi * time / 8)


def forces(boundary_velocity: BoundaryVelocity, end: float, refinement: float, dt: float) -> Array:
    """Rows of time in s, drag and lift coefficient, pressure difference front to back in Pa."""
    mesh = cylinder_mesh(DFG, refinement)
    space, held = flow_space(DFG, mesh)
    flow = IncompressibleFlow(space, held, DFG.viscosity, dt, boundary_velocity)
    offset = space.positions[:, flow.held_nodes] - DFG.center[:, None]
    cylinder = flow.held_nodes[np.hypot(*offset) < 1.001 * DFG.radius]
    front, back = (
        space.pressure_vertices[np.hypot(*(mesh.points - point).T).argmin()]
        for point in ((0.15, 0.2), (0.25, 0.2))
    )
    started, history = time.process_time(), []
    for _ in range(round(end / dt)):
        flow.step()
        drag, lift = COEFFICIENT * flow.reaction(cylinder)
        history.append((flow.time, drag, lift, flow.pressure[front] - flow.pressure[back]))
    print(
        f"{mesh.num_points} nodes, {len(history)} steps of {dt:g} s, "
        f"{flow.factorizations} factorisations, {time.process_time() - started:.0f} CPU-seconds"
    )
    return np.array(history)


def shedding(history: Array) -> list[tuple[str, float, float, float]]:
    """Maxima over the last two seconds, and what the published procedure takes from them."""
    times, drag, lift, difference = history[history[:, 0] > history[-1, 0] - 2].T
    rising = np.flatnonzero((lift[:-1] < 0) & (lift[1:] >= 0))
    slope = np.diff(lift)[rising] / np.diff(times)[rising]
    crossings = times[rising] - lift[rising] / slope
    period = np.diff(crossings).mean()
    one = slice(rising[0], rising[1])
    half_a_period_later = times[one][lift[one].argmax()] + period / 2
    return [
        ("drag, largest", drag.max(), 3.22, 3.24),
        ("lift, largest", lift.max(), 0.99, 1.01),
        ("Strouhal number", 2 * DFG.radius / DFG.mean_speed / period, 0.295, 0.305),
        ("pressure difference", np.interp(half_a_period_later, times, difference), 2.46, 2.50),
    ]


def pulse_extrema(history: Array) -> list[tuple[str, float, float]]:
    times, drag, lift, difference = history.T
    return [
        ("drag, largest", drag.max(), 2.950921575),
        ("  at t (s)", times[drag.argmax()], 3.93625),
        ("lift, largest", lift.max(), 0.47795),
        ("  at t (s)", times[lift.argmax()], 5.693125),
        ("pressure difference", difference[-1], -0.1116),
    ]


if __name__ == "__main__":
    main()
