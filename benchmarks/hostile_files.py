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
import re
import resource
import shutil
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
from hostile_examples import EXAMPLES

from physgt import Trajectory
from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError

SECONDS, MEMORY = 10.0, 2 * 2**30

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
    found = list(NUMBER.finditer(data[:100_000]))
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
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
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
