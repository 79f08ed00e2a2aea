"""Counts in VTK's XML files that VTK would believe, and never come to an end with."""

from __future__ import annotations

import re
from pathlib import Path

from physgt.errors import PhysgtError

XML_SUFFIXES = (".vtu", ".vtp", ".vts", ".vtr", ".vti", ".pvtu", ".pvtp")

MOST_COMPONENTS = 100_000

_COMPONENTS = re.compile(rb"NumberOfComponents\s*=\s*[\"']([^\"']*)")

_PIECE = 2**24


def check_components(path: Path) -> None:
    """Raise PhysgtError where an array promises more components than an array can have."""
    before = b""
    with path.open("rb") as file:
        while data := file.read(_PIECE):
            # The end of the piece before may hold the begin of a count.
            for found in _COMPONENTS.findall(before + data):
                if len(found) > 20 or (found.isdigit() and int(found) > MOST_COMPONENTS):
                    raise PhysgtError(
                        f"{path}: NumberOfComponents='{found[:20].decode(errors='replace')}', "
                        f"expected {MOST_COMPONENTS} at most; damaged."
                    )
            before = data[-64:]
