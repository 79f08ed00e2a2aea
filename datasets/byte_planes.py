"""Compression of a frame that costs little: as HDF5's filters shuffle and gzip read it.

Of numbers of a simulation the sign, the exponent and the first digits repeat; the last digits are
noise, on which deflate spends most of its time for nothing. So the bytes of one significance, which
shuffle puts side by side, are packed only where they repeat, and copied where they don't.

Source: RFC 1950 and 1951; a stream of deflate is a row of blocks, each packed or copied.
"""

from __future__ import annotations

import zlib

import numpy as np

LARGE = 2**16
"""Bytes of a frame from which this pays: each plane costs a start of zlib."""

RUNS, LENGTH = 8, 1024
"""So many runs of so many bytes of a plane are packed to see whether the plane repeats."""

WORTH = 0.9
"""A plane is copied where the runs don't get smaller than this share."""

HEAD = b"\x78\x01"
"""Of a zlib stream: a window of 32 KiB, the fastest level."""


def packed(rows: np.ndarray) -> bytes:
    """What shuffle and gzip make of `rows`, in about a fifth of their time."""
    each = np.ascontiguousarray(rows).view(np.uint8).reshape(-1, rows.dtype.itemsize)
    planes = np.ascontiguousarray(each.T)
    blocks = [HEAD]
    for number, plane in enumerate(planes):
        last = number == len(planes) - 1
        level = 1 if _repeats(plane) else 0
        deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
        blocks.append(deflate.compress(plane))
        blocks.append(deflate.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH))
    blocks.append(zlib.adler32(planes.data).to_bytes(4, "big"))
    return b"".join(blocks)


def _repeats(plane: np.ndarray) -> bool:
    runs = plane[: len(plane) // RUNS * RUNS].reshape(RUNS, -1)[:, :LENGTH]
    return len(zlib.compress(runs.tobytes(), 1)) < WORTH * runs.size
