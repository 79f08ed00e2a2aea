"""The solver of `physgt generate block3d` against exact solutions of the heat equation.

    python benchmarks/validate_block3d.py

On tetrahedra, at three mesh sizes: the decay of an eigenmode of a box with held sides and insulated
bottom and top (Carslaw and Jaeger, "Conduction of Heat in Solids", 1959, chapter 6); on the
family's own meshes with a bore, a steady harmonic polynomial, and the steady temperature of a block
heated evenly through and cooled at its bottom. Errors are relative, in the L2 norm; linear elements
are of second order. Under a minute.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray
from reference_table import print_header, print_row

from physgt.datasets.advection_diffusion import AdvectionDiffusion
from physgt.datasets.block3d import Block3DFamily, block3d_mesh
from physgt.datasets.extrusion import even_levels, extrude, rectangle_triangles
from physgt.mesh import Mesh

Array = NDArray[np.float64]
BOX = (0.1, 0.08, 0.06)
KAPPA = 7e-5
CASE = Block3DFamily().draw(seed=0)


def main() -> None:
    print_header()
    for name, measure, sizes in (
        ("eigenmode", eigenmode, (0.01, 0.005, 0.0025)),
        ("steady polynomial", steady_polynomial, (1.0, 2.0, 4.0)),
        ("heated through", heated_through, (1.0, 2.0, 4.0)),
    ):
        started = time.process_time()
        errors, nodes = [], []
        for size in sizes:
            mesh, ours, exact, error = measure(size)
            print_row(f"{name}, {mesh.num_points} nodes", ours, exact)
            errors.append(error)
            nodes.append(mesh.num_points)
        print(f"  L2 errors {', '.join(f'{error:.2e}' for error in errors)}", end=";")
        print(f" {time.process_time() - started:.1f} CPU-seconds")
        halvings = np.log2(nodes[-1] / nodes[-2]) / 3
        print_row("  order, finest pair", np.log2(errors[-2] / errors[-1]) / halvings, 2.0)


def solution(heat: AdvectionDiffusion, exact: Array, steps: int) -> tuple[float, float]:
    """L2 norm of the temperature after the steps and its error, over the norm of the exact."""
    for _ in range(steps):
        heat.step()
    difference, ours = heat.temperature - exact, heat.temperature
    norm = np.sqrt(exact @ (heat.mass @ exact))
    error = np.sqrt(difference @ (heat.mass @ difference)) / norm
    return float(np.sqrt(ours @ (heat.mass @ ours)) / norm), float(error)


def eigenmode(size: float) -> tuple[Mesh, float, float, float]:
    """sin(pi x / X) sin(pi y / Y) cos(pi z / Z) decays as exp(-pi2 kappa (X-2 + Y-2 + Z-2) t)."""
    width, depth, height = BOX
    columns, rows = (round(length / size) for length in (width, depth))
    flat, triangles = rectangle_triangles(width, depth, columns, rows)
    points, tetrahedra = extrude(flat, triangles, even_levels(height, size))
    mesh = Mesh.from_blocks(points, [("tetra", tetrahedra)])
    x, y, z = (np.pi * points / BOX).T
    mode = np.sin(x) * np.sin(y) * np.cos(z)
    held = np.flatnonzero(np.isin(points[:, 0], (0, width)) | np.isin(points[:, 1], (0, depth)))
    mode[held] = 0.0
    rate = np.pi**2 * KAPPA * sum(1 / length**2 for length in BOX)
    heat = AdvectionDiffusion(mesh, mode, KAPPA, 20 * size, held, lambda t: np.zeros(len(held)))
    steps = round(2.0 / heat.dt)
    remaining = np.exp(-rate * steps * heat.dt)
    norm, error = solution(heat, mode * remaining, steps)
    return mesh, norm * remaining, remaining, error


def steady_polynomial(refinement: float) -> tuple[Mesh, float, float, float]:
    """The harmonic x2 + y2 - 2 z2, held on the whole surface; its norm, over the exact."""
    mesh = block3d_mesh(CASE, refinement)
    held = np.concatenate(list(mesh.node_sets.values()))
    exact = mesh.points**2 @ np.array([1.0, 1.0, -2.0])
    heat = AdvectionDiffusion(
        mesh, np.zeros(mesh.num_points), KAPPA, 0.5, held, lambda t: exact[held]
    )
    norm, error = solution(heat, exact, 200)
    return mesh, norm, 1.0, error


def heated_through(refinement: float) -> tuple[Mesh, float, float, float]:
    """q (H z - z2 / 2) / k above the bottom, for a heating of 1e7 W/m3; the top's mean in K."""
    mesh = block3d_mesh(CASE, refinement)
    z, height, held = mesh.points[:, 2], CASE.size[2], mesh.node_sets["bottom"]
    conductivity = KAPPA * CASE.heat_capacity
    exact = 1e7 * (height * z - z**2 / 2) / conductivity
    heat = AdvectionDiffusion(
        mesh, np.zeros(mesh.num_points), KAPPA, 10.0, held, lambda t: np.zeros(len(held)),
        heating=np.full(mesh.num_points, 1e7 / CASE.heat_capacity),
    )  # fmt: skip
    _, error = solution(heat, exact, 200)
    ours = heat.temperature[z == height].mean()
    return mesh, ours, 1e7 * height**2 / 2 / conductivity, error


if __name__ == "__main__":
    main()
