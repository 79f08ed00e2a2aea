"""What a run says of itself: the case as it ran, its data, the machine, the time it took."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from physgt.case import Case
from physgt.errors import PhysgtError
from physgt.files import write_text
from physgt.quantities import stated_numbers
from physgt.rollout.restart import fingerprint
from physgt.simulator import Simulator
from physgt.trajectory import Trajectory

RUN_FILE = "run.json"
RECORDED = ("case", "case_file", "data", "sessions")
LIBRARIES = ("physgt", "torch", "numpy")


@contextmanager
def recorded(
    directory: Path,
    case: Case,
    data: Mapping[str, Mapping[str, Trajectory]],
    device: torch.device,
    *,
    start: Simulator | None = None,
    resume: bool = False,
) -> Iterator[None]:
    """Keep run.json in `directory` while a training runs; one that goes on adds a session to it.

    data: the trajectories by what they serve for, training or validation. start: the trained
    simulator whose weights are the first ones. A session that is killed leaves its start, and
    neither an end nor times.
    """
    path = directory / RUN_FILE
    session = session_of(device)
    if start is not None:
        session["started_from"] = fingerprint(start)
    before = read_record(directory)["sessions"] if resume and path.exists() else []
    record = {
        "case": case.model_dump(mode="json", by_alias=True),
        "case_file": case.text,
        "data": {name: summary_of(trajectories) for name, trajectories in data.items()},
        "sessions": [*before, session],
    }
    seconds, cpu_seconds = time.perf_counter(), time.process_time()
    _write(path, record)
    try:
        yield
    finally:
        session["ended"] = _now()
        session["seconds"] = round(time.perf_counter() - seconds, 3)
        session["cpu_seconds"] = round(time.process_time() - cpu_seconds, 3)
        _write(path, record)


def read_record(directory: Path) -> dict[str, Any]:
    """What `recorded` wrote. Raises PhysgtError where `directory` is no folder of a run."""
    path = directory / RUN_FILE
    if not path.is_file():
        raise PhysgtError(
            f"{path}: no such file; expected the folder that physgt train wrote with --output."
        )
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise PhysgtError(f"{path}: not valid JSON: {error}.") from error
    lacking = [key for key in RECORDED if not isinstance(found, dict) or key not in found]
    if lacking:
        raise PhysgtError(
            f"{path}: lacks {', '.join(lacking)}, so it isn't the file that physgt train wrote; "
            "copy it again from the run's folder."
        )
    return dict(found)


def session_of(device: torch.device) -> dict[str, Any]:
    """When, by which command, with which versions and on which machine something is run."""
    return {
        "started": _now(),
        "command": sys.argv,
        "versions": {"python": platform.python_version()} | {n: version(n) for n in LIBRARIES},
        "system": platform.platform(),
        "device": _device_name(device),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def summary_of(trajectories: Mapping[str, Trajectory]) -> dict[str, Any]:
    """Names of the cases, and from where to where their sizes and stated numbers reach."""
    all_of_them = list(trajectories.values())
    sizes: dict[str, list[float]] = {
        "nodes": [t.mesh.num_points for t in all_of_them],
        "cells": [t.mesh.num_cells for t in all_of_them],
        "times": [t.num_times for t in all_of_them],
        "seconds": [float(t.times[-1] - t.times[0]) for t in all_of_them],
    }
    ranges = {name: [min(found), max(found)] for name, found in sizes.items() if found}
    stated = [stated_numbers(t) for t in all_of_them]
    shared = [name for name in (stated[0] if stated else {}) if all(name in s for s in stated)]
    numbers = {
        name: [min(s[name] for s in stated), max(s[name] for s in stated)] for name in shared
    }
    return {"cases": list(trajectories), **ranges, "numbers": numbers}


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write(path: Path, record: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(record, indent=1))
