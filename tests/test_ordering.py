"""The order of nodes along a Hilbert curve."""

import numpy as np
import pytest

from physgt.ordering import hilbert_order


@pytest.mark.parametrize(("dimension", "cells"), [(1, 32), (2, 16), (3, 8)])
def test_along_the_curve_every_point_of_a_grid_is_followed_by_one_of_its_neighbours(
    dimension: int, cells: int
) -> None:
    axes = np.meshgrid(*[np.arange(cells)] * dimension, indexing="ij")
    points = np.stack(axes, axis=-1).reshape(-1, dimension).astype(float)
    points = np.random.default_rng(0).permutation(points)
    order = hilbert_order(points)
    assert sorted(order) == list(range(cells**dimension))
    np.testing.assert_array_equal(np.abs(np.diff(points[order], axis=0)).sum(axis=1), 1)


def test_points_that_coincide_keep_their_order() -> None:
    assert hilbert_order(np.ones((4, 3))).tolist() == [0, 1, 2, 3]
