"""A learned simulator as a component with the Basic Model Interface (BMI 2.0).

Source: Hutton, Piper and Tucker, "The Basic Model Interface 2.0", JOSS 5(51), 2020; `bmipy`.
"""

from __future__ import annotations

import sys

import numpy as np

from physgt.coupling.bmi_grid import Grid, Variable
from physgt.coupling.settings import StepperSettings
from physgt.coupling.stepper import SAME_TIME, Stepper
from physgt.errors import PhysgtError
from physgt.fields import component_suffix

try:
    from bmipy import Bmi
except ImportError as error:
    raise PhysgtError(
        f'the Basic Model Interface needs bmipy ({error}): pip install "physgt[bmi]".'
    ) from error


class SimulatorBmi(Bmi):
    """`initialize` takes a TOML file with the keys of StepperSettings.

    Inputs are the targets and forcings of the task, outputs the targets and the derived outputs.
    A field of several components is several variables: velocity_x, velocity_y. Values are float64.
    Only the values that are told are set: a boundary whose values nobody writes follows its task.
    Grid 0 is the mesh, grid 1 one value; a derived output on a node set has a grid of its nodes.
    What is written through `get_value_ptr` into an input is set at the next call of any method
    that reads or advances values.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._stepper: Stepper | None = None
        self._start_time = 0.0
        self._grids: list[Grid] = []
        self._variables: dict[str, Variable] = {}
        self._inputs: tuple[str, ...] = ()
        self._outputs: tuple[str, ...] = ()
        self._pointers: dict[str, np.ndarray] = {}

    def initialize(self, config_file: str) -> None:
        settings = StepperSettings.from_file(config_file)
        stepper = settings.build_stepper(settings.open_simulator(), settings.open_start())
        self._clear()
        self._stepper, self._start_time = stepper, stepper.time
        mesh, task = stepper.sites, stepper.task
        self._grids = [Grid("unstructured", mesh, stepper.ids()), Grid("scalar", mesh, np.zeros(1))]
        self._inputs = self._declare([field.name for field in (*task.targets, *task.forcings)])
        self._outputs = self._inputs[: task.state_size] + self._declare(list(stepper.outputs))

    def _declare(self, names: list[str]) -> tuple[str, ...]:
        """Add the variables of some fields; gives their names."""
        added: dict[str, Variable] = {}
        for name in names:
            field = self.stepper.field(name)
            grid = 1 if field.location == "global" else 0
            if grid == 0 and name in self.stepper.outputs:
                ids = self.stepper.outputs[name].ids
                assert ids is not None, "an output on nodes knows them"
                grid = len(self._grids)
                self._grids.append(Grid("unstructured", self.stepper.mesh, ids))
            for column in range(field.components):
                suffix = component_suffix(field, column)
                added[name + suffix] = Variable(field, column, grid)
        self._variables |= added
        return tuple(added)

    @property
    def stepper(self) -> Stepper:
        if self._stepper is None:
            raise PhysgtError("the component isn't running: call initialize(config_file) first.")
        return self._stepper

    def update(self) -> None:
        self._take_pointers()
        self.stepper.step()
        self._refresh_pointers()

    def update_until(self, time: float) -> None:
        """Raises PhysgtError for a time in the past, or that the stepper's steps don't meet.

        The component then stays as it was.
        """
        self._take_pointers()
        left = time - self.stepper.time
        tolerance = SAME_TIME * self.stepper.dt
        if left < -tolerance:
            raise PhysgtError(f"update_until({time:g}): it is {self.stepper.time:g} s already.")
        before = self.stepper.save_state()
        try:
            while left > tolerance:
                self.stepper.step(min(left, self.stepper.dt))
                left = time - self.stepper.time
        except PhysgtError:
            self.stepper.restore_state(before)
            raise
        self._refresh_pointers()

    def finalize(self) -> None:
        self._clear()

    def get_component_name(self) -> str:
        return "physgt"

    def get_input_item_count(self) -> int:
        return len(self._inputs)

    def get_output_item_count(self) -> int:
        return len(self._outputs)

    def get_input_var_names(self) -> tuple[str, ...]:  # type: ignore[override]  # a tuple of one
        return self._inputs

    def get_output_var_names(self) -> tuple[str, ...]:  # type: ignore[override]  # a tuple of one
        return self._outputs

    def get_var_grid(self, name: str) -> int:
        return self._variable(name).grid

    def get_var_type(self, name: str) -> str:
        self._variable(name)
        return "float64"

    def get_var_units(self, name: str) -> str:
        return self._variable(name).field.units or "1"

    def get_var_itemsize(self, name: str) -> int:
        return np.dtype(self.get_var_type(name)).itemsize

    def get_var_nbytes(self, name: str) -> int:
        return self.get_var_itemsize(name) * self.get_grid_size(self.get_var_grid(name))

    def get_var_location(self, name: str) -> str:
        self._variable(name)
        return "node"

    def get_current_time(self) -> float:
        return self.stepper.time

    def get_start_time(self) -> float:
        return self._start_time

    def get_end_time(self) -> float:
        """A learned simulator ends when it is no longer asked."""
        return sys.float_info.max

    def get_time_units(self) -> str:
        return "s"

    def get_time_step(self) -> float:
        return self.stepper.dt

    def get_value(self, name: str, dest: np.ndarray) -> np.ndarray:
        self._take_pointers()
        dest[:] = self._values(name)
        return dest

    def get_value_ptr(self, name: str) -> np.ndarray:
        """An array that always holds the present values."""
        self._take_pointers()
        if name not in self._pointers:
            self._pointers[name] = np.array(self._values(name), dtype=np.float64)
        return self._pointers[name]

    def get_value_at_indices(self, name: str, dest: np.ndarray, inds: np.ndarray) -> np.ndarray:
        self._take_pointers()
        dest[:] = self._values(name)[inds]
        return dest

    def set_value(self, name: str, src: np.ndarray) -> None:
        self._take_pointers()
        self._set(name, np.asarray(src))

    def set_value_at_indices(self, name: str, inds: np.ndarray, src: np.ndarray) -> None:
        self._take_pointers()
        self._set(name, np.asarray(src), np.asarray(inds))

    def get_grid_rank(self, grid: int) -> int:
        return self._grid(grid).rank

    def get_grid_size(self, grid: int) -> int:
        return len(self._grid(grid).ids)

    def get_grid_type(self, grid: int) -> str:
        return self._grid(grid).kind

    def get_grid_shape(self, grid: int, shape: np.ndarray) -> np.ndarray:
        raise self._grid(grid).lacks("shape")

    def get_grid_spacing(self, grid: int, spacing: np.ndarray) -> np.ndarray:
        raise self._grid(grid).lacks("spacing")

    def get_grid_origin(self, grid: int, origin: np.ndarray) -> np.ndarray:
        raise self._grid(grid).lacks("origin")

    def get_grid_x(self, grid: int, x: np.ndarray) -> np.ndarray:
        return self._grid(grid).coordinate(0, x)

    def get_grid_y(self, grid: int, y: np.ndarray) -> np.ndarray:
        return self._grid(grid).coordinate(1, y)

    def get_grid_z(self, grid: int, z: np.ndarray) -> np.ndarray:
        return self._grid(grid).coordinate(2, z)

    def get_grid_node_count(self, grid: int) -> int:
        return len(self._grid(grid).ids)

    def get_grid_edge_count(self, grid: int) -> int:
        return len(self._grid(grid).topology.edge_nodes)

    def get_grid_face_count(self, grid: int) -> int:
        return len(self._grid(grid).topology.nodes_per_face)

    def get_grid_edge_nodes(self, grid: int, edge_nodes: np.ndarray) -> np.ndarray:
        edge_nodes[:] = self._grid(grid).topology.edge_nodes.ravel()
        return edge_nodes

    def get_grid_face_edges(self, grid: int, face_edges: np.ndarray) -> np.ndarray:
        face_edges[:] = self._grid(grid).topology.face_edges
        return face_edges

    def get_grid_face_nodes(self, grid: int, face_nodes: np.ndarray) -> np.ndarray:
        face_nodes[:] = self._grid(grid).topology.face_nodes
        return face_nodes

    def get_grid_nodes_per_face(self, grid: int, nodes_per_face: np.ndarray) -> np.ndarray:
        nodes_per_face[:] = self._grid(grid).topology.nodes_per_face
        return nodes_per_face

    def _variable(self, name: str) -> Variable:
        if name not in self._variables:
            known = list(self._variables) or "none before initialize(config_file)"
            raise PhysgtError(f"no variable '{name}'; there are {known}.")
        return self._variables[name]

    def _grid(self, grid: int) -> Grid:
        if not 0 <= grid < len(self._grids):
            known = list(range(len(self._grids))) or "none before initialize(config_file)"
            raise PhysgtError(f"no grid {grid}; there are {known}.")
        return self._grids[grid]

    def _values(self, name: str) -> np.ndarray:
        """(n,) now."""
        variable = self._variable(name)
        values = self.stepper.get_field(variable.field.name)
        values = values if variable.field.components == 1 else values[..., variable.column]
        one_for_all = variable.grid == 1 and values.ndim > 0
        return values[:1] if one_for_all else np.atleast_1d(values)

    def _set(self, name: str, values: np.ndarray, inds: np.ndarray | None = None) -> None:
        """Set values (n,): of the elements `inds` of the grid, or of all."""
        variable = self._variable(name)
        size = self.get_grid_size(variable.grid) if inds is None else inds.size
        if values.shape != (size,):
            raise PhysgtError(f"'{name}' takes {size} values, found {values.shape}.")
        field = variable.field
        component = variable.column if field.components > 1 else None
        if field.location == "global":
            self.stepper.set_field(field.name, values[0], component=component)
        else:
            self.stepper.set_field(field.name, values, inds, component=component)
        self._refresh_pointers()

    def _take_pointers(self) -> None:
        """Set what the caller has changed in the arrays of inputs."""
        changed = {}
        for name, pointer in self._pointers.items():
            now = self._values(name)
            differs = (pointer != now) & ~(np.isnan(pointer) & np.isnan(now))
            if name in self._inputs and differs.any():
                changed[name] = pointer[differs], np.flatnonzero(differs)
        for name, (values, inds) in changed.items():
            self._set(name, values, inds)

    def _refresh_pointers(self) -> None:
        for name, pointer in self._pointers.items():
            pointer[:] = self._values(name)
