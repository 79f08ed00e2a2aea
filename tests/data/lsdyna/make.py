"""Writes d3plot with lasso-python 2.0.4 (pip install lasso-python), which no test needs.

A cube and a tetrahedron on its top share nodes: the parts `cube` and `tip`. Another cube, `block`,
has nodes of its own at the same places at first, and moves away along x.
"""

from pathlib import Path

import numpy as np
from lasso.dyna import ArrayType, D3plot

NUM_TIMES = 4
cube = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], float)
points = np.vstack([cube, [[0.5, 0.5, 2.0]], cube + np.array([1, 0, 0])])
hexahedron = [0, 1, 3, 2, 4, 5, 7, 6]
# A tetrahedron repeats its last node.
solids = np.array([hexahedron, [4, 5, 6, 8, 8, 8, 8, 8], [9 + i for i in hexahedron]])
time = 0.5 * np.arange(NUM_TIMES)
moved = np.repeat(points[None], NUM_TIMES, axis=0)
moved[:, 9:, 0] += 0.1 * np.arange(NUM_TIMES)[:, None]
velocity = np.zeros_like(moved)
velocity[:, 9:, 0] = 0.2

plot = D3plot()
plot.header.version = 971.0
plot.arrays = {
    ArrayType.node_coordinates: points,
    ArrayType.node_ids: np.arange(1, len(points) + 1),
    ArrayType.element_solid_node_indexes: solids,
    ArrayType.element_solid_part_indexes: np.arange(3),
    ArrayType.element_solid_ids: np.arange(1, 4),
    ArrayType.part_ids: np.arange(1, 4),
    ArrayType.part_titles_ids: np.arange(1, 4),
    ArrayType.part_titles: np.array([name.ljust(72).encode() for name in ("cube", "tip", "block")]),
    ArrayType.global_timesteps: time,
    ArrayType.node_displacement: moved,  # d3plot keeps places there
    ArrayType.node_velocity: velocity,
    ArrayType.element_solid_stress: np.arange(NUM_TIMES * 18.0).reshape(NUM_TIMES, 3, 1, 6),
    ArrayType.element_solid_effective_plastic_strain: np.arange(NUM_TIMES * 3.0).reshape(-1, 3, 1),
}
plot.write_d3plot(str(Path(__file__).parent / "d3plot"), single_file=True)
