"""A plate that is pulled, with a known motion: for tests that need a mesh that moves."""

from collections.abc import Sequence

import numpy as np

from heat_case import square_mesh
from physgt import BoundaryCondition, Field, Mesh, Task, Trajectory

PULL = Task(
    targets=(Field("points", 2, "m"), Field("stress", units="Pa")),
    dt=0.1,
    boundary=(
        BoundaryCondition("left", "points", "held"),
        BoundaryCondition("right", "points", "prescribed"),
    ),
)


def plate(cells: int = 4, origin: Sequence[float] = (0.0, 0.0)) -> Mesh:
    """A square of 1 m with its lower left corner at `origin`; the sets are `left` and `right`."""
    square = square_mesh(cells)
    x = square.points[:, 0]
    triangles = square.connectivity.reshape(-1, 3)
    return Mesh.from_blocks(
        square.points + np.asarray(origin),
        [("triangle", triangles)],
        node_type=np.where(x == 1.0, 1, 0),
        node_sets={"left": np.flatnonzero(x == 0), "right": np.flatnonzero(x == 1)},
    )


def displacements(x: np.ndarray, y: np.ndarray, times: np.ndarray, stretch: float) -> np.ndarray:
    """(T, N, 2): the right side moves at `stretch` m/s, the plate narrows towards its middle."""
    t = times[:, None]
    return np.stack([stretch * t * x, -0.3 * stretch * t * x * (y - 0.5)], axis=-1)


def pulled_plate(
    stretch: float = 0.2, num_steps: int = 10, cells: int = 4, origin: Sequence[float] = (0.0, 0.0)
) -> Trajectory:
    mesh = plate(cells, origin)
    times = 0.1 * np.arange(num_steps + 1)
    x, y = plate(cells).points.T
    moved = mesh.points + displacements(x, y, times, stretch)
    stress = np.repeat(stretch * times[:, None], mesh.num_points, axis=1)
    return Trajectory.from_arrays(
        mesh, times, {"points": moved, "stress": stress}, units={"points": "m", "stress": "Pa"}
    )
