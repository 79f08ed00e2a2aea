"""Whether Gmsh's data sections can be read: meshio drops the numbers of nodes and elements in them.

Source: Gmsh reference manual, "MSH file format", $NodeData and $ElementData.
"""

from __future__ import annotations

import re
from pathlib import Path

from physgt.errors import PhysgtError

_SECTION = re.compile(rb"^\$(NodeData|ElementData)\s*?\n(.*?)^\$End\1", re.DOTALL | re.MULTILINE)


def check_data(path: Path) -> None:
    """Raise PhysgtError where a name comes twice, as at several times, or values in another order
    than 1, 2, 3, ... of nodes or elements."""
    data, names = path.read_bytes(), set[tuple[bytes, str]]()
    is_text = re.match(rb"\$MeshFormat\s+\S+\s+0\s", data) is not None
    for kind, body in _SECTION.findall(data):
        lines = body.splitlines()
        # Each kind of tag, texts, reals and whole numbers, comes after its count.
        place = 0
        for _ in range(3):
            place += 1 + int(lines[place])
        name = lines[1].decode(errors="replace").strip().strip('"')
        if (kind, name) in names:
            raise PhysgtError(
                f"field '{name}' is there more than once, as at several times; a mesh of Gmsh is "
                "read as one time. Export the times as VTU files."
            )
        names.add((kind, name))
        if not is_text:
            continue  # meshio looks at the numbers of binary data itself
        numbers = [int(line.split()[0]) for line in lines[place:] if line.strip()]
        if numbers != list(range(1, len(numbers) + 1)):
            raise PhysgtError(
                f"field '{name}' gives its values in another order than that of the numbers 1, 2, "
                "3, ..., or not for all; export the results as VTU."
            )
