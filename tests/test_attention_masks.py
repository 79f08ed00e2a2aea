"""Attention masks: whom a node sees, counted by hand or found by a slower method."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from physgt.attention_masks import (
    DilatedWindow,
    GlobalNodes,
    KHop,
    Mask,
    MaxNeighbours,
    RandomJumpers,
    Union,
)
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, NodeType, mesh_edges
from sample_trajectories import planar_mesh, solid_mesh
from test_mesh import grid_of_quads, renumbered
from test_models import random_mesh

MESHES = {
    "triangles": random_mesh(70, seed=1),
    "tetrahedra": random_mesh(60, seed=2, dimension=3),
    "quads": grid_of_quads(6, 5),
    "mixed cells": planar_mesh(),
    "mixed solid cells": solid_mesh(),
}
SYMMETRIC = [
    KHop(1),
    KHop(3),
    DilatedWindow(2),
    DilatedWindow(3),
    GlobalNodes(3),
    GlobalNodes(0.1),
    RandomJumpers(0.2, seed=1),
    KHop(1) | RandomJumpers(0.3),
]
MASKS = [*SYMMETRIC, MaxNeighbours(KHop(2), 5), MaxNeighbours(DilatedWindow(2), 3, seed=4)]


@pytest.fixture(params=MESHES)
def mesh(request: pytest.FixtureRequest) -> Mesh:
    return MESHES[request.param]


@pytest.fixture(params=MASKS, ids=repr)
def mask(request: pytest.FixtureRequest) -> Mask:
    return request.param


def pairs(edge_index: np.ndarray) -> set[tuple[int, int]]:
    """{(sender, receiver)}"""
    return set(map(tuple, edge_index.T.tolist()))


def hops(mesh: Mesh) -> dict[tuple[int, int], int]:
    """Hops between any two different nodes that are connected, by breadth-first search."""
    neighbours: list[list[int]] = [[] for _ in range(mesh.num_points)]
    for sender, receiver in mesh_edges(mesh).T.tolist():
        neighbours[receiver].append(sender)
    found = {}
    for start in range(mesh.num_points):
        seen, front, distance = {start}, [start], 0
        while front:
            distance += 1
            front = [n for n in {n for node in front for n in neighbours[node]} if n not in seen]
            seen.update(front)
            found |= {(start, node): distance for node in front}
    return found


def neighbours_of(node: int, edge_index: np.ndarray) -> list[int]:
    senders, receivers = edge_index
    return senders[receivers == node].tolist()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_k_hop_sees_all_nodes_within_k_hops(mesh: Mesh, k: int) -> None:
    assert pairs(KHop(k)(mesh)) == {pair for pair, distance in hops(mesh).items() if distance <= k}


@pytest.mark.parametrize("dilation", [2, 3, 4])
def test_a_dilated_window_sees_the_nodes_exactly_so_many_hops_away(
    mesh: Mesh, dilation: int
) -> None:
    expected = {pair for pair, distance in hops(mesh).items() if distance == dilation}
    assert pairs(DilatedWindow(dilation)(mesh)) == expected


def test_one_hop_is_the_edges_of_the_mesh(mesh: Mesh) -> None:
    np.testing.assert_array_equal(KHop(1)(mesh), mesh_edges(mesh))


@pytest.mark.parametrize("hop", [2, 3, 4])
def test_inside_a_grid_of_quads_a_ring_has_4_times_its_hops_nodes(hop: int) -> None:
    grid = grid_of_quads(10, 10)
    middle = 5 * 11 + 5
    assert len(neighbours_of(middle, DilatedWindow(hop)(grid))) == 4 * hop
    assert len(neighbours_of(middle, KHop(hop)(grid))) == 2 * hop * (hop + 1)
    assert len(neighbours_of(0, DilatedWindow(hop)(grid))) == hop + 1  # a corner's, a diagonal


def test_a_mask_has_each_pair_once_no_self_loop_and_is_sorted_as_mesh_edges(
    mask: Mask, mesh: Mesh
) -> None:
    edge_index = mask(mesh)
    senders, receivers = edge_index
    assert edge_index.dtype == np.int64
    assert len(pairs(edge_index)) == len(senders)
    assert (senders != receivers).all()
    np.testing.assert_array_equal(np.lexsort((senders, receivers)), np.arange(len(senders)))


@pytest.mark.parametrize("mask", SYMMETRIC, ids=repr)
def test_a_mask_without_a_cap_sees_both_ways(mask: Mask, mesh: Mesh) -> None:
    assert pairs(mask(mesh)) == pairs(mask(mesh)[::-1])


def test_a_mask_does_not_depend_on_the_numbering_of_the_nodes(mask: Mask, mesh: Mesh) -> None:
    for seed in range(3):
        new_number = np.random.default_rng(seed).permutation(mesh.num_points)
        expected = pairs(new_number[mask(mesh)])
        assert pairs(mask(renumbered(mesh, new_number))) == expected


def test_random_masks_differ_from_seed_to_seed_and_not_with_the_same() -> None:
    mesh = random_mesh(70, seed=1)
    same = Mesh.from_blocks(mesh.points, [("triangle", mesh.connectivity.reshape(-1, 3))])
    for make in (
        lambda seed: RandomJumpers(0.2, seed),
        lambda seed: MaxNeighbours(KHop(2), 5, seed),
    ):
        assert pairs(make(0)(mesh)) == pairs(make(0)(same))
        assert pairs(make(0)(mesh)) != pairs(make(1)(mesh))


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_random_jumpers_are_a_share_of_the_edges_and_join_no_neighbours(share: float) -> None:
    mesh = random_mesh(70, seed=1)
    jumpers, edges = RandomJumpers(share)(mesh), mesh_edges(mesh)
    assert jumpers.shape[1] == pytest.approx(share * edges.shape[1], abs=1)
    assert not pairs(jumpers) & pairs(edges)


def test_random_jumpers_go_far_and_near() -> None:
    mesh = random_mesh(200, seed=1)
    senders, receivers = RandomJumpers(1.0)(mesh)
    lengths = np.linalg.norm(mesh.points[senders] - mesh.points[receivers], axis=1)
    # The mean distance of two random points in the unit square is 0.521.
    assert lengths.mean() == pytest.approx(0.521, abs=0.05)


def test_where_all_nodes_are_neighbours_nobody_jumps() -> None:
    tetrahedron = Mesh.from_blocks(np.eye(4, 3), [("tetra", [[0, 1, 2, 3]])])
    assert RandomJumpers(1.0)(tetrahedron).shape == (2, 0)


def test_global_nodes_see_all_and_are_seen_by_all_and_nothing_else_is() -> None:
    mesh = random_mesh(70, seed=1)
    mask = GlobalNodes(5)
    chosen = set(mask.nodes(mesh).tolist())
    assert len(chosen) == 5
    everyone = range(mesh.num_points)
    expected = {(a, b) for a in everyone for b in everyone if a != b and {a, b} & chosen}
    assert pairs(mask(mesh)) == expected
    assert mask(mesh).shape[1] == 2 * 5 * 69 - 5 * 4  # 2 |G| N, less self-loops and repeats


def test_farthest_points_of_a_square_are_its_corners_and_then_its_middle() -> None:
    grid = grid_of_quads(6, 6)
    chosen = grid.points[GlobalNodes(5).nodes(grid)].tolist()
    assert chosen[:2] == [[0, 0], [6, 6]]
    assert sorted(chosen[2:4]) == [[0, 6], [6, 0]]
    assert chosen[4] == [3, 3]


def test_global_nodes_are_a_share_of_a_node_type_or_of_a_node_set() -> None:
    points = grid_of_quads(9, 9).points
    inflow = np.flatnonzero(points[:, 0] == 0)
    node_type = np.where(points[:, 0] == 0, NodeType.INFLOW, NodeType.NORMAL)
    cells = grid_of_quads(9, 9).connectivity.reshape(-1, 4)
    mesh = Mesh.from_blocks(
        points, [("quad", cells)], node_type=node_type, node_sets={"inlet": inflow[:5]}
    )
    assert set(GlobalNodes(1.0, ("inflow",)).nodes(mesh)) == set(inflow)
    assert set(GlobalNodes(0.2, ("inflow",)).nodes(mesh)) == {inflow[0], inflow[-1]}
    assert set(GlobalNodes(99, ("inlet",)).nodes(mesh)) == set(inflow[:5])
    assert GlobalNodes(4, ("outflow",))(mesh).shape == (2, 0)
    with pytest.raises(PhysgtError, match=r"no node set 'lid'. Its node sets are \['inlet'\]"):
        GlobalNodes(4, ("lid",))(mesh)


def test_all_nodes_can_be_global_even_where_points_coincide() -> None:
    crack = Mesh.from_blocks(np.zeros((6, 2)), [("triangle", [[0, 1, 2], [3, 4, 5]])])
    assert sorted(GlobalNodes(6).nodes(crack)) == list(range(6))


def test_a_union_sees_what_any_of_its_masks_sees(mesh: Mesh) -> None:
    both = KHop(1) | DilatedWindow(3)
    expected = pairs(KHop(1)(mesh)) | pairs(DilatedWindow(3)(mesh))
    assert pairs(both(mesh)) == expected
    three = Union((KHop(1), DilatedWindow(3), KHop(1)))
    assert pairs(three(mesh)) == expected


def test_a_cap_keeps_lists_that_are_short_and_as_many_as_allowed_of_the_others(mesh: Mesh) -> None:
    whole, capped = KHop(2)(mesh), MaxNeighbours(KHop(2), 6)(mesh)
    assert pairs(capped) <= pairs(whole)
    for node in range(mesh.num_points):
        assert len(neighbours_of(node, capped)) == min(len(neighbours_of(node, whole)), 6)


def test_a_cap_draws_evenly() -> None:
    grid = grid_of_quads(4, 4)
    middle = 12
    drawn = [neighbours_of(middle, MaxNeighbours(KHop(2), 3, seed)(grid)) for seed in range(400)]
    times = np.bincount(np.concatenate(drawn), minlength=25)
    # Each of the 12 nodes within two hops: 100 times expected, standard deviation 8.7.
    assert (times > 0).sum() == 12
    assert np.abs(times[times > 0] - 100).max() < 40


def test_a_result_is_kept_while_the_mesh_lives_and_equal_masks_share_it() -> None:
    mesh = random_mesh(20, seed=1)
    edges = DilatedWindow(2)(mesh)
    assert DilatedWindow(2)(mesh) is edges
    assert KHop(2)(mesh) is not edges
    with pytest.raises(ValueError, match="read-only"):
        edges[0, 0] = 7
    alive = weakref.ref(edges)
    del mesh, edges
    gc.collect()
    assert alive() is None


def test_a_node_without_edges_sees_nobody_and_nobody_sees_it() -> None:
    mesh = Mesh.from_blocks(np.eye(5, 2), [("triangle", [[0, 1, 2]])])
    for mask in (KHop(3), DilatedWindow(2), MaxNeighbours(KHop(1), 1)):
        assert mask(mesh).max(initial=0) <= 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KHop(0), "hops = 0; expected a whole number, 1 or more"),
        (lambda: KHop(1.5), "hops = 1.5; expected a whole number"),
        (lambda: DilatedWindow(1), "dilation = 1; expected a whole number, 2 or more"),
        (lambda: RandomJumpers(1.2), "share = 1.2; expected a share from 0 to 1"),
        (lambda: RandomJumpers(0.1, seed=-1), "seed = -1"),
        (lambda: GlobalNodes(1.5), "size = 1.5; expected a share from 0 to 1"),
        (lambda: GlobalNodes(0), "size = 0; expected a whole number, 1 or more"),
        (lambda: MaxNeighbours(KHop(2), 0), "count = 0; expected a whole number, 1 or more"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named_with_what_is_expected(make, message) -> None:
    with pytest.raises(PhysgtError, match=message):
        make()
