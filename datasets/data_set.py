"""What is in a folder of trajectories: its cases, their splits, and what is odd among them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from physgt.datasets.formats import FORMATS, format_name, open_trajectory
from physgt.datasets.info import FieldRange, field_ranges
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory

SUFFIXES = (".vtkhdf", ".hdf")
MOST_TIMES = 20
"""Ranges are taken over at most as many times of a case."""

FEWEST, FAR = 5, 8.0
"""Among fewer cases nothing is an outlier; it is one from so many typical distances on."""

SPLITS = {"train": "train", "valid": "valid", "validation": "valid", "val": "valid", "test": "test"}


@dataclass(frozen=True)
class CaseSummary:
    """split: train, valid or test by a folder of the path, else empty. dt: nan where times are
    uneven or one. problem: why the file can't be read; all else is empty then."""

    name: str
    split: str
    num_points: int = 0
    num_cells: int = 0
    num_times: int = 0
    dt: float = np.nan
    fields: tuple[FieldRange, ...] = ()
    mesh_digest: str = ""
    digest: str = ""
    problem: str = ""

    @property
    def num_not_finite(self) -> int:
        return sum(entry.num_not_finite for entry in self.fields)


@dataclass(frozen=True)
class Outlier:
    """A case whose lowest or highest value of a field is far from that of the others."""

    case: str
    field: str
    what: str
    value: float
    usual: tuple[float, float]


@dataclass(frozen=True)
class DataSetSummary:
    """duplicates: names of cases whose meshes and sampled values are equal."""

    folder: Path
    cases: tuple[CaseSummary, ...]
    outliers: tuple[Outlier, ...]
    duplicates: tuple[tuple[str, ...], ...]

    @property
    def readable(self) -> list[CaseSummary]:
        return [case for case in self.cases if not case.problem]

    @property
    def num_meshes(self) -> int:
        return len({case.mesh_digest for case in self.readable})


def case_files(folder: Path) -> list[Path]:
    """The trajectories in a folder and those below it, in the order of their names."""
    return sorted(file for file in folder.rglob("*") if _is_case(file))


def is_data_set(path: Path) -> bool:
    """A folder with trajectories that is nothing else, such as a solver's case directory."""
    if not path.is_dir() or format_name(path) != FORMATS["series"].description:
        return False
    return any(map(_is_case, path.rglob("*")))


def summarise(
    folder: str | PathLike[str],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> DataSetSummary:
    """Read some times of every case; a case that can't be read is told, and stops nothing."""
    folder = Path(folder)
    files, cases = case_files(folder), []
    if not files:
        raise PhysgtError(f"{folder}: holds no .vtkhdf files; convert your results to it first.")
    for i, file in enumerate(files):
        cases.append(_summarise_case(file, folder))
        progress(i + 1, len(files))
    by_digest = defaultdict(list)
    for case in cases:
        if case.digest:
            by_digest[case.digest].append(case.name)
    duplicates = tuple(tuple(names) for names in by_digest.values() if len(names) > 1)
    return DataSetSummary(folder, tuple(cases), tuple(_outliers(cases)), duplicates)


def _is_case(file: Path) -> bool:
    return file.suffix in SUFFIXES and not file.name.endswith((".partial.vtkhdf", ".partial"))


def _summarise_case(file: Path, folder: Path) -> CaseSummary:
    relative = file.relative_to(folder)
    split = next((SPLITS[part] for part in relative.parts[:-1] if part in SPLITS), "")
    try:
        trajectory = open_trajectory(file)
        sampled = np.unique(np.linspace(0, trajectory.num_steps, MOST_TIMES).round().astype(int))
        mesh_digest, digest = _digests(trajectory)
        return CaseSummary(
            name=str(relative),
            split=split,
            num_points=trajectory.mesh.num_points,
            num_cells=trajectory.mesh.num_cells,
            num_times=trajectory.num_times,
            dt=_spacing(trajectory.times),
            fields=field_ranges(trajectory, sampled.tolist()),
            mesh_digest=mesh_digest,
            digest=digest,
        )
    except PhysgtError as error:
        return CaseSummary(name=str(relative), split=split, problem=str(error))


def _spacing(times: np.ndarray) -> float:
    steps = np.diff(times)
    return float(steps.mean()) if len(steps) and np.ptp(steps) <= 1e-3 * steps.max() else np.nan


def _digests(trajectory: Trajectory) -> tuple[str, str]:
    """Of the mesh, and of the mesh with the values of the first and the last time."""
    mesh = trajectory.mesh
    found = hashlib.sha256()
    for array in (mesh.points, mesh.connectivity, mesh.cell_types):
        found.update(np.ascontiguousarray(array).tobytes())
    of_mesh = found.hexdigest()
    for i in (0, trajectory.num_steps):
        for name, values in trajectory.frame(i).items():
            found.update(name.encode() + np.ascontiguousarray(values).tobytes())
    return of_mesh, found.hexdigest()


def _outliers(cases: list[CaseSummary]) -> list[Outlier]:
    """Extremes further from the median than FAR times the median distance from it, and further
    from all others than these are from one another."""
    extremes: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for case in cases:
        for entry in case.fields:
            if np.isfinite([entry.minimum, entry.maximum]).all():
                extremes[entry.field.name, "minimum"][case.name] = entry.minimum
                extremes[entry.field.name, "maximum"][case.name] = entry.maximum
    found = []
    for (field, what), by_case in extremes.items():
        if len(by_case) < FEWEST:
            continue
        values = np.array(list(by_case.values()))
        middle = np.median(values)
        distance = np.abs(values - middle)
        # Where most are equal, what rounding makes of them is no outlier.
        typical = max(float(np.median(distance)), 1e-3 * float(np.abs(values).max()))
        far = distance > FAR * typical
        others = values[~far]
        far &= (values < 2 * others.min() - others.max()) | (
            values > 2 * others.max() - others.min()
        )
        if far.any():
            usually = float(others.min()), float(others.max())
            names = np.array(list(by_case))[far]
            found += [Outlier(str(n), field, what, by_case[str(n)], usually) for n in names]
    return found
