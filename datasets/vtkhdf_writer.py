"""Writing VTKHDF time by time, so that a killed run leaves a readable file.

Source: Kitware, "VTKHDF File Format", version 2.0, temporal UnstructuredGrid. The grid has one part
and its cells never change; the rows of a time are found through tables of row numbers in
/VTKHDF/Steps. Units, numbers of components and the like are attributes of the data sets; sets,
attributes and the reference configuration of a moving mesh lie in the group /physgt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from physgt.datasets.ordered_file import OrderedFile, ordered_hdf5
from physgt.datasets.vtkhdf_head import write_head
from physgt.datasets.vtkhdf_polyhedra import FACE_STEPS
from physgt.datasets.vtkhdf_rows import (
    ROWS_AHEAD,
    RowTable,
    check_fields,
    create_rows,
    describe,
    rows_on_disk,
    write_rows,
)
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.task import Field, Location
from physgt.trajectory import Trajectory

GROUPS: dict[Location, str] = {"node": "PointData", "cell": "CellData", "global": "FieldData"}


def write_vtkhdf(trajectory: Trajectory, path: str | PathLike[str]) -> None:
    """Write a whole trajectory; `path` holds what it held before until all of it is written."""
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    series = trajectory.declared(over_time=True)
    static = {f: trajectory.fields[f.name].values for f in trajectory.declared(over_time=False)}
    try:
        with VTKHDFWriter(
            partial, trajectory.mesh, series, static=static, attributes=trajectory.attributes
        ) as writer:
            for i, time in enumerate(trajectory.times):
                writer.append(time, trajectory.frame(i, [field.name for field in series]))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class VTKHDFWriter:
    """Adds one time after the other to a new file; killed at any moment, it keeps all whole times.

    fields: what `append` gets at each time; a field named `points` makes the mesh move.
    static: what stays, each of the shape its Field says.
    attributes: anything that JSON can hold.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        mesh: Mesh,
        fields: Sequence[Field],
        *,
        static: Mapping[Field, np.ndarray] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        self.mesh = mesh
        self.fields = tuple(fields)
        self.num_times = 0
        self._last_time = -np.inf
        static = dict(static or {})
        check_fields(self.path, [*self.fields, *static])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Whoever still reads an older file of this name keeps it.
        self.path.unlink(missing_ok=True)
        self._bytes = OrderedFile(self.path, "w+")
        self._file = ordered_hdf5(self._bytes, "w")
        try:
            self._root = self._file.create_group("VTKHDF")
            self._steps = self._create_steps()
            write_head(self._file, mesh, attributes or {}, moving=self._moving)
            self._create_groups()
            self._tables = self._make_tables()
            self._link_tables()
            self._write_static(Field("node_type", dtype="int32"), mesh.node_type)
            for declared, values in static.items():
                self._write_static(declared, values)
            self._series = {field.name: self._create_series(field) for field in self.fields}
            self._flush()
        except BaseException:
            self.close()
            raise

    @classmethod
    def reopen(
        cls, path: str | PathLike[str], mesh: Mesh, fields: Sequence[Field], num_times: int
    ) -> VTKHDFWriter:
        """Go on after the first `num_times` times of what a writer of this mesh and fields left.

        The times behind them are dropped. Raises PhysgtError where the file isn't whole, or has
        fewer times or other fields.
        """
        writer = cls.__new__(cls)
        writer.path, writer.mesh, writer.fields = Path(path), mesh, tuple(fields)
        writer._open_again()
        try:
            writer._drop_after(num_times)
        finally:
            # HDF5 forgets what room that left: what is new goes behind all else, see OrderedFile.
            writer.close()
        writer._open_again()
        return writer

    def append(self, time: float, values: Mapping[str, np.ndarray]) -> None:
        """Add a time in seconds with every declared field by name: (N[, C]), (M[, C]) or ()."""
        if not self._last_time < time < np.inf:
            raise PhysgtError(
                f"{self.path}: time {time:g} s can't follow {self._last_time:g} s; "
                "times must be finite and increase."
            )
        for field in self.fields:
            write_rows(
                self._series[field.name],
                self.num_times,
                rows_on_disk(self.path, self.mesh, field, values),
            )
        if self.num_times % ROWS_AHEAD == 0:
            for table in self._tables.values():
                table.extend(self.num_times + ROWS_AHEAD)
        # Readers look at NSteps alone, so all that it promises must be in the file before it is.
        self._flush()
        # VTK reads all of Values into room for NSteps times, so they must grow at once: their
        # headers lie side by side in the file's first page.
        write_rows(self._steps["Values"], self.num_times, np.array([time]))
        self._steps.attrs.modify("NSteps", self.num_times + 1)
        self._flush()
        self.num_times += 1
        self._last_time = time

    def close(self) -> None:
        self._file.close()
        self._bytes.close()

    def __enter__(self) -> VTKHDFWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _moving(self) -> bool:
        return any(field.name == "points" for field in self.fields)

    def _create_steps(self) -> h5py.Group:
        """The group of times. Nothing may be created between NSteps and Values, see append."""
        steps = self._root.create_group("Steps")
        steps.attrs["NSteps"] = 0
        steps.create_dataset("Values", (0,), "float64", maxshape=(None,), chunks=(ROWS_AHEAD,))
        return steps

    def _create_groups(self) -> None:
        """Where fields and tables go."""
        steps = self._steps
        for group in GROUPS.values():
            self._root.create_group(group)
            steps.create_group(f"{group}Offsets")
        steps.create_group("FieldDataSizes")

    def _link_tables(self) -> None:
        """Hard links: a table that several fields share is written once."""
        steps, tables = self._steps, self._tables
        still = ("CellOffsets", "ConnectivityIdOffsets")
        for name in still if self.mesh.polyhedra is None else (*still, *FACE_STEPS):
            steps[name] = tables["static"].dataset
        steps["PointOffsets"] = tables["node" if self._moving else "static"].dataset

    def _make_tables(self) -> dict[str, RowTable]:
        """The row numbers of each time: of what stays, and of what has some rows a time."""
        steps = self._steps
        tables = {
            "static": RowTable(steps, "PartOffsets", first=0, rows=0),
            "parts": RowTable(steps, "NumberOfParts", first=1, rows=0),
            "node": RowTable(steps, "NodeRows", first=0, rows=self.mesh.num_points),
            "cell": RowTable(steps, "CellRows", first=0, rows=self.mesh.num_cells),
            "global": RowTable(steps, "GlobalRows", first=0, rows=1),
        }
        for field in self.fields:
            if field.location == "global":
                tables[f"size of {field.name}"] = RowTable(
                    steps["FieldDataSizes"], field.name, (field.components, 1), rows=0
                )
        return tables

    def _open_again(self) -> None:
        try:
            self._bytes = OrderedFile(self.path, "r+")
            self._file = ordered_hdf5(self._bytes, "r+")
        except OSError as error:
            raise PhysgtError(f"{self.path}: can't be written on with ({error}).") from error
        try:
            self._root = self._file["VTKHDF"]
            self._steps = self._root["Steps"]
            self._series = {field.name: self._find_series(field) for field in self.fields}
            self._tables = self._make_tables()
        except BaseException:
            self.close()
            raise

    def _find_series(self, field: Field) -> h5py.Dataset:
        parent, name = self._place_of(field)
        if name not in parent or parent[name].attrs.get("components") != field.components:
            raise PhysgtError(f"{self.path}: holds no field '{field.name}' to go on with.")
        return parent[name]

    def _place_of(self, field: Field) -> tuple[h5py.Group, str]:
        """Group and name of a field over time."""
        if field.name == "points":
            return self._root, "Points"
        return self._root[GROUPS[field.location]], field.name

    def _flush(self) -> None:
        self._file.flush()
        if self._bytes.failure is not None:
            raise PhysgtError(
                f"{self.path}: can't be written: {self._bytes.failure.strerror}. "
                f"It holds {self.num_times} whole times."
            ) from self._bytes.failure

    def _drop_after(self, num_times: int) -> None:
        found = int(self._steps.attrs["NSteps"])
        if found < num_times:
            raise PhysgtError(
                f"{self.path}: holds {found} times, too few to go on after {num_times}."
            )
        self._bytes.shrinks = True
        self._steps["Values"].resize(num_times, axis=0)
        self._steps.attrs.modify("NSteps", num_times)
        self.num_times = num_times
        self._flush()
        for field in self.fields:
            series = self._series[field.name]
            series.resize(num_times * self._tables[field.location].rows, axis=0)
        self._flush()
        self._last_time = float(self._steps["Values"][-1]) if num_times else -np.inf

    def _write_static(self, field: Field, values: np.ndarray) -> None:
        rows = rows_on_disk(self.path, self.mesh, field, {field.name: values})
        dataset = self._root[GROUPS[field.location]].create_dataset(field.name, data=rows)
        describe(dataset, field, over_time=False)
        self._link(field, table="static")

    def _create_series(self, field: Field) -> h5py.Dataset:
        row = rows_on_disk(
            self.path,
            self.mesh,
            field,
            {field.name: np.zeros(field.frame_shape(self.mesh), field.dtype)},
        )
        parent, name = self._place_of(field)
        dataset = create_rows(parent, name, row, field)
        self._link(field, table=field.location)
        return dataset

    def _link(self, field: Field, table: str) -> None:
        """Say where its rows begin at each time."""
        if field.name == "points":
            return
        steps = self._steps
        steps[f"{GROUPS[field.location]}Offsets"][field.name] = self._tables[table].dataset
        if field.location == "global" and field not in self.fields:
            size = RowTable(steps["FieldDataSizes"], field.name, (field.components, 1), rows=0)
            self._tables[f"size of {field.name}"] = size
