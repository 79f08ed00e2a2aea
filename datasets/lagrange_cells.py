"""What the cells of any order in other programs' files become: of first and second order, cells of
other names.

FEniCSx, deal.II and others write Lagrange cells whatever the order.
"""

from __future__ import annotations

import numpy as np

from physgt.cells import CELL_TYPES
from physgt.errors import PhysgtError

SAME_NODES: dict[tuple[int, int], int] = {
    (68, 2): 3, (68, 3): 21, (68, 4): 35, (69, 3): 5, (69, 6): 22, (69, 7): 34, (70, 4): 9,
    (70, 9): 28, (71, 4): 10, (71, 10): 24, (72, 8): 12, (72, 27): 29, (73, 6): 13, (73, 18): 32,
}  # fmt: skip
"""(Lagrange cell, number of nodes) -> the cell with the same nodes in the same order."""

WITH_AXES = (70, 72, 73, 77, 79, 80)
"""Cells whose order may differ from axis to axis."""

PYRAMIDS = (74, 81)
"""Numbers without a cell: VTK has no pyramids of any order."""

DEGREES = "HigherOrderDegrees"
"""Cell data (M, 3): the order of each cell along its axes, as VTK calls it."""


def with_plain_names(
    cell_types: np.ndarray, offsets: np.ndarray, degrees: np.ndarray | None
) -> np.ndarray:
    """(M,) VTK's numbers with those of Lagrange cells replaced where they have another name.

    offsets (M+1,); degrees: the cell data DEGREES, if there are any. Raises PhysgtError for cells
    of which VTK doesn't say, or not by their number of nodes, how their nodes lie.
    """
    pyramids = np.flatnonzero(np.isin(cell_types, PYRAMIDS))
    if pyramids.size:
        raise PhysgtError(
            f"cell {pyramids[0]} is a pyramid of any order (VTK's number "
            f"{cell_types[pyramids[0]]}), which VTK itself doesn't have; write pyramids of first "
            "or second order (14, 27 or 37)."
        )
    if degrees is not None and degrees.shape == (len(cell_types), 3):
        _check_degrees(cell_types, degrees)
    plain, sizes = cell_types.copy(), np.diff(offsets)
    for (number, size), name in SAME_NODES.items():
        plain[(cell_types == number) & (sizes == size)] = name
    return plain


def _check_degrees(cell_types: np.ndarray, degrees: np.ndarray) -> None:
    for number in np.intersect1d(cell_types, WITH_AXES).tolist():
        along = degrees[cell_types == number, : CELL_TYPES[number].dimension]
        differ = (along != along[:, :1]).any(axis=1)
        if differ.any():
            raise PhysgtError(
                f"a {CELL_TYPES[number].name} is of order {along[differ][0].tolist()} along its "
                f"axes ({DEGREES}); physgt knows cells of one order along all axes. Write the "
                "results with the highest of them."
            )
