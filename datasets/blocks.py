"""The blocks of VTK's multi-block data sets, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyvista as pv

from physgt.datasets.parts import NamedParts
from physgt.datasets.snapshots import Snapshot
from physgt.datasets.vtk_files import TIME, snapshot_of_grid, vtk_errors
from physgt.datasets.vtk_xml import XML_SUFFIXES, check_components
from physgt.errors import PhysgtError

MULTIBLOCK = (".vtm", ".vtmb")


def read_blocks(path: Path) -> dict[str, Snapshot]:
    """The grids of a multi-block file of VTK, by name."""
    try:
        files = [entry.get("file") for entry in ElementTree.parse(path).iter("DataSet")]
    except ElementTree.ParseError as error:
        raise PhysgtError(f"{path}: truncated or damaged XML, {error}.") from error
    for file in files:
        # VTK would leave out what isn't there.
        if file and not (path.parent / file).is_file():
            raise PhysgtError(f"{path}: names {file}, which isn't there; copy it as well.")
        if file and Path(file).suffix.lower() in XML_SUFFIXES:
            check_components(path.parent / file)
    with vtk_errors(path):
        return named_snapshots(pv.get_reader(path).read())


def time_of_blocks(path: Path) -> float | None:
    """What the field data of the file itself says."""
    try:
        arrays = ElementTree.parse(path).findall("FieldData/DataArray")
    except ElementTree.ParseError as error:
        raise PhysgtError(f"{path}: truncated or damaged XML, {error}.") from error
    for array in arrays:
        if array.get("Name") == TIME and array.get("format") == "ascii":
            return float(array.text or "0")
    return None


class JoinParts:
    """Joins the parts of each time in the way that those of the time before lie, unless their sizes
    have changed."""

    def __init__(self) -> None:
        self._named: NamedParts | None = None
        self._sizes: dict[str, tuple[int, int]] = {}

    def __call__(self, found: Mapping[str, Snapshot]) -> Snapshot:
        sizes = {name: (s.mesh.num_points, s.mesh.num_cells) for name, s in found.items()}
        if self._named is None or sizes != self._sizes:
            self._named, self._sizes = NamedParts.of(found, {}), sizes
        return self._named.joined(found)


def named_snapshots(group: Any) -> dict[str, Snapshot]:
    """The grids with cells in any depth, each under a name of its own.

    A nameless block is called by its place; of two with one name the second is "NAME 2".
    """
    found: dict[str, Snapshot] = {}
    for name, grid in _grids(group, ""):
        number, own = 2, name
        while own in found:
            number, own = number + 1, f"{name} {number}"
        found[own] = snapshot_of_grid(grid)
    return found


def _grids(group: Any, name: str) -> Iterator[tuple[str, pv.DataSet]]:
    if isinstance(group, pv.MultiBlock | pv.PartitionedDataSet):
        for i, block in enumerate(group):
            given = group.get_block_name(i) if isinstance(group, pv.MultiBlock) else None
            own = str(given).strip() if given and not str(given).startswith("Block-") else ""
            yield from _grids(block, own or (f"{name} {i}".strip() if len(group) > 1 else name))
    elif group is not None and group.n_cells:
        yield name or "part", group
