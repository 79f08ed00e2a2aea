"""numpy's .npz files, with the sizes of their arrays looked at before they are unpacked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from physgt.errors import PhysgtError

MOST_TIMES_THE_FILE = 1100
"""deflate shrinks zeros to a 1030th at best."""


class NpzFile:
    """Arrays by name; each is read whole when it is first asked for, and stays."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[str, np.ndarray] = {}
        try:
            with zipfile.ZipFile(path) as archive:
                self._sizes = {
                    Path(item.filename).stem: item.file_size
                    for item in archive.infolist()
                    if item.filename.endswith(".npy")
                }
        except (OSError, zipfile.BadZipFile) as error:
            raise PhysgtError(f"{path}: not an npz file, or truncated ({error}).") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def get(self, name: str) -> np.ndarray | None:
        if name in self._sizes and name not in self._read:
            self._check_size(name)
            try:
                # Objects would be pickles, which may run what they like.
                with np.load(self.path, allow_pickle=False) as arrays:
                    self._read[name] = arrays[name]
            except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
                raise PhysgtError(f"{self.path}: array '{name}' is damaged ({error}).") from error
        return self._read.get(name)

    def _check_size(self, name: str) -> None:
        if self._sizes[name] > max(2**20, MOST_TIMES_THE_FILE * self.path.stat().st_size):
            raise PhysgtError(
                f"{self.path}: array '{name}' claims {self._sizes[name] / 2**30:.3g} GiB, more "
                "than the file can hold; it is damaged."
            )
