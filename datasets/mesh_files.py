"""Files of one mesh at one time, read by VTK or by meshio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from physgt.datasets.blocks import MULTIBLOCK, JoinParts, read_blocks, time_of_blocks
from physgt.datasets.meshio_bridge import read_mesh_file, suffixes
from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.datasets.vtk_files import VTK_SUFFIXES, read_vtk_file, time_of_vtk_file
from physgt.trajectory import Trajectory


def is_mesh_file(path: Path) -> bool:
    known = (*VTK_SUFFIXES, *MULTIBLOCK, ".ucd", *suffixes())
    return path.is_file() and path.name.lower().endswith(known)


def read_single(path: Path) -> Trajectory:
    """A trajectory of one time: the file's own, or 0."""
    return trajectory_of(path, [time_of(path) or 0.0], lambda _: read_snapshot(path))


def read_snapshot(path: Path) -> Snapshot:
    return snapshot_reader()(path)


def snapshot_reader() -> Callable[[Path], Snapshot]:
    """Reads the files of a series, which all have the same mesh: blocks are joined alike."""
    join = JoinParts()

    def read(path: Path) -> Snapshot:
        if path.suffix.lower() in MULTIBLOCK:
            return join(read_blocks(path))
        return read_vtk_file(path) if _belongs_to_vtk(path) else read_mesh_file(path)

    return read


def time_of(path: Path) -> float | None:
    """The time that the file itself tells, in s."""
    if path.suffix.lower() in MULTIBLOCK:
        return time_of_blocks(path)
    return time_of_vtk_file(path) if _belongs_to_vtk(path) else None


def _belongs_to_vtk(path: Path) -> bool:
    return path.suffix.lower() in VTK_SUFFIXES or _is_ucd(path)


def _is_ucd(path: Path) -> bool:
    """AVS UCD begins with five counts, binary with a 7; Abaqus shares the ending, not these."""
    if path.suffix.lower() not in (".inp", ".ucd"):
        return False
    with path.open("rb") as lines:
        first = next((line.split() for line in lines if not line.startswith(b"#")), [b""])
    return first[0].startswith(b"\x07") or (
        len(first) == 5 and all(word.isdigit() for word in first)
    )
