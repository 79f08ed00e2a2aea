"""Which neighbour list every head of every block sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from physgt.attention_masks import DilatedWindow, GlobalNodes, KHop, Mask
from physgt.graph import Graph, batch_graphs, build_graph
from physgt.mesh import Mesh, mesh_edges
from physgt.models.neighbourhoods import Neighbourhoods
from physgt.models.virtual_nodes import with_virtual_nodes
from physgt.ops.neighbours import Neighbours
from test_models import random_mesh

MESH = random_mesh(60, seed=1)


def graph_of(neighbourhoods: Neighbourhoods, mesh: Mesh = MESH) -> Graph:
    return build_graph(mesh, masks=neighbourhoods.masks)


def assert_sees(lists: Neighbours, mask: Mask) -> None:
    np.testing.assert_array_equal(lists.edge_index, mask(MESH))


def assert_same(actual: Neighbours, expected: Neighbours) -> None:
    for name in ("edge_index", "senders", "offsets", "seen_by", "seen_by_offsets"):
        a, b = getattr(actual, name), getattr(expected, name)
        assert a.dtype == b.dtype
        assert torch.equal(a, b), name


def test_by_default_all_heads_of_all_blocks_see_the_mesh() -> None:
    neighbourhoods = Neighbourhoods(heads=4, blocks=3)
    assert neighbourhoods.masks == ()
    for block in neighbourhoods.of(graph_of(neighbourhoods)):
        (lists,) = block
        assert_sees(lists, KHop(1))


@pytest.mark.parametrize(("blocks", "dilated"), [(15, 5), (10, 3), (3, 1), (1, 1)])
def test_half_of_the_heads_of_the_last_third_of_the_blocks_see_the_window(blocks, dilated) -> None:
    neighbourhoods = Neighbourhoods(heads=4, blocks=blocks, dilations=[2])
    lists = neighbourhoods.of(graph_of(neighbourhoods))
    assert [len(groups) for groups in lists] == [1] * (blocks - dilated) + [2] * dilated
    direct, window = lists[-1]
    assert_sees(direct, KHop(1))
    assert_sees(window, DilatedWindow(2))


def test_several_dilations_share_half_of_the_heads() -> None:
    neighbourhoods = Neighbourhoods(heads=8, blocks=2, dilations=[2, 4], dilated_blocks=2)
    for groups in neighbourhoods.of(graph_of(neighbourhoods)):
        for lists, mask in zip(
            groups, [KHop(1), KHop(1), DilatedWindow(2), DilatedWindow(4)], strict=True
        ):
            assert_sees(lists, mask)


def test_global_nodes_join_the_near_lists_and_not_the_windows() -> None:
    neighbourhoods = Neighbourhoods(heads=4, blocks=1, k_hop=2, dilations=[3], global_nodes=2)
    near, window = neighbourhoods.of(graph_of(neighbourhoods))[0]
    assert_sees(near, KHop(2) | GlobalNodes(2))
    assert_sees(window, DilatedWindow(3))


def test_a_cap_leaves_the_neighbours_on_the_mesh() -> None:
    options = {"k_hop": 3, "dilations": [2], "max_neighbors": 4}
    neighbourhoods = Neighbourhoods(heads=4, blocks=1, **options)
    near, window = neighbourhoods.of(graph_of(neighbourhoods))[0]
    on_mesh = set(map(tuple, mesh_edges(MESH).T.tolist()))
    within = set(map(tuple, KHop(3)(MESH).T.tolist()))
    assert on_mesh < set(map(tuple, near.edge_index.T.tolist())) < within
    degree = torch.as_tensor(np.bincount(mesh_edges(MESH)[1], minlength=60))
    assert (near.offsets.diff() <= degree + 4).all()
    assert (near.offsets.diff() > degree).any()
    assert window.offsets.diff().max() == 4


@pytest.mark.parametrize("symmetric", [True, False])
def test_virtual_nodes_see_all_nodes_of_their_graph_and_are_seen_by_them(symmetric: bool) -> None:
    one_way = [lambda mesh: mesh_edges(mesh)[:, ::3]]
    graphs = [build_graph(random_mesh(n, seed=n), masks=one_way) for n in (12, 20, 9)]
    batch = batch_graphs(graphs)
    lists = batch.neighbours if symmetric else batch.attention[0]
    expected = [lists.edge_index]
    for number, first, size in [(0, 0, 12), (1, 12, 20), (2, 32, 9)]:
        for virtual in (41 + 2 * number, 42 + 2 * number):
            nodes = torch.arange(first, first + size)
            expected += [
                torch.stack([nodes, torch.full_like(nodes, virtual)]),
                torch.stack([torch.full_like(nodes, virtual), nodes]),
            ]
    edges = torch.cat(expected, dim=1)
    edges = edges[:, np.lexsort(edges.numpy())]
    assert_same(with_virtual_nodes(lists, batch, 2), Neighbours.directed(edges, 47))
