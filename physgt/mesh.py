"""Meshes of any VTK cell type, and the edges between their nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from physgt.cells import CELL_TYPES, POLYHEDRON, VTK_NUMBERS, edges_of_cells
from physgt.errors import PhysgtError
from physgt.polyhedra import Polyhedra, ragged_rows


class NodeType(IntEnum):
    """What a node is, in the numbers of the public MeshGraphNets data sets."""

    NORMAL = 0
    OBSTACLE = 1
    AIRFOIL = 2
    HANDLE = 3
    INFLOW = 4
    OUTFLOW = 5
    WALL_BOUNDARY = 6


NUM_NODE_TYPES = 9
"""Width of a one-hot node type: DeepMind's choice, with room for types of a user's own."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Points and cells; never changes along a trajectory.

    points        (N, D) float64, D = 1, 2 or 3; a planar mesh has D = 2
    connectivity  (K,)   int64, node numbers of all cells, end to end
    offsets       (M+1,) int64, cell i has connectivity[offsets[i]:offsets[i+1]]
    cell_types    (M,)   uint8, VTK's numbers
    node_type     (N,)   int32, see NodeType
    node_sets, cell_sets: name -> int64 node or cell numbers
    polyhedra     the faces of cells of type polyhedron, None where there are none; connectivity
                  has each node of such a cell once

    Raises PhysgtError for an empty mesh, an unknown cell type, a cell with the wrong number of
    nodes, a node number out of range, and points that aren't finite.
    """

    points: np.ndarray
    connectivity: np.ndarray
    offsets: np.ndarray
    cell_types: np.ndarray
    node_type: np.ndarray
    node_sets: Mapping[str, np.ndarray] = field(default_factory=dict)
    cell_sets: Mapping[str, np.ndarray] = field(default_factory=dict)
    polyhedra: Polyhedra | None = None

    def __post_init__(self) -> None:
        for name, dtype in (
            ("points", np.float64), ("connectivity", np.int64), ("offsets", np.int64),
            ("cell_types", np.uint8), ("node_type", np.int32),
        ):  # fmt: skip
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype=dtype))
        for kind in ("node", "cell"):
            given = getattr(self, f"{kind}_sets")
            ids = {name: _numbers_of_set(kind, name, numbers) for name, numbers in given.items()}
            object.__setattr__(self, f"{kind}_sets", ids)
        _check_points(self)
        _check_cells(self)
        _check_polyhedra(self)
        _check_sets(self)

    @classmethod
    def from_blocks(
        cls,
        points: np.ndarray,
        blocks: Sequence[tuple[str, np.ndarray]],
        *,
        node_type: np.ndarray | None = None,
        node_sets: Mapping[str, np.ndarray] | None = None,
        cell_sets: Mapping[str, np.ndarray] | None = None,
    ) -> Mesh:
        """A mesh from blocks of equal cells, as meshio holds them: ("triangle", (m, 3) nodes)."""
        arrays = [np.asarray(nodes, dtype=np.int64) for _, nodes in blocks]
        counts = [len(nodes) for nodes in arrays]
        sizes = np.repeat([nodes.shape[1] for nodes in arrays], counts)
        return cls(
            points=points,
            connectivity=np.concatenate([np.empty(0, int), *(a.ravel() for a in arrays)]),
            offsets=np.concatenate([[0], np.cumsum(sizes)]),
            cell_types=np.repeat([_vtk_number(name) for name, _ in blocks], counts),
            node_type=np.zeros(len(points)) if node_type is None else node_type,
            node_sets=node_sets or {},
            cell_sets=cell_sets or {},
        )

    @property
    def num_points(self) -> int:
        return len(self.points)

    @property
    def num_cells(self) -> int:
        return len(self.cell_types)

    @property
    def dimension(self) -> int:
        """Number of coordinates of a point."""
        return int(self.points.shape[1])

    def blocks(self) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Cells of one type and size together: (VTK number, cell numbers (m,), nodes (m, k))."""
        sizes = np.diff(self.offsets)
        found = []
        for number, size in np.unique(np.stack([self.cell_types, sizes]), axis=1).T:
            cells = np.flatnonzero((self.cell_types == number) & (sizes == size))
            nodes = self.connectivity[self.offsets[cells][:, None] + np.arange(size)]
            found.append((int(number), cells, nodes))
        return found

    def take_cells(self, cells: np.ndarray) -> Mesh:
        """The mesh of these cells, a list of distinct numbers, in its order; all points stay.

        Cell sets keep those of their cells that are taken.
        """
        sizes = np.diff(self.offsets)[cells]
        new_number = np.full(self.num_cells, -1)
        new_number[cells] = np.arange(len(cells))
        cell_sets = {name: new_number[ids] for name, ids in self.cell_sets.items()}
        return replace(
            self,
            connectivity=self.connectivity[ragged_rows(self.offsets, cells)],
            offsets=np.concatenate([[0], np.cumsum(sizes)]),
            cell_types=self.cell_types[cells],
            cell_sets={name: ids[ids >= 0] for name, ids in cell_sets.items()},
            polyhedra=None if self.polyhedra is None else self.polyhedra.take_cells(cells),
        )

    def nodes_of(self, name: str) -> np.ndarray:
        """Node numbers of a node set or of a cell set's cells; else of a NodeType (any case).

        Raises PhysgtError, naming the sets there are, where none of them exists, and for a type
        of a mesh whose nodes were never given any: all are NORMAL then.
        """
        is_set = name in self.node_sets or name in self.cell_sets
        if is_set or name.upper() not in NodeType.__members__:
            return self.nodes_of_set(name)
        kind = NodeType[name.upper()]
        if kind and not self.node_type.any():
            raise PhysgtError(
                f"the mesh has no node set '{name}', and no node has that type: all are NORMAL. "
                f"{self._sets_there_are} physgt convert --node-type gives nodes their types."
            )
        return np.flatnonzero(self.node_type == kind)

    def nodes_of_set(self, name: str) -> np.ndarray:
        """Node numbers of a node set or, where none has that name, of the cells of a cell set."""
        if name in self.node_sets:
            return self.node_sets[name]
        if name not in self.cell_sets:
            raise PhysgtError(
                f"the mesh has no node set '{name}'. {self._sets_there_are} "
                f"Node types are {[t.name for t in NodeType]}."
            )
        chosen = np.isin(np.arange(self.num_cells), self.cell_sets[name])
        return np.unique(self.connectivity[np.repeat(chosen, np.diff(self.offsets))])

    @property
    def _sets_there_are(self) -> str:
        nodes, cells = (sorted(sets) or "none" for sets in (self.node_sets, self.cell_sets))
        return f"Its node sets are {nodes}, its cell sets {cells}."


def mesh_edges(mesh: Mesh) -> np.ndarray:
    """Every pair of nodes that share a cell edge, in both directions: (2, E) int64.

    Row 0 holds senders, row 1 receivers; no self-loops, no repeats; sorted by receiver, then
    sender. Diagonals of quadrilaterals and hexahedra are not edges.

    Source: Pfaff et al., "Learning Mesh-Based Simulation with Graph Networks", ICLR 2021,
    section 3.1.
    """
    one_way = [edges_of_cells(n, nodes) for n, _, nodes in mesh.blocks() if n != POLYHEDRON]
    if mesh.polyhedra is not None:
        one_way.append(mesh.polyhedra.edges())
    a, b = np.concatenate(one_way, axis=1)
    distinct = a != b
    a, b = a[distinct], b[distinct]
    # One integer per (receiver, sender): np.unique on it sorts as wanted, far faster than on rows.
    keys = np.unique(np.concatenate([a * mesh.num_points + b, b * mesh.num_points + a]))
    receivers, senders = np.divmod(keys, mesh.num_points)
    return np.stack([senders, receivers])


def is_planar(points: np.ndarray, cell_types: np.ndarray) -> bool:
    """Whether points (N, 3) share one z and no cell has a volume: a planar mesh stored in 3-D."""
    volumes = [number for number, cell in CELL_TYPES.items() if cell.dimension == 3]
    z = points[:, 2]
    return bool((z == z[:1]).all()) and not np.isin(cell_types, volumes).any()


def _vtk_number(name: str) -> int:
    if name not in VTK_NUMBERS:
        raise PhysgtError(f"unknown cell type '{name}'; known are {', '.join(VTK_NUMBERS)}.")
    return VTK_NUMBERS[name]


def _check_points(mesh: Mesh) -> None:
    if mesh.points.ndim != 2 or mesh.points.shape[1] not in (1, 2, 3):
        raise PhysgtError(f"points must be (N, 1 to 3) coordinates, found {mesh.points.shape}.")
    if mesh.num_points == 0 or mesh.num_cells == 0:
        raise PhysgtError(
            f"the mesh is empty: {mesh.num_points} points, {mesh.num_cells} cells. "
            "A simulation needs at least one of each; look at how the file was exported."
        )
    bad = np.flatnonzero(~np.isfinite(mesh.points).all(axis=1))
    if bad.size:
        raise PhysgtError(f"{bad.size} points are not finite, the first is node {bad[0]}.")
    if mesh.node_type.shape != (mesh.num_points,):
        raise PhysgtError(
            f"node_type has shape {mesh.node_type.shape}, expected ({mesh.num_points},)."
        )
    outside = np.flatnonzero((mesh.node_type < 0) | (mesh.node_type >= NUM_NODE_TYPES))
    if outside.size:
        raise PhysgtError(
            f"node_type of node {outside[0]} is {mesh.node_type[outside[0]]}, expected 0 to "
            f"{NUM_NODE_TYPES - 1}; name groups of nodes as node sets instead."
        )


def _check_cells(mesh: Mesh) -> None:
    sizes = np.diff(mesh.offsets)
    if len(sizes) != mesh.num_cells or mesh.offsets[0] != 0 or (sizes < 1).any():
        raise PhysgtError(
            f"{mesh.num_cells} cells need {mesh.num_cells + 1} increasing offsets from 0, "
            f"found {len(mesh.offsets)}."
        )
    if mesh.offsets[-1] != len(mesh.connectivity):
        raise PhysgtError(
            f"the last offset is {mesh.offsets[-1]}, but connectivity holds "
            f"{len(mesh.connectivity)} node numbers."
        )
    if mesh.connectivity.min() < 0 or mesh.connectivity.max() >= mesh.num_points:
        raise PhysgtError(
            f"cells name nodes {mesh.connectivity.min()} to {mesh.connectivity.max()}, "
            f"but nodes are 0 to {mesh.num_points - 1}."
        )
    for number in np.unique(mesh.cell_types).tolist():
        of_type = mesh.cell_types == number
        if number not in CELL_TYPES:
            known = ", ".join(f"{k} {c.name}" for k, c in CELL_TYPES.items())
            raise PhysgtError(
                f"cell {np.flatnonzero(of_type)[0]} has the unknown VTK cell type {number}; "
                f"known are {known}."
            )
        possible = CELL_TYPES[number].sizes()
        if possible and not np.isin(sizes[of_type], possible).all():
            raise PhysgtError(
                f"a {CELL_TYPES[number].name} has {', '.join(map(str, possible))} nodes, "
                f"found cells with {sorted(set(sizes[of_type].tolist()))}."
            )


def _check_polyhedra(mesh: Mesh) -> None:
    found = mesh.cell_types == POLYHEDRON
    if mesh.polyhedra is None:
        if found.any():
            raise PhysgtError(f"cell {np.flatnonzero(found)[0]} is a polyhedron without faces.")
        return
    if not found.any():
        object.__setattr__(mesh, "polyhedra", None)
        return
    mesh.polyhedra.check(found, mesh.num_points)


def _numbers_of_set(kind: str, name: str, given: np.ndarray) -> np.ndarray:
    if np.asarray(given).dtype == bool:
        raise PhysgtError(
            f"{kind} set '{name}' is a mask, but sets list {kind} numbers: np.flatnonzero(mask)."
        )
    return np.asarray(given, dtype=np.int64)


def _check_sets(mesh: Mesh) -> None:
    for kind, sets, size in (
        ("node", mesh.node_sets, mesh.num_points),
        ("cell", mesh.cell_sets, mesh.num_cells),
    ):
        for name, ids in sets.items():
            if ids.ndim != 1 or (ids.size and (ids.min() < 0 or ids.max() >= size)):
                raise PhysgtError(
                    f"{kind} set '{name}' must list {kind} numbers from 0 to {size - 1}."
                )
