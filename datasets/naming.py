"""Errors that say which file they are about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from physgt.errors import PhysgtError


@contextmanager
def errors_name(path: Path) -> Iterator[None]:
    """Put the path in front of the message of a PhysgtError raised within, unless it is there."""
    try:
        yield
    except PhysgtError as error:
        if str(error).startswith(str(path)):
            raise
        raise PhysgtError(f"{path}: {error}") from error
