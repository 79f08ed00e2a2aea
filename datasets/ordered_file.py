"""A file for HDF5 to write to that can be opened whenever its writer is killed.

HDF5 keeps what it changes in memory until it is flushed. Then it writes values, then the tables
that find them from the start of the file on: a root before the new nodes it points to, and the
length of the file, which the first block tells, last. Killed between, it leaves a file that can't
be read ('addr overflow').
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

Block = tuple[int, bytes]
"""Where, and what."""


class OrderedFile(io.RawIOBase):
    """For h5py.File in place of a path. mode: "w+" for a new file, "r+" to go on with one.

    What lies beyond the end as of the last flush is written at once: nothing in the file points
    there yet. All else is held until the next flush. By then HDF5 has made the file as long as it
    must be; what was held is written in HDF5's order, but for the first block, which is the first.
    Blocks that continue one another are one write.
    """

    def __init__(self, path: Path, mode: str) -> None:
        self._file = io.FileIO(path, mode)
        self._end = self._file.seek(0, os.SEEK_END)
        self._held: list[Block] = []
        self._place = 0
        self.failure: OSError | None = None
        """What made a write fail, such as a full disk. HDF5 crashes where it hears of it, so the
        owner has to ask; nothing is written from then on."""

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset if whence == os.SEEK_SET else self._file.seek(offset, whence)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer).cast("B")
        self._file.seek(self._place)
        count = 0
        while count < len(view) and (more := self._file.readinto(view[count:])):
            count += more
        for place, data in self._held:
            first, last = max(place, self._place), min(place + len(data), self._place + len(view))
            if first < last:
                view[first - self._place : last - self._place] = data[first - place : last - place]
        self._place += len(view)
        return len(view)

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        view = memoryview(data).cast("B")
        before_end = max(0, min(len(view), self._end - self._place))
        if before_end:
            self._held.append((self._place, bytes(view[:before_end])))
        self._write_now(self._place + before_end, view[before_end:])
        self._place += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Longer at once, shorter when nothing is held: the first block may tell the old length."""
        length = self._place if size is None else size
        if length < self._file.seek(0, os.SEEK_END):
            self._write_held()
        self._attempt(lambda: self._file.truncate(length))
        return length

    def flush(self) -> None:
        if not self.closed:
            self._write_held()

    def close(self) -> None:
        super().close()
        self._file.close()

    def _write_held(self) -> None:
        first_block_first = sorted(self._held, key=lambda block: block[0] > 0)
        for place, data in _joined(first_block_first):
            self._write_now(place, memoryview(data))
        self._held.clear()
        self._end = self._file.seek(0, os.SEEK_END)

    def _write_now(self, place: int, view: memoryview) -> None:
        def write() -> None:
            self._file.seek(place)
            done = 0
            while done < len(view):
                done += self._file.write(view[done:])

        self._attempt(write)

    def _attempt(self, change: Callable[[], object]) -> None:
        if self.failure is None:
            try:
                change()
            except OSError as error:
                self.failure = error


def _joined(blocks: Iterable[Block]) -> list[tuple[int, bytearray]]:
    """Blocks that continue the one before as one with it."""
    joined: list[tuple[int, bytearray]] = []
    for place, data in blocks:
        if joined and place == joined[-1][0] + len(joined[-1][1]):
            joined[-1][1].extend(data)
        else:
            joined.append((place, bytearray(data)))
    return joined
