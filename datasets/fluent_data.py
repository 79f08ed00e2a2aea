"""Fluent's older data files (.dat), text or binary: values of cells, section by section.

Source: Ansys Fluent User's Guide, appendix "Case and Data File Formats", section "Data Field".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from physgt.errors import PhysgtError

NAMES = {
    1: "PRESSURE", 2: "MOMENTUM", 3: "TEMPERATURE", 4: "ENTHALPY", 5: "TKE", 6: "TED",
}  # fmt: skip
"""Of variables, as VTK has them; others are called by their number."""

_SECTION = re.compile(rb"\(\s*([23])?300\s*\(([\d\s]+)\)\s*\(")


def read_fluent_data(file: Path, zones: set[int], num_cells: int) -> dict[str, np.ndarray]:
    """Fields (M[, C]) of cells by name; those that some cells lack are left out.

    zones: the numbers of the zones of cells; sections of others hold values of faces.
    Raises PhysgtError for a section with fewer or more values than its head says.
    """
    data = file.read_bytes()
    found: dict[str, list[tuple[int, np.ndarray]]] = {}
    for section in _SECTION.finditer(data):
        words = [int(word) for word in section[2].split()]
        if len(words) != 7:
            raise PhysgtError(f"{file}: a section's head has {len(words)} numbers, expected 7.")
        variable, zone, size, _, _, first, last = words
        count = size * (last - first + 1)
        values = _values(file, data, section, count)
        if zone in zones:
            if not 1 <= first <= last <= num_cells:
                raise PhysgtError(f"{file}: values of cells {first} to {last} of {num_cells}.")
            rows = values.reshape(-1, size) if size > 1 else values
            name = NAMES.get(variable, f"variable {variable}")
            found.setdefault(name, []).append((first, rows))
    if not data.rstrip().endswith(b")"):
        raise PhysgtError(f"{file}: ends within a section; truncated.")
    return {
        name: np.concatenate([rows for _, rows in sorted(parts, key=lambda part: part[0])])
        for name, parts in found.items()
        if sum(len(rows) for _, rows in parts) == num_cells
    }


def _values(file: Path, data: bytes, section: re.Match[bytes], count: int) -> np.ndarray:
    start = section.end()
    if section[1] is not None:
        kind = np.dtype("<f4" if section[1] == b"2" else "<f8")
        there = min(max(count, 0), (len(data) - start) // kind.itemsize)
        values = np.frombuffer(data, kind, there, start).astype(np.float64)
    else:
        words = data[start : data.find(b")", start)].split()
        try:
            values = np.array([float(word) for word in words])
        except ValueError as error:
            raise PhysgtError(f"{file}: holds what is no number ({error}).") from error
    if len(values) != count:
        raise PhysgtError(
            f"{file}: a section promises {count} values and holds {len(values)}; truncated or "
            "damaged."
        )
    return values
