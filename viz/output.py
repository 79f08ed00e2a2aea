"""Files that appear under their name when they are whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside `path`; what is there at the end replaces `path`."""
    # The suffix stays last: writers choose the format by it.
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
