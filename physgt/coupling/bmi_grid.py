"""Variables of the Basic Model Interface and the grids that they lie on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from physgt.coupling.topology import Topology
from physgt.formulas import AXES
from physgt.mesh import Mesh
from physgt.task import Field


@dataclass(frozen=True)
class Variable:
    """One component of a field: BMI has one value at each element of a grid."""

    field: Field
    column: int
    grid: int


@dataclass(frozen=True, eq=False)
class Grid:
    """The nodes `ids` of a mesh: a set, or all with their edges and faces; or one value.

    kind   "unstructured" or "scalar"
    """

    kind: str
    mesh: Mesh
    ids: np.ndarray

    @property
    def rank(self) -> int:
        return 0 if self.kind == "scalar" else self.mesh.dimension

    @cached_property
    def topology(self) -> Topology:
        if self.kind == "scalar" or len(self.ids) < self.mesh.num_points:
            nothing = np.empty(0, dtype=int)
            return Topology(np.empty((0, 2), dtype=int), nothing, nothing, nothing)
        return Topology.of(self.mesh)

    def coordinate(self, axis: int, dest: np.ndarray) -> np.ndarray:
        if axis >= self.rank:
            raise NotImplementedError(f"a grid of rank {self.rank} has no {AXES[axis]}")
        dest[:] = self.mesh.points[self.ids, axis]
        return dest

    def lacks(self, what: str) -> NotImplementedError:
        """What BMI's structured grids have."""
        return NotImplementedError(f"a grid of type {self.kind} has no {what}")
