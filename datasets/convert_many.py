"""Convert many sources, or all trajectories of one, into a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from os.path import commonpath
from pathlib import Path
from typing import Any

from physgt.datasets.convert import convert
from physgt.datasets.formats import trajectory_names
from physgt.errors import PhysgtError


@dataclass(frozen=True)
class _Job:
    source: str
    output: Path


def convert_all(
    sources: Sequence[str | PathLike[str]],
    folder: str | PathLike[str],
    *,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
    **options: Any,
) -> list[Path]:
    """One VTKHDF file in `folder` for each trajectory of the sources; returns their paths.

    A pattern such as "results/*/case.foam" stands for all that it matches, each a source of its
    own. Of a source that holds several trajectories, each becomes folder/NAME.vtkhdf, as in
    folder/train/0000.vtkhdf. options: those of convert.

    What can't be converted doesn't stop the others; PhysgtError at the end tells of the first, and
    how many there are.
    """
    paths = [path for source in sources for path in _matches(Path(source))]
    jobs = [job for path, name in _names(paths).items() for job in _jobs(path, name, Path(folder))]
    _check_outputs(jobs)
    failures = []
    for i, job in enumerate(jobs):
        progress(i, len(jobs), job.output.name)
        try:
            convert(job.source, job.output, **options)
        except PhysgtError as error:
            failures.append(error)
    progress(len(jobs), len(jobs), "")
    if failures:
        raise PhysgtError(
            f"{len(failures)} of {len(jobs)} could not be converted to {folder}, the others were. "
            f"The first: {failures[0]}"
        ) from failures[0]
    return [job.output for job in jobs]


def is_folder(sources: Sequence[Path], output: Path) -> bool:
    """Whether `output` is a folder for one file a trajectory, and not one file."""
    return len(sources) > 1 or output.is_dir() or not output.suffix


def _matches(path: Path) -> list[Path]:
    if path.exists() or not any(sign in str(path) for sign in "*?["):
        return [path]
    anchor = Path(path.anchor) if path.is_absolute() else Path()
    found = sorted(anchor.glob(str(path.relative_to(path.anchor))))
    if not found:
        raise PhysgtError(f"{path}: matches no file; check the pattern.")
    return found


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    """A name for the output of each source: the file's, with its folders where that is not one."""
    counts = Counter(map(_stem, paths))
    shared = commonpath([path.absolute().parent for path in paths])
    found = {}
    for path in dict.fromkeys(paths):
        folders = path.absolute().relative_to(shared).parts[:-1]
        name = _stem(path)
        found[path] = name if counts[name] == 1 else "-".join((*folders, name))
    return found


def _stem(path: Path) -> str:
    """What is behind the point in the name of a folder, as in run_0.1, is no ending."""
    return path.name if path.is_dir() else path.stem


def _check_outputs(jobs: Sequence[_Job]) -> None:
    """Raise PhysgtError where one output would overwrite another."""
    of_output: dict[Path, str] = {}
    for job in jobs:
        other = of_output.setdefault(job.output, job.source)
        if other != job.source:
            raise PhysgtError(
                f"{other} and {job.source} would both become {job.output}; convert them into "
                "folders of their own."
            )


def _jobs(path: Path, name: str, folder: Path) -> list[_Job]:
    members = trajectory_names(path)
    if not members:
        return [_Job(str(path), folder / f"{name}.vtkhdf")]
    return [_Job(f"{path}#{member}", folder / f"{member}.vtkhdf") for member in members]
