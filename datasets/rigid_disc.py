"""Frictionless contact of a solid with a rigid disc, by a penalty on its nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from physgt.datasets.neo_hookean import NeoHookeanSolid

Array = NDArray[np.float64]

# The disc sinks in by the length of an edge where the pressure is this many moduli of elasticity.
PENALTY = 10.0


@dataclass(frozen=True, eq=False)
class DiscContact:
    """Pushes nodes that lie inside the disc out of it, along its radius.

    nodes (k,) of the solid's surface, with the lengths of surface (k,) in m that they stand for
    and their positions (k, 2) at rest; center (2,), radius in m; penalty in Pa per m of depth.
    """

    nodes: NDArray[np.int64]
    lengths: Array
    positions: Array
    center: Array
    radius: float
    penalty: float

    @classmethod
    def on(
        cls, solid: NeoHookeanSolid, edges: NDArray[np.int64], center: Array, radius: float
    ) -> DiscContact:
        """Contact with some of the edges of the solid's mesh, by their numbers.

        The penalty follows the mesh size, so that the depth that it leaves shrinks with it.
        """
        lengths = solid.surface_lengths(edges)
        nodes = np.flatnonzero(lengths)
        positions, edge_length = solid.positions[nodes], lengths.sum() / len(edges)
        penalty = PENALTY * solid.youngs_modulus / edge_length
        return cls(nodes, lengths[nodes], positions, center, radius, penalty)

    def moved(self, way: Array) -> DiscContact:
        """The disc moved by (2,) m."""
        return replace(self, center=self.center + way)

    def force(self, displacement: Array) -> Array:
        depth, outward, _ = self._depth(displacement)
        force = np.zeros(displacement.shape)
        force[self.nodes] = (self.penalty * self.lengths * depth)[:, None] * outward
        return force

    def stiffness(self, displacement: Array) -> sparse.spmatrix:
        depth, outward, distance = self._depth(displacement)
        touching = np.flatnonzero(depth)
        normal = outward[touching, :, None] * outward[touching, None, :]
        # The normal turns as a node moves along the disc.
        turning = (depth / distance)[touching, None, None] * (np.eye(2) - normal)
        blocks = (self.penalty * self.lengths)[touching, None, None] * (normal - turning)
        dofs = 2 * self.nodes[touching, None] + np.arange(2)
        rows, columns = np.repeat(dofs, 2, axis=1), np.tile(dofs, (1, 2))
        shape = (displacement.size, displacement.size)
        return sparse.csc_matrix((blocks.ravel(), (rows.ravel(), columns.ravel())), shape=shape)

    def _depth(self, displacement: Array) -> tuple[Array, Array, Array]:
        """How deep each node lies in the disc (k,), the way out (k, 2), distance to the center."""
        offset = self.positions + displacement[self.nodes] - self.center
        distance = np.linalg.norm(offset, axis=1)
        return np.maximum(self.radius - distance, 0), offset / distance[:, None], distance
