"""Cells of type polyhedron, whose faces differ from cell to cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from physgt.errors import PhysgtError


@dataclass(frozen=True, eq=False)
class Polyhedra:
    """The faces of the polyhedra of a mesh of M cells; cells of other types have none here.

    connectivity  (K,)   int64, the nodes of all faces, end to end, in order around each face
    offsets       (F+1,) int64, face i has connectivity[offsets[i]:offsets[i+1]]
    cell_faces    (J,)   int64, the face numbers of all cells, end to end
    cell_offsets  (M+1,) int64, cell i has cell_faces[cell_offsets[i]:cell_offsets[i+1]]

    The face between two cells may be there once, named by both, or once for each. These are the
    four arrays of vtkUnstructuredGrid's polyhedra and of VTKHDF.
    """

    connectivity: np.ndarray
    offsets: np.ndarray
    cell_faces: np.ndarray
    cell_offsets: np.ndarray

    def __post_init__(self) -> None:
        for name in ("connectivity", "offsets", "cell_faces", "cell_offsets"):
            values = np.ascontiguousarray(getattr(self, name), dtype=np.int64)
            object.__setattr__(self, name, values)

    @property
    def num_faces(self) -> int:
        return len(self.offsets) - 1

    def check(self, is_polyhedron: np.ndarray, num_points: int) -> None:
        """Raises PhysgtError unless just the cells of is_polyhedron (M,) have whole faces."""
        _check_offsets("faces of polyhedra", self.offsets, len(self.connectivity), at_least=3)
        _check_offsets("polyhedra", self.cell_offsets, len(self.cell_faces), at_least=0)
        counts = np.diff(self.cell_offsets)
        if len(counts) != len(is_polyhedron):
            raise PhysgtError(
                f"faces are given for {len(counts)} cells, but the mesh has {len(is_polyhedron)}."
            )
        wrong = np.flatnonzero(np.where(is_polyhedron, counts < 4, counts > 0))
        if wrong.size:
            raise PhysgtError(
                f"cell {wrong[0]} has {counts[wrong[0]]} faces of its own; polyhedra have 4 or "
                "more, and other cells none."
            )
        for what, values, size in (
            ("faces", self.cell_faces, self.num_faces), ("nodes", self.connectivity, num_points),
        ):  # fmt: skip
            if values.min() < 0 or values.max() >= size:
                raise PhysgtError(
                    f"polyhedra name {what} {values.min()} to {values.max()}, "
                    f"but {what} are 0 to {size - 1}."
                )

    def edges(self) -> np.ndarray:
        """(2, K) the two ends of each side of each face."""
        following = np.arange(1, len(self.connectivity) + 1)
        following[self.offsets[1:] - 1] = self.offsets[:-1]
        return np.stack([self.connectivity, self.connectivity[following]])

    def faces(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Every face of every cell: nodes end to end, their offsets (J+1,) and cells (J,)."""
        sizes = np.diff(self.offsets)[self.cell_faces]
        return (
            self.connectivity[ragged_rows(self.offsets, self.cell_faces)],
            np.concatenate([[0], np.cumsum(sizes)]),
            np.repeat(np.arange(len(self.cell_offsets) - 1), np.diff(self.cell_offsets)),
        )

    @classmethod
    def none(cls, num_cells: int) -> Polyhedra:
        """Of cells of other types only."""
        return cls(np.empty(0), np.zeros(1), np.empty(0), np.zeros(num_cells + 1))

    @classmethod
    def joined(cls, parts: Sequence[Polyhedra]) -> Polyhedra:
        """The cells of part after part; all parts number the same nodes."""
        faces, entries, named = (
            np.cumsum([0, *sizes])
            for sizes in (
                [part.num_faces for part in parts],
                [len(part.connectivity) for part in parts],
                [len(part.cell_faces) for part in parts],
            )
        )
        return cls(
            np.concatenate([p.connectivity for p in parts]),
            np.concatenate([[0], *(p.offsets[1:] + entries[i] for i, p in enumerate(parts))]),
            np.concatenate([p.cell_faces + faces[i] for i, p in enumerate(parts)]),
            np.concatenate([[0], *(p.cell_offsets[1:] + named[i] for i, p in enumerate(parts))]),
        )

    def take_cells(self, cells: np.ndarray) -> Polyhedra:
        """Those of these cells, in this order; faces that no cell names any more are dropped."""
        named = self.cell_faces[ragged_rows(self.cell_offsets, cells)]
        faces, cell_faces = np.unique(named, return_inverse=True)
        return Polyhedra(
            self.connectivity[ragged_rows(self.offsets, faces)],
            np.concatenate([[0], np.cumsum(np.diff(self.offsets)[faces])]),
            cell_faces,
            np.concatenate([[0], np.cumsum(np.diff(self.cell_offsets)[cells])]),
        )

    def renumbered(self, new_number: np.ndarray) -> Polyhedra:
        """With new_number[i] in place of node i."""
        return replace(self, connectivity=new_number[self.connectivity])

    def equals(self, other: Polyhedra | None) -> bool:
        names = ("connectivity", "offsets", "cell_faces", "cell_offsets")
        return other is not None and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in names
        )


def ragged_rows(offsets: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Where the entries of these rows lie, end to end; row i is offsets[i]:offsets[i+1]."""
    starts, sizes = offsets[rows], np.diff(offsets)[rows]
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(sizes.sum())


def _check_offsets(what: str, offsets: np.ndarray, length: int, at_least: int) -> None:
    if offsets.ndim != 1 or not len(offsets) or offsets[0] != 0 or offsets[-1] != length:
        raise PhysgtError(f"the offsets of {what} must go from 0 to {length}.")
    if (np.diff(offsets) < at_least).any():
        raise PhysgtError(
            f"{what} have {at_least} entries or more, found {np.diff(offsets).min()}."
        )
