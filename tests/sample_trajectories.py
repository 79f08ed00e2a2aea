"""Small trajectories of every kind that a file must hold, with numbers that don't compress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from physgt.datasets.vtkhdf import VTKHDFWriter
from physgt.mesh import Mesh, NodeType
from physgt.polyhedra import Polyhedra
from physgt.task import Field
from physgt.trajectory import Trajectory

TIMES = 0.25 + 0.1 * np.arange(4)


def planar_mesh() -> Mesh:
    """A square, a triangle on its right, and the line along the bottom."""
    return Mesh.from_blocks(
        np.array([[0, 0], [1, 0], [1, 1], [0, 1], [2, 0.5]]),
        [("quad", [[0, 1, 2, 3]]), ("triangle", [[1, 4, 2]]), ("line", [[0, 1]])],
        node_type=[NodeType.INFLOW, 0, 0, NodeType.WALL_BOUNDARY, NodeType.OUTFLOW],
        node_sets={"walls/upper": [2, 3], "empty": []},
        cell_sets={"fluid": [0, 1]},
    )


def solid_mesh() -> Mesh:
    """A cube with a pyramid on top, a wedge at its side and a tetrahedron beside the pyramid."""
    points = np.array(
        [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1],
         [0.5, 0.5, 2], [2, 0, 0], [2, 1, 0]], dtype=float,
    )  # fmt: skip
    return Mesh.from_blocks(
        points,
        [
            ("hexahedron", [[0, 1, 2, 3, 4, 5, 6, 7]]),
            ("pyramid", [[4, 5, 6, 7, 8]]),
            ("wedge", [[1, 9, 5, 2, 10, 6]]),
            ("tetra", [[5, 6, 8, 10]]),
        ],
    )


def polyhedral_mesh() -> Mesh:
    """A cube and the pyramid at its side as polyhedra that share a face, and a tetrahedron."""
    points = np.array(
        [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1],
         [2, 0.5, 0.5], [2, 2, 2]], dtype=float,
    )  # fmt: skip
    faces = [
        [0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7],
        [1, 2, 8], [2, 6, 8], [6, 5, 8], [5, 1, 8],
    ]  # fmt: skip
    return Mesh(
        points,
        connectivity=[*range(8), 1, 2, 6, 5, 8, 2, 6, 8, 9],
        offsets=[0, 8, 13, 17],
        cell_types=[42, 42, 10],
        node_type=np.zeros(10),
        cell_sets={"fluid": [0, 1]},
        polyhedra=Polyhedra(
            connectivity=np.concatenate(faces),
            offsets=np.cumsum([0, *map(len, faces)]),
            cell_faces=[0, 1, 2, 3, 4, 5, 3, 6, 7, 8, 9],
            cell_offsets=[0, 6, 11, 11],
        ),
    )


def planar() -> Trajectory:
    mesh, random = planar_mesh(), np.random.default_rng(1)
    return Trajectory.from_arrays(
        mesh,
        TIMES,
        {
            "velocity": random.random((4, mesh.num_points, 2), dtype=np.float32),
            "pressure": random.random((4, mesh.num_points)),
            "inlet_speed": random.random(4),
        },
        cell_fields={
            "flux": random.random((4, mesh.num_cells, 2), dtype=np.float32),
            "material": random.integers(0, 9, (4, mesh.num_cells), dtype=np.int16),
        },
        static={"conductivity": random.random(mesh.num_points), "viscosity": 0.001},
        units={"velocity": "m/s", "pressure": "Pa", "viscosity": "m^2/s"},
        attributes={"solver": "by hand", "mach": 0.1, "parts": [{"radius": 0.05}], "steady": False},
    )


def planar_moving() -> Trajectory:
    mesh, random = planar_mesh(), np.random.default_rng(2)
    moved = mesh.points + 0.1 * random.random((4, mesh.num_points, 2))
    return Trajectory.from_arrays(
        mesh, TIMES, {"points": moved, "stress": random.random((4, mesh.num_points, 3))}
    )


def solid() -> Trajectory:
    mesh, random = solid_mesh(), np.random.default_rng(3)
    return Trajectory.from_arrays(
        mesh,
        TIMES,
        {
            "velocity": random.random((4, mesh.num_points, 3)),
            "tensor": random.random((4, mesh.num_points, 6), dtype=np.float32),
        },
        cell_fields={"heat": random.random((4, mesh.num_cells))},
    )


def solid_moving() -> Trajectory:
    mesh, random = solid_mesh(), np.random.default_rng(4)
    moved = (mesh.points + 0.1 * random.random((4, mesh.num_points, 3))).astype(np.float32)
    return Trajectory.from_arrays(
        mesh, TIMES, {"points": moved, "pressure": random.random((4, mesh.num_points))}
    )


def polyhedral() -> Trajectory:
    mesh, random = polyhedral_mesh(), np.random.default_rng(5)
    return Trajectory.from_arrays(
        mesh,
        TIMES,
        {"level": random.random((4, mesh.num_points))},
        cell_fields={"velocity": random.random((4, mesh.num_cells, 3), dtype=np.float32)},
    )


SAMPLES: dict[str, Callable[[], Trajectory]] = {
    sample.__name__: sample for sample in (planar, planar_moving, solid, solid_moving, polyhedral)
}


def counted_frame(index: int, num_points: int) -> np.ndarray:
    """Numbers that say at which time and node they belong."""
    return 1000.0 * index + np.arange(num_points)


def write_until_killed(path: Path, num_complete: Any) -> None:
    """Append counted frames for ever; `num_complete.value` is the number of those appended."""
    points = np.random.default_rng(0).random((700, 2))
    mesh = Mesh.from_blocks(points, [("triangle", np.arange(699).reshape(-1, 3))])
    with VTKHDFWriter(
        path, mesh, [Field("a", dtype="float64"), Field("b", components=2)]
    ) as writer:
        while True:
            counted = counted_frame(writer.num_times, 700)
            vector = np.stack([counted, -counted], axis=1)
            writer.append(0.1 * writer.num_times, {"a": counted, "b": vector})
            num_complete.value = writer.num_times
