"""From what a source holds at one time to a trajectory over all of its times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from physgt.datasets.naming import errors_name
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, is_planar
from physgt.task import Field, Location
from physgt.trajectory import Trajectory

Arrays = Mapping[str, np.ndarray]


ONTO_FIRST = "first"
_TARGET: ContextVar[Mesh | str | None] = ContextVar("target", default=None)


@contextmanager
def interpolated_onto(target: Mesh | str | None) -> Iterator[None]:
    """Trajectories made within have this mesh, or that of their first time (ONTO_FIRST) at all
    times; None leaves each mesh as it is."""
    token = _TARGET.set(target)
    try:
        yield
    finally:
        _TARGET.reset(token)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One time of a source, as it is there: points (N, 3), fields (N[, C]), (M[, C]) and ([C])."""

    mesh: Mesh
    node: Arrays = field(default_factory=dict)
    cell: Arrays = field(default_factory=dict)
    constant: Arrays = field(default_factory=dict)

    def of(self, location: Location) -> Arrays:
        return {"node": self.node, "cell": self.cell, "global": self.constant}[location]


def trajectory_of(
    source: Path,
    times: Sequence[float] | np.ndarray,
    read: Callable[[int], Snapshot],
    *,
    units: Mapping[str, str] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> Trajectory:
    """A lazy trajectory of a source whose time number i is read by read(i); times in any order.

    What the fields are is decided from the first, second and last time (the first alone is often
    a state of rest), and each later time is checked against it when it is read:

    - the mesh must be the same at all times; where points move they become the field `points`;
    - fields that are there at these three times are taken, of others the names are left in the
      attribute `fields_not_at_all_times`;
    - where the mesh is planar, vectors without z become (N, 2); one that has a z at another time
      raises PhysgtError rather than lose it;
    - whole numbers on nodes called `node_type` are the node types.
    """
    order = np.argsort(times, kind="stable")
    target = _TARGET.get()
    if target is not None:
        read = _interpolating(source, read, int(order[0]), target)
    ordered = np.asarray(times, dtype=np.float64)[order]
    last = len(ordered) - 1
    probes = {i: read(int(order[i])) for i in sorted({0, min(1, last), last})}
    with errors_name(source):
        layout = _Layout.of(source, ordered, probes, units or {})

    # All fields of a time are read together, and asked for one after the other.
    @lru_cache(maxsize=1)
    def read_frame(i: int) -> Mapping[str, np.ndarray]:
        return _Frame(layout, i, read(int(order[i])))

    left_out = {"fields_not_at_all_times": layout.left_out} if layout.left_out else {}
    with errors_name(source):
        return Trajectory.from_frames(
            layout.mesh,
            ordered,
            [entry.field for entry in layout.entries.values()],
            read_frame,
            attributes={**(attributes or {}), **left_out},
        )


def _interpolating(
    source: Path, read: Callable[[int], Snapshot], first: int, target: Mesh | str
) -> Callable[[int], Snapshot]:
    # VTK is heavy: only who wants this waits for it.
    from physgt.datasets.remap import interpolate

    mesh = read(first).mesh if isinstance(target, str) else target
    missing = 3 - mesh.points.shape[1]
    mesh = replace(mesh, points=np.pad(mesh.points, ((0, 0), (0, missing))))

    def interpolated(i: int) -> Snapshot:
        found = read(i)
        if _same_mesh(found.mesh, mesh) and np.array_equal(found.mesh.points, mesh.points):
            return replace(found, mesh=mesh)
        try:
            node, cell = interpolate(found.mesh, dict(found.node), dict(found.cell), mesh)
        except PhysgtError as error:
            raise PhysgtError(f"{source}: at time number {i} in the source, {error}") from error
        return Snapshot(mesh, node, cell, found.constant)

    return interpolated


@dataclass(frozen=True)
class _Entry:
    """A field, and what the source calls it."""

    field: Field
    name: str


@dataclass(frozen=True, eq=False)
class _Layout:
    source: Path
    times: np.ndarray
    mesh: Mesh
    first_points: np.ndarray
    entries: dict[str, _Entry]
    left_out: list[str]
    compared: list[Mesh] = field(default_factory=list)
    """The mesh that was checked last: readers hand over the same object while it doesn't change."""

    @classmethod
    def of(
        cls,
        source: Path,
        times: np.ndarray,
        probes: Mapping[int, Snapshot],
        units: Mapping[str, str],
    ) -> _Layout:
        first = probes[0]
        for i, snapshot in probes.items():
            _check_same_mesh(source, times, i, snapshot.mesh, first.mesh)
        planar = all(is_planar(s.mesh.points, s.mesh.cell_types) for s in probes.values())
        moving = any(not np.array_equal(s.mesh.points, first.mesh.points) for s in probes.values())
        dimension = 2 if planar else 3
        entries = [_Entry(Field("points", dimension, "m", dtype="float64"), "")] if moving else []
        taken, left_out = {"points", "time", "node", "cell", "node_type"}, []
        mesh = replace(first.mesh, points=first.mesh.points[:, :dimension])
        locations: tuple[Location, ...] = ("node", "cell", "global")
        for location in locations:
            for name in dict.fromkeys(n for s in probes.values() for n in s.of(location)):
                found = [s.of(location)[name] for s in probes.values() if name in s.of(location)]
                if location == "node" and _is_node_type(name, found[0]):
                    mesh = replace(mesh, node_type=found[0])
                elif len(found) < len(probes):
                    left_out.append(name)
                else:
                    own = _own_name(name, location, taken)
                    taken.add(own)
                    declared = _declare(own, location, found, planar)
                    entries.append(_Entry(replace(declared, units=units.get(name, "")), name))
        by_name = {entry.field.name: entry for entry in entries}
        return cls(source, times, mesh, first.mesh.points, by_name, left_out)

    def check_mesh(self, i: int, mesh: Mesh) -> None:
        if self.compared and mesh is self.compared[0]:
            return
        _check_same_mesh(self.source, self.times, i, mesh, self.mesh)
        if "points" not in self.entries and not np.array_equal(mesh.points, self.first_points):
            raise PhysgtError(
                f"{self._at(i)} the points have moved, but not at the second and the last time; "
                "start the series where the motion starts."
            )
        self.compared[:] = [mesh]

    def values(self, name: str, i: int, snapshot: Snapshot) -> np.ndarray:
        entry = self.entries[name]
        arrays = snapshot.of(entry.field.location)
        if name != "points" and entry.name not in arrays:
            raise PhysgtError(
                f"{self._at(i)} there is no field '{entry.name}', which other times have. "
                "Leave it out (fields), or write it at all times."
            )
        values = snapshot.mesh.points if name == "points" else arrays[entry.name]
        expected = entry.field.frame_shape(self.mesh)
        if values.shape == (*expected[:1], 3) and expected[1:] == (2,):
            z = values[:, 2]
            if (z != z[0] if name == "points" else z != 0).any():
                raise PhysgtError(
                    f"{self._at(i)} '{name}' leaves the plane of the mesh, but not at the first, "
                    "second and last time; write its components as separate fields."
                )
            values = values[:, :2]
        if values.shape != expected:
            raise PhysgtError(
                f"{self._at(i)} field '{name}' has shape {values.shape}, but {expected} at the "
                "first time; write it with the same components at all times."
            )
        return values

    def _at(self, i: int) -> str:
        return f"{self.source}: at time number {i} ({self.times[i]:g} s)"


class _Frame(Mapping[str, np.ndarray]):
    """The fields of one time. Each is checked when it is asked for: one that isn't may be wrong."""

    def __init__(self, layout: _Layout, i: int, snapshot: Snapshot) -> None:
        layout.check_mesh(i, snapshot.mesh)
        self._layout, self._i, self._snapshot = layout, i, snapshot

    def __getitem__(self, name: str) -> np.ndarray:
        return self._layout.values(name, self._i, self._snapshot)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layout.entries)

    def __len__(self) -> int:
        return len(self._layout.entries)


def _check_same_mesh(source: Path, times: np.ndarray, i: int, mesh: Mesh, first: Mesh) -> None:
    if not _same_mesh(mesh, first):
        raise PhysgtError(
            f"{source}: the mesh at time number {i} ({times[i]:g} s) has {mesh.num_points} points "
            f"and {mesh.num_cells} cells and is not that of the first time with "
            f"{first.num_points} and {first.num_cells}; physgt needs one mesh for all times. "
            "Interpolate them onto one: physgt convert --remap."
        )


def _same_mesh(mesh: Mesh, first: Mesh) -> bool:
    return (
        mesh.num_points == first.num_points
        and np.array_equal(mesh.cell_types, first.cell_types)
        and np.array_equal(mesh.connectivity, first.connectivity)
        and (first.polyhedra is None or first.polyhedra.equals(mesh.polyhedra))
    )


def _is_node_type(name: str, values: np.ndarray) -> bool:
    return name == "node_type" and values.ndim == 1 and values.dtype.kind in "iu"


def _own_name(name: str, location: Location, taken: set[str]) -> str:
    """The name in physgt: without '/', which HDF5 keeps for itself, and unlike all others."""
    own = name.replace("/", "_")
    own = f"{own}_{location}" if own in taken else own
    while own in taken:
        own += "_"
    return own


def _declare(name: str, location: Location, found: list[np.ndarray], planar: bool) -> Field:
    vector = location != "global" and all(values.shape[1:] == (3,) for values in found)
    flat = planar and vector and not any(values[:, 2].any() for values in found)
    shape = found[0].shape if location == "global" else found[0].shape[1:]
    components = shape[0] if shape else 1
    dtype = np.result_type(*(values.dtype for values in found))
    return Field(name, 2 if flat else components, location=location, dtype=dtype.name)
