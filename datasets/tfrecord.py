"""TFRecord files of tf.train.Example messages, read without TensorFlow.

Sources: TensorFlow, "TFRecord and tf.train.Example" (the framing and its masked CRC-32C);
"Protocol Buffers: Encoding" (the wire format). google-crc32c computes the checksums natively.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from physgt.errors import PhysgtError

LENGTH, CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types: how the value of a field of a message is written."""


class RecordFile:
    """The records of a file by number; the file is mapped, so that what isn't used isn't read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            size = file.seek(0, 2)
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        self._places = list(self._find())
        if not self._places:
            raise PhysgtError(f"{path}: holds no records; download or write it again.")

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> memoryview:
        """The bytes of a record; raises PhysgtError where its checksum is another."""
        start, stop = self._places[number]
        record = memoryview(self._bytes)[start:stop]
        self._check(number, record, stop)
        return record

    def _find(self) -> Iterator[tuple[int, int]]:
        place, number = 0, 0
        while place < len(self._bytes):
            start = place + LENGTH.size + CHECKSUM.size
            if start <= len(self._bytes):
                self._check(number, self._bytes[place : place + LENGTH.size], place + LENGTH.size)
                stop = start + LENGTH.unpack_from(self._bytes, place)[0]
            if start > len(self._bytes) or stop + CHECKSUM.size > len(self._bytes):
                raise PhysgtError(
                    f"{self.path}: truncated in record {number}; download or write it again."
                )
            yield start, stop
            place, number = stop + CHECKSUM.size, number + 1

    def _check(self, number: int, content: bytes | memoryview, place: int) -> None:
        crc = google_crc32c.value(bytes(content))
        masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
        if masked != CHECKSUM.unpack_from(self._bytes, place)[0]:
            raise PhysgtError(
                f"{self.path}: record {number} is damaged, or this is no TFRecord file (its "
                "checksum is another); download or write it again."
            )


def example_features(record: memoryview) -> dict[str, memoryview]:
    """The bytes of each feature of a tf.train.Example that holds one string of bytes.

    Raises PhysgtError for what is no such message.
    """
    # Example.features = 1, Features.feature = 1: a map, whose entries have key = 1 and value = 2;
    # Feature.bytes_list = 1, BytesList.value = 1.
    found = {}
    for features in _all(record, 1):
        for entry in _all(features, 1):
            name, feature = next(_all(entry, 1), None), next(_all(entry, 2), memoryview(b""))
            values = [value for listed in _all(feature, 1) for value in _all(listed, 1)]
            if name is not None and len(values) == 1:
                found[bytes(name).decode(errors="replace")] = values[0]
    return found


def _all(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """The contents of the fields of that number that are written as bytes."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == BYTES:
            length, place = _varint(message, place)
            if place + length > len(message):
                raise PhysgtError("a record is no tf.train.Example.")
            if number == wanted:
                yield message[place : place + length]
            place += length
        elif wire_type == VARINT:
            _, place = _varint(message, place)
        elif wire_type in (FIXED64, FIXED32):
            place += 8 if wire_type == FIXED64 else 4
        else:
            raise PhysgtError("a record is no tf.train.Example.")


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """(the number at `place`, where it ends): seven bits a byte, the lowest first."""
    number = 0
    for shift, byte in enumerate(message[place : place + 10]):
        number |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return number, place + shift + 1
    raise PhysgtError("a record is no tf.train.Example.")
