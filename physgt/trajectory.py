"""Trajectories: a mesh and its fields over time, read lazily, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from physgt.errors import PhysgtError
from physgt.fields import field_dataset, field_variable, lazy_variable
from physgt.formulas import AXES
from physgt.mesh import Mesh
from physgt.task import Field, Location

Frame = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What is read from disk and what is written to disk.

    `fields` is an xarray.Dataset with the coordinate `time` (T,) in seconds. Each variable has
    the attribute `units` and one of these shapes: (time, node[, NAME_component]),
    (time, cell[, NAME_component]), (time,) for a global value over time, and the same without
    `time` for what stays. n steps are n + 1 times; the first is the initial state.

    A moving mesh has the field `points`; mesh.points is then its reference configuration.
    """

    mesh: Mesh
    fields: xr.Dataset
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        times = self.times
        if times.ndim != 1 or len(times) == 0 or not np.isfinite(times).all():
            raise PhysgtError(f"a trajectory needs one or more finite times, found {times}.")
        backwards = np.flatnonzero(np.diff(times) <= 0)
        if backwards.size:
            i = backwards[0]
            raise PhysgtError(
                f"times must increase, but time {i + 1} is {times[i + 1]:g} s after {times[i]:g} s."
            )

    @classmethod
    def from_arrays(
        cls,
        mesh: Mesh,
        times: np.ndarray,
        fields: Mapping[str, np.ndarray],
        *,
        cell_fields: Mapping[str, np.ndarray] | None = None,
        static: Mapping[str, np.ndarray | float] | None = None,
        units: Mapping[str, str] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Trajectory:
        """A trajectory held in memory.

        fields, cell_fields: (T, N[, C]) and (T, M[, C]); a field (T,) is one global value a time.
        static: (N[, C]) on nodes, or one number.
        """
        variables = {}
        given: list[tuple[Location, Mapping[str, Any]]] = [
            ("node", fields), ("cell", cell_fields or {}),
        ]  # fmt: skip
        for location, arrays in given:
            for name, values in arrays.items():
                values = _drop_single_component(np.asarray(values), frame_axis=1)
                _check_length(name, values, len(times))
                declared = _declare(name, values[0], location, (units or {}).get(name, ""))
                _check_shape(declared, values.shape[1:], mesh)
                variables[name] = field_variable(declared, values, over_time=True)
        for name, value in (static or {}).items():
            value = _drop_single_component(np.asarray(value), frame_axis=0)
            declared = _declare(name, value, "node", (units or {}).get(name, ""))
            _check_shape(declared, value.shape, mesh)
            variables[name] = field_variable(declared, value, over_time=False)
        return cls(mesh, field_dataset(variables, times), dict(attributes or {}))

    @classmethod
    def from_frames(
        cls,
        mesh: Mesh,
        times: np.ndarray,
        fields: Sequence[Field],
        read_frame: Callable[[int], Mapping[str, np.ndarray]],
        *,
        static: xr.Dataset | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Trajectory:
        """A trajectory whose frames stay where they are until they are asked for.

        read_frame(i) gives the fields of time i by name; a slice reads the frames of the slice.
        """
        variables = {}
        for declared in fields:
            shape = declared.frame_shape(mesh)
            variables[declared.name] = lazy_variable(
                declared, (len(times), *shape), _frame_reader(declared, shape, read_frame)
            )
        dataset = field_dataset(variables, times)
        return cls(mesh, dataset if static is None else dataset.merge(static), attributes or {})

    @property
    def times(self) -> np.ndarray:
        """(T,) seconds."""
        return self.fields["time"].values

    @property
    def num_times(self) -> int:
        return int(self.fields.sizes["time"])

    @property
    def num_steps(self) -> int:
        return self.num_times - 1

    @property
    def moving(self) -> bool:
        return "points" in self.fields

    def points_at(self, index: int) -> np.ndarray:
        """(N, D) coordinates at time number `index`."""
        if not self.moving:
            return self.mesh.points
        return self.frame(index, ["points"])["points"].reshape(self.mesh.points.shape)

    def frame(self, index: int, names: Sequence[str] | None = None) -> Frame:
        """The fields at time number `index` by name, those without a time axis included."""
        names = [str(name) for name in self.fields.data_vars] if names is None else names
        found = {}
        for name in names:
            # Variables rather than DataArrays, whose coordinates take longer than reading a frame.
            variable = self.fields.variables[name]
            found[name] = (variable[index] if "time" in variable.dims else variable).values
        return found

    def declared(self, *, over_time: bool | None = None) -> list[Field]:
        """A Field for each variable; only those that have (or haven't) a time axis if asked."""
        found = []
        for name, variable in self.fields.data_vars.items():
            if over_time is None or over_time == ("time" in variable.dims):
                sizes = [s for d, s in variable.sizes.items() if str(d).endswith("_component")]
                location: Location = "global"
                if "node" in variable.dims or "cell" in variable.dims:
                    location = "node" if "node" in variable.dims else "cell"
                found.append(
                    Field(
                        name=str(name),
                        components=sizes[0] if sizes else 1,
                        units=variable.attrs.get("units", ""),
                        location=location,
                        dtype=str(variable.dtype),
                    )
                )
        return found

    def initial(self) -> Trajectory:
        """The first time alone: all that a rollout may start from."""
        return self.select(slice(0, 1))

    def select(self, times: slice) -> Trajectory:
        """The times of a slice of time numbers, still lazy."""
        return Trajectory(self.mesh, self.fields.isel(time=times), self.attributes)

    def stride(self, dt: float) -> int:
        """How many times of this trajectory lie in one step of `dt` seconds.

        Raises PhysgtError where the times aren't evenly spaced or dt isn't a multiple of their
        distance: fields are never interpolated in time to make samples.
        """
        if self.num_times < 2:
            raise PhysgtError("a trajectory of one time has no steps.")
        steps = np.diff(self.times)
        spacing = float((self.times[-1] - self.times[0]) / len(steps))
        if np.abs(steps - spacing).max() > 1e-3 * spacing:
            raise PhysgtError(
                f"the times are not evenly spaced: from {steps.min():g} s to {steps.max():g} s. "
                "Write the solver's results at a fixed interval."
            )
        stride = round(dt / spacing)
        if stride < 1 or abs(stride * spacing - dt) > 1e-3 * dt:
            raise PhysgtError(
                f"dt = {dt:g} s is not a multiple of the {spacing:g} s between two times; "
                f"choose {max(stride, 1) * spacing:g}, for example."
            )
        return stride

    def to_xarray(self) -> xr.Dataset:
        """The fields with the nodes' coordinates, to slice, plot, and save as netCDF."""
        coordinates = {
            axis: ("node", self.mesh.points[:, k])
            for k, axis in enumerate(AXES[: self.mesh.dimension])
        }
        dataset = self.fields.assign_coords(
            coordinates | {"node_type": ("node", self.mesh.node_type)}
        )
        # netCDF holds texts and numbers, and no truth values.
        plain = {k: int(v) if isinstance(v, bool) else v for k, v in self.attributes.items()}
        simple = (str, int, float, np.integer, np.floating)
        return dataset.assign_attrs({k: v for k, v in plain.items() if isinstance(v, simple)})


def matching_times(times: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of equal times: their numbers in `times` and in `reference`.

    Equal means to a thousandth of the finer spacing, so a reference may have more times.
    Raises PhysgtError where no time is in both.
    """
    spacings = [np.diff(t).min() for t in (times, reference) if len(t) > 1]
    tolerance = 1e-3 * min(spacings, default=1.0)
    after = np.searchsorted(reference, times).clip(max=len(reference) - 1)
    before = (after - 1).clip(min=0)
    closer_before = np.abs(reference[before] - times) < np.abs(reference[after] - times)
    nearest = np.where(closer_before, before, after)
    equal = np.abs(reference[nearest] - times) <= tolerance
    if not equal.any():
        raise PhysgtError(
            f"no time is in both: {times[0]:g} to {times[-1]:g} s against "
            f"{reference[0]:g} to {reference[-1]:g} s."
        )
    return np.flatnonzero(equal), nearest[equal]


def _frame_reader(
    declared: Field, shape: tuple[int, ...], read_frame: Callable[[int], Mapping[str, np.ndarray]]
) -> Callable[[int], np.ndarray]:
    """Read one field of a frame, and see to it that the frames are all alike."""

    def read(index: int) -> np.ndarray:
        values = np.asarray(read_frame(index)[declared.name], dtype=declared.dtype)
        if values.shape != shape:
            raise PhysgtError(
                f"field '{declared.name}' has shape {values.shape} at time number {index}, "
                f"but {shape} before."
            )
        return values

    return read


def _declare(name: str, frame: np.ndarray, location: Location, units: str) -> Field:
    frame = np.asarray(frame)
    return Field(
        name=name,
        components=frame.shape[1] if frame.ndim == 2 else 1,
        units=units,
        location="global" if frame.ndim == 0 else location,
        dtype=str(frame.dtype),
    )


def _drop_single_component(values: np.ndarray, frame_axis: int) -> np.ndarray:
    single = values.ndim == frame_axis + 2 and values.shape[-1] == 1
    return values[..., 0] if single else values


def _check_length(name: str, values: np.ndarray, num_times: int) -> None:
    if values.ndim == 0 or len(values) != num_times:
        raise PhysgtError(
            f"field '{name}' has shape {values.shape}, but there are {num_times} times."
        )


def _check_shape(declared: Field, shape: tuple[int, ...], mesh: Mesh) -> None:
    if len(shape) > 2 or (shape and shape[0] != declared.frame_shape(mesh)[0]):
        raise PhysgtError(
            f"field '{declared.name}' has shape {shape} at one time, but the mesh has "
            f"{mesh.num_points} nodes and {mesh.num_cells} cells."
        )
