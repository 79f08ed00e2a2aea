"""Quantities of a trajectory: over time as numbers, and on all nodes as further fields of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import xarray as xr
from scipy.interpolate import CubicSpline

from physgt.errors import PhysgtError
from physgt.fields import component_suffix, lazy_variable
from physgt.quantities.output import Output
from physgt.quantities.settings import Numbers, Settings, build_outputs, stated_numbers
from physgt.task import Field, Task
from physgt.trajectory import Trajectory


def history(
    trajectory: Trajectory, settings: Settings, numbers: Numbers | None = None
) -> xr.Dataset:
    """Each quantity over (time): one variable a component, force_x and force_y; with units.

    A quantity on the nodes of a set is summed over them, of a density the mean is taken. What
    depends on a rate of change has that of a cubic spline through all times. numbers: what texts
    may name instead of `trajectory`'s own. Raises PhysgtError for a quantity that the fields of the
    trajectory don't give.
    """
    fields = _fields(trajectory)
    outputs = _outputs(trajectory, fields, settings, numbers)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
    contents: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
    for k in range(trajectory.num_times):
        frame = trajectory.frame(k, [field.name for field in fields])
        for name, output in outputs.items():
            rows[name].append(_summed(output, output.evaluate(frame)))
            if output.content is not None:
                contents[name].append(_summed(output, output.content(frame)))
    variables = {}
    for name, output in outputs.items():
        values = np.stack(rows[name]).reshape(trajectory.num_times, -1)
        if output.content is not None and trajectory.num_times > 1:
            values = values + _rates(trajectory.times, np.stack(contents[name]))
        told = {"units": output.units}
        scale = {} if output.time_scale is None else {"time_scale": output.time_scale}
        for column in range(output.components):
            full = name + component_suffix(output.field(name), column)
            variables[full] = ("time", values[:, column], told | scale)
    return xr.Dataset(variables, {"time": ("time", trajectory.times, {"units": "s"})})


def with_fields(
    trajectory: Trajectory, settings: Settings, numbers: Numbers | None = None
) -> tuple[Trajectory, Settings]:
    """The trajectory with each quantity that lies on all nodes as a field, and all other settings.

    A field may be made of those before it. They are computed when they are asked for.
    """
    rest = {}
    for name, table in settings.items():
        fields = _fields(trajectory)
        output = _outputs(trajectory, fields, {name: table}, numbers)[name]
        if output.ids is None or len(output.ids) < trajectory.mesh.num_points:
            rest[name] = table
            continue
        declared = output.field(name)
        variable = lazy_variable(
            declared,
            (trajectory.num_times, *declared.frame_shape(trajectory.mesh)),
            _reader(trajectory, output, [field.name for field in fields]),
        )
        trajectory = replace(trajectory, fields=trajectory.fields.assign({name: variable}))
    return trajectory, rest


def _fields(trajectory: Trajectory) -> tuple[Field, ...]:
    """The fields that quantities are made of: on nodes, or on cells where none on nodes changes."""
    changing = {field.location for field in trajectory.declared(over_time=True)}
    for location in ("node", "cell"):
        if location in changing:
            return tuple(f for f in trajectory.declared() if f.location == location)
    raise PhysgtError("the trajectory has no field over time of which quantities could be made.")


def _outputs(
    trajectory: Trajectory, fields: tuple[Field, ...], settings: Settings, numbers: Numbers | None
) -> dict[str, Output]:
    known = stated_numbers(trajectory) if numbers is None else numbers
    return build_outputs(trajectory.mesh, Task(fields, dt=1.0), settings, known)


def _summed(output: Output, values: np.ndarray) -> np.ndarray:
    if output.ids is None:
        return values
    return np.asarray(values.sum(axis=0) if output.shares is None else output.shares @ values)


def _rates(times: np.ndarray, contents: np.ndarray) -> np.ndarray:
    found = CubicSpline(times, contents.reshape(len(times), -1)).derivative()(times)
    return np.asarray(found)


def _reader(
    trajectory: Trajectory, output: Output, names: list[str]
) -> Callable[[int], np.ndarray]:
    return lambda index: output.evaluate(trajectory.frame(index, names))
