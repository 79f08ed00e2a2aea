"""HDF5 files that stay open for reading, and may grow meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import ClassVar, TypeVar
from weakref import WeakSet

import h5py
import numpy as np

from physgt.errors import PhysgtError

Found = TypeVar("Found")
ATTEMPTS = 20
"""How often something that failed is read, at most, because someone writes."""
REPEATS = 3
"""How often something is read, at most, because someone wrote meanwhile."""
PAUSE = 0.005
LATELY = 0.1
"""Seconds between attempts, and seconds since the last write that make another attempt sensible:
a file's time of change is only as fine as the system's clock ticks."""


MOST_BYTES, MOST_TIMES_THE_FILE = 2**30, 64
"""Rows that fill more than both are a lie or a bomb: HDF5 would unpack zeros until memory ends."""


def take_rows(dataset: h5py.Dataset, start: int = 0, stop: int | None = None) -> np.ndarray:
    """dataset[start:stop]; raises PhysgtError where that is far more than the file can hold."""
    first, last, _ = slice(start, stop).indices(len(dataset))
    size = max(last - first, 0) * int(np.prod(dataset.shape[1:])) * dataset.dtype.itemsize
    if (
        size > MOST_BYTES
        and size > MOST_TIMES_THE_FILE * Path(dataset.file.filename).stat().st_size
    ):
        raise PhysgtError(
            f"'{dataset.name}' claims {size / 2**30:.3g} GiB, far more than the file can hold; "
            "it is damaged."
        )
    return dataset[start:stop]


class HDF5File:
    """A file open for reading, with data sets that stay open as well: finding one costs a read.

    HDF5 remembers what it has seen of a file's structure, shares that among all handles of a
    process, and does not look again. If another process writes, even old rows would then be
    missing. So `read` opens the file again when its size or time of change is another, and a handle
    that is opened closes those that saw the file as it was before.
    """

    _open_files: ClassVar[WeakSet[HDF5File]] = WeakSet()

    def __init__(self, path: Path, mode: str) -> None:
        self.path, self.mode = path, mode
        self._open()
        self._open_files.add(self)

    def read(self, take: Callable[[HDF5File], Found]) -> Found:
        """What `take` gets from this file, if possible in a moment in which no one writes."""
        for attempt in range(1, ATTEMPTS + 1):
            if self._outdated():
                self._close_everywhere()
            try:
                if not self.file:
                    self._open()
                found = take(self)
            except Exception:
                if attempt == ATTEMPTS or not (self._outdated() or self._written_lately()):
                    raise
                self._close_everywhere()
                time.sleep(PAUSE)
            else:
                if attempt >= REPEATS or not self._outdated():
                    return found
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        self.dataset.cache_clear()
        self.file.close()

    def _open(self) -> None:
        self._state = _state(self.path)
        for other in list(self._open_files):
            if other._state[:2] == self._state[:2] and other._state != self._state:
                other.close()
        try:
            self.file = h5py.File(self.path, self.mode)
        except OSError:
            # Someone writes to it at this moment and holds a lock.
            self.file = h5py.File(self.path, self.mode, locking=False)
        self.dataset = cache(self.file.__getitem__)

    def _outdated(self) -> bool:
        """Whether the file was written to since; one that another has replaced was not."""
        try:
            state = _state(self.path)
        except FileNotFoundError:
            return False
        return state != self._state and state[:2] == self._state[:2]

    def _written_lately(self) -> bool:
        return time.time() - self._state[3] * 1e-9 < LATELY

    def _close_everywhere(self) -> None:
        for other in list(self._open_files):
            if other._state[:2] == self._state[:2]:
                other.close()


def _state(path: Path) -> tuple[int, int, int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
