"""Encodings: what a node is told about its place in the mesh."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.spatial.distance import cdist

from physgt import encodings
from physgt.encodings import BoundaryDistance, LaplacianEigenvectors, RandomWalk
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, NodeType, mesh_edges
from test_mesh import grid_of_quads, renumbered
from test_models import random_mesh

ALL = [LaplacianEigenvectors(4), RandomWalk(5), BoundaryDistance()]


def path(num_points: int) -> Mesh:
    nodes = np.arange(num_points)
    cells = np.stack([nodes[:-1], nodes[1:]], axis=1)
    return Mesh.from_blocks(nodes[:, None], [("line", cells)])


def dense_adjacency(mesh: Mesh) -> np.ndarray:
    adjacency = np.zeros((mesh.num_points, mesh.num_points))
    adjacency[tuple(mesh_edges(mesh))] = 1
    return adjacency


@pytest.mark.parametrize("num_points", [9, 1500], ids=["dense", "sparse"])
def test_eigenvectors_of_a_path_are_cosines(num_points: int) -> None:
    modes = LaplacianEigenvectors(3)(path(num_points))
    x = np.arange(num_points) / (num_points - 1)
    for number, mode in enumerate(modes.T, start=1):
        cosine = np.cos(np.pi * number * x)
        cosine /= np.sqrt(np.mean(cosine**2))
        np.testing.assert_allclose(mode * np.sign(mode[0]), cosine, atol=1e-6)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("num_points", [80, 500], ids=["dense", "sparse"])
def test_eigenvectors_are_those_of_the_smallest_eigenvalues(dimension, num_points) -> None:
    mesh = random_mesh(num_points, seed=1, dimension=dimension)
    adjacency = dense_adjacency(mesh)
    degree = np.diag(adjacency.sum(axis=1))
    values, vectors = eigh(degree - adjacency, degree)
    assert np.diff(values[:6]).min() > 1e-5, "the modes compared must be unique"
    expected = vectors[:, 1:5] / np.sqrt(np.mean(vectors[:, 1:5] ** 2, axis=0))
    modes = LaplacianEigenvectors(4)(mesh)
    np.testing.assert_allclose(modes * np.sign((modes * expected).sum(axis=0)), expected, atol=1e-6)


@pytest.mark.parametrize("mesh", [grid_of_quads(7, 7), grid_of_quads(20, 20)])
@pytest.mark.parametrize("encoding", ALL, ids=repr)
def test_an_encoding_does_not_depend_on_the_numbering_even_of_a_symmetric_mesh(
    encoding, mesh: Mesh
) -> None:
    # A square grid has pairs of modes of one eigenvalue.
    new_number = np.random.default_rng(0).permutation(mesh.num_points)
    again = encoding(renumbered(mesh, new_number))
    np.testing.assert_allclose(again[new_number], encoding(mesh), atol=1e-12)


def test_each_part_of_a_disconnected_mesh_has_its_own_modes() -> None:
    points = np.arange(15.0)[:, None]
    cells = [[i, i + 1] for i in [*range(8), 9, 10]]  # paths of 9 and 3 nodes, three nodes alone
    modes = LaplacianEigenvectors(4)(Mesh.from_blocks(points, [("line", cells)]))
    np.testing.assert_allclose(modes[:9], LaplacianEigenvectors(4)(path(9)), atol=1e-9)
    np.testing.assert_allclose(modes[9:12, :2], LaplacianEigenvectors(2)(path(3)), atol=1e-9)
    assert not modes[9:12, 2:].any()
    assert not modes[12:].any()


@pytest.mark.parametrize("rows_at_a_time", [7, 2000])
def test_random_walks_return_with_the_diagonals_of_the_matrix_powers(
    rows_at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings, "ROWS_AT_A_TIME", rows_at_a_time)
    mesh = random_mesh(60, seed=1)
    adjacency = dense_adjacency(mesh)
    step = adjacency / adjacency.sum(axis=0)
    expected = [np.diag(np.linalg.matrix_power(step, k)) for k in range(2, 8)]
    for steps in range(2, 8):
        returns = RandomWalk(steps).compute(mesh)
        np.testing.assert_allclose(returns, np.stack(expected[: steps - 1], axis=1), atol=1e-12)


def test_random_walks_on_two_nodes_come_back_at_every_second_step() -> None:
    np.testing.assert_allclose(RandomWalk(5)(path(2)), [[1, 0, 1, 0]] * 2)


def test_a_node_without_neighbours_has_no_modes_and_no_walks() -> None:
    mesh = Mesh.from_blocks(np.eye(5, 2), [("triangle", [[0, 1, 2]])])
    for encoding in (LaplacianEigenvectors(2), RandomWalk(3)):
        values = encoding(mesh)
        assert np.isfinite(values).all()
        assert values[:3].any(axis=0).all()
        assert not values[3:].any()


def test_boundary_distances_are_to_the_nearest_node_of_each_type_over_the_extent() -> None:
    mesh = random_mesh(60, seed=1)
    mesh = Mesh.from_blocks(
        mesh.points * [3.0, 1.0],
        [("triangle", mesh.connectivity.reshape(-1, 3))],
        node_type=np.where(mesh.node_type == NodeType.HANDLE, 0, mesh.node_type),
    )
    distances = BoundaryDistance()(mesh)
    kinds = list(NodeType)[1:]
    assert distances.shape == (60, len(kinds)) == (60, BoundaryDistance().width)
    between = cdist(mesh.points, mesh.points) / np.ptp(mesh.points[:, 0])
    for column, kind in zip(distances.T, kinds, strict=True):
        if kind == NodeType.HANDLE:
            assert (column == 1).all()
        else:
            nearest = between[:, mesh.node_type == kind].min(axis=1)
            np.testing.assert_allclose(column, nearest, atol=1e-12)


@pytest.mark.parametrize("encoding", ALL, ids=repr)
def test_an_encoding_has_its_width_and_no_unit(encoding) -> None:
    mesh = random_mesh(60, seed=1)
    in_millimetres = Mesh.from_blocks(
        1000 * mesh.points,
        [("triangle", mesh.connectivity.reshape(-1, 3))],
        node_type=mesh.node_type,
    )
    assert encoding(mesh).shape == (60, encoding.width)
    np.testing.assert_allclose(encoding(in_millimetres), encoding(mesh), atol=1e-12)


def test_a_count_that_makes_no_sense_is_named_with_what_is_expected() -> None:
    with pytest.raises(PhysgtError, match="count = 0; expected a whole number, 1 or more"):
        LaplacianEigenvectors(0)
    with pytest.raises(PhysgtError, match="steps = 1; expected a whole number, 2 or more"):
        RandomWalk(1)
