"""Feed every reader damaged copies of good files, and tell how each copy ended.

    python benchmarks/hostile_files.py     # 200 copies of an example of each format
    python benchmarks/hostile_files.py vtu mine/case.foam --count 1000 --seed 7

Of a source of your own, a file or a folder, all files of its folder are changed in turn.

A copy must end in a PhysgtError, or be read: `same` are those of which all that was read is as in
the good file, `changed` those of which not. A file without checksums can't tell that its numbers
were changed; but a copy that is only shorter has no numbers of its own, so there `changed` counts
as `wrong`, together with every other exception and with what took longer than 10 s. This process
gets 2 GiB more than it has at the start; those that it reads with have limits of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import resource
import shutil
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import google_crc32c
import h5py
import numpy as np

from physgt import Mesh, Trajectory
from physgt.datasets import open_trajectory, write_trajectory
from physgt.errors import PhysgtError

SECONDS, MEMORY = 10.0, 2 * 2**30

TIMES = 3


def block() -> Trajectory:
    """27 hexahedra with a vector, a number and a number on the cells, at three times."""
    axis = np.arange(4.0)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    corner = np.arange(64).reshape(4, 4, 4)[:3, :3, :3].ravel()
    cells = corner[:, None] + [0, 16, 20, 4, 1, 17, 21, 5]
    random = np.random.default_rng(0)
    mesh = Mesh.from_blocks(
        points, [("hexahedron", cells)], node_sets={"inlet": [0, 1]}, cell_sets={"a": [0]}
    )
    return Trajectory.from_arrays(
        mesh,
        0.5 * np.arange(TIMES),
        {"u": random.random((TIMES, 64, 3)), "p": random.random((TIMES, 64))},
        cell_fields={"heat": random.random((TIMES, 27))},
    )


def _with_physgt(suffix: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        write_trajectory(block(), folder / f"block{suffix}")
        return folder / f"block{suffix}"

    return write


def _with_vtk(name: str, **options: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        from physgt.datasets.vtk_bridge import to_pyvista

        frame = block().frame(1)
        to_pyvista(block().mesh, {"u": frame["u"], "p": frame["p"]}, {"heat": frame["heat"]}).save(
            folder / name, **options
        )
        return folder / name

    return write


def _vtkhdf_parts(folder: Path) -> Path:
    """VTKHDF of two parts, as VTK writes the results of two processes."""
    from vtkmodules.vtkCommonDataModel import vtkPartitionedDataSet
    from vtkmodules.vtkIOHDF import vtkHDFWriter

    from physgt.datasets.vtk_bridge import to_pyvista

    frame = block().frame(1)
    grid = to_pyvista(block().mesh, {"u": frame["u"], "p": frame["p"]}, {"heat": frame["heat"]})
    left = grid.cell_centers().points[:, 0] < grid.center[0]
    parts = vtkPartitionedDataSet()
    parts.SetNumberOfPartitions(2)
    for i, chosen in enumerate((left, ~left)):
        parts.SetPartition(i, grid.extract_cells(np.flatnonzero(chosen)))
    writer = vtkHDFWriter()
    writer.SetFileName(str(folder / "parts.vtkhdf"))
    writer.SetInputData(parts)
    writer.Write()
    return folder / "parts.vtkhdf"


def _with_meshio(name: str, **options: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        import meshio

        trajectory = block()
        frame = trajectory.frame(1)
        cells = [("hexahedron", trajectory.mesh.connectivity.reshape(-1, 8))]
        data = {"point_data": {"u": frame["u"], "p": frame["p"]}} if options.pop("data", 0) else {}
        meshio.write_points_cells(folder / name, trajectory.mesh.points, cells, **data, **options)  # type: ignore[arg-type]
        return folder / name

    return write


def _xdmf_series(folder: Path) -> Path:
    """As meshio writes it, whose writer puts the .h5 into the current directory."""
    import meshio

    trajectory = block()
    cells = [("hexahedron", trajectory.mesh.connectivity.reshape(-1, 8))]
    with contextlib.chdir(folder), meshio.xdmf.TimeSeriesWriter("block.xdmf") as writer:
        writer.write_points_cells(trajectory.mesh.points, cells)
        for i, t in enumerate(trajectory.times):
            writer.write_data(t, point_data={"u": trajectory.frame(i)["u"]})
    return folder / "block.xdmf"


def _series(folder: Path) -> Path:
    for i in range(TIMES):
        _with_vtk(f"block_{i}.vtu")(folder)
    return folder


def _committed(name: str) -> Callable[[Path], Path]:
    """A file that another program wrote, from the folder of test data."""

    def copy(folder: Path) -> Path:
        source = Path(__file__).resolve().parents[1] / "tests" / "data" / name
        shutil.copyfile(source, folder / source.name)
        return folder / source.name

    return copy


def _committed_folder(name: str, source: str = "") -> Callable[[Path], Path]:
    """A folder that another program wrote, and what of it is opened."""

    def copy(folder: Path) -> Path:
        good = Path(__file__).resolve().parents[1] / "tests" / "data" / name
        shutil.copytree(good, folder / "good", copy_function=shutil.copyfile)
        return folder / "good" / source

    return copy


def _own_npz(folder: Path) -> Path:
    trajectory = block()
    cells = trajectory.mesh.connectivity.reshape(-1, 8)
    fields = {name: trajectory.fields[name].values for name in ("u", "p")}
    np.savez_compressed(folder / "block.npz", x=trajectory.mesh.points, cells=cells, **fields)
    (folder / "block.toml").write_text(
        'files = "block.npz"\n[mesh]\npoints = "x"\n'
        'cells = { array = "cells", type = "hexahedron" }\n'
        '[time]\ndt = 0.5\n[fields]\nu = { array = "u" }\np = { array = "p" }\n'
    )
    return folder / "block.toml"


def _features() -> dict[str, np.ndarray]:
    trajectory = block()
    return {
        "cells": trajectory.mesh.connectivity.reshape(1, -1, 8).astype("<i4"),
        "mesh_pos": trajectory.mesh.points[None].astype("<f4"),
        "u": trajectory.fields["u"].values.astype("<f4"),
    }


def _meshgraphnets_hdf5(folder: Path) -> Path:
    with h5py.File(folder / "train.h5", "w") as file:
        for name, values in _features().items():
            file[f"0/{name}"] = values
    return folder / "train.h5#train" / "0000"


def _tfrecord(folder: Path) -> Path:
    """One tf.train.Example with its meta.json."""

    def field(content: bytes, number: int = 1) -> bytes:
        length, size = b"", len(content)
        while size >= 0x80:
            length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    def checked(content: bytes) -> bytes:
        crc = google_crc32c.value(content)
        masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
        return content + struct.pack("<I", masked)

    features = _features()
    entries = (
        field(field(name.encode()) + field(field(field(values.tobytes())), 2))
        for name, values in features.items()
    )
    record = field(b"".join(entries))
    data = checked(struct.pack("<Q", len(record))) + checked(record)
    (folder / "train.tfrecord").write_bytes(data)
    told = {
        name: {"type": "dynamic", "shape": [len(a), -1, a.shape[2]], "dtype": a.dtype.name}
        for name, a in features.items()
    }
    meta = {"dt": 0.5, "trajectory_length": TIMES, "features": told}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder / "train.tfrecord#train" / "0000"


EXAMPLES: dict[str, Callable[[Path], Path]] = {
    "vtkhdf": _with_physgt(".vtkhdf"),
    "vtkhdf parts": _vtkhdf_parts,
    "pvd": _with_physgt(".pvd"),
    "vtu": _with_vtk("block.vtu"),
    "vtu ascii": _with_vtk("block.vtu", binary=False),
    "vtk": _with_vtk("block.vtk"),
    "vtk ascii": _with_vtk("block.vtk", binary=False),
    "exodus": _committed("exodus/block.e"),
    "xdmf": _xdmf_series,
    "gmsh 4": _with_meshio("block.msh", file_format="gmsh"),
    "gmsh 2": _with_meshio("block.msh", file_format="gmsh22", data=1),
    "abaqus": _with_meshio("block.inp"),
    "nastran": _with_meshio("block.nas", file_format="nastran"),
    "med": _with_meshio("block.med", data=1),
    "su2": _with_meshio("block.su2"),
    "ucd": _with_meshio("block.avs", data=1),
    "series": _series,
    "frd": _committed("calculix/beam.frd"),
    "frd binary": _committed("calculix/beam_binary.frd"),
    "own npz": _own_npz,
    "mgn hdf5": _meshgraphnets_hdf5,
    "mgn tfrecord": _tfrecord,
    "openfoam": _committed_folder("openfoam/box"),
    "openfoam packed": _committed_folder("openfoam/box_binary"),
    "decomposed": _committed_folder("openfoam/box_decomposed"),
    "multi-block": _committed_folder("vtm", "box.vtm.series"),
    "ensight": _committed_folder("ensight/box_binary", "box.case"),
    "cgns": _committed("cgns/unsteady.cgns"),
    "fluent": _committed_folder("fluent", "cavity.cas"),
    "lsdyna": _committed_folder("lsdyna", "d3plot"),
}
"""Name -> a function that writes a good source into a folder; formats that physgt reads."""

NUMBERS = [0, 1, 0xFF, 0x7FFF, 2**31 - 1, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**64 - 1]
NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])")
WORDS = [b"-1", b"0", b"1e308", b"nan", b"99999999999", b"2147483648", b"abc", b"", b"1" * 400]
TYPES = [b"Float64", b"Float32", b"Int64", b"UInt8", b"Int32", b"double", b"float", b"int"]


def cut(data: bytes, random: np.random.Generator) -> bytes:
    return data[: random.integers(len(data))]


def flip(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in random.integers(len(data), size=random.integers(1, 20)):
        changed[place] ^= int(random.integers(1, 256))
    return bytes(changed)


def count(data: bytes, random: np.random.Generator) -> bytes:
    """A binary number becomes another, often an enormous one."""
    form = str(random.choice([">", "<"])) + str(random.choice(["I", "Q"]))
    size = struct.calcsize(form)
    place = int(
        random.integers(max(1, min(len(data), 4096 if random.random() < 0.5 else len(data))))
    )
    number = NUMBERS[random.integers(len(NUMBERS))] % 2 ** (8 * size)
    return data[:place] + struct.pack(form, number) + data[place + size :]


def word(data: bytes, random: np.random.Generator) -> bytes:
    """A written number becomes another or no number at all."""
    found = list(
        re.finditer(rb"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])", data[:100_000])
    )
    if not found:
        return count(data, random)
    # The first ones are the counts, all others values.
    number = found[
        int(random.integers(min(len(found), 40) if random.random() < 0.7 else len(found)))
    ]
    return data[: number.start()] + WORDS[random.integers(len(WORDS))] + data[number.end() :]


def retype(data: bytes, random: np.random.Generator) -> bytes:
    found = list(re.finditer(b"|".join(TYPES), data))
    if not found:
        return flip(data, random)
    name = found[random.integers(len(found))]
    return data[: name.start()] + TYPES[random.integers(len(TYPES))] + data[name.end() :]


def move(data: bytes, random: np.random.Generator) -> bytes:
    """A piece is taken out, doubled, or becomes zeros."""
    a, b = sorted(random.integers(len(data) + 1, size=2).tolist())
    b = min(b, a + 2000)
    piece = [b"", 2 * data[a:b], bytes(b - a)][random.integers(3)]
    return data[:a] + piece + data[b:]


MUTATIONS = [cut, cut, flip, flip, count, count, word, word, retype, move]


def attack(name: str, folder: Path, number: int, seed: int = 0) -> tuple[Counter[str], list[str]]:
    """(how many copies ended how, what is wrong) of so many mutations of the example `name`."""
    good = folder / "good"
    good.mkdir(parents=True)
    source = _good_source(name, good).relative_to(good)
    original = _content(good / source)
    files = sorted(file for file in good.rglob("*") if file.is_file())
    outcomes: Counter[str] = Counter()
    wrong = []
    random = np.random.default_rng([seed, *name.encode()])
    for i in range(number):
        copy = folder / "copy"
        shutil.copytree(good, copy)
        mutation = MUTATIONS[i % len(MUTATIONS)]
        file = files[random.integers(len(files))]
        target = copy / file.relative_to(good)
        target.write_bytes(mutation(file.read_bytes(), random))
        begin = time.perf_counter()
        outcome = _outcome(copy / source, original, target, mutation is cut)
        seconds = time.perf_counter() - begin
        if seconds > SECONDS:
            outcome = f"wrong: {seconds:.1f} s"
        if outcome.startswith("wrong"):
            kept = folder / f"{name} {i}"
            shutil.copytree(copy, kept)
            wrong.append(f"{name} {i}, {mutation.__name__} of {target.name}: {outcome} ({kept})")
        outcomes[outcome.partition(":")[0]] += 1
        shutil.rmtree(copy)
    return outcomes, wrong


def _good_source(name: str, good: Path) -> Path:
    if name in EXAMPLES:
        return EXAMPLES[name](good)
    source = Path(name)
    own = source if source.is_dir() else source.parent
    shutil.copytree(own, good, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return good / source.relative_to(own)


def _content(path: Path) -> dict[str, np.ndarray]:
    """All that is read: the mesh, and each field at each time, under names that say which."""
    trajectory = open_trajectory(path)
    mesh = trajectory.mesh
    found = {
        "points": mesh.points, "connectivity": mesh.connectivity, "types": mesh.cell_types,
        "node_type": mesh.node_type,
    }  # fmt: skip
    for i, t in enumerate(trajectory.times):
        with contextlib.suppress(_Unreadable):
            for field, values in _frame(trajectory, i).items():
                found[f"{field} at {t!r}"] = values
    return found


class _Unreadable(Exception):
    """A frame that ended in an error."""


def _frame(trajectory: Trajectory, i: int) -> dict[str, np.ndarray]:
    try:
        return trajectory.frame(i)
    except PhysgtError as error:
        raise _Unreadable from error


def _outcome(path: Path, original: dict[str, np.ndarray], target: Path, only_cut: bool) -> str:
    try:
        found = _content(path)
    except PhysgtError as error:
        told = str(error)
        named = any(file.name in told for file in (path, *target.parent.iterdir()))
        return "error" if named else f"wrong: unnamed: {told}"
    except Exception:
        return "wrong: " + traceback.format_exc(limit=-3)
    same = all(
        key in original and np.array_equal(original[key], values, equal_nan=True)
        for key, values in found.items()
    )
    return "same" if same else "wrong: numbers from nowhere" if only_cut else "changed"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"sources, or of {', '.join(EXAMPLES)}")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the copies that went wrong")
    options = parser.parse_args()
    print(f"{'format':<12}{'copies':>8}{'error':>8}{'same':>8}{'changed':>9}{'wrong':>7}{'s':>8}")
    usual = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (usual + MEMORY, -1))
    total = 0
    for name in options.names or EXAMPLES:
        folder = Path(tempfile.mkdtemp(dir=options.keep))
        begin = time.perf_counter()
        outcomes, wrong = attack(name, folder, options.count, options.seed)
        seconds = time.perf_counter() - begin
        counts = f"{outcomes['error']:>8}{outcomes['same']:>8}{outcomes['changed']:>9}"
        print(
            f"{name:<12}{options.count:>8}{counts}{outcomes['wrong']:>7}{seconds:>8.1f}", flush=True
        )
        print(*wrong, sep="\n", end="\n" if wrong else "", flush=True)
        total += len(wrong)
    sys.exit(bool(total))


if __name__ == "__main__":
    main()
