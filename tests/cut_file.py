"""A file as a kill may leave it, and the tables that HDF5 keeps in it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar


class CutFile(io.FileIO):
    """Writes no further than to where a page ends, as systems may for a process that is killed."""

    after_write: ClassVar[Callable[[Path], None] | None] = None
    """Called with the path of the file."""

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        count = super().write(memoryview(data)[: 4096 - self.tell() % 4096])
        if CutFile.after_write is not None:
            CutFile.after_write(Path(str(self.name)))
        return count


def chunk_nodes(path: Path) -> list[tuple[int, int]]:
    """(place in the file, level) of all nodes of B-trees that find chunks."""
    data = path.read_bytes()
    return [(m.start(), data[m.start() + 5]) for m in re.finditer(rb"TREE\x01", data)]
