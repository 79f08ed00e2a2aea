"""What OpenFOAM's own files say: patches, zones, lists of labels and dimensions.

Source: OpenFOAM User Guide, sections "Basic input/output file format" and "Mesh description". VTK
reads cells, points and fields; this is what it leaves out. (foamlib reads all of it, but its
licence, GPL-3.0, is not for a dependency of ours.)
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from physgt.errors import PhysgtError

BASE_UNITS = ("kg", "m", "s", "K", "mol", "A", "cd")
"""The order of OpenFOAM's `dimensions`."""

HEAD = 4096
"""Bytes in which a field file tells its dimensions."""

_WORD = rb"[^\s{}();\"]+"
_PATCH = re.compile(rb"(" + _WORD + rb")\s*\{([^{}]*)\}")
_ENTRY = re.compile(rb"\b(type|nFaces|startFace|neighbProcNo)\s+(" + _WORD + rb")\s*;")
_ZONE = re.compile(
    rb"(" + _WORD + rb")\s*\{[^{}]*?\b(?:cell|face|point)Labels\s+(?:List<label>)?\s*(?=[\d;])"
)


@dataclass(frozen=True)
class Patch:
    """An entry of the file `boundary`: its faces are num_faces from first_face on.

    neighbour: the number of the processor at the other side, None but for processor patches.
    """

    name: str
    kind: str
    num_faces: int
    first_face: int
    neighbour: int | None


def read_patches(folder: Path) -> list[Patch]:
    """The patches of a polyMesh folder, processor boundaries among them; none without the file."""
    found = []
    for name, body in _PATCH.findall(_body(_contents(folder / "boundary"))):
        said = dict(re.findall(_ENTRY, body))
        counts = [said.get(b"nFaces", b""), said.get(b"startFace", b"")]
        if not all(count.isdigit() for count in counts) or b"type" not in said:
            raise PhysgtError(
                f"{folder / 'boundary'}: patch '{name.decode(errors='replace')}' lacks its type, "
                "nFaces or startFace; repair the file."
            )
        kind = said[b"type"].decode(errors="replace")
        other = said.get(b"neighbProcNo", b"")
        patch = Patch(
            name.decode(errors="replace"), kind, int(counts[0]), int(counts[1]),
            int(other) if other.isdigit() else None,
        )  # fmt: skip
        found.append(patch)
    return found


def read_labels(file: Path) -> np.ndarray | None:
    """(n,) int64 of a file that is one list of labels, such as `owner`; None without the file."""
    data = _contents(file)
    if not data:
        return None
    return _labels(file, data, len(data) - len(_body(data)))


def read_zones(file: Path) -> Mapping[str, np.ndarray]:
    """The labels of each zone by name, of the file `cellZones` or `pointZones` if it is there."""
    data = _contents(file)
    return {
        zone[1].decode(errors="replace"): _labels(file, data, zone.end())
        for zone in _ZONE.finditer(data, len(data) - len(_body(data)))
    }


def unit_of(files: Iterator[Path]) -> str:
    """The unit that the first of these fields' files tells, as in "kg m^-1 s^-2"; "" for none."""
    for file in files:
        powers = re.search(rb"\bdimensions\s*\[([^\]]*)\]", _contents(file, HEAD))
        if powers:
            numbers = [float(power) for power in powers[1].split()]
            pairs = zip(BASE_UNITS, numbers, strict=False)
            return " ".join(b if power == 1 else f"{b}^{power:g}" for b, power in pairs if power)
    return ""


def is_uniform(file: Path) -> bool:
    """Whether a field's file gives one value for all cells or points."""
    told = re.search(rb"\b(?:internalField|value)\s+(uniform|nonuniform)\b", _contents(file, HEAD))
    return told is not None and told[1] == b"uniform"


def _labels(file: Path, data: bytes, start: int) -> np.ndarray:
    """The list of labels that begins at `start`: "3(0 1 2)", "3{0}", or binary in parentheses."""
    head = re.compile(rb"(?:\s|//[^\n]*\n)*(\d+)\s*([({])|\s*(?:0\s*)?;").match(data, start)
    if head is None:
        raise PhysgtError(f"{file}: expected a list of labels; truncated or damaged.")
    if head[1] is None:
        return np.empty(0, np.int64)
    count, label = int(head[1]), _label_type(data)
    if head[2] == b"(" and label is not None:
        there = min(count, (len(data) - head.end()) // label.itemsize)
        found = np.frombuffer(data, label, there, head.end())
    else:
        words = data[head.end() : data.find(b")" if head[2] == b"(" else b"}", head.end())].split()
        if not all(word.isdigit() for word in words):
            raise PhysgtError(f"{file}: holds a label that isn't a whole number; damaged.")
        found = np.array(words, dtype=np.int64)
        found = np.repeat(found, count) if head[2] == b"{" else found
    if len(found) != count:
        raise PhysgtError(
            f"{file}: promises {count} labels and holds {len(found)}; truncated or damaged."
        )
    return found.astype(np.int64)


def _label_type(data: bytes) -> np.dtype[np.signedinteger] | None:
    """How labels of a binary file are stored; None for text."""
    head = data[: len(data) - len(_body(data))]
    if not re.search(rb"\bformat\s+binary\s*;", head):
        return None
    size = re.search(rb"label=(32|64)", head)
    order = ">" if b"MSB" in head else "<"
    return np.dtype(f"{order}i{int(size[1]) // 8 if size else 4}")


def _body(data: bytes) -> bytes:
    """What follows the dictionary FoamFile."""
    head = re.search(rb"\bFoamFile\s*\{.*?\}", data[:HEAD], re.DOTALL)
    return data[head.end() :] if head else data


def _contents(file: Path, size: int = -1) -> bytes:
    """The first bytes of a file, also of a packed one; nothing where there is no such file."""
    try:
        if file.is_file():
            with file.open("rb") as stream:
                return stream.read(size)
        if _packed(file).is_file():
            with gzip.open(_packed(file)) as stream:
                return stream.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise PhysgtError(f"{file}: can't be read, truncated or damaged ({error}).") from error
    return b""


def _packed(file: Path) -> Path:
    return file.with_name(f"{file.name}.gz")
