"""Encodings: what a node is told about its place in the mesh, as further inputs.

None depends on the numbering of the nodes, and none has a unit. Dwivedi et al., "Benchmarking
Graph Neural Networks", JMLR 24, 2023, compare the first two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import csr_array, diags_array, eye_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, eigsh, splu
from scipy.spatial import KDTree

from physgt.errors import require_whole
from physgt.mesh import Mesh, NodeType
from physgt.mesh_functions import MeshFunction, adjacency
from physgt.ordering import lexicographic_order

DENSE_SIZE = 300
"""Up to so many nodes, all eigenvectors come faster than a few."""
SHIFT = 1e-6
"""Keeps the matrix that shift-invert factorises from being singular."""
ROWS_AT_A_TIME = 2000
"""Bounds the memory of the random walks."""


@dataclass(frozen=True)
class LaplacianEigenvectors(MeshFunction):
    """(N, count): the smoothest modes of the mesh but the constant one, each of mean square 1.

    The solutions of L v = lambda D v with the smallest lambda > 0, L = D - A the Laplacian and D
    the degrees (Belkin and Niyogi, "Laplacian Eigenmaps", Neural Computation 15, 2003). Each part
    of a disconnected mesh has modes of its own; one with fewer than count + 1 nodes has 0 in the
    columns left, and so has a node without neighbours.

    The sign of a mode means nothing, nor does the basis of several that share one lambda, as on
    symmetric meshes. They are solved for in the lexicographic order of the points, so both are the
    same whatever the numbering; a model must still not rely on the sign.
    """

    count: int

    def __post_init__(self) -> None:
        require_whole("count", self.count, 1)

    @property
    def width(self) -> int:
        return self.count

    def compute(self, mesh: Mesh) -> np.ndarray:
        order = lexicographic_order(mesh.points)
        neighbours = adjacency(mesh)[order][:, order].astype(float)
        _, part = connected_components(neighbours, directed=False)
        ends = np.cumsum(np.bincount(part))
        modes = np.zeros((mesh.num_points, self.count))
        for nodes in np.split(np.argsort(part, kind="stable"), ends[:-1]):
            if len(nodes) > 1:
                found = _smooth_modes(neighbours[nodes][:, nodes], self.count)
                modes[order[nodes], : found.shape[1]] = found
        return modes


def _smooth_modes(neighbours: csr_array, count: int) -> np.ndarray:
    """(n, count), or (n, n - 1) where n is smaller, of a connected graph of n nodes."""
    scale = 1 / np.sqrt(neighbours.sum(axis=1))
    laplacian = eye_array(len(scale)) - diags_array(scale) @ neighbours @ diags_array(scale)
    if len(scale) <= max(DENSE_SIZE, 2 * count):
        _, vectors = eigh(laplacian.toarray())
    else:
        vectors = _sparse_eigenvectors(laplacian, count + 1)
    modes = scale[:, None] * vectors[:, 1 : count + 1]
    return modes / np.sqrt(np.mean(np.square(modes), axis=0))


def _sparse_eigenvectors(laplacian: csr_array, count: int) -> np.ndarray:
    """Those of the `count` smallest eigenvalues, ascending: Lanczos on the shifted inverse."""
    size = laplacian.shape[0]
    # For a symmetric matrix this ordering fills the factors far less than the default one.
    factors = splu(
        (laplacian + SHIFT * eye_array(size)).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    inverse = LinearOperator(laplacian.shape, matvec=factors.solve, dtype=float)
    start = np.random.default_rng(0).standard_normal(size)  # scipy's own differs at every call
    values, vectors = eigsh(laplacian, k=count, sigma=-SHIFT, OPinv=inverse, v0=start)
    return vectors[:, np.argsort(values)]


@dataclass(frozen=True)
class RandomWalk(MeshFunction):
    """(N, steps - 1): the probabilities that a random walk is back after 2, 3, ..., `steps` steps.

    At every step it moves to a neighbour on the mesh, all equally likely; where there is none, the
    probability is 0 (Dwivedi et al., "Graph Neural Networks with Learnable Structural and
    Positional Representations", ICLR 2022). After 1 step it is never back.

    Exact, from walks of half the length: the matrix S = D^-1/2 A D^-1/2 is symmetric and its powers
    have the walk's diagonals, (S^(a+b))_ii = sum over j of (S^a)_ij (S^b)_ij.
    """

    steps: int

    def __post_init__(self) -> None:
        require_whole("steps", self.steps, 2)

    @property
    def width(self) -> int:
        return self.steps - 1

    def compute(self, mesh: Mesh) -> np.ndarray:
        neighbours = adjacency(mesh).astype(float)
        scale = diags_array(1 / np.sqrt(np.maximum(neighbours.sum(axis=1), 1)))
        walk = scale @ neighbours @ scale
        first_rows = range(0, mesh.num_points, ROWS_AT_A_TIME)
        return np.concatenate([self._returns(walk, first) for first in first_rows])

    def _returns(self, walk: csr_array, first_row: int) -> np.ndarray:
        half = walk[first_row : first_row + ROWS_AT_A_TIME]  # rows of S^a, here a = 1
        returns = [half.multiply(half).sum(axis=1)]
        while len(returns) < self.width:
            longer = half @ walk
            returns += [half.multiply(longer).sum(axis=1), longer.multiply(longer).sum(axis=1)]
            half = longer
        return np.stack(returns[: self.width], axis=1)


@dataclass(frozen=True)
class BoundaryDistance(MeshFunction):
    """(N, 6): the distance to the nearest node of each NodeType but NORMAL, in the type's order.

    Straight-line distances, over the longest side of the mesh's bounding box; 1 everywhere for a
    type that the mesh doesn't have.
    """

    types: ClassVar = [kind for kind in NodeType if kind is not NodeType.NORMAL]
    width: ClassVar = len(types)

    def compute(self, mesh: Mesh) -> np.ndarray:
        extent = np.ptp(mesh.points, axis=0).max() or 1.0
        distances = np.ones((mesh.num_points, self.width))
        for column, kind in enumerate(self.types):
            boundary = mesh.points[mesh.node_type == kind]
            if len(boundary):
                distances[:, column] = KDTree(boundary).query(mesh.points)[0] / extent
        return distances
