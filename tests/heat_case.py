"""A small case with a known solution, for tests that need a trajectory and a task."""

import numpy as np

from physgt import BoundaryCondition, Field, Mesh, Task, Trajectory
from physgt.graph import Graph, build_graph
from physgt.mesh import mesh_edges


def square_mesh(cells: int, skew: float = 0.0) -> Mesh:
    """The unit square in 2 * cells**2 triangles; its rim is the node set `rim`."""
    x, y = np.meshgrid(np.linspace(0, 1, cells + 1), np.linspace(0, 1, cells + 1))
    points = np.stack([(x + skew * y).ravel(), y.ravel()], axis=1)
    corner = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    a, b, c, d = corner, corner + 1, corner + cells + 2, corner + cells + 1
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    rim = np.flatnonzero((x % 1 == 0).ravel() | (y % 1 == 0).ravel())
    node_type = np.zeros(len(points), dtype=int)
    node_type[rim] = 6
    return Mesh.from_blocks(
        points, [("triangle", triangles)], node_type=node_type, node_sets={"rim": rim}
    )


def heat_trajectory(seed: int, cells: int = 5, num_steps: int = 30) -> Trajectory:
    """Heat spreading along the edges of a square whose rim keeps its temperature.

    Every free node moves a tenth of the way to the mean of its neighbours each 0.1 s.
    """
    mesh = square_mesh(cells, skew=0.1 * seed)
    senders, receivers = mesh_edges(mesh)
    degree = np.bincount(receivers, minlength=mesh.num_points)
    temperature = np.random.default_rng(seed).uniform(20.0, 80.0, mesh.num_points)
    frames = [temperature]
    for _ in range(num_steps):
        mean = np.bincount(receivers, temperature[senders], mesh.num_points) / degree
        advanced = temperature + 0.1 * (mean - temperature)
        temperature = np.where(mesh.node_type == 0, advanced, temperature)
        frames.append(temperature)
    return Trajectory.from_arrays(
        mesh,
        0.1 * np.arange(num_steps + 1),
        {"temperature": np.array(frames, dtype=np.float32)},
        units={"temperature": "degC"},
    )


HEAT = Task(
    targets=(Field("temperature", units="degC"),),
    dt=0.1,
    boundary=(BoundaryCondition("rim", "temperature", "held"),),
)

SMALL_MODELS = {
    "physgto": {"width": 16, "heads": 2, "tokens": 4, "blocks": 1, "mlp_width": 16},
    "masked_transformer": {"width": 16, "heads": 2, "blocks": 2},
    "meshgraphnet": {"width": 16, "blocks": 2},
}


def build_heat_graph(mesh: Mesh) -> Graph:
    """The graph of a heat case in the numbering of its mesh."""
    return build_graph(mesh, HEAT.free_mask(mesh))
