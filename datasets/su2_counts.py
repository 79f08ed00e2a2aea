"""What an SU2 mesh says of itself: the names of its markers, and how many elements it has.

meshio takes the elements that are there, however many were promised.
Source: SU2 documentation, "Mesh File", https://su2code.github.io/docs_v7/Mesh-File/
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TextIO

from physgt.errors import PhysgtError


def read_markers(path: Path) -> dict[int, str]:
    """The names of markers by the numbers that meshio gives them: their own, or the last plus one.

    Raises PhysgtError where a part is missing or holds fewer elements than it promises.
    """
    names: dict[int, str] = {}
    number, promised, filled, line = 0, None, 0, ""
    with path.open(errors="replace") as file:
        for line in file:
            keyword, _, value = (part.strip() for part in line.partition("="))
            if keyword in ("NELEM", "MARKER_ELEMS"):
                filled += keyword == "MARKER_ELEMS"
                line = _last_element(file, path, keyword, value) or line
            elif keyword == "NMARK":
                promised = _count(path, keyword, value)
            elif keyword == "MARKER_TAG":
                number = int(value) if value.lstrip("-").isdigit() else number + 1
                names[number] = value
    if promised is None:
        raise PhysgtError(f"{path}: no line NMARK= with the number of markers; truncated.")
    if filled < promised:
        raise PhysgtError(
            f"{path}: NMARK promises {promised} markers, but {filled} have elements; truncated."
        )
    if not line[-1:].isspace():
        raise PhysgtError(
            f"{path}: no line break ends the last line, so its last number may be cut; "
            "if the file is whole, add one."
        )
    return names


def _count(path: Path, keyword: str, value: str) -> int:
    if not value.isdecimal() or len(value) > 18:
        raise PhysgtError(f"{path}: {keyword}= {value[:20]!r}, expected a number; damaged.")
    return int(value)


def _last_element(file: TextIO, path: Path, keyword: str, value: str) -> str:
    """The last of the lines that the keyword promises, passing all of them."""
    count = _count(path, keyword, value)
    found, line = 0, ""
    for line in islice(file, count):
        if not line.strip() or "=" in line:
            break
        found += 1
    if found < count:
        raise PhysgtError(
            f"{path}: {keyword} promises {count} elements, but {found} follow; "
            "truncated or damaged."
        )
    return line
