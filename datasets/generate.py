"""Case families: solver data made to order, one file a seed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from physgt.datasets.airfoil import AirfoilFamily
from physgt.datasets.beam3d import Beam3DFamily
from physgt.datasets.block3d import Block3DFamily
from physgt.datasets.case_family import CaseFamily
from physgt.datasets.cylinder import CylinderFamily
from physgt.datasets.heat import HeatFamily
from physgt.datasets.hyperelastic import HyperelasticFamily
from physgt.datasets.pipe3d import Pipe3DFamily
from physgt.datasets.vtkhdf import read_vtkhdf, write_vtkhdf
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory

GENERATORS: dict[str, type[CaseFamily]] = {
    "cylinder": CylinderFamily,
    "heat": HeatFamily,
    "block3d": Block3DFamily,
    "hyperelastic": HyperelasticFamily,
    "beam3d": Beam3DFamily,
    "airfoil": AirfoilFamily,
    "pipe3d": Pipe3DFamily,
}

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def generate(
    family: str,
    directory: str | os.PathLike[str],
    seeds: Iterable[int],
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **parameters: Any,
) -> list[Path]:
    """Simulate the seeds of a case family into DIRECTORY/FAMILY-SEED.vtkhdf; the files' paths.

    `parameters` replace the family's by name. A seed whose file exists is skipped, so a run that
    was stopped goes on; a file appears only when it is whole. With more than one worker, each is
    a process, and a script needs `if __name__ == "__main__":` around the call. `progress` gets
    the numbers of seeds done and of all.

    Raises PhysgtError for an unknown family or parameter, an impossible range, and files that
    were generated with other parameters.
    """
    chosen = make_family(family, parameters)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    paths = {seed: directory / f"{family}-{seed:04d}.vtkhdf" for seed in sorted(set(seeds))}
    missing = {seed: path for seed, path in paths.items() if not path.exists()}
    for seed in paths.keys() - missing.keys():
        _check_made_with(family, chosen, paths[seed])
    done = len(paths) - len(missing)
    progress(done, len(paths))
    for _ in _simulate_all(family, chosen, missing, min(workers, len(missing))):
        done += 1
        progress(done, len(paths))
    return list(paths.values())


def make_family(name: str, parameters: Mapping[str, Any]) -> CaseFamily:
    """The case family `name` with some of its parameters replaced.

    Raises PhysgtError for an unknown family or parameter and for an impossible value.
    """
    if name not in GENERATORS:
        raise PhysgtError(f"unknown case family '{name}'; known are {', '.join(GENERATORS)}.")
    known = [field.name for field in fields(GENERATORS[name])]
    for parameter in parameters:
        if parameter not in known:
            raise PhysgtError(
                f"{name}: unknown parameter '{parameter}'; known are {', '.join(known)}."
            )
    try:
        return GENERATORS[name](**parameters)
    except PhysgtError as error:
        raise PhysgtError(f"{name}: {error}") from error


def _simulate_all(
    name: str, family: CaseFamily, paths: dict[int, Path], workers: int
) -> Iterator[Path]:
    """Write the files of all seeds; yields each when it is there."""
    if workers <= 1:
        for seed, path in paths.items():
            yield _simulate_one(name, family, seed, path)
        return
    # Forked processes would inherit the locks of running threads.
    with _one_thread_each(), ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        jobs = [pool.submit(_simulate_one, name, family, seed, paths[seed]) for seed in paths]
        try:
            for job in as_completed(jobs):
                yield job.result()
        except BrokenProcessPool:
            raise PhysgtError(
                f"{name}: a worker process ended early, perhaps killed for want of memory. "
                "Finished files are kept: run the same again, with fewer workers. A script of "
                'your own calls generate below `if __name__ == "__main__":`.'
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _simulate_one(name: str, family: CaseFamily, seed: int, path: Path) -> Path:
    try:
        trajectory = family.simulate(seed)
    except PhysgtError as error:
        raise PhysgtError(f"{name}, seed {seed}: {error}") from error
    attributes = {"generator": _recipe(name, family), **trajectory.attributes}
    write_vtkhdf(Trajectory(trajectory.mesh, trajectory.fields, attributes), path)
    return path


def _recipe(name: str, family: CaseFamily) -> dict[str, Any]:
    """The family and its parameters as JSON reads them back."""
    recipe: dict[str, Any] = json.loads(json.dumps({"family": name, **asdict(family)}))
    return recipe


def _check_made_with(name: str, family: CaseFamily, path: Path) -> None:
    found, wanted = read_vtkhdf(path).attributes.get("generator"), _recipe(name, family)
    if found == wanted:
        return
    if not isinstance(found, dict):
        raise PhysgtError(f"{path}: exists, and was not generated here. Choose another directory.")
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    raise PhysgtError(
        f"{path}: exists, but was generated with "
        + ", ".join(f"{key} = {found.get(key)} instead of {wanted[key]}" for key in differing)
        + ". Choose another directory, or remove the files."
    )


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started within use one BLAS thread: there are as many of them as wanted cores."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
