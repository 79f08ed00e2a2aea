"""Numbered files, one a time: name_0.vtu, name_1.vtu, ..."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from physgt.datasets.mesh_files import is_mesh_file, snapshot_reader, time_of
from physgt.datasets.snapshots import trajectory_of
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory

NUMBER = re.compile(r"\d+(?!.*\d)")
"""The last number in a file's stem."""

DECIMAL = re.compile(r"\d+\.\d+(?!.*\d)")
"""The same with what may be whole units before it."""


def is_series(path: Path) -> bool:
    return path.is_dir() or not path.exists()


def read_series(path: Path) -> Trajectory:
    """The numbered files of a directory, or of a pattern such as out/flow_*.vtu, as one trajectory.

    Times are those that the files tell, if all do, else their numbers.
    """
    files = _numbered_files(path)
    paths = list(files.values())
    told = [time_of(file) for file in paths]
    times = [time for time in told if time is not None]
    read = snapshot_reader()
    return trajectory_of(
        path,
        times if len(times) == len(paths) else list(files),
        lambda i: read(paths[i]),
    )


def _numbered_files(path: Path) -> dict[int, Path]:
    """The files of the one series by number."""
    folder, pattern = (path, "*") if path.is_dir() else (path.parent, path.name)
    series: dict[str, dict[int, Path]] = defaultdict(dict)
    for file in sorted(folder.glob(pattern)):
        number = NUMBER.search(file.stem)
        if number is None or not is_mesh_file(file):
            continue
        name = f"{file.stem[: number.start()]}*{file.stem[number.end() :]}{file.suffix}"
        files = series[name]
        if int(number[0]) in files:
            raise PhysgtError(
                f"{file}: has the same number as {files[int(number[0])].name}; "
                "a series has one file a time."
            )
        files[int(number[0])] = file
    if not series:
        raise PhysgtError(
            f"{path}: no numbered files of a known format here, like flow_0.vtu and flow_1.vtu."
        )
    if len(series) > 1:
        raise PhysgtError(
            f"{path}: holds {len(series)} series of files; choose one, for example "
            f"'{folder / min(series)}'."
        )
    files = dict(sorted(next(iter(series.values())).items()))
    _check_not_decimals(path, files)
    return files


def _check_not_decimals(path: Path, files: dict[int, Path]) -> None:
    """Raise PhysgtError where numbers may be digits behind a point: 0.5 comes after 0.25."""
    found = [DECIMAL.search(file.stem) for file in files.values()]
    decimals = [float(number[0]) for number in found if number is not None]
    if len(decimals) == len(files) and decimals != sorted(decimals):
        first = next(iter(files.values())).name
        raise PhysgtError(
            f"{path}: names such as {first} may end in times, as in 0.5 after 0.25, or in numbers; "
            "list the files with their times in a .pvd or .series file."
        )
