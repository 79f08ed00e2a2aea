"""An in-process stand-in for preCICE that keeps its rules, with the other side as functions.

Written after the documentation of preCICE 3 and its Python bindings: what the real library refuses
raises RuntimeError here, with the rule as its message.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

CRUMB = 1e-12


@dataclass
class Coupling:
    """What precice-config.xml and the other side would say.

    meshes         dimensions by mesh
    data           components by (mesh, data)
    peer           (data, coordinates, time, iteration) -> values that are read
    iterations     of each time window; the last number holds for all further ones. 1: explicit
    lost_at        the other side is gone once this time is reached
    """

    meshes: dict[str, int]
    data: dict[tuple[str, str], int]
    peer: Callable[[str, np.ndarray, float, int], np.ndarray]
    window: float = 0.1
    max_time: float = 0.3
    iterations: tuple[int, ...] = (1,)
    implicit: bool = False
    initial_data: bool = False
    connectivity: bool = False
    lost_at: float = np.inf
    log: list[tuple[Any, ...]] = field(default_factory=list)

    def module(self) -> Any:
        """What `import precice` gives."""
        coupling = self

        class Module:
            @staticmethod
            def Participant(*arguments: Any) -> "Participant":
                return Participant(coupling, *arguments)

        return Module


def demand(holds: bool, rule: str) -> None:
    if not holds:
        raise RuntimeError(f"ERROR: {rule}")


class Participant:
    def __init__(self, coupling: Coupling, name: str, config: str, rank: int, size: int) -> None:
        demand(isinstance(config, str) and (rank, size) == (0, 1), "bad arguments")
        self.coupling = coupling
        self.state = "constructed"
        self.vertices: dict[str, np.ndarray] = {}
        self.required: set[str] = {"initial data"} if coupling.initial_data else set()
        self.written: set[tuple[str, str]] = set()
        self.start = self.inside = 0.0
        self.num_window, self.iteration = 0, 1
        self.repeats = self.complete = False
        coupling.log.append(("Participant", name, config))

    # What may be asked

    def get_mesh_dimensions(self, mesh: str) -> int:
        demand(mesh in self.coupling.meshes, f"The mesh named {mesh!r} is unknown to preCICE.")
        return self.coupling.meshes[mesh]

    def get_data_dimensions(self, mesh: str, data: str) -> int:
        demand((mesh, data) in self.coupling.data, f"Data {data!r} is unknown on mesh {mesh!r}.")
        return self.coupling.data[mesh, data]

    def requires_mesh_connectivity_for(self, mesh: str) -> bool:
        self.get_mesh_dimensions(mesh)
        return self.coupling.connectivity

    def requires_initial_data(self) -> bool:
        demand(self.state == "constructed", "requires_initial_data() comes before initialize()")
        self.required.discard("initial data")
        return self.coupling.initial_data

    def get_max_time_step_size(self) -> float:
        demand(self.state == "initialized", "initialize() has to be called before")
        end = min((self.num_window + 1) * self.coupling.window, self.coupling.max_time)
        return end - self.start - self.inside

    def is_coupling_ongoing(self) -> bool:
        demand(self.state == "initialized", "initialize() has to be called before")
        return self.start < self.coupling.max_time - CRUMB

    def is_time_window_complete(self) -> bool:
        demand(self.state == "initialized", "initialize() has to be called before")
        return self.complete

    def requires_writing_checkpoint(self) -> bool:
        demand(self.state == "initialized", "initialize() has to be called before")
        asked = "writing" in self.required
        self.required.discard("writing")
        return asked

    def requires_reading_checkpoint(self) -> bool:
        demand(self.state == "initialized", "initialize() has to be called before")
        asked = "reading" in self.required
        self.required.discard("reading")
        return asked

    # Meshes

    def set_mesh_vertices(self, mesh: str, positions: np.ndarray) -> np.ndarray:
        demand(self.state == "constructed", "meshes are set before initialize()")
        demand(mesh not in self.vertices, f"the mesh {mesh!r} was set twice")
        demand(positions.shape[1] == self.get_mesh_dimensions(mesh), "dimensions don't match")
        self.vertices[mesh] = np.array(positions)
        # As preCICE may, it numbers vertices as it likes.
        return 100 + np.arange(len(positions), dtype=np.int32)

    def _connect(self, mesh: str, vertices: np.ndarray, size: int) -> None:
        demand(self.state == "constructed", "connectivity is set before initialize()")
        demand(vertices.shape[1] == size, f"expected {size} vertices each")
        own = np.isin(vertices, 100 + np.arange(len(self.vertices[mesh]))).all()
        demand(bool(own), "connectivity of vertices that the mesh doesn't have")
        self.coupling.log.append(("connectivity", mesh, vertices - 100))

    def set_mesh_edges(self, mesh: str, vertices: np.ndarray) -> None:
        self._connect(mesh, vertices, 2)

    def set_mesh_triangle(self, mesh: str, first: int, second: int, third: int) -> None:
        self._connect(mesh, np.array([[first, second, third]]), 3)

    def set_mesh_triangles(self, mesh: str, vertices: np.ndarray) -> None:
        demand(self.get_mesh_dimensions(mesh) == 3, "not of a [N x 2] format")
        self._connect(mesh, vertices, 3)

    def set_mesh_quads(self, mesh: str, vertices: np.ndarray) -> None:
        self._connect(mesh, vertices, 4)

    # Data

    def read_data(
        self, mesh: str, data: str, ids: np.ndarray, relative_read_time: float
    ) -> np.ndarray:
        demand(self.state == "initialized", "read_data() comes after initialize()")
        demand(self.is_coupling_ongoing(), "the coupling is over")
        left = self.get_max_time_step_size()
        demand(
            -CRUMB <= relative_read_time <= left + CRUMB,
            f"cannot read at {relative_read_time}, the window ends in {left}",
        )
        time = self.start + self.inside + relative_read_time
        self.coupling.log.append(("read", data, round(time, 9), self.iteration))
        points = self.vertices[mesh][np.asarray(ids) - 100]
        values = np.array(self.coupling.peer(data, points, time, self.iteration), dtype=float)
        components = self.get_data_dimensions(mesh, data)
        return values.reshape((len(ids), components) if components > 1 else len(ids))

    def write_data(self, mesh: str, data: str, ids: np.ndarray, values: np.ndarray) -> None:
        demand(self.state != "finalized", "write_data() after finalize()")
        components = self.get_data_dimensions(mesh, data)
        shape = (len(self.vertices[mesh]), components) if components > 1 else (len(ids),)
        demand(values.shape == shape, f"values of shape {values.shape}, expected {shape}")
        demand(bool(np.isfinite(values).all()), "data values are NaN or infinite")
        self.written.add((mesh, data))
        time = round(self.start + self.inside, 9)
        self.coupling.log.append(("write", data, time, self.iteration, values.copy()))

    # Steering

    def initialize(self) -> None:
        demand(self.state == "constructed", "initialize() may be called once")
        demand("initial data" not in self.required, "call requires_initial_data() first")
        demand(not self.coupling.initial_data or bool(self.written), "initial data was not written")
        self.state = "initialized"
        self.required = {"writing"} if self.coupling.implicit else set()

    def advance(self, computed_timestep_length: float) -> None:
        dt = computed_timestep_length
        demand(self.is_coupling_ongoing(), "advance() after the end of the coupling")
        demand(not self.required, f"the required actions {self.required} are not fulfilled")
        demand(dt > 0, "the time step size must be positive")
        demand(dt <= self.get_max_time_step_size() + CRUMB, f"the time step {dt} is too large")
        demand(self.start + self.inside + dt < self.coupling.lost_at, "the other side is gone")
        self.coupling.log.append(("advance", round(dt, 9)))
        self.inside += dt
        self.complete = False
        if self.get_max_time_step_size() > CRUMB:
            return
        last = self.coupling.iterations[min(self.num_window, len(self.coupling.iterations) - 1)]
        if self.iteration < last:
            self.required = {"reading"}
            self.iteration, self.inside = self.iteration + 1, 0.0
            return
        self.complete = True
        self.num_window, self.iteration, self.inside = self.num_window + 1, 1, 0.0
        self.start = min(self.num_window * self.coupling.window, self.coupling.max_time)
        if self.coupling.implicit and self.is_coupling_ongoing():
            self.required = {"writing"}

    def finalize(self) -> None:
        demand(self.state == "initialized", "finalize() comes once, after initialize()")
        demand(not self.required, f"the required actions {self.required} are not fulfilled")
        self.state = "finalized"
        self.coupling.log.append(("finalize",))
