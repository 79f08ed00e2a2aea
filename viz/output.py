"""Where a picture or film may be written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from physgt.errors import PhysgtError


def checked_path(path: Path | str, suffixes: Sequence[str]) -> Path:
    """Raises PhysgtError, before any work is done, for another suffix or a missing folder."""
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise PhysgtError(
            f"{path}: unknown suffix '{path.suffix}', expected one of {', '.join(suffixes)}."
        )
    if not path.parent.is_dir():
        raise PhysgtError(f"{path}: there is no folder '{path.parent}'; make it first.")
    return path
