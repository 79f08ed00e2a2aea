"""World edges: who feels whom through space, whatever the mesh between them.

Source: Pfaff et al., "Learning Mesh-Based Simulation with Graph Networks", ICLR 2021, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from physgt.attention_masks import KHop
from physgt.cells import CELL_TYPES
from physgt.errors import PhysgtError, require_whole
from physgt.faces import cell_faces
from physgt.mesh import Mesh
from physgt.ordering import lexicographic_rank


@dataclass(frozen=True)
class Contact:
    """Nodes are joined while they are closer than `radius` in the current configuration.

    radius: m
    between: pairs of node sets, each node of the one with those of the other; without any, all
        nodes of the mesh's surface with each other: the corners on the boundary of cells that fill
        the space, and all nodes of others, such as shells and cables.
    hops: nodes that are as near on the mesh, or nearer, aren't joined: 1 for its edges alone.
    max_neighbors: each node is joined with so many of the nearest on the other side, and with
        those among whose nearest it is. Bounds the edges: 2 max_neighbors a node, on average.
    """

    radius: float
    between: tuple[tuple[str, str], ...] = ()
    hops: int = 1
    max_neighbors: int = 16

    def __post_init__(self) -> None:
        given: Any = self.between
        if not self.radius > 0:
            raise PhysgtError(f"[task.contact] radius = {self.radius}, expected m, more than 0.")
        require_whole("[task.contact] hops", self.hops, 1)
        require_whole("[task.contact] max_neighbors", self.max_neighbors, 1)
        if not all(len(pair) == 2 and all(isinstance(n, str) for n in pair) for pair in given):
            raise PhysgtError(
                f"[task.contact] between = {given!r}, expected pairs of node sets, such as "
                '[["tool", "surface"]].'
            )
        object.__setattr__(self, "between", tuple(tuple(pair) for pair in given))

    def on(self, mesh: Mesh, order: np.ndarray) -> ContactSearch:
        """The search on one mesh, whose node order[i] has the number i in the graph.

        Raises PhysgtError where the mesh lacks a set.
        """
        number = np.argsort(order)
        if self.between:
            sides = [tuple(np.unique(mesh.nodes_of(n)) for n in pair) for pair in self.between]
        else:
            sides = [(surface := _surface_nodes(mesh), surface)]
        # The search sees nodes along the reference points: what it finds can't depend on numbers.
        rank = lexicographic_rank(mesh.points)
        receivers, senders = number[KHop(self.hops)(mesh)[::-1]]
        own = np.arange(mesh.num_points)
        near = np.concatenate([receivers * mesh.num_points + senders, own * mesh.num_points + own])
        return ContactSearch(
            self,
            tuple(
                tuple(number[nodes[np.argsort(rank[nodes])]] for nodes in pair) for pair in sides
            ),
            near=np.sort(near),
            rank=rank[order],
        )


@dataclass(frozen=True, eq=False)
class ContactSearch:
    """Finds the world edges of one graph of N nodes, again and again as they move.

    sides   pairs of node numbers (A,), (B,)
    near    ascending receiver * N + sender of the pairs that are never joined
    rank    (N,) place of the node in the lexicographic order of the reference points
    """

    contact: Contact
    sides: Sequence[tuple[np.ndarray, ...]]
    near: np.ndarray
    rank: np.ndarray

    @property
    def num_nodes(self) -> int:
        return len(self.rank)

    def edges(self, points: np.ndarray) -> np.ndarray:
        """(2, W) int64 of points (N, D): each pair in both directions, as in Graph.edge_index.

        Nodes of a state that diverged, whose points aren't finite, are near no other.
        """
        found = [np.empty(0, dtype=np.int64)]
        somewhere = np.isfinite(points).all(axis=1)
        for a, b in ([nodes[somewhere[nodes]] for nodes in pair] for pair in self.sides):
            for receivers, senders in (self._nearest(points, a, b), self._nearest(points, b, a)):
                found.append(receivers * self.num_nodes + senders)
                found.append(senders * self.num_nodes + receivers)
        receivers, senders = np.divmod(np.unique(np.concatenate(found)), self.num_nodes)
        return np.stack([senders, receivers])

    def _nearest(
        self, points: np.ndarray, nodes: np.ndarray, others: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Each of `nodes` with the nearest of `others`: (nodes, others) of the pairs."""
        if not len(nodes) or not len(others):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        most = self.contact.max_neighbors
        # Some of the nearest don't count; there are at most so many.
        skipped = int(np.bincount(self.near // self.num_nodes, minlength=1).max())
        count = min(most + skipped, len(others))
        tree = cKDTree(points[others])
        _, places = tree.query(points[nodes], count, distance_upper_bound=self.contact.radius)
        places = places.reshape(len(nodes), count)
        rows = np.broadcast_to(nodes[:, None], places.shape)
        within = places < len(others)
        columns = others[np.where(within, places, 0)]
        joined = within & ~_contains(self.near, rows * self.num_nodes + columns)
        joined &= np.cumsum(joined, axis=1) <= most
        return rows[joined], columns[joined]


def _surface_nodes(mesh: Mesh) -> np.ndarray:
    faces = cell_faces(mesh, mesh.dimension)
    on_boundary = np.repeat(faces.on_boundary(), np.diff(faces.offsets))
    flat = [number for number, cell in CELL_TYPES.items() if cell.dimension < mesh.dimension]
    of_flat = np.repeat(np.isin(mesh.cell_types, flat), np.diff(mesh.offsets))
    return np.union1d(faces.nodes[on_boundary], mesh.connectivity[of_flat])


def _contains(ascending: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Which of `keys` are among those of `ascending`."""
    places = np.searchsorted(ascending, keys).clip(max=len(ascending) - 1)
    found: np.ndarray = ascending[places] == keys
    return found
