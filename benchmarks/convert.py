"""How fast `physgt convert` reads a series, in how much memory, beside pyvista and foamToVTK.

    python benchmarks/convert.py [--cells 40] [--times 600] [--noise]

Writes an OpenFOAM case of cells^3 hexahedra with binary velocity and pressure, waves that travel,
once with all times and once with half of them, and reads both. --noise: random numbers instead, the
worst that there is to compress. Printed are the seconds of computing of all processes, those of one
more time (the difference, so without start-up), MB of fields a second at that pace, MB written for
one more time, and the peak memory (PSS): it should be the same for both lengths. foamToVTK is run
where it is found; its files are not compressed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

DIFFERENT = 60
"""So many times are written; those behind are links to them."""

PYVISTA = """
import pyvista as pv, sys
reader = pv.POpenFOAMReader(sys.argv[1] + "/system/controlDict")
reader.skip_zero_time = False
reader.cell_to_point_creation = False
for i in range(reader.number_time_points):
    reader.set_active_time_point(i)
    grid = reader.read()["internalMesh"]
    grid.cell_data["U"], grid.cell_data["p"]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=40, help="along each side of the cube")
    parser.add_argument("--times", type=int, default=600)
    parser.add_argument("--noise", action="store_true")
    given = parser.parse_args()
    frame = given.cells**3 * 4 * 4 / 1e6
    counts = f"{given.times} and {given.times // 10} times"
    print(f"{given.cells**3} cells, {counts}, {frame:.1f} MB a time")
    heads = {
        "CPU s": 8, "ms/time": 9, "by clock": 10, "MB/s": 7, "/ pyvista": 11, "MB out": 8,
        "peak MiB": 10,
    }  # fmt: skip
    print(" " * 16 + "".join(f"{head:>{width}}" for head, width in heads.items()) + "  tenth")
    with tempfile.TemporaryDirectory() as folder:
        cases = [Path(folder) / name for name in ("whole", "tenth")]
        for case, times in zip(cases, (given.times, given.times // 10), strict=True):
            write_case(case, given.cells, times, noise if given.noise else waves)
        floor = 0.0
        for name, command in commands(folder).items():
            whole, tenth = (
                measure([word.replace("CASE", str(case)) for word in command], Path(folder))
                for case in cases
            )
            more = given.times - given.times // 10
            computing, clock, written = (
                (getattr(whole, name) - getattr(tenth, name)) / more
                for name in ("computing", "clock", "written")
            )
            floor = floor or clock
            print(
                f"{name:16}{whole.computing:8.2f}{1e3 * computing:9.1f}{1e3 * clock:10.1f}"
                f"{frame / clock:7.0f}{clock / floor:11.2f}{written / 1e6:8.2f}"
                f"{whole.peak / 2**20:10.0f}{tenth.peak / 2**20:7.0f}"
            )


def commands(folder: str) -> dict[str, list[str]]:
    convert = [sys.executable, "-m", "physgt.cli", "convert", "CASE", "-o", "CASE.vtkhdf"]
    found = {"plain pyvista": [sys.executable, "-c", PYVISTA, "CASE"], "physgt convert": convert}
    if shutil.which("foamToVTK"):
        found["foamToVTK"] = ["foamToVTK", "-case", "CASE", "-no-boundary", "-no-point-data"]
    return found


class Cost(NamedTuple):
    """Of a process and its descendants: seconds of computing and by the clock, peak memory with
    shared pages once, and the bytes left on the disk."""

    computing: float
    clock: float
    peak: int
    written: int


def measure(command: list[str], folder: Path) -> Cost:
    before, begin = size_of(folder), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.setdefault("WM_PROJECT_DIR", "/usr/share/openfoam")
    peak, seconds = 0, dict[int, float]()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    ) as running:
        whole = psutil.Process(running.pid)
        while running.poll() is None:
            memory = 0
            for process in (whole, *_children(whole)):
                with suppress(psutil.Error):
                    memory += process.memory_full_info().pss
                    times = process.cpu_times()
                    seconds[process.pid] = times.user + times.system
            peak = max(peak, memory)
            time.sleep(0.03)
    if running.returncode:
        raise SystemExit(f"{command[0]} ended with {running.returncode}")
    clock = time.perf_counter() - begin
    return Cost(sum(seconds.values()), clock, peak, size_of(folder) - before)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def waves(centres: np.ndarray, time: int) -> tuple[np.ndarray, np.ndarray]:
    """A velocity (M, 3) and a pressure (M,) in a unit cube."""
    x, y, z = centres.T
    # Bent a little, so that no two cells have the same value.
    x, y, z = x + 0.01 * np.sin(7 * y), y + 0.013 * np.cos(5 * x), z + 0.009 * np.sin(3 * x)
    t = 0.05 * time
    velocity = [
        np.sin(3.1 * x + 1.3 * y + t) * np.cos(4.2 * y - z),
        np.cos(3 * x - t + z) * np.sin(5 * z + y),
        np.sin(2.9 * x * y + 2 * t + z),
    ]
    return np.stack(velocity, axis=1), np.cos(4 * x + 3 * z - t) * (y + 0.1)


def noise(centres: np.ndarray, time: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(time)
    return random.random((len(centres), 3)), random.random(len(centres))


Fields = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def write_case(folder: Path, n: int, times: int, fields: Fields) -> None:
    """A cube of n^3 hexahedra with a patch around it, and fields in binary."""
    mesh, system = folder / "constant" / "polyMesh", folder / "system"
    for path in (mesh, system):
        path.mkdir(parents=True)
    (system / "controlDict").write_text(
        head("dictionary", "controlDict")
        + "application icoFoam;\nstartTime 0;\nendTime 1;\ndeltaT 1;\nwriteInterval 1;\n"
    )
    for name in ("fvSchemes", "fvSolution"):
        (system / name).write_text(
            head("dictionary", name)
            + "ddtSchemes{} gradSchemes{} divSchemes{} laplacianSchemes{}\n"
            "interpolationSchemes{} snGradSchemes{}\n"
        )
    number = np.arange((n + 1) ** 3)
    x, y, z = number % (n + 1), number // (n + 1) % (n + 1), number // (n + 1) ** 2
    rows = "\n".join(
        f"({a} {b} {c})" for a, b, c in zip(x.tolist(), y.tolist(), z.tolist(), strict=True)
    )
    (mesh / "points").write_text(head("vectorField", "points") + f"{len(number)}\n(\n{rows}\n)\n")
    faces, owner, neighbour = cube_faces(n)
    rows = "\n".join(f"4({a} {b} {c} {d})" for a, b, c, d in faces.tolist())
    (mesh / "faces").write_text(head("faceList", "faces") + f"{len(faces)}\n(\n{rows}\n)\n")
    for name, labels in (("owner", owner), ("neighbour", neighbour)):
        rows = "\n".join(map(str, labels.tolist()))
        (mesh / name).write_text(head("labelList", name) + f"{len(labels)}\n(\n{rows}\n)\n")
    outer = len(faces) - len(neighbour)
    (mesh / "boundary").write_text(
        head("polyBoundaryMesh", "boundary")
        + f"1\n(\nwalls {{ type wall; nFaces {outer}; startFace {len(neighbour)}; }}\n)\n"
    )
    cell = np.arange(n**3)
    centres = (np.stack([cell % n, cell // n % n, cell // n**2], axis=1) + 0.5) / n
    for i in range(times):
        if i >= DIFFERENT:
            (folder / str(i)).symlink_to(folder / str(i % DIFFERENT))
            continue
        velocity, pressure = fields(centres, i)
        (folder / str(i)).mkdir()
        write_field(folder / str(i) / "U", "Vector", "[0 1 -1 0 0 0 0]", velocity)
        write_field(folder / str(i) / "p", "Scalar", "[0 2 -2 0 0 0 0]", pressure)


def cube_faces(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Faces (F, 4), owners (F,) and neighbours, inner faces first in OpenFOAM's order."""
    cell = np.arange(n**3)
    place = np.stack([cell % n, cell // n % n, cell // n**2], axis=1)
    steps = np.array([1, n + 1, (n + 1) ** 2])
    corner = place @ steps
    inner, outer = [], []
    for axis in range(3):
        a, b = steps[(axis + 1) % 3], steps[(axis + 2) % 3]
        around = np.array([0, a, a + b, b])
        upper = corner[:, None] + steps[axis] + around
        inside = place[:, axis] < n - 1
        following = cell + n**axis
        inner.append((upper[inside], cell[inside], following[inside]))
        outer.append((upper[~inside], cell[~inside]))
        lowest = place[:, axis] == 0
        outer.append((corner[lowest][:, None] + around[::-1], cell[lowest]))
    faces, owner, neighbour = (np.concatenate(parts) for parts in zip(*inner, strict=True))
    order = np.lexsort((neighbour, owner))
    rest, of_rest = (np.concatenate(parts) for parts in zip(*outer, strict=True))
    return (
        np.concatenate([faces[order], rest]),
        np.concatenate([owner[order], of_rest]),
        neighbour[order],
    )


def write_field(file: Path, kind: str, dimensions: str, values: np.ndarray) -> None:
    text = head(f"vol{kind}Field", file.name, binary=True) + (
        f"dimensions {dimensions};\ninternalField nonuniform List<{kind.lower()}>\n{len(values)}\n("
    )
    tail = ");\nboundaryField { walls { type zeroGradient; } }\n"
    file.write_bytes(text.encode() + values.astype("<f8").tobytes() + tail.encode())


def head(kind: str, name: str, binary: bool = False) -> str:
    how = 'binary; arch "LSB;label=32;scalar=64"' if binary else "ascii"
    return f"FoamFile {{ version 2.0; format {how}; class {kind}; object {name}; }}\n"


if __name__ == "__main__":
    main()
