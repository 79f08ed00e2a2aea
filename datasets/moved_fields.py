"""A trajectory whose fields are computed, time by time, from those of another."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from physgt.fields import field_dataset, field_variable
from physgt.mesh import Mesh
from physgt.task import Field
from physgt.trajectory import Frame, Trajectory


def with_moved_fields(
    trajectory: Trajectory,
    mesh: Mesh,
    declare: Callable[[Field], Field],
    move: Callable[[Field, np.ndarray], np.ndarray],
) -> Trajectory:
    """The times and attributes of `trajectory` on `mesh`; frames are read when they are asked for.

    declare: what a field of `trajectory` becomes.
    move: its values at a time, of the shape that `declare` says, from those in `trajectory`.
    """
    series, still = trajectory.declared(over_time=True), trajectory.declared(over_time=False)

    def moved(i: int, fields: list[Field]) -> Frame:
        frame = trajectory.frame(i, [field.name for field in fields])
        return {field.name: move(field, frame[field.name]) for field in fields}

    # All fields of a time are asked for one after the other.
    @lru_cache(maxsize=1)
    def read_frame(i: int) -> Frame:
        return moved(i, series)

    values = moved(0, still)
    static = {
        field.name: field_variable(declare(field), values[field.name], over_time=False)
        for field in still
    }
    return Trajectory.from_frames(
        mesh,
        trajectory.times,
        [declare(field) for field in series],
        read_frame,
        static=field_dataset(static, trajectory.times),
        attributes=trajectory.attributes,
    )
