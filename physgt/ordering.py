"""The order of nodes in memory: neighbours on the mesh lie close to each other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

BITS = {2: 31, 3: 20}
"""Bits a coordinate, so that a position along the curve fits in 64."""


def hilbert_order(points: np.ndarray) -> np.ndarray:
    """(N,) int64: the numbers of points (N, D), D = 1, 2 or 3, along a Hilbert curve.

    What a node gathers from its neighbours is then mostly in cache already. Points that coincide
    at the curve's resolution, 2^-20 of the largest extent or finer, keep their order.

    Source: Skilling, "Programming the Hilbert curve", AIP Conference Proceedings 707, 2004.
    """
    dimension = points.shape[1]
    if dimension == 1:
        return np.argsort(points[:, 0], kind="stable")
    bits = BITS[dimension]
    low = points.min(axis=0)
    extent = (points.max(axis=0) - low).max() or 1.0
    scaled = (points - low) / extent * (2**bits - 1)
    return np.argsort(_interleave(_transpose(scaled.astype(np.uint64), bits), bits), kind="stable")


def _transpose(axes: np.ndarray, bits: int) -> np.ndarray:
    """Coordinates (N, D) to Hilbert positions, their bits still spread over D columns."""
    x = list(axes.T)
    for shift in range(bits - 1, 0, -1):
        bit = np.uint64(1 << shift)
        lower = bit - np.uint64(1)
        for column in x:
            inverts = (column & bit).astype(bool)
            exchanged = np.where(inverts, np.uint64(0), (x[0] ^ column) & lower)
            flipped = np.where(inverts, lower, np.uint64(0))
            x[0] ^= exchanged ^ flipped
            if column is not x[0]:
                column ^= exchanged
    for previous, column in pairwise(x):
        column ^= previous
    inversion = np.zeros_like(x[0])
    for shift in range(bits - 1, 0, -1):
        bit = np.uint64(1 << shift)
        inversion ^= np.where(x[-1] & bit, bit - np.uint64(1), np.uint64(0))
    return np.stack([column ^ inversion for column in x], axis=1)


def _interleave(transposed: np.ndarray, bits: int) -> np.ndarray:
    """(N,) uint64: the bits of D columns as one number, the highest bit of column 0 first."""
    position = np.zeros(len(transposed), dtype=np.uint64)
    for shift in range(bits - 1, -1, -1):
        for column in transposed.T:
            position = (position << np.uint64(1)) | ((column >> np.uint64(shift)) & np.uint64(1))
    return position


def lexicographic_order(points: np.ndarray) -> np.ndarray:
    """(N,) int64: the numbers of points (N, D) by first coordinate, ties by the next, and so on.

    What is done in this order doesn't depend on the numbering of the nodes, unless points coincide.
    """
    return np.lexsort(points.T[::-1])


def lexicographic_rank(points: np.ndarray) -> np.ndarray:
    """(N,) int64: the place of each point in that order."""
    return np.argsort(lexicographic_order(points))
