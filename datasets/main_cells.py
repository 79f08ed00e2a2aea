"""Volume meshes that carry the cells of their boundary: which cells are the mesh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from physgt.cells import CELL_TYPES
from physgt.mesh import Mesh

_DIMENSIONS = np.zeros(256, dtype=np.int64)
_DIMENSIONS[list(CELL_TYPES)] = [cell.dimension for cell in CELL_TYPES.values()]


def keep_main_cells(
    mesh: Mesh, cell_data: Mapping[str, np.ndarray]
) -> tuple[Mesh, dict[str, np.ndarray]]:
    """The mesh of the cells of highest dimension, and their data.

    Cells of lower dimension (the triangles on a mesh of tetrahedra) only mark its boundary. They
    become node sets: each under the name of its cell set, those in no cell set under the name of
    their cell type. All points stay.
    """
    dimensions = _DIMENSIONS[mesh.cell_types]
    main = dimensions == dimensions.max()
    if main.all():
        return mesh, dict(cell_data)
    node_sets, lower_only = dict(mesh.node_sets), set()
    unnamed = ~main
    for name, cells in mesh.cell_sets.items():
        lower = cells[~main[cells]]
        unnamed[lower] = False
        if lower.size:
            node_sets.setdefault(name, _nodes_of_cells(mesh, lower))
        if 0 < lower.size == cells.size:
            lower_only.add(name)
    for number in np.unique(mesh.cell_types[unnamed]):
        cells = np.flatnonzero(unnamed & (mesh.cell_types == number))
        node_sets.setdefault(CELL_TYPES[int(number)].name, _nodes_of_cells(mesh, cells))
    kept = mesh.take_cells(np.flatnonzero(main))
    cell_sets = {name: ids for name, ids in kept.cell_sets.items() if name not in lower_only}
    kept = replace(kept, node_sets=node_sets, cell_sets=cell_sets)
    return kept, {name: values[main] for name, values in cell_data.items()}


def _nodes_of_cells(mesh: Mesh, cells: np.ndarray) -> np.ndarray:
    chosen = np.zeros(mesh.num_cells, dtype=bool)
    chosen[cells] = True
    return np.unique(mesh.connectivity[np.repeat(chosen, np.diff(mesh.offsets))])
