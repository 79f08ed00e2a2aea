"""Attention masks: whom a node sees, beyond or instead of its neighbours on the mesh.

Garnier et al., "Training Transformers for Mesh-Based Simulations", arXiv 2508.18051, name them:
K-hop neighbourhoods, dilated windows, global nodes and random jumpers. `KHop(1) | GlobalNodes(16)`
sees what either sees. No mask depends on the numbering of the nodes: what is random is drawn, from
the seed, along the lexicographic order of the points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, eye_array

from physgt.errors import PhysgtError, require_whole
from physgt.mesh import Mesh, mesh_edges
from physgt.mesh_functions import MeshFunction, adjacency
from physgt.ordering import lexicographic_order


class Mask(MeshFunction):
    """Mesh -> edge_index (2, E) int64: the node in row 1 sees the node in row 0.

    Each pair at most once, no node sees itself; sorted by row 1, then row 0, as mesh_edges is.
    """

    def __or__(self, other: Mask) -> Mask:
        return Union((self, other))


@dataclass(frozen=True)
class KHop(Mask):
    """All nodes from 1 to `hops` hops away; KHop(1) is mesh_edges."""

    hops: int

    def __post_init__(self) -> None:
        require_whole("hops", self.hops, 1)

    def compute(self, mesh: Mesh) -> np.ndarray:
        within, *further = _rings(mesh, self.hops)
        for ring in further:
            within = within + ring
        return _edges(within)


@dataclass(frozen=True)
class DilatedWindow(Mask):
    """The nodes exactly `dilation` hops away: a ring."""

    dilation: int

    def __post_init__(self) -> None:
        require_whole("dilation", self.dilation, 2)

    def compute(self, mesh: Mesh) -> np.ndarray:
        return _edges(_rings(mesh, self.dilation)[-1])


@dataclass(frozen=True)
class GlobalNodes(Mask):
    """A few nodes that see all others and are seen by all, for 2 size N edges.

    size: how many nodes, or as a float their share, as 0.05; rounded up.
    among: the node sets or node types that they are taken from; without any, the whole mesh.

    Farthest-point sampling spreads them out: each is the farthest from those before, the first is
    the lexicographically smallest point (Eldar et al., "The Farthest Point Strategy for
    Progressive Image Sampling", IEEE Transactions on Image Processing 6, 1997).
    """

    size: int | float
    among: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.size, float):
            _require_share("size", self.size)
        else:
            require_whole("size", self.size, 1)

    def compute(self, mesh: Mesh) -> np.ndarray:
        chosen = self.nodes(mesh).repeat(mesh.num_points)
        everyone = np.resize(np.arange(mesh.num_points), chosen.shape)
        return _both_ways(chosen, everyone, mesh.num_points)

    def nodes(self, mesh: Mesh) -> np.ndarray:
        """Their numbers, in the order of choice."""
        candidates = lexicographic_order(mesh.points)
        if self.among:
            allowed = np.concatenate([mesh.nodes_of(name) for name in self.among])
            candidates = candidates[np.isin(candidates, allowed)]
        count = self.size
        if isinstance(count, float):
            count = int(np.ceil(count * len(candidates)))
        return candidates[_farthest_points(mesh.points[candidates], count)]


@dataclass(frozen=True)
class RandomJumpers(Mask):
    """Random pairs that aren't neighbours on the mesh, each seeing the other.

    share: of the number of mesh edges; the paper has 0.2.
    """

    share: float
    seed: int = 0

    def __post_init__(self) -> None:
        _require_share("share", self.share)
        require_whole("seed", self.seed, 0)

    def compute(self, mesh: Mesh) -> np.ndarray:
        size = mesh.num_points
        order = lexicographic_order(mesh.points)
        neighbours = np.argsort(order)[mesh_edges(mesh)]
        taken = neighbours[0] * size + neighbours[1]
        pairs_left = (size * (size - 1) - len(taken)) // 2
        wanted = min(round(self.share * len(taken) / 2), pairs_left)
        generator = np.random.default_rng(self.seed)
        drawn = np.empty(0, dtype=np.int64)
        while len(drawn) < wanted:
            a, b = np.sort(generator.integers(size, size=(2, wanted)), axis=0)
            drawn = np.concatenate([drawn, (a * size + b)[a < b]])
            _, first = np.unique(drawn, return_index=True)
            drawn = drawn[np.sort(first)]
            drawn = drawn[~np.isin(drawn, taken)][:wanted]
        a, b = order[np.stack(np.divmod(drawn, size))]
        return _both_ways(a, b, size)


@dataclass(frozen=True)
class Union(Mask):
    """What any of several masks sees; `a | b` is Union((a, b))."""

    masks: tuple[Mask, ...]

    def compute(self, mesh: Mesh) -> np.ndarray:
        senders, receivers = np.concatenate([mask.compute(mesh) for mask in self.masks], axis=1)
        return _sorted(senders, receivers, mesh.num_points)


@dataclass(frozen=True)
class MaxNeighbours(Mask):
    """What `mask` sees, but of each node's neighbours at most `count`, drawn at random.

    The draw is a node's own: where i keeps j, j may have dropped i.
    """

    mask: Mask
    count: int
    seed: int = 0

    def __post_init__(self) -> None:
        require_whole("count", self.count, 1)
        require_whole("seed", self.seed, 0)

    def compute(self, mesh: Mesh) -> np.ndarray:
        edges = self.mask.compute(mesh)
        senders, receivers = np.argsort(lexicographic_order(mesh.points))[edges]
        lot = np.empty(len(senders))
        lot[np.lexsort((senders, receivers))] = np.random.default_rng(self.seed).random(len(lot))
        by_lot = np.lexsort((lot, receivers))
        ascending = receivers[by_lot]
        place = np.arange(len(lot)) - np.searchsorted(ascending, ascending)
        return edges[:, np.sort(by_lot[place < self.count])]


def _rings(mesh: Mesh, hops: int) -> list[csr_array]:
    """For k = 1 to hops an (N, N) bool matrix: the nodes exactly k hops away."""
    neighbours = adjacency(mesh)
    rings = [neighbours]
    seen = neighbours + eye_array(mesh.num_points, dtype=bool, format="csr")
    for _ in range(hops - 1):
        ring = (rings[-1] @ neighbours) > seen
        rings.append(ring)
        seen = seen + ring
    return rings


def _edges(seen: csr_array) -> np.ndarray:
    """The true entries of an (N, N) matrix whose row i says whom node i sees."""
    receivers, senders = seen.nonzero()
    return _sorted(senders.astype(np.int64), receivers.astype(np.int64), seen.shape[0])


def _both_ways(a: np.ndarray, b: np.ndarray, num_nodes: int) -> np.ndarray:
    return _sorted(np.concatenate([a, b]), np.concatenate([b, a]), num_nodes)


def _sorted(senders: np.ndarray, receivers: np.ndarray, num_nodes: int) -> np.ndarray:
    """As a mask returns them: once each, no self-loops, by receiver, then sender."""
    keys = np.unique((receivers * num_nodes + senders)[senders != receivers])
    receivers, senders = np.divmod(keys, num_nodes)
    return np.stack([senders, receivers])


def _farthest_points(points: np.ndarray, count: int) -> np.ndarray:
    """Rows of points (n, D): the first, then `count` in all or n, each farthest from the others."""
    chosen = np.zeros(min(count, len(points)), dtype=np.int64)
    distance = np.full(len(points), np.inf)
    for k in range(1, len(chosen)):
        distance = np.minimum(distance, np.square(points - points[chosen[k - 1]]).sum(axis=1))
        distance[chosen[k - 1]] = -1  # never again, not even where points coincide
        chosen[k] = distance.argmax()
    return chosen


def _require_share(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise PhysgtError(f"{name} = {value!r}; expected a share from 0 to 1.")
