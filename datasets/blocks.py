"""The blocks of VTK's multi-block data sets, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyvista as pv

from physgt.datasets.snapshots import Snapshot
from physgt.datasets.vtk_files import snapshot_of_grid


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
