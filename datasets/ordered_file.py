"""A file for HDF5 to write to that can be opened whenever its writer is killed.

HDF5 keeps what it changes in memory until it is flushed. Then it writes values, then the tables
that find them from the start of the file on: a root before the new nodes it points to, and the
length of the file, which the first block tells, last. Killed between, it leaves a file that can't
be read ('addr overflow'). And a kill may cut one write in two: systems look for signals wherever a
page of the file ends.

Source: The HDF Group, "HDF5 File Format Specification", version 3: superblock (II.A) and the
version 1 B-trees that find chunks (III.A.1).
"""

from __future__ import annotations

import io
import os
import re
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import h5py

Block = tuple[int, bytes]
"""Where, and what."""

PAGE = 4096
"""Bytes from one place to the next at which a write may be cut; systems' pages are multiples."""

SUPERBLOCK = 48
"""Bytes of the first block, which tells the file's length."""


class ChunkNode(NamedTuple):
    """The head of a B-tree's node; level 0 points to chunks, others to nodes."""

    level: int
    num_entries: int


class OrderedFile(io.RawIOBase):
    """For ordered_hdf5 in place of a path. mode: "w+" for a new file, "r+" to go on with one.

    What lies beyond the end as of the last flush is written at once: nothing in the file points
    there yet. All else is held until the next flush. By then HDF5 has made the file as long as it
    must be. What was held is written page by page: the first block; nodes of B-trees, each before
    those it points to, so that what moves from one to a new one, which lies beyond the end, is
    never in none; then all else from the end of the file to its start. What lies within a page
    changes at once. So what says that the rest is valid has to lie there, before all else that
    changes.
    """

    def __init__(self, path: Path, mode: str) -> None:
        self._file = io.FileIO(path, mode)
        self._end = self._file.seek(0, os.SEEK_END)
        self._held: list[Block] = []
        self._place = 0
        self.failure: OSError | None = None
        """What made a write fail, such as a full disk. HDF5 crashes where it hears of it, so the
        owner has to ask; nothing is written from then on."""
        self.shrinks = False
        """Whether what is valid gets less: then what says so is written first, not last."""

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
        blocks = [part for block in _merged(self._held) for part in _divided(*block)]
        for block in sorted(blocks, key=self._rank):
            for place, data in self._pages(*block):
                self._write_now(place, memoryview(data))
        self._held.clear()
        self._end = self._file.seek(0, os.SEEK_END)

    def _rank(self, block: Block) -> tuple[int, int]:
        """What is written before what, see above."""
        place, data = block
        node = _chunk_node(data)
        if place == 0:
            return (0, 0)
        if node is None:
            return (0, place) if self.shrinks else (2, -place)
        return (1, -node.level)

    def _pages(self, place: int, data: bytes) -> list[Block]:
        """A block cut where pages end, in an order of which each beginning leaves it valid.

        A node's head says how many of its entries count. So that they are always there, the head,
        which is first, comes last where their number grows, and first where it falls.
        """
        cuts = [place, *range(place - place % PAGE + PAGE, place + len(data), PAGE)]
        pages = [(a, data[a - place : b - place]) for a, b in pairwise([*cuts, place + len(data)])]
        new = _chunk_node(data)
        old = None if new is None else self._node_at(place)
        falls = new is not None and old is not None and new.num_entries < old.num_entries
        return pages if falls else pages[::-1]

    def _node_at(self, place: int) -> ChunkNode | None:
        """The node that the file has there by now."""
        self._file.seek(place)
        return _chunk_node(self._file.read(8))

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


def ordered_hdf5(file: OrderedFile, mode: str) -> h5py.File:
    """HDF5 1.8's layout, as later ones mark a file that was not closed as broken. The nodes of its
    B-trees, the only metadata of 2 KiB, begin where their first entries are not cut: a root that is
    divided gets these anew, and can't change in two steps. New metadata goes to the file's end:
    HDF5 keeps no room for it, and what was freed it forgets when it closes the file.
    """
    return h5py.File(
        file,
        mode,
        libver=("v108", "v108"),
        alignment_threshold=2048,
        alignment_interval=256,
        meta_block_size=0,
    )


def within_a_page(create: Callable[[], h5py.Dataset]) -> h5py.Dataset:
    """A data set whose header, which tells its length and ends in a checksum, changes at once.

    create: makes a data set that no group has yet, with all its attributes.
    """
    crossing = []
    while True:
        dataset = create()
        header = h5py.h5o.get_info(dataset.id)
        if header.addr // PAGE == (header.addr + header.hdr.space.total - 1) // PAGE:
            return dataset
        # While it is open, none takes its place; that of one no group has is free again then.
        crossing.append(dataset)


def _chunk_node(data: bytes) -> ChunkNode | None:
    """What begins with the head of a node of chunks (type 1), or none."""
    if not data.startswith(b"TREE\x01") or len(data) < 8:
        return None
    return ChunkNode(*struct.unpack_from("<BH", data, 5))


def _merged(blocks: list[Block]) -> list[Block]:
    """What writing block after block leaves, as blocks that don't touch each other."""
    merged: list[tuple[int, bytearray]] = []
    for first, last in sorted((place, place + len(data)) for place, data in blocks):
        if not merged or first > merged[-1][0] + len(merged[-1][1]):
            merged.append((first, bytearray()))
        start, room = merged[-1]
        room.extend(bytes(max(0, last - start - len(room))))
    for place, data in blocks:
        start, room = next((s, r) for s, r in merged if s <= place < s + len(r))
        room[place - start : place - start + len(data)] = data
    return [(start, bytes(room)) for start, room in merged]


def _divided(place: int, data: bytes) -> Iterator[Block]:
    """A block cut behind the first block of the file and before each node of chunks."""
    cuts = {0, len(data), *(found.start() for found in re.finditer(rb"TREE\x01", data))}
    if place == 0:
        cuts.add(min(SUPERBLOCK, len(data)))
    for a, b in pairwise(sorted(cuts)):
        yield place + a, data[a:b]
