"""Memory that one tensor leaves is kept for the next.

The C library hands large blocks back to the system as they are freed, and the system clears every
page of the next one before its first use: up to a third of a step's time on large meshes. All
steps need the same memory, so it is kept, until the process ends or asks for `return_free_memory`.
"""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # mallopt's numbers of its parameters


def keep_free_memory() -> None:
    """Freed blocks of any size go to the next tensors. Only the GNU C library can be told."""
    if (libc := gnu_libc()) is not None:
        libc.mallopt(TRIM_THRESHOLD, -1)  # the end of the heap is never given back
        libc.mallopt(MMAP_MAX, 0)  # no block lies outside of the heap


def return_free_memory() -> None:
    """Give to the system what is free now."""
    if (libc := gnu_libc()) is not None:
        libc.malloc_trim(0)


def gnu_libc() -> ctypes.CDLL | None:
    """The GNU C library, where this process has it."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") else None
