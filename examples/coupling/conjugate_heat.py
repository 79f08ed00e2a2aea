"""Conjugate heat transfer: half of a plate by finite elements, the other half by a learned model.

Dirichlet-Neumann coupling: in each time step the learned half takes the temperature of the
interface and gives the heat that leaves it there; the finite elements (scikit-fem) take that heat
and give the temperature. Both repeat the step, by save_state and restore_state, until they agree.
The result is compared with finite elements on the whole plate, on the same triangles and steps.

    python examples/coupling/conjugate_heat.py                   # runs, prints errors, draws
    python examples/coupling/conjugate_heat.py --train FOLDER    # makes data, trains anew before

The model has never seen the coupled case: it has learned from right halves whose interface follows
random courses, see plates.py.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from heat_picture import draw
from plates import (
    CARBON,
    DT,
    NUM_STEPS,
    STAINLESS,
    SURROUNDINGS,
    HeatConduction,
    half_mesh,
    history,
    hot_edge,
    right_half,
    whole_mesh,
)

from physgt import Mesh, Simulator, Trajectory
from physgt.case import Case, read_case
from physgt.coupling import Stepper
from physgt.datasets.vtkhdf import write_vtkhdf
from physgt.progress import progress_bar
from physgt.quantities.derived import nodal_reaction_heat_flux
from physgt.training import open_trajectories, train

HERE = Path(__file__).parent
TOLERANCE = 1e-3  # K, between the two sides of the interface
MAX_ITERATIONS = 50
FIRST_RELAXATION = 0.6


class RightHalf(Protocol):
    """What the coupling needs of the half to the right of the interface."""

    def begin_step(self) -> None:
        """The next attempts start from here."""

    def attempt(self, interface: np.ndarray) -> np.ndarray:
        """Step to the end of the time step, with these (n,) K there; (n,) W/m that leave."""

    def temperature(self) -> np.ndarray:
        """(N,) K now."""


class LearnedHalf:
    """The surrogate."""

    def __init__(self, simulator: Simulator, start: Trajectory) -> None:
        heat = nodal_reaction_heat_flux(
            start.mesh,
            simulator.task,
            on="interface",
            conductivity=STAINLESS[0],
            capacity=STAINLESS[1],
        )
        self.stepper = Stepper(simulator, start, outputs={"heat": heat})
        self.stepper.hold_field("temperature", on="interface")
        self.stepper.set_field("interface_change", 0.0)
        self.begin_step()

    def begin_step(self) -> None:
        self._before = self.stepper.save_state()
        self._interface = self.stepper.get_field("temperature", on="interface")

    def attempt(self, interface: np.ndarray) -> np.ndarray:
        stepper = self.stepper
        stepper.restore_state(self._before)
        stepper.set_field("interface_change", interface - self._interface, on="interface")
        stepper.set_field("temperature", interface, on="interface")
        stepper.step()
        return stepper.get_field("heat")

    def temperature(self) -> np.ndarray:
        return self.stepper.get_field("temperature").astype(np.float64)


@dataclass(frozen=True)
class Run:
    """What a coupled run gives at each of T times: n nodes of the interface, heat over T - 1 steps.

    left, right   (T, N) K
    given         (T - 1, n) W/m that leave the right half at the interface
    taken         (T - 1, n) W/m that enter the left half there, by its own balance
    iterations    (T - 1,)
    """

    left: np.ndarray
    right: np.ndarray
    given: np.ndarray
    taken: np.ndarray
    iterations: np.ndarray


def couple(left_mesh: Mesh, right: RightHalf, num_steps: int = NUM_STEPS) -> Run:
    """March both halves, iterating on each step until the interface has one temperature."""
    hot, interface = left_mesh.node_sets["hot"], left_mesh.node_sets["interface"]
    solver = HeatConduction(left_mesh, *CARBON, held=hot)
    left, rights = [np.full(left_mesh.num_points, SURROUNDINGS)], [right.temperature()]
    given, taken, iterations = [], [], []
    relaxation = FIRST_RELAXATION
    heat = np.zeros(left_mesh.num_points)
    for n in range(num_steps):
        right.begin_step()
        before = left[-1]
        guess = before[interface] + (before - left[max(n - 1, 0)])[interface]
        last, attempts = None, 0
        for _ in range(MAX_ITERATIONS):
            heat[interface] = right.attempt(guess)
            attempts += 1
            after = solver.step(before, hot_edge(left_mesh.points[hot, 1], (n + 1) * DT), heat)
            residual = after[interface] - guess
            if np.abs(residual).max() < TOLERANCE:
                break
            if last is not None:
                change = residual - last
                relaxation *= -(last @ change) / (change @ change)  # Aitken
            guess, last = guess + relaxation * residual, residual
        else:
            raise RuntimeError(f"step {n + 1}: no agreement after {MAX_ITERATIONS} iterations")
        left.append(after)
        rights.append(right.temperature())
        given.append(heat[interface].copy())
        taken.append(solver.entering(before, after)[interface])
        iterations.append(attempts)
    return Run(*map(np.array, (left, rights, given, taken, iterations)))


def solve_whole(left_mesh: Mesh, right_mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """(T, N) K of the left and the right half in the finite-element solution of the whole plate."""
    mesh, of_right = whole_mesh(left_mesh, right_mesh)
    counts = left_mesh.num_cells, right_mesh.num_cells
    conductivity, capacity = (
        np.repeat(pair, counts) for pair in zip(CARBON, STAINLESS, strict=True)
    )
    hot, cold = mesh.node_sets["hot"], mesh.node_sets["cold"]
    solver = HeatConduction(mesh, conductivity, capacity, held=np.concatenate([hot, cold]))
    states = [np.full(mesh.num_points, SURROUNDINGS)]
    for n in range(NUM_STEPS):
        heated = hot_edge(mesh.points[hot, 1], (n + 1) * DT)
        held = np.concatenate([heated, np.full(len(cold), SURROUNDINGS)])
        states.append(solver.step(states[-1], held))
    whole = np.array(states)
    return whole[:, : left_mesh.num_points], whole[:, of_right]


def alone(right: RightHalf, interface: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A free rollout of the right half that is told the true (T, n) temperatures of the interface.

    (T, N) K, and (T - 1, n) W/m that leave at the interface.
    """
    states, given = [right.temperature()], []
    for held in interface[1:]:
        right.begin_step()
        given.append(right.attempt(held))
        states.append(right.temperature())
    return np.array(states), np.array(given)


def relative_l2(found: np.ndarray, reference: np.ndarray) -> float:
    return float(np.linalg.norm(found - reference) / np.linalg.norm(reference))


def excess(temperature: np.ndarray) -> np.ndarray:
    """Above the surroundings: what errors are relative to."""
    return temperature - SURROUNDINGS


@dataclass(frozen=True)
class Comparison:
    """The coupled run, the reference and the surrogate alone, and how far they are apart."""

    meshes: tuple[Mesh, Mesh]
    run: Run
    reference: tuple[np.ndarray, np.ndarray]
    reference_heat: np.ndarray
    alone: np.ndarray
    alone_heat: np.ndarray

    def errors(self) -> dict[str, float]:
        """Numbers by what they tell; temperatures are relative to those above the surroundings."""
        run, (left, right) = self.run, self.reference
        interface = self.meshes[0].node_sets["interface"]
        of_steps = [
            relative_l2(excess(a), excess(b))
            for a, b in zip(self.field()[1:], self.true_field()[1:], strict=True)
        ]
        quarter = len(of_steps) // 4
        heat, true_heat = run.given.sum(axis=1), self.reference_heat.sum(axis=1)
        return {
            "interface temperature, coupled": relative_l2(
                excess(run.left[:, interface]), excess(left[:, interface])
            ),
            "whole field, coupled": relative_l2(excess(self.field()), excess(self.true_field())),
            "right half, coupled": relative_l2(excess(run.right), excess(right)),
            "right half, surrogate alone": relative_l2(excess(self.alone), excess(right)),
            "interface heat flux, coupled": relative_l2(heat, true_heat),
            "interface heat flux, surrogate alone": relative_l2(
                self.alone_heat.sum(axis=1), true_heat
            ),
            "whole field, second quarter of the steps": float(
                np.mean(of_steps[quarter : 2 * quarter])
            ),
            "whole field, last quarter of the steps": float(np.mean(of_steps[-quarter:])),
            "heat flux given and not taken, largest in a step": float(
                np.abs(heat - run.taken.sum(axis=1)).max() / np.abs(heat).max()
            ),
            "heat that the right half makes or loses": self.imbalance(),
        }

    def field(self) -> np.ndarray:
        """(T, N) K of both halves, nodes of the interface twice."""
        return np.concatenate([self.run.left, self.run.right], axis=1)

    def true_field(self) -> np.ndarray:
        return np.concatenate(self.reference, axis=1)

    def imbalance(self) -> float:
        """What the right half stores and passes on but never got, relative to all that crossed."""
        mesh, solver = right_half()
        states = self.run.right
        balance = np.array([solver.entering(*pair) for pair in pairwise(states)]) * DT
        got = balance[:, mesh.node_sets["interface"]].sum(axis=1)
        return float(np.abs(balance[:, solver.free].sum(axis=1).cumsum()).max() / np.abs(got).sum())


def compare(simulator: Simulator) -> Comparison:
    """Run all three and put them side by side."""
    left_mesh = half_mesh(0.0, seed=2)
    right_mesh, solver = right_half()
    uniform = np.full((1, right_mesh.num_points), SURROUNDINGS, np.float32)
    fields = {"temperature": uniform, "interface_change": np.zeros_like(uniform)}
    start = Trajectory.from_arrays(right_mesh, np.zeros(1), fields)
    reference = solve_whole(left_mesh, right_mesh)
    run = couple(left_mesh, LearnedHalf(simulator, start))
    interface = right_mesh.node_sets["interface"]
    by_itself = alone(LearnedHalf(simulator, start), reference[1][:, interface])
    steps = pairwise(reference[1])
    heat = -np.array([solver.entering(*step)[interface] for step in steps])
    return Comparison((left_mesh, right_mesh), run, reference, heat, *by_itself)


def train_half(folder: Path, case: Case, num_histories: int = 120) -> Path:
    """Make the data, train, and give the path of the model."""
    for name, seeds in ("train", range(num_histories)), ("validation", range(900, 904)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for seed in seeds:
            write_vtkhdf(history(seed), folder / name / f"half-{seed:04d}.vtkhdf")
    data = [open_trajectories(folder, str(p)) for p in (case.data.train, case.data.validation)]
    with progress_bar("training") as update:
        train(
            case, data[0], folder / "run", validation=data[1],
            report=lambda r: update(r.step, r.num_steps, f"loss {r.loss:.4f}"),
        )  # fmt: skip
    return folder / "run" / "best.physgt"


def main() -> None:
    parser = argparse.ArgumentParser(description="half of a plate learned, half by finite elements")
    parser.add_argument(
        "--train", type=Path, metavar="FOLDER", help="make data there and train anew"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("conjugate_heat.png"))
    options = parser.parse_args()
    model = HERE / "half_plate.physgt"
    if options.train is not None:
        model = train_half(options.train, read_case(HERE / "half_plate.toml"))
    found = compare(Simulator.load(model))
    for what, error in found.errors().items():
        print(f"{what:50s} {error:8.2%}")
    print(f"iterations of a step: {found.run.iterations.mean():.1f} in the mean")
    draw(found, options.output)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
