"""Lagrange cells, as FEniCSx writes them: up to the second order they are cells of other names."""

from __future__ import annotations

import numpy as np

from physgt.errors import PhysgtError

LAGRANGE = range(68, 75)
"""VTK's numbers: curve, triangle, quadrilateral, tetrahedron, hexahedron, wedge, pyramid."""

SAME_NODES: dict[tuple[int, int], int] = {
    (68, 2): 3, (68, 3): 21, (68, 4): 35, (69, 3): 5, (69, 6): 22, (69, 7): 34, (70, 4): 9,
    (70, 9): 28, (71, 4): 10, (71, 10): 24, (72, 8): 12, (72, 27): 29, (73, 6): 13, (73, 18): 32,
}  # fmt: skip
"""(Lagrange cell, number of nodes) -> the cell with the same nodes in the same order."""


def with_plain_names(cell_types: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(M,) VTK's numbers with those of Lagrange cells replaced; offsets (M+1,).

    Raises PhysgtError for a Lagrange cell of a higher order.
    """
    found = np.isin(cell_types, LAGRANGE)
    if not found.any():
        return cell_types
    plain, sizes = cell_types.copy(), np.diff(offsets)
    kinds = np.unique(np.stack([cell_types[found], sizes[found]]), axis=1).T
    for number, size in kinds.tolist():
        if (number, size) not in SAME_NODES:
            raise PhysgtError(
                f"Lagrange cells of type {number} with {size} nodes are of a higher order than "
                "physgt knows; write the results with cells of first or second order."
            )
        plain[(cell_types == number) & (sizes == size)] = SAME_NODES[number, size]
    return plain
