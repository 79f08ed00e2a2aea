"""The blocks of a CalculiX result file (.frd): where they lie, and how their lines are read.

Sources: "CalculiX GraphiX User's Manual", chapter "Result Format"; what CalculiX 2.20 writes.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from physgt.errors import PhysgtError


@dataclass(frozen=True)
class Element:
    """order: where in the file's list the nodes of VTK's list stand."""

    name: str
    order: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.order)


# The nodes in the middle of vertical edges come before those of the upper face.
ELEMENTS = {
    1: Element("hexahedron", tuple(range(8))),
    2: Element("wedge", tuple(range(6))),
    3: Element("tetra", tuple(range(4))),
    4: Element("hexahedron20", (*range(12), 16, 17, 18, 19, 12, 13, 14, 15)),
    5: Element("wedge15", (*range(9), 12, 13, 14, 9, 10, 11)),
    6: Element("tetra10", tuple(range(10))),
    7: Element("triangle", tuple(range(3))),
    8: Element("triangle6", tuple(range(6))),
    9: Element("quad", tuple(range(4))),
    10: Element("quad8", tuple(range(8))),
    11: Element("line", (0, 1)),
    12: Element("line3", tuple(range(3))),
}
"""CalculiX's element types by number."""

SHORT, LONG, FLOAT, DOUBLE = range(4)
"""How a block is written: text with numbers of 5 or of 10 digits, or binary."""

MODES = {2: "frequency", 4: "buckling"}
"""Analyses whose results are shapes, and no states at a time, by the number in a result's head."""

END = b"\n -3"
REAL = re.compile(rb"[-+ ]?\d\.\d+E[-+]\d\d\d?|[-+ ]*(?:nan|inf)", re.IGNORECASE)
PER_LINE = 6


@dataclass(frozen=True)
class NodesBlock:
    """`start` is where its first line or record begins."""

    start: int
    count: int
    form: int


@dataclass(frozen=True)
class CellsBlock:
    start: int
    count: int
    form: int


@dataclass(frozen=True)
class ResultBlock:
    """One field at one time. components: labels such as SXX, of those that the file holds.
    analysis: see MODES."""

    start: int
    count: int
    form: int
    time: float
    step: int
    analysis: int
    name: str
    components: tuple[str, ...]


Block = NodesBlock | CellsBlock | ResultBlock


class FrdFile:
    """The bytes of a file, mapped: only what is asked for is read.

    whole: whether it ends as CalculiX ends it; else it is truncated or still being written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            size = file.seek(0, 2)
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        self.whole = False
        self.blocks = list(self._find())

    def numbers_and_values(self, block: Block, columns: int) -> tuple[np.ndarray, np.ndarray]:
        """(node numbers (n,), values (n, columns)) of nodes or of a result."""
        if block.form in (FLOAT, DOUBLE):
            real = "<f8" if block.form == DOUBLE else "<f4"
            record = np.dtype([("node", "<i4"), ("values", real, (columns,))])
            found = np.frombuffer(self.bytes, record, block.count, block.start)
            return found["node"].astype(np.int64), found["values"]
        width = 5 if block.form == SHORT else 10
        text = self._text(block)
        lines = -(-columns // PER_LINE)
        head, fields = 3 + width, [min(PER_LINE, columns - PER_LINE * k) for k in range(lines)]
        lengths = [head + 12 * n + 1 for n in fields]
        if len(text) == block.count * sum(lengths) and b"\r" not in text[: sum(lengths)]:
            return _columns(text, block.count, head, fields, lengths)
        return self._by_pattern(block, text, columns, head, lines)

    def cells(self, block: CellsBlock) -> Iterator[tuple[int, int, np.ndarray]]:
        """(number, type, nodes in the file's order) of each element."""
        if block.form in (FLOAT, DOUBLE):
            yield from self.binary_cells(block.start, block.count)
            return
        width = 5 if block.form == SHORT else 10
        number, kind, nodes = 0, 0, list[int]()
        for line in [*self._text(block).splitlines(), b" -1"]:
            if line.startswith(b" -1"):
                if nodes:
                    yield number, kind, np.array(nodes)
                number, kind, nodes = _number(line[3 : 3 + width] or b"0"), 0, []
                kind = _number(line[3 + width : 8 + width] or b"0")
            else:
                nodes += [_number(line[i : i + width]) for i in range(3, len(line.rstrip()), width)]

    def binary_cells(self, start: int, count: int) -> Iterator[tuple[int, int, np.ndarray]]:
        for _ in range(count):
            if start + 16 > len(self.bytes):
                raise PhysgtError("truncated among its elements; run or copy it again.")
            number, kind, _, _ = np.frombuffer(self.bytes, "<i4", 4, start).tolist()
            size = ELEMENTS[kind].size if kind in ELEMENTS else 0
            if not size or start + 16 + 4 * size > len(self.bytes):
                raise PhysgtError(f"element {number} is truncated or of the unknown type {kind}.")
            yield number, kind, np.frombuffer(self.bytes, "<i4", size, start + 16)
            start += 16 + 4 * size

    def _text(self, block: Block) -> bytes:
        """Its lines, without the one that ends it."""
        end = self.bytes.find(END, block.start - 1)
        if end < 0:
            raise PhysgtError(
                f"truncated in the block at byte {block.start}; run or copy it again."
            )
        return self.bytes[block.start : end + 1]

    def _by_pattern(
        self, block: Block, text: bytes, columns: int, head: int, lines: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Slower, for lines of another length: exponents of three digits take 13 places."""
        found = text.splitlines()
        if len(found) != block.count * lines:
            raise PhysgtError(
                f"the block at byte {block.start} has {len(found)} lines, "
                f"expected {block.count * lines}; it is damaged."
            )
        nodes = np.array([line[3:head] for line in found[::lines]]).astype(np.int64)
        values = [float(word) for line in found for word in REAL.findall(line[head:])]
        if len(values) != block.count * columns:
            raise PhysgtError(
                f"the block at byte {block.start} has {len(values)} numbers, "
                f"expected {block.count * columns}; it is damaged."
            )
        return nodes, np.array(values).reshape(block.count, columns)

    def _find(self) -> Iterator[Block]:
        place = 0
        while 0 <= place < len(self.bytes):
            line, after = self._line(place)
            key = line[:6].strip()
            if key in (b"2C", b"3C"):
                count, form = _number(line[24:36]), _number(line[73:75])
                kind = NodesBlock if key == b"2C" else CellsBlock
                yield kind(after, count, form)
                place = self._after(after, count, form, columns=3, cells=key == b"3C")
            elif key.startswith(b"100C"):
                try:
                    block = self._result(line, after)
                except PhysgtError:
                    if self.bytes.rfind(b" 9999") < place:
                        return  # The file ends within this head.
                    raise
                yield block
                place = self._after(block.start, block.count, block.form, len(block.components))
            elif key == b"9999":
                self.whole = True
                return
            else:
                place = after

    def _result(self, line: bytes, place: int) -> ResultBlock:
        name, components = b"", []
        while True:
            head, after = self._line(place)
            if head.startswith(b" -4"):
                name = head[5:13].strip()
            elif head.startswith(b" -5"):
                # A component with this mark is computed by who reads, such as a total length.
                if head[33:38].strip() != b"1":
                    components.append(head[5:13].strip().decode(errors="replace"))
            else:
                break
            place = after
        if not name or not components:
            raise PhysgtError(f"the result at byte {place} has no name or no components.")
        try:
            time = float(line[12:24])
        except ValueError as error:
            raise PhysgtError(f"'{line!r}' holds no time.") from error
        return ResultBlock(
            place, _number(line[24:36]), _number(line[73:75]), time, _number(line[58:63]),
            _number(line[56:58].strip() or b"0"), name.decode(errors="replace"), tuple(components),
        )  # fmt: skip

    def _line(self, place: int) -> tuple[bytes, int]:
        """(the line at `place`, where the next begins)."""
        end = self.bytes.find(b"\n", place)
        end = len(self.bytes) if end < 0 else end
        return self.bytes[place : min(end, place + 100)], end + 1

    def _after(self, start: int, count: int, form: int, columns: int, cells: bool = False) -> int:
        if form in (SHORT, LONG):
            end = self.bytes.find(END, start - 1)
            return end + 1 if end >= 0 else len(self.bytes)
        if form not in (FLOAT, DOUBLE):
            raise PhysgtError(f"the block at byte {start} has the unknown form {form}.")
        if not cells:
            return start + count * (4 + (8 if form == DOUBLE else 4) * columns)
        return start + 4 * sum(4 + len(nodes) for _, _, nodes in self.binary_cells(start, count))


def _columns(
    text: bytes, count: int, head: int, fields: list[int], lengths: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.frombuffer(text, np.uint8).reshape(count, sum(lengths))
    nodes = np.ascontiguousarray(rows[:, 3:head]).view(f"S{head - 3}")[:, 0]
    parts, begin = [], 0
    for number, length in zip(fields, lengths, strict=True):
        part = np.ascontiguousarray(rows[:, begin + head : begin + head + 12 * number])
        parts.append(part.view("S12"))
        begin += length
    try:
        return nodes.astype(np.int64), np.concatenate(parts, axis=1).astype(np.float64)
    except ValueError as error:
        raise PhysgtError(f"a number is damaged ({error}).") from error


def _number(word: bytes) -> int:
    try:
        return max(int(word), 0)
    except ValueError as error:
        raise PhysgtError(f"expected a whole number, found '{word!r}'.") from error
