"""Does a model gain by seeing the boundary as it is at the end of a step? Prints both errors.

    python benchmarks/boundary_ahead.py

Heat in a square by implicit Euler steps; each step the rim takes new random temperatures. A small
MeshGraphNet is trained on four runs, once with the rim of t + dt in its input and once with that of
t, and rolled out freely on a fifth: relative L2 error inside, over 40 steps. About a minute.
"""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import torch

from physgt import BoundaryCondition, Field, Mesh, Simulator, Task, Trajectory
from physgt.case import TrainingSettings
from physgt.fit_normalizers import fit_normalizers
from physgt.mesh import mesh_edges
from physgt.rollout import rollout
from physgt.samples import Samples
from physgt.training import Run

NUM_STEPS = 40
SETTINGS = TrainingSettings(steps=400, learning_rate=3e-3, warmup_steps=20)
TASK = Task(
    (Field("temperature"),), 0.1, boundary=(BoundaryCondition("rim", "temperature", "prescribed"),)
)


def square(cells: int = 5) -> Mesh:
    x, y = np.meshgrid(np.linspace(0, 1, cells + 1), np.linspace(0, 1, cells + 1))
    corner = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    quads = np.stack([corner, corner + 1, corner + cells + 2, corner + cells + 1], axis=1)
    rim = np.flatnonzero((x % 1 == 0).ravel() | (y % 1 == 0).ravel())
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    node_type = np.where(np.isin(np.arange(len(points)), rim), 6, 0)
    return Mesh.from_blocks(points, [("quad", quads)], node_type=node_type, node_sets={"rim": rim})


def heat(seed: int) -> Trajectory:
    mesh, random = square(), np.random.default_rng(seed)
    senders, receivers = mesh_edges(mesh)
    matrix = np.eye(mesh.num_points)
    np.add.at(matrix, (receivers, senders), -0.5)
    np.add.at(matrix, (receivers, receivers), 0.5)
    inside, rim = np.flatnonzero(mesh.node_type == 0), mesh.node_sets["rim"]
    states = [random.uniform(-1, 1, mesh.num_points)]
    for _ in range(NUM_STEPS):
        state = states[-1].copy()
        state[rim] = random.uniform(-1, 1, len(rim))
        known = states[-1][inside] - matrix[np.ix_(inside, rim)] @ state[rim]
        state[inside] = np.linalg.solve(matrix[np.ix_(inside, inside)], known)
        states.append(state)
    times = TASK.dt * np.arange(NUM_STEPS + 1)
    return Trajectory.from_arrays(mesh, times, {"temperature": np.array(states, np.float32)})


def error(task: Task, seed: int) -> float:
    torch.manual_seed(seed)
    simulator = Simulator(task, 2, "meshgraphnet", {"width": 24, "blocks": 4})
    training = {str(k): heat(k) for k in range(4)}
    samples = Samples(training, task, simulator.build_graph)
    fit_normalizers(simulator, samples)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(simulator, SETTINGS, Path(folder))
        for _ in range(SETTINGS.steps):
            run.advance(samples)
    unseen = heat(99)
    prediction = rollout(simulator.eval(), unseen.initial(), NUM_STEPS, prescribed=unseen)
    inside = unseen.mesh.node_type == 0
    found, true = (t.fields["temperature"].values[1:, inside] for t in (prediction, unseen))
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


for ahead in (True, False):
    errors = [error(dataclasses.replace(TASK, boundary_ahead=ahead), seed) for seed in (0, 1)]
    seen = "t + dt" if ahead else "t"
    print(f"boundary of {seen:6}: {', '.join(f'{found:.2f}' for found in errors)}", flush=True)
