"""Flow to structure, one way: a cylinder on springs in the forces of a learned flow.

A surrogate of the flow past a cylinder gives drag and lift in each of its steps; mass, springs and
damper (scipy) answer. Beside it the same structure answers to the finite-element solver's forces.

    python examples/coupling/cylinder_on_spring.py                   # runs, prints, draws
    python examples/coupling/cylinder_on_spring.py --train FOLDER    # trains anew before

The surrogate has learned from the same channel with other inlet speeds and other meshes. One way
means that the flow doesn't feel the motion: right for displacements far below the diameter.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

from physgt import Mesh, Simulator, Trajectory
from physgt.case import Case, read_case
from physgt.coupling import Stepper
from physgt.datasets.cylinder import DENSITY, CylinderFamily, cylinder_mesh, flow_space
from physgt.datasets.generate import generate
from physgt.datasets.navier_stokes import IncompressibleFlow
from physgt.progress import progress_bar
from physgt.quantities.derived import Output, force
from physgt.rollout import oscillation
from physgt.training import open_trajectories, train

HERE = Path(__file__).parent
CHANNEL = {"radius": (0.05, 0.05), "center_x": (0.3, 0.3), "center_y": (0.2, 0.2)}
TRAINING = {**CHANNEL, "inlet_speed": (1.2, 1.8)}
TEST, SEED = replace(CylinderFamily(), **CHANNEL, inlet_speed=(1.5, 1.5)), 900
SECONDS = 3.0
DIAMETER = 0.1  # m
MASS = 0.25  # kg per metre of the cylinder, 32 times that of the fluid it displaces
FREQUENCIES = {"stiff springs": 4.0, "soft springs": 2.6}  # Hz, in vacuum; it sheds at 2.9
DAMPING = 0.05  # of the critical one


@dataclass(frozen=True)
class Flow:
    """What acts on the cylinder over time.

    times (T,) s; velocity (T, N, 2) m/s; force (T, 2) N/m
    """

    times: np.ndarray
    velocity: np.ndarray
    force: np.ndarray


def solve_flow(dt: float) -> tuple[Flow, Trajectory]:
    """The solver's flow every dt, its forces from the balance of momentum; and all its fields."""
    case = TEST.draw(SEED)
    mesh = cylinder_mesh(case, TEST.refinement, SEED)
    space, held = flow_space(case, mesh)
    solver_dt = TEST.dt / TEST.substeps
    flow = IncompressibleFlow(space, held, case.viscosity, solver_dt, case.boundary_velocity)
    for _ in range(round(TEST.spin_up / solver_dt)):
        flow.step()
    offset = space.positions[:, flow.held_nodes] - case.center[:, None]
    cylinder = flow.held_nodes[np.hypot(*offset) < 1.001 * case.radius]
    velocity, pressure, forces = [], [], []
    for frame in range(round(SECONDS / dt) + 1):
        for _ in range(round(dt / solver_dt) if frame else 0):
            flow.step()
        velocity.append(flow.velocity[space.vertices])
        pressure.append(DENSITY * flow.pressure[space.pressure_vertices])
        forces.append(DENSITY * flow.reaction(cylinder))
    times = dt * np.arange(len(forces))
    fields = Trajectory.from_arrays(
        mesh,
        times,
        {
            "velocity": np.array(velocity, dtype=np.float32),
            "pressure": np.array(pressure, dtype=np.float32),
        },
        units={"velocity": "m/s", "pressure": "Pa"},
    )
    return Flow(times, np.array(velocity), np.array(forces)), fields


def learned_flow(simulator: Simulator, start: Trajectory) -> Flow:
    """The surrogate's flow from the solver's first state, and its forces."""
    flow = Stepper(simulator, start, outputs={"force": force_on_cylinder(simulator, start.mesh)})
    times, velocity = [flow.time], [flow.get_field("velocity")]
    forces = [flow.get_field("force")]
    for _ in range(round(SECONDS / flow.dt)):
        flow.step()
        times.append(flow.time)
        velocity.append(flow.get_field("velocity"))
        forces.append(flow.get_field("force"))
    return Flow(np.array(times), np.array(velocity), np.array(forces))


def force_on_cylinder(simulator: Simulator, mesh: Mesh) -> Output:
    return force(mesh, simulator.task, on="cylinder", density=DENSITY, viscosity=TEST.viscosity)


def same_integral(simulator: Simulator, fields: Trajectory) -> np.ndarray:
    """(T, 2) what the surrogate's formula for the force gives for the solver's own fields."""
    output = force_on_cylinder(simulator, fields.mesh)
    return np.array([output.evaluate(fields.frame(i)) for i in range(fields.num_times)])


def respond(times: np.ndarray, forces: np.ndarray, frequency: float) -> np.ndarray:
    """(T, 2) m: where forces (T, 2) move the cylinder, at rest at first on unloaded springs."""
    load, angular = CubicSpline(times, forces), 2 * np.pi * frequency

    def rate(time: float, state: np.ndarray) -> np.ndarray:
        displacement, speed = state.reshape(2, 2)
        restoring = 2 * DAMPING * angular * speed + angular**2 * displacement
        return np.concatenate([speed, load(time) / MASS - restoring])

    solution = solve_ivp(rate, times[[0, -1]], np.zeros(4), t_eval=times, rtol=1e-8, atol=1e-12)
    return solution.y[:2].T


@dataclass(frozen=True)
class Comparison:
    """The solver's flow and forces, the surrogate's, and what both do to the cylinder.

    integral: (T, 2) the surrogate's formula for the force of the solver's own fields.
    """

    mesh: Mesh
    solver: Flow
    learned: Flow
    integral: np.ndarray

    def motions(self, frequency: float) -> list[np.ndarray]:
        """(T, 2) m by the solver's forces, by the integral, by the surrogate's forces."""
        forces = self.solver.force, self.integral, self.learned.force
        return [respond(self.solver.times, of, frequency) for of in forces]

    def rows(self) -> dict[str, list[float]]:
        """What is compared -> by the solver, by the integral of its fields, by the surrogate."""
        times = self.solver.times
        forces = self.solver.force, self.integral, self.learned.force
        lifts = [oscillation(times, f[:, 1]) for f in forces]
        rows = {
            "lift, frequency in Hz": [lift.frequency for lift in lifts],
            "lift, amplitude in N/m": [lift.amplitude for lift in lifts],
            "drag, mean in N/m": [f[:, 0].mean() for f in forces],
        }
        late = times > times[-1] / 2  # the start has died away
        for springs, frequency in FREQUENCIES.items():
            motions = self.motions(frequency)
            rows[f"{springs}: crosswise amplitude in mm"] = [
                1e3 * oscillation(times[late], m[late, 1]).amplitude for m in motions
            ]
            rows[f"{springs}: streamwise mean in mm"] = [1e3 * m[late, 0].mean() for m in motions]
        return rows


def compare(simulator: Simulator) -> Comparison:
    solver, fields = solve_flow(simulator.task.dt)
    learned = learned_flow(simulator, fields.initial())
    return Comparison(fields.mesh, solver, learned, same_integral(simulator, fields))


def draw(found: Comparison, path: Path) -> None:
    """The two flows at the end, the forces and the motion."""
    figure = plt.figure(figsize=(12, 8), layout="constrained")
    flows, courses = figure.subfigures(2, 1, height_ratios=(1, 2))
    solver, learned = found.solver, found.learned
    speed = [np.linalg.norm(flow.velocity[-1], axis=1) for flow in (solver, learned)]
    triangles = found.mesh.connectivity.reshape(-1, 3)
    for axes, name, values in zip(
        flows.subplots(1, 2), ("solver", "surrogate"), speed, strict=True
    ):
        image = axes.tripcolor(
            *found.mesh.points.T, triangles, values, shading="gouraud", vmin=0, vmax=speed[0].max()
        )
        axes.set(title=f"{name}: speed in m/s after {SECONDS:g} s", aspect="equal")
    flows.colorbar(image, ax=flows.axes, shrink=0.6)
    panels = {
        "lift in N/m": (solver.force[:, 1], learned.force[:, 1]),
        "drag in N/m": (solver.force[:, 0], learned.force[:, 0]),
    }
    for springs, frequency in FREQUENCIES.items():
        theirs, _, ours = (motion[:, 1] / DIAMETER for motion in found.motions(frequency))
        panels[f"{springs}: crosswise displacement in diameters"] = theirs, ours
    grid = courses.subplots(2, 2, sharex=True)
    for axes, (title, (theirs, ours)) in zip(grid.T.ravel(), panels.items(), strict=True):
        axes.plot(solver.times, theirs, "k", lw=2.5, label="solver")
        axes.plot(learned.times, ours, "C1", lw=1.2, label="surrogate")
        axes.set(title=title)
    grid[0, 0].legend(loc="lower left")
    grid[1, 0].set(ylim=(0, None), xlabel="time in s")
    grid[1, 1].set(xlabel="time in s")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def train_flow(folder: Path, case: Case, num_flows: int = 12) -> Path:
    """Make the data, train, and give the path of the model."""
    for name, seeds in ("train", range(num_flows)), ("validation", range(800, 802)):
        with progress_bar(name) as update:
            generate("cylinder", folder / name, seeds, progress=update, **TRAINING)
    data = [open_trajectories(folder, str(p)) for p in (case.data.train, case.data.validation)]
    with progress_bar("training") as update:
        train(
            case, data[0], folder / "run", validation=data[1],
            report=lambda r: update(r.step, r.num_steps, f"loss {r.loss:.3f}"),
        )  # fmt: skip
    return folder / "run" / "best.physgt"


def main() -> None:
    parser = argparse.ArgumentParser(description="a cylinder on springs in a learned flow")
    parser.add_argument("--train", type=Path, metavar="FOLDER", help="make data there, train anew")
    parser.add_argument("-o", "--output", type=Path, default=Path("cylinder_on_spring.png"))
    options = parser.parse_args()
    model = HERE / "cylinder_flow.physgt"
    if options.train is not None:
        model = train_flow(options.train, read_case(HERE / "cylinder_flow.toml"))
    found = compare(Simulator.load(model))
    print(f"{'':42s} {'solver':>8s} {'its fields*':>12s} {'surrogate':>10s}")
    for what, values in found.rows().items():
        print("{:42s} {:8.4f} {:12.4f} {:10.4f}".format(what, *values))
    print(
        "* the surrogate's formula, an integral over linear triangles, of the solver's own fields"
    )
    draw(found, options.output)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
