"""A plate of two metals side by side: meshes, finite elements, and data of its right half.

The plate is 0.2 m by 0.1 m: carbon steel left of the interface in the middle, stainless steel right
of it. Top and bottom are insulated, the right edge stays at the temperature of its surroundings.
"""

from __future__ import annotations

import numpy as np
import skfem
from scipy.sparse.linalg import splu
from skfem.helpers import dot, grad

from physgt import Mesh, NodeType, Trajectory
from physgt.datasets.triangulation import polygon_points, triangulate

HEIGHT, MIDDLE, LENGTH = 0.1, 0.1, 0.2  # m
CELL = 0.01  # m, edges of the triangles
CARBON, STAINLESS = (50.0, 3.6e6), (16.0, 4.0e6)  # conductivity in W/(m K), capacity in J/(m3 K)
SURROUNDINGS = 300.0  # K
DT = 100.0  # s
NUM_STEPS = 200


class HeatConduction:
    """capacity dT/dt = div(conductivity grad T): linear triangles, backward Euler.

    conductivity, capacity: one number, or one a triangle. held: nodes whose temperature is given.
    """

    def __init__(self, mesh: Mesh, conductivity, capacity, held: np.ndarray) -> None:
        triangles = mesh.connectivity.reshape(-1, 3)
        basis = skfem.Basis(
            skfem.MeshTri(mesh.points.T.copy(), triangles.T.copy()), skfem.ElementTriP1()
        )
        constants = basis.with_element(skfem.ElementTriP0())
        k, c = (
            constants.interpolate(np.broadcast_to(v, len(triangles)) + 0.0)
            for v in (conductivity, capacity)
        )
        stiffness = skfem.BilinearForm(lambda u, v, w: w.k * dot(grad(u), grad(v)))
        mass = skfem.BilinearForm(lambda u, v, w: w.c * u * v)
        self.stiffness, self.mass = stiffness.assemble(basis, k=k), mass.assemble(basis, c=c)
        self.held, self.free = held, np.setdiff1d(np.arange(mesh.num_points), held)
        matrix = (self.mass / DT + self.stiffness).tocsr()
        self._of_held = matrix[self.free][:, held]
        self._solve = splu(matrix[self.free][:, self.free].tocsc()).solve

    def step(
        self, before: np.ndarray, held: np.ndarray, heat: np.ndarray | float = 0.0
    ) -> np.ndarray:
        """(N,) K one step later. held: new temperatures of `held`; heat: (N,) W/m that enter."""
        load = (self.mass @ before / DT + heat)[self.free]
        after = np.empty_like(before)
        after[self.held] = held
        after[self.free] = self._solve(load - self._of_held @ held)
        return after

    def entering(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """(N,) W/m that enter at each node in a step: zero but for rounding where it is free."""
        return self.mass @ (after - before) / DT + self.stiffness @ after


def half_mesh(left: float, seed: int) -> Mesh:
    """One half, its left edge at x = `left`. Node sets: its vertical edges, from below upwards."""

    def size(points: np.ndarray) -> np.ndarray:
        return np.full(len(points), CELL)

    right = left + MIDDLE
    corners = [(left, 0.0), (right, 0.0), (right, HEIGHT), (left, HEIGHT)]
    points, triangles = triangulate([polygon_points(corners, size)], size, seed)
    names = {0.0: "hot", MIDDLE: "interface", LENGTH: "cold"}
    sets, node_type = {}, np.full(len(points), NodeType.NORMAL)
    for x in (left, right):
        nodes = np.flatnonzero(np.isclose(points[:, 0], x))
        sets[names[x]] = nodes[np.argsort(points[nodes, 1])]
    node_type[sets.get("interface")] = NodeType.INFLOW
    node_type[sets.get("cold", sets.get("hot"))] = NodeType.WALL_BOUNDARY
    return Mesh.from_blocks(points, [("triangle", triangles)], node_type=node_type, node_sets=sets)


def whole_mesh(left: Mesh, right: Mesh) -> tuple[Mesh, np.ndarray]:
    """Both halves in one, the left one's nodes and triangles first; where the right nodes are."""
    number = np.full(right.num_points, -1)
    number[right.node_sets["interface"]] = left.node_sets["interface"]
    own = number < 0
    number[own] = left.num_points + np.arange(own.sum())
    triangles = left.connectivity.reshape(-1, 3), number[right.connectivity.reshape(-1, 3)]
    return (
        Mesh.from_blocks(
            np.concatenate([left.points, right.points[own]]),
            [("triangle", np.concatenate(triangles))],
            node_sets={
                "hot": left.node_sets["hot"],
                "interface": left.node_sets["interface"],
                "cold": number[right.node_sets["cold"]],
            },
        ),
        number,
    )


def hot_edge(y: np.ndarray, time: float) -> np.ndarray:
    """K at the left edge in the coupled case: it is heated, in waves, more below than above."""
    course = 40 * (1 - np.exp(-time / 3000)) + 60 * np.sin(2 * np.pi * time / 1800)
    return SURROUNDINGS + course * (1 + 0.3 * np.cos(np.pi * y / HEIGHT))


def right_half() -> tuple[Mesh, HeatConduction]:
    """The half that is learned, and the finite elements that make its data."""
    mesh = half_mesh(MIDDLE, seed=1)
    held = np.concatenate([mesh.node_sets["interface"], mesh.node_sets["cold"]])
    return mesh, HeatConduction(mesh, *STAINLESS, held)


def history(seed: int) -> Trajectory:
    """The right half while its interface follows a random course, from a random state.

    Fields: temperature; interface_change, what the coming step adds to the temperature at the
    interface, zero elsewhere: a step starts from the boundary values of its end, and the heat
    stored in the triangles there needs those of its beginning as well.
    """
    rng = np.random.default_rng(seed)
    mesh, plate = right_half()
    interface, cold = mesh.node_sets["interface"], mesh.node_sets["cold"]
    course = random_course(rng, mesh.points[interface, 1])
    temperature = np.empty((NUM_STEPS + 1, mesh.num_points))
    temperature[0] = random_state(rng, mesh, course[0])
    for n in range(NUM_STEPS):
        held = np.concatenate([course[n + 1], temperature[n, cold]])
        temperature[n + 1] = plate.step(temperature[n], held)
    change = np.zeros_like(temperature)
    change[:-1, interface] = np.diff(course, axis=0)
    return Trajectory.from_arrays(
        mesh,
        DT * np.arange(NUM_STEPS + 1),
        {
            "temperature": temperature.astype(np.float32),
            "interface_change": change.astype(np.float32),
        },
        units={"temperature": "K", "interface_change": "K"},
        attributes={"seed": seed},
    )


def random_course(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    """(NUM_STEPS + 1, n) K at the interface: slow rises, waves and noise, in four shapes over y."""
    time = DT * np.arange(NUM_STEPS + 1)
    course = np.full((len(time), len(y)), SURROUNDINGS + rng.uniform(0, 40) * (rng.random() < 0.5))
    for mode, scale in enumerate((1.0, 0.3, 0.1, 0.05)):
        rise = rng.uniform(-40, 80) * (1 - np.exp(-time / log_uniform(rng, 1e3, 3e4)))
        periods, phases = log_uniform(rng, 4e2, 1e4, 3), rng.uniform(0, 2 * np.pi, 3)
        waves = np.sin(2 * np.pi * time[:, None] / periods + phases) - np.sin(phases)
        noise = rng.uniform(0, 1) * np.cumsum(rng.standard_normal(len(time)))
        shape = scale * np.cos(mode * np.pi * y / HEIGHT)
        course += (rise + waves @ rng.uniform(0, 15, 3) + noise)[:, None] * shape
    return course


def log_uniform(
    rng: np.random.Generator, low: float, high: float, size: int | None = None
) -> np.ndarray | float:
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def random_state(rng: np.random.Generator, mesh: Mesh, interface: np.ndarray) -> np.ndarray:
    """(N,) K: from the interface down to the cold edge, with a few smooth bumps between."""
    x, y = (mesh.points - [MIDDLE, 0.0]).T / [[MIDDLE], [HEIGHT]]
    state = SURROUNDINGS + (interface.mean() - SURROUNDINGS) * (1 - x) ** rng.uniform(1, 4)
    for i in range(1, 5):
        for j in range(4):
            bump = rng.normal(0, 15 / (i + j) ** 1.5)
            state += bump * np.sin(i * np.pi * x) * np.cos(j * np.pi * y)
    state[mesh.node_sets["interface"]] = interface
    state[mesh.node_sets["cold"]] = SURROUNDINGS
    return state
