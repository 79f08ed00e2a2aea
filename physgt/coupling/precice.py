"""A learned simulator as a participant of a coupling by preCICE 3.

Source: preCICE 3, "Couple your code", and the Python bindings `pyprecice` (class Participant).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field as Setting

from physgt.case import Section
from physgt.cells import CELL_TYPES
from physgt.coupling.precice_library import LibraryParticipant
from physgt.coupling.settings import StepperSettings, hold_start
from physgt.coupling.stepper import SAME_TIME, Stepper
from physgt.datasets.vtkhdf import VTKHDFWriter
from physgt.errors import PhysgtError
from physgt.quantities.surface import boundary_faces
from physgt.task import POINTS
from physgt.trajectory import Frame, Trajectory


class MeshSettings(Section):
    """One mesh that the participant provides.

    nodes   the node set whose nodes are its vertices; all nodes without it
    read    data of preCICE -> the target or forcing to set
    write   data of preCICE -> the target, forcing or output to get
    """

    nodes: str | None = None
    read: dict[str, str] = Setting(default_factory=dict)
    write: dict[str, str] = Setting(default_factory=dict)


class PreciceSettings(StepperSettings):
    """
    config       the configuration file of preCICE
    participant  the name there of this participant
    output       the .vtkhdf file to write: the start and every step of completed time windows
    meshes       by their names in preCICE
    """

    config: Path
    participant: str
    output: Path | None = None
    meshes: dict[str, MeshSettings]


def couple(path: Path | str, progress: Callable[[float], None] | None = None) -> float:
    """Take part in the coupling that a TOML file describes, to its end; gives the last time.

    progress: called with the time after each completed time window.
    """
    settings = PreciceSettings.from_file(path)
    start = settings.open_start()
    stepper = settings.build_stepper(settings.open_simulator(), start)
    participant = PreciceParticipant(
        stepper, settings.participant, settings.config, settings.meshes
    )
    if settings.output is None:
        participant.run(lambda time, frame: None, progress)
    else:
        with _written(settings.output, start, stepper) as append:
            participant.run(append, progress)
    return stepper.time


@dataclass(frozen=True)
class _Exchange:
    """One line of [meshes.NAME.read] or [meshes.NAME.write]."""

    mesh: str
    nodes: str | None
    data: str
    field: str


class PreciceParticipant:
    """Runs a stepper as a participant.

    What is read goes where training had it: into a step go forcings as they are at its beginning
    and boundary values of targets as they are at its end. Of `points` displacements are read and
    written: solvers exchange these, mappings between other nodes keep a body at rest, and preCICE's
    zeros mean that nothing has moved.
    """

    def __init__(
        self, stepper: Stepper, name: str, config: Path | str, meshes: Mapping[str, MeshSettings]
    ) -> None:
        """Raises PhysgtError where a mesh names a field or set that doesn't exist or fit."""
        self.stepper = stepper
        reads = [_Exchange(m, s.nodes, *pair) for m, s in meshes.items() for pair in s.read.items()]
        self._writes = [
            _Exchange(m, s.nodes, *pair) for m, s in meshes.items() for pair in s.write.items()
        ]
        forcings = {forcing.name for forcing in stepper.task.forcings}
        self._forcings = [exchange for exchange in reads if exchange.field in forcings]
        self._targets = [exchange for exchange in reads if exchange.field not in forcings]
        for exchange in reads:
            hold_start(stepper, exchange.data, exchange.field, exchange.nodes)
        for exchange in self._writes:
            _check_written(stepper, exchange)
        self._participant = LibraryParticipant(name, str(config), 0, 1)
        for exchange in (*reads, *self._writes):
            self._check_components(exchange)
        self._ids = {m: self._define(m, s.nodes) for m, s in meshes.items()}

    def run(
        self,
        append: Callable[[float, Frame], None],
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Couple until preCICE says that the coupling is over.

        append: called with the start and with every step of a time window, once that is complete.
        progress: called with the time at the end of each complete time window.
        Raises PhysgtError where preCICE fails, as it does when the other side ends early.
        """
        stepper, participant = self.stepper, self._participant
        append(stepper.time, stepper.frame())
        if participant.requires_initial_data():
            self._write()
        participant.initialize()
        steps: list[tuple[float, Frame]] = []
        while participant.is_coupling_ongoing():
            if participant.requires_writing_checkpoint():
                checkpoint = stepper.save_state()
            dt = self._next_dt()
            self._advance(dt)
            steps.append((stepper.time, stepper.frame()))
            participant.advance(dt)
            if participant.requires_reading_checkpoint():
                stepper.restore_state(checkpoint)
                steps.clear()
            elif participant.is_time_window_complete():
                while steps:
                    append(*steps.pop(0))
                if progress is not None:
                    progress(stepper.time)
        participant.finalize()

    def _next_dt(self) -> float:
        """Our own step, or what is left of the time window."""
        left = float(self._participant.get_max_time_step_size())
        # A window that is longer by rounding alone would leave a step of no length.
        return left if left <= self.stepper.dt * (1 + SAME_TIME) else self.stepper.dt

    def _advance(self, dt: float) -> None:
        for exchange in self._forcings:
            self._set(exchange, self._read(exchange, 0.0))
        for exchange in self._targets:
            self._set(exchange, self._read(exchange, dt))
        self.stepper.step(dt)
        self._write()

    def _read(self, exchange: _Exchange, relative_time: float) -> np.ndarray:
        ids = self._ids[exchange.mesh]
        return self._participant.read_data(exchange.mesh, exchange.data, ids, relative_time)

    def _set(self, exchange: _Exchange, values: np.ndarray) -> None:
        if exchange.field == POINTS:
            values = values + self.stepper.coordinates(exchange.nodes)
        try:
            self.stepper.set_field(exchange.field, values, on=exchange.nodes)
        except PhysgtError as error:
            raise PhysgtError(
                f"'{exchange.data}' read from the mesh '{exchange.mesh}': {error}"
            ) from error

    def _write(self) -> None:
        for exchange in self._writes:
            own_nodes = exchange.field in self.stepper.outputs
            if exchange.field == POINTS:
                values = self.stepper.displacement(exchange.nodes)
            else:
                nodes = None if own_nodes else exchange.nodes
                values = self.stepper.get_field(exchange.field, nodes)
            ids = self._ids[exchange.mesh]
            self._participant.write_data(
                exchange.mesh, exchange.data, ids, np.ascontiguousarray(values, dtype=np.float64)
            )

    def _check_components(self, exchange: _Exchange) -> None:
        found = self._participant.get_data_dimensions(exchange.mesh, exchange.data)
        expected = self.stepper.field(exchange.field).components
        if found != expected:
            raise PhysgtError(
                f"'{exchange.data}' of the mesh '{exchange.mesh}' has {found} components in "
                f"preCICE, but '{exchange.field}' has {expected}."
            )

    def _define(self, mesh: str, nodes: str | None) -> np.ndarray:
        """Tell preCICE the vertices of a mesh and, where it wants them, its faces or cells."""
        participant, stepper = self._participant, self.stepper
        dimensions = participant.get_mesh_dimensions(mesh)
        if dimensions != stepper.mesh.dimension:
            raise PhysgtError(
                f"the mesh '{mesh}' has {dimensions} dimensions in preCICE, but the start's has "
                f"{stepper.mesh.dimension}; set dimensions there."
            )
        ids = np.asarray(participant.set_mesh_vertices(mesh, stepper.coordinates(nodes)))
        if participant.requires_mesh_connectivity_for(mesh):
            if stepper.task.location == "cell":
                raise PhysgtError(
                    f"the mapping of '{mesh}' wants faces, but the model's fields lie at centres "
                    "of cells; choose a mapping by nearest neighbours or radial basis functions."
                )
            vertex = np.full(stepper.mesh.num_points, -1)
            vertex[stepper.ids(nodes)] = ids
            if nodes is None:
                self._connect_cells(mesh, vertex)
            else:
                self._connect_faces(mesh, nodes, vertex)
        return ids

    def _connect_faces(self, mesh: str, nodes: str, vertex: np.ndarray) -> None:
        setters = {
            2: self._participant.set_mesh_edges,
            3: self._participant.set_mesh_triangles,
            4: self._participant.set_mesh_quads,
        }
        for size, (faces, _) in boundary_faces(self.stepper.mesh, nodes).items():
            if size not in setters:
                raise PhysgtError(
                    f"'{nodes}' has faces of {size} nodes; preCICE takes triangles and quads."
                )
            setters[size](mesh, vertex[faces])

    def _connect_cells(self, mesh: str, vertex: np.ndarray) -> None:
        for number, _, cells in self.stepper.mesh.blocks():
            name = CELL_TYPES[number].name
            if name == "tetra":
                self._participant.set_mesh_tetrahedra(mesh, vertex[cells])
            elif name == "triangle":
                # Some versions of set_mesh_triangles take triangles of 3-D meshes alone.
                for triangle in vertex[cells].tolist():
                    self._participant.set_mesh_triangle(mesh, *triangle)


def _check_written(stepper: Stepper, exchange: _Exchange) -> None:
    stepper.field(exchange.field)
    if exchange.field not in stepper.outputs:
        return
    ids = stepper.outputs[exchange.field].ids
    if ids is None or not np.array_equal(ids, stepper.ids(exchange.nodes)):
        raise PhysgtError(
            f"the output '{exchange.field}' can't be written as '{exchange.data}': it doesn't lie "
            f"on the nodes of '{exchange.nodes}'. Write one of a nodal kind on that set."
        )


@contextmanager
def _written(
    output: Path, start: Trajectory, stepper: Stepper
) -> Iterator[Callable[[float, Frame], None]]:
    """A file that gets its name when the coupling is over; before, NAME.partial.vtkhdf is whole."""
    if output.suffix != ".vtkhdf":
        raise PhysgtError(f"{output}: a coupling is written as .vtkhdf; physgt convert exports it.")
    partial = output.with_suffix(".partial.vtkhdf")
    static = {f: start.fields[f.name].values for f in start.declared(over_time=False)}
    with VTKHDFWriter(
        partial, start.mesh, stepper.task.targets, static=static, attributes=start.attributes
    ) as writer:
        yield writer.append
    partial.replace(output)
