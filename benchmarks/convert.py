"""How fast `physgt convert` reads a series, in how much memory, beside pyvista and foamToVTK.

    python benchmarks/convert.py [--cells 40] [--times 60]

Writes an OpenFOAM case of cells^3 hexahedra with binary velocity and pressure, once with all times
and once with half of them, and reads both. Printed are the seconds of computing of all processes,
those of one more time (the difference, so without start-up), MB of fields a second at that pace,
and the peak memory (PSS): it should be the same for both lengths. foamToVTK is run where it is
found.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

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
    parser.add_argument("--times", type=int, default=60)
    given = parser.parse_args()
    frame = given.cells**3 * 4 * 4 / 1e6
    print(
        f"{given.cells**3} cells, {given.times} and {given.times // 2} times, {frame:.1f} MB a time"
    )
    print(
        f"{'':16}{'CPU s':>8}{'ms/time':>9}{'MB/s':>7}{'/ pyvista':>11}{'peak MiB':>10}{'half':>6}"
    )
    with tempfile.TemporaryDirectory() as folder:
        cases = [Path(folder) / name for name in ("whole", "half")]
        for case, times in zip(cases, (given.times, given.times // 2), strict=True):
            write_case(case, given.cells, times)
        floor = 0.0
        for name, command in commands(folder).items():
            whole, half = (
                measure([word.replace("CASE", str(case)) for word in command]) for case in cases
            )
            pace = (whole[0] - half[0]) / (given.times - given.times // 2)
            floor = floor or pace
            print(
                f"{name:16}{whole[0]:8.2f}{1e3 * pace:9.1f}{frame / pace:7.0f}{pace / floor:11.2f}"
                f"{whole[1] / 2**20:10.0f}{half[1] / 2**20:6.0f}"
            )


def commands(folder: str) -> dict[str, list[str]]:
    convert = [sys.executable, "-m", "physgt.cli", "convert", "CASE", "-o", f"{folder}/out.vtkhdf"]
    found = {"plain pyvista": [sys.executable, "-c", PYVISTA, "CASE"], "physgt convert": convert}
    if shutil.which("foamToVTK"):
        found["foamToVTK"] = ["foamToVTK", "-case", "CASE", "-no-boundary", "-no-point-data"]
    return found


def measure(command: list[str]) -> tuple[float, int]:
    """(seconds of computing, peak memory) of a process and its descendants, shared pages once."""
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
    return sum(seconds.values()), peak


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def write_case(folder: Path, n: int, times: int) -> None:
    """A cube of n^3 hexahedra with a patch around it, and random fields in binary."""
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
    random = np.random.default_rng(0)
    for i in range(times):
        (folder / str(i)).mkdir()
        write_field(folder / str(i) / "U", "Vector", "[0 1 -1 0 0 0 0]", random.random((n**3, 3)))
        write_field(folder / str(i) / "p", "Scalar", "[0 2 -2 0 0 0 0]", random.random(n**3))


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
