"""Convert any readable source to physgt's storage, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from os import PathLike
from pathlib import Path

import numpy as np

from physgt.datasets.cells_to_nodes import cells_to_nodes
from physgt.datasets.formats import open_trajectory, write_trajectory
from physgt.datasets.join_points import join_points as joined
from physgt.datasets.naming import errors_name
from physgt.datasets.node_types import node_types
from physgt.datasets.snapshots import ONTO_FIRST
from physgt.errors import PhysgtError
from physgt.trajectory import Frame, Trajectory


def convert(
    source: str | PathLike[str],
    output: str | PathLike[str],
    *,
    fields: Sequence[str] | None = None,
    node_type: Sequence[str] | None = None,
    to_nodes: bool = False,
    join_points: bool = False,
    start: float = -np.inf,
    stop: float = np.inf,
    time_unit: float = 1.0,
    remap: str | PathLike[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write what open_trajectory reads from `source` in the format that `output` ends in.

    fields: the names to take, all without it. node_type: rules, see node_types.node_types.
    to_nodes: fields of cells become fields of nodes, the mean over the cells around each node.
    join_points: points at one place become one, see datasets.join_points.
    start, stop: the first and the last time to take, in s. time_unit: see open_trajectory.
    remap: "first", or a file whose mesh is that of all times: fields are interpolated onto it where
    the mesh of the source changes.
    progress: called with the number of times written and of all.

    One time is in memory at once, and `output` appears when it is whole. Raises PhysgtError for
    what open_trajectory refuses, for a field that isn't there and for values that aren't finite.
    """
    source, output = Path(source), Path(output)
    onto = remap if remap in (None, ONTO_FIRST) else open_trajectory(remap).mesh
    read = open_trajectory(source, time_unit=time_unit, onto=onto)
    trajectory = _between(source, read, start, stop)
    with errors_name(source):
        mesh = replace(trajectory.mesh, node_type=node_types(trajectory, node_type or ()))
    names = _chosen(source, trajectory, fields)
    attributes = {**trajectory.attributes, "source": source.name}
    kept = Trajectory(mesh, trajectory.fields[names], attributes)
    kept = joined(kept) if join_points else kept
    kept = cells_to_nodes(kept) if to_nodes else kept
    write_trajectory(_checked(source, kept, progress), output)
    return output


def _between(source: Path, trajectory: Trajectory, start: float, stop: float) -> Trajectory:
    times = trajectory.times
    inside = np.flatnonzero((times >= start) & (times <= stop))
    if not inside.size:
        raise PhysgtError(
            f"{source}: no time from {start:g} to {stop:g} s; "
            f"its times are {times[0]:g} to {times[-1]:g} s."
        )
    return trajectory.select(slice(int(inside[0]), int(inside[-1]) + 1))


def _chosen(source: Path, trajectory: Trajectory, wanted: Sequence[str] | None) -> list[str]:
    there = [field.name for field in trajectory.declared()]
    for name in wanted or ():
        if name in trajectory.attributes.get("fields_not_at_all_times", ()):
            raise PhysgtError(
                f"{source}: field '{name}' is not there at all times; "
                "choose the times where it is (start, stop), or leave it out."
            )
        if name not in there:
            raise PhysgtError(f"{source}: no field '{name}'; it has {there or 'none'}.")
    # A mesh that moves does so whichever fields are taken.
    return [name for name in there if wanted is None or name in wanted or name == "points"]


def _checked(
    source: Path, trajectory: Trajectory, progress: Callable[[int, int], None]
) -> Trajectory:
    """The same trajectory; each frame is checked, and reported to `progress`, when it is read."""
    names = [field.name for field in trajectory.declared(over_time=True)]
    static = [field.name for field in trajectory.declared(over_time=False)]
    _check_finite(f"{source}:", trajectory.frame(0, static))

    @lru_cache(maxsize=1)
    def read_frame(i: int) -> Frame:
        frame = trajectory.frame(i, names)
        _check_finite(f"{source}: at time number {i} ({trajectory.times[i]:g} s)", frame)
        progress(i + 1, trajectory.num_times)
        return frame

    return Trajectory.from_frames(
        trajectory.mesh,
        trajectory.times,
        trajectory.declared(over_time=True),
        read_frame,
        static=trajectory.fields[static],
        attributes=trajectory.attributes,
    )


def _check_finite(where: str, frame: Frame) -> None:
    for name, values in frame.items():
        finite = np.isfinite(values)
        if not finite.all():
            bad = np.argwhere(~finite)
            raise PhysgtError(
                f"{where} field '{name}' is {values[tuple(bad[0])]} at {len(bad)} places, first at "
                f"number {bad[0][0] if bad.shape[1] else 0}. Repair the solver's output, take "
                "times where it is finite (start, stop), or leave the field out (fields)."
            )
