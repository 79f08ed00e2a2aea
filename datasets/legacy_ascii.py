"""Whether a legacy VTK file in ASCII is whole: VTK takes what is missing at its end for numbers.

Source: "VTK File Formats", section "Simple Legacy Formats".
"""

from __future__ import annotations

import re
from pathlib import Path

from physgt.errors import PhysgtError

TYPES = r"(?:unsigned_)?(?:char|short|int|long|vtktypeint64|float|double|vtkIdType)"
HEAD = re.compile(
    rf"""^(?:
        (?:VECTORS|NORMALS)\s+\S+\s+{TYPES}(?P<three>)
        | TENSORS\s+\S+\s+{TYPES}(?P<nine>)
        | SCALARS\s+\S+\s+{TYPES}(?:\s+(?P<components>\d))?\s*\n\s*LOOKUP_TABLE\s+\S+
        | (?P<name>\S+)\s+(?P<columns>\d+)\s+(?P<rows>\d+)\s+{TYPES}
    )\s*?$""",
    re.MULTILINE | re.VERBOSE,
)
SIZE = re.compile(r"^(?:POINT|CELL)_DATA\s+(\d+)", re.MULTILINE)

BLANK_BEHIND = re.compile(r"^[-+\d.eE]+(?: [-+\d.eE]+)* $", re.MULTILINE)
"""A row of numbers as VTK writes it."""


def check_ascii_end(path: Path) -> None:
    """Raise PhysgtError where the last array has fewer numbers than its head says, or the file ends
    within a number.

    VTK's writer sets a blank behind every number. A file of another program that does without may
    be cut within its last number and still be read.
    """
    with path.open("rb") as file:
        if [file.readline() for _ in range(3)][2].strip().upper() != b"ASCII":
            return
        text = file.read().decode(errors="replace")
    _check_count(path, text)
    if BLANK_BEHIND.search(text) and not text[-1].isspace():
        raise PhysgtError(
            f"{path}: truncated; it ends within the number '{text.split()[-1]}'. "
            "Copy or write it again."
        )


def _check_count(path: Path, text: str) -> None:
    heads, sizes = list(HEAD.finditer(text)), SIZE.findall(text)
    if not heads or not sizes:
        return
    last = heads[-1]
    if last["name"] is not None:
        expected = int(last["columns"]) * int(last["rows"])
    else:
        components = 3 if last["three"] is not None else 9 if last["nine"] is not None else 1
        expected = int(sizes[-1]) * int(last["components"] or components)
    found = len(text[last.end() :].partition("METADATA")[0].split())
    if found < expected:
        raise PhysgtError(
            f"{path}: truncated; its last array has {found} of {expected} numbers. "
            "Copy or write it again."
        )
