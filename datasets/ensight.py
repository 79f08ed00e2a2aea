"""EnSight Gold and EnSight 6: a .case file beside its geometry and variables.

Source: EnSight User Manual, chapter "EnSight Gold Casefile Format".
"""

from __future__ import annotations

from pathlib import Path

import pyvista as pv
from vtkmodules.vtkIOEnSight import vtkGenericEnSightReader

from physgt.datasets.blocks import named_snapshots
from physgt.datasets.parts import NamedParts
from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.datasets.vtk_files import vtk_errors
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory


def is_ensight(path: Path) -> bool:
    """Whether it is a case file of EnSight, whose first section is FORMAT."""
    if not path.is_file() or path.suffix.lower() not in (".case", ".encas"):
        return False
    with path.open("rb") as file:
        return b"FORMAT" in file.read(4096)


def read_ensight(path: Path) -> Trajectory:
    """All times of a case; variables stay on nodes or elements, and geometry may move.

    Parts become cell sets; those of a lower dimension (an inlet, a wall) node sets, and cell sets
    of the cells behind them. Parts that don't lie on the mesh are named in the attribute
    `parts_left_out`.
    """
    with vtk_errors(path):
        reader = pv.EnSightReader(path)
        if not isinstance(reader.reader, vtkGenericEnSightReader):
            raise PhysgtError("not a case file of EnSight.")
        reader.read()  # the names of variables are known after it
        times = reader.time_values or [0.0]
        named = NamedParts.of(_parts(reader, 0), {})

    def read(i: int) -> Snapshot:
        with vtk_errors(path):
            return named.joined(_parts(reader, i))

    left_out = {"parts_left_out": named.left_out} if named.left_out else {}
    return trajectory_of(path, times, read, attributes=left_out)


def _parts(reader: pv.EnSightReader, i: int) -> dict[str, Snapshot]:
    if reader.number_time_points:
        reader.set_active_time_point(i)
    return named_snapshots(reader.read())
