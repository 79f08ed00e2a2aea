"""The solver of `physgt generate airfoil` against an exact solution and published values.

    python benchmarks/validate_airfoil.py [--refinements 1 2]

Sod's shock tube: errors against the exact solution (Toro, "Riemann Solvers and Numerical Methods
for Fluid Dynamics", 2009, chapter 4). NACA 0012, steady, at 1.25 degrees: lift at Mach 0.5 against
a panel method for incompressible flow (Hess and Smith, 1967), computed here, times Prandtl and
Glauert's 1 / sqrt(1 - M^2), of first order in the thickness. Without shocks there is no drag: what
is found at Mach 0.5 is the scheme's. At Mach 0.8 against two other finite-volume codes, whose
section too is closed at its trailing edge:

- SU2, its quick start (github.com/su2code/SU2, QuickStart/inv_NACA0012.cfg on
  mesh_NACA0012_inv.su2, 10,216 triangles): lift 0.3285, drag 0.0215, as runs of versions 8.4.0 and
  8.5.0 that others published agree to six digits.
- Microrans (github.com/Kayoouu/Microrans, docs/compressible.md, section 3.5): this very section,
  49,152 quadrilaterals, lift 0.3333, drag 0.0218, of which half as fine a mesh differs by 0.1 and
  0.6 %. There the open trailing edge of the original section gives 0.348 and 0.0237: values of
  about 0.35 that are often quoted belong to it.

The far field is a circle of 50 chords. Two minutes on one core, and fifteen at refinement 2.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray
from reference_table import print_header, print_row
from scipy.optimize import brentq

from physgt.datasets.airfoil import AirfoilCase, airfoil_mesh
from physgt.datasets.euler import GAMMA, CompressibleFlow, TriangleFaces
from physgt.datasets.triangulation import polygon_points, triangulate

Array = NDArray[np.float64]
LEFT, RIGHT = np.array([1.0, 0.0, 0.0, 1.0]), np.array([0.125, 0.0, 0.0, 0.1])
END = 0.2
FAR_FIELD = 50.0
SETTLED = 2e-4  # change of the lift coefficient over STEPS steps
STEPS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--refinements", type=float, nargs="+", default=[1.0])
    options = parser.parse_args()

    print_header()
    errors = [shock_tube(size) for size in (0.02, 0.01, 0.005)]
    print_row("  order (shocks allow 1)", np.log2(errors[1] / errors[2]), 1.0)
    for refinement in options.refinements:
        lift, drag = settled(refinement, mach=0.5)
        print_row("  lift coefficient", lift, incompressible_lift() / np.sqrt(1 - 0.5**2))
        print(f"  drag coefficient {drag:.4f}, all of it the scheme's: the exact one is 0")
        lift, drag = settled(refinement, mach=0.8)
        print_row("  lift coefficient", lift, 0.3285, 0.3333)
        print_row("  drag coefficient", drag, 0.0215, 0.0218)


def shock_tube(size: float) -> float:
    """The mean error of the density at 0.2; left and right state as in Sod, 1978."""

    def even(points: Array) -> Array:
        return np.full(len(points), size)

    started = time.process_time()
    corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.1), (0.0, 0.1)]
    points, triangles = triangulate([polygon_points(corners, even)], even)
    walls = TriangleFaces(points, triangles).boundary
    x = points[triangles].mean(axis=1)[:, :1]
    flow = CompressibleFlow(points, triangles, np.where(x < 0.5, LEFT, RIGHT), walls, LEFT)
    flow.advance(END)
    pressure, velocity = star_state()
    place = (flow.centers[:, 0] - 0.5) / END
    plateau = flow.state[(place > 0.1) & (place < velocity - 0.1)]
    error = float(flow.areas @ np.abs(flow.state[:, 0] - exact_density(place)) / flow.areas.sum())
    print(f"Sod's tube, {len(triangles)} cells: mean error of the density {error:.4f}", end=";")
    print(f" {time.process_time() - started:.1f} CPU-seconds")
    print_row("  pressure behind the shock", float(np.median(plateau[:, 3])), pressure)
    print_row("  velocity behind the shock", float(np.median(plateau[:, 1])), velocity)
    return error


def behind_shock(pressure: float) -> float:
    """Velocity behind a shock into the right state that raises its pressure to `pressure`."""
    density, at_rest = RIGHT[0], RIGHT[3]
    resistance = density * ((GAMMA + 1) * pressure + (GAMMA - 1) * at_rest)
    return float((pressure - at_rest) * np.sqrt(2 / resistance))


def behind_rarefaction(pressure: float) -> float:
    """Velocity behind a rarefaction into the left state that lowers its pressure to `pressure`."""
    sound = np.sqrt(GAMMA * LEFT[3] / LEFT[0])
    ratio = (pressure / LEFT[3]) ** ((GAMMA - 1) / (2 * GAMMA))
    return float(2 * sound / (GAMMA - 1) * (1 - ratio))


def star_state() -> tuple[float, float]:
    """Pressure and velocity between shock and rarefaction."""
    pressure = brentq(lambda p: behind_shock(p) - behind_rarefaction(p), RIGHT[3], LEFT[3])
    return pressure, behind_shock(pressure)


def exact_density(place: Array) -> Array:
    """At places (n,) = distance from the membrane / time."""
    pressure, velocity = star_state()
    sound = np.sqrt(GAMMA * LEFT[3] / LEFT[0])
    sound_behind = sound - 0.5 * (GAMMA - 1) * velocity
    fan = 2 / (GAMMA + 1) * (1 - 0.5 * (GAMMA - 1) * place / sound)
    ratio, share = pressure / RIGHT[3], (GAMMA - 1) / (GAMMA + 1)
    compressed = RIGHT[0] * (ratio + share) / (share * ratio + 1)
    shock = velocity * compressed / (compressed - RIGHT[0])
    return np.select(
        [place < -sound, place < velocity - sound_behind, place < velocity, place < shock],
        [
            LEFT[0],
            LEFT[0] * fan ** (2 / (GAMMA - 1)),
            LEFT[0] * (pressure / LEFT[3]) ** (1 / GAMMA),
            compressed,
        ],
        RIGHT[0],
    )


def incompressible_lift(count: int = 200) -> float:
    """Lift coefficient of NACA 0012 at 1.25 degrees: sources on each panel, one vortex strength.

    Panels run counter-clockwise. Kutta: the flow leaves both panels at the trailing edge alike.
    """
    case = AirfoilCase(0.0, 1.25, 0.12, 0.0, 0.4, FAR_FIELD)
    x, y = case.outline(count).T
    start = x + 1j * y
    side = np.roll(start, -1) - start
    middle, along = start + 0.5 * side, side / np.abs(side)
    far = np.exp(1j * np.radians(case.angle_of_attack))
    to_start = middle[:, None] - start
    # Conjugate of the velocity at each middle from sources of strength 1 along each panel.
    source = np.log(to_start / np.roll(to_start, -1, axis=1)) / (2 * np.pi * along)
    np.fill_diagonal(source, 0.5j / along)
    vortex = -1j * source
    # Along the panel, and minus the part to the left, into the section.
    of_sources, of_vortex = source * along[:, None], vortex.sum(axis=1) * along
    of_far = np.conj(far) * along
    flow = np.column_stack([of_sources, of_vortex])
    equations = np.vstack([flow.imag, (flow[0] + flow[-1]).real])
    right = -np.append(of_far.imag, (of_far[0] + of_far[-1]).real)
    circulation = np.linalg.solve(equations, right)[-1] * np.abs(side).sum()
    return float(-2 * circulation)


def settled(refinement: float, mach: float) -> tuple[float, float]:
    """Coefficients of lift and drag when they no longer change."""
    started = time.process_time()
    case = AirfoilCase(mach, 1.25, 0.12, 0.0, 0.4, FAR_FIELD)
    mesh = airfoil_mesh(case, refinement)
    flow = case.start(mesh)
    before, coefficients, steps = -1.0, (0.0, 0.0), 0
    while abs(coefficients[0] - before) > SETTLED:
        before = coefficients[0]
        flow.relax(STEPS)
        coefficients, steps = case.coefficients(flow), steps + STEPS
    print(
        f"NACA 0012 at Mach {mach}, {mesh.num_points} nodes, {mesh.num_cells} cells: "
        f"{steps} steps, {time.process_time() - started:.0f} CPU-seconds",
        flush=True,
    )
    return coefficients


if __name__ == "__main__":
    main()
