"""File series of ParaView: NAME.vtm.series, NAME.vtu.series, ... list files and times in JSON.

Source: ParaView Guide, section "File series".
"""

from __future__ import annotations

import json
from pathlib import Path

from physgt.datasets.mesh_files import snapshot_reader
from physgt.datasets.naming import errors_name
from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory


def read_vtk_series(path: Path) -> Trajectory:
    """All files that are listed, at their times; names are relative to the list."""
    try:
        listed = json.loads(path.read_bytes())["files"]
        files = [path.parent / entry["name"] for entry in listed]
        times = [float(entry["time"]) for entry in listed]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PhysgtError(
            f'{path}: not a file series ({{"files": [{{"name": ..., "time": ...}}]}}), or damaged: '
            f"{' '.join(repr(error).split())}."
        ) from error
    if not files:
        raise PhysgtError(f"{path}: lists no files; export the series again.")
    for file in files:
        if not file.is_file():
            raise PhysgtError(f"{path}: lists {file.name}, which isn't there; copy it as well.")
    read = snapshot_reader()

    def read_time(i: int) -> Snapshot:
        with errors_name(path):
            return read(files[i])

    return trajectory_of(path, times, read_time)
