"""EnSight Gold and EnSight 6: a .case file beside its geometry and variables.

Source: EnSight User Manual, chapter "EnSight Gold Casefile Format".
"""

from __future__ import annotations

import re
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
        _check_sizes(path)
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


def _check_sizes(path: Path) -> None:
    """Raises PhysgtError where one time of a variable has fewer bytes than another.

    VTK fills a truncated variable with what it finds. Numbers have a fixed width, also as text, so
    on one mesh all files of a variable are as long, unless they leave out values (undef, partial).
    """
    text = path.read_text(errors="replace")
    if re.search(r"^\s*FILE\s*$", text, re.MULTILINE):
        return  # files of several times, the last of which may hold fewer
    patterns = re.findall(
        r"^\s*(?:model|\w[\w ]* per (?:node|element))\s*:(.*)$", text, re.MULTILINE
    )
    for words in (line.split() for line in patterns):
        starred = [word for word in words if "*" in word]
        files = sorted(path.parent.glob(re.sub(r"\*+", "*", starred[-1]))) if starred else []
        sizes = {file: file.stat().st_size for file in files}
        if not sizes or min(sizes.values()) == max(sizes.values()):
            continue
        longest, shortest = max(files, key=sizes.__getitem__), min(files, key=sizes.__getitem__)
        contents = longest.read_bytes() + shortest.read_bytes()
        if b"undef" not in contents and b"partial" not in contents:
            raise PhysgtError(
                f"{shortest.relative_to(path.parent)} has {sizes[shortest]} bytes, but "
                f"{longest.relative_to(path.parent)} {sizes[longest]}: truncated, or of another "
                "mesh. Export the case again."
            )


def _parts(reader: pv.EnSightReader, i: int) -> dict[str, Snapshot]:
    if reader.number_time_points:
        reader.set_active_time_point(i)
    return named_snapshots(reader.read())
