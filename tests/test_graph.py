"""Graphs of meshes: their orientation, their neighbour lists, and several as one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from physgt.graph import Graph, batch_graphs, build_graph
from physgt.mesh import Mesh, mesh_edges
from sample_trajectories import planar_mesh, solid_mesh
from test_mesh import grid_of_quads, renumbered

MESHES = [planar_mesh(), solid_mesh(), grid_of_quads(5, 3)]
TENSORS = (
    "points", "edge_index", "edge_vectors", "oriented", "node_type", "free", "graph_index",
)  # fmt: skip


def oriented_pairs(graph: Graph) -> set[tuple[int, int]]:
    return set(map(tuple, graph.edge_index[:, graph.oriented].T.tolist()))


@pytest.mark.parametrize("mesh", MESHES)
def test_a_graph_holds_the_edges_and_geometry_of_its_mesh(mesh: Mesh) -> None:
    graph = build_graph(mesh, dtype=torch.float64)
    assert (graph.num_nodes, graph.num_graphs) == (mesh.num_points, 1)
    np.testing.assert_array_equal(graph.edge_index, mesh_edges(mesh))
    np.testing.assert_array_equal(graph.points, mesh.points)
    np.testing.assert_array_equal(graph.node_type, mesh.node_type)
    for e, (sender, receiver) in enumerate(mesh_edges(mesh).T):
        expected = mesh.points[sender] - mesh.points[receiver]
        np.testing.assert_array_equal(graph.edge_vectors[e], expected)


@pytest.mark.parametrize("mesh", MESHES)
def test_row_offsets_delimit_the_neighbours_of_each_node(mesh: Mesh) -> None:
    graph = build_graph(mesh)
    edges = set(map(tuple, mesh_edges(mesh).T.tolist()))
    for node in range(mesh.num_points):
        first, last = graph.row_offsets[node : node + 2]
        neighbours = graph.senders[first:last].tolist()
        assert neighbours == sorted(n for n in range(mesh.num_points) if (n, node) in edges)


@pytest.mark.parametrize("mesh", MESHES)
def test_each_edge_is_oriented_once_from_the_larger_point_to_the_smaller(mesh: Mesh) -> None:
    graph = build_graph(mesh)
    pairs = oriented_pairs(graph)
    assert len(pairs) == len(graph.oriented) == graph.num_edges // 2
    assert not pairs & {(b, a) for a, b in pairs}
    for sender, receiver in pairs:
        assert tuple(mesh.points[sender]) > tuple(mesh.points[receiver])


@pytest.mark.parametrize("mesh", MESHES)
def test_the_orientation_does_not_depend_on_the_numbering(mesh: Mesh) -> None:
    new_number = np.random.default_rng(0).permutation(mesh.num_points)
    expected = {(new_number[a], new_number[b]) for a, b in oriented_pairs(build_graph(mesh))}
    assert oriented_pairs(build_graph(renumbered(mesh, new_number))) == expected


def test_edge_vectors_keep_the_digits_that_points_in_single_precision_lose() -> None:
    near = Mesh.from_blocks(np.array([[1000.0], [1000.0 + 1e-6]]), [("line", [[0, 1]])])
    graph = build_graph(near)
    assert graph.points[0] == graph.points[1]
    torch.testing.assert_close(
        graph.edge_vectors.abs(), torch.full((2, 1), 1e-6), rtol=1e-4, atol=0
    )


def test_a_batch_is_the_disjoint_union_of_its_graphs() -> None:
    free = np.random.default_rng(0).random((solid_mesh().num_points, 2)) < 0.5
    other = build_graph(renumbered(solid_mesh(), np.arange(11)[::-1]), free)
    graphs = [build_graph(solid_mesh(), free), other, build_graph(solid_mesh(), ~free)]
    batch = batch_graphs(graphs)
    assert batch.num_graphs == 3
    assert batch.graph_offsets.tolist() == [0, 11, 22, 33]
    edges_before = 0
    for k, graph in enumerate(graphs):
        nodes = slice(11 * k, 11 * (k + 1))
        edges = slice(edges_before, edges_before + graph.num_edges)
        for name in ("points", "node_type", "free"):
            assert torch.equal(getattr(batch, name)[nodes], getattr(graph, name))
        assert torch.equal(batch.edge_index[:, edges] - 11 * k, graph.edge_index)
        assert torch.equal(batch.edge_vectors[edges], graph.edge_vectors)
        assert (batch.graph_index[nodes] == k).all()
        half = slice(edges_before // 2, edges.stop // 2)
        assert torch.equal(batch.oriented[half] - edges_before, graph.oriented)
        edges_before = edges.stop
    assert batch.num_edges == edges_before
    assert (batch.graph_index[batch.senders] == batch.graph_index[batch.receivers]).all()
    assert batch.row_offsets[-1] == batch.num_edges


def test_batches_of_batches_are_one_batch() -> None:
    a, b = build_graph(planar_mesh()), build_graph(grid_of_quads(2, 2))
    nested, flat = batch_graphs([batch_graphs([a, b]), a]), batch_graphs([a, b, a])
    assert nested.num_graphs == flat.num_graphs == 3
    for name in TENSORS:
        assert torch.equal(getattr(nested, name), getattr(flat, name))


def test_moving_a_graph_changes_the_precision_of_geometry_alone() -> None:
    graph = build_graph(planar_mesh()).to(dtype=torch.float64)
    types = {name: getattr(graph, name).dtype for name in TENSORS}
    assert types.pop("free") == torch.bool
    assert types.pop("points") == types.pop("edge_vectors") == torch.float64
    assert set(types.values()) == {torch.int64}


def test_a_scaled_graph_has_points_between_0_and_1_and_edges_about_1() -> None:
    graph = build_graph(grid_of_quads(4, 2), dtype=torch.float64)
    scaled = graph.scaled(torch.zeros(2), torch.tensor([4.0, 2.0]), torch.tensor(0.5))
    assert scaled.points.min() == 0
    assert scaled.points.max() == 1
    torch.testing.assert_close(scaled.edge_vectors, 2 * graph.edge_vectors)


@pytest.mark.parametrize("mesh", MESHES)
def test_a_graph_in_another_order_is_the_graph_of_the_mesh_renumbered_so(mesh: Mesh) -> None:
    order = np.random.default_rng(1).permutation(mesh.num_points)
    new_number = np.argsort(order)
    reordered = build_graph(mesh, order=order, masks=[mesh_edges], encodings=[lambda m: m.points])
    expected = build_graph(renumbered(mesh, new_number), encodings=[lambda m: m.points])
    for name in (*TENSORS, "encodings"):
        torch.testing.assert_close(getattr(reordered, name), getattr(expected, name))
    torch.testing.assert_close(reordered.attention[0].edge_index, expected.edge_index)


def test_values_come_back_from_a_graph_in_the_order_of_their_meshes() -> None:
    graphs = [
        build_graph(mesh, order=np.random.default_rng(2).permutation(mesh.num_points))
        for mesh in (planar_mesh(), grid_of_quads(5, 3))
    ]
    for graph in (*graphs, batch_graphs(graphs)):
        values = np.arange(3.0 * graph.num_nodes * 2).reshape(3, graph.num_nodes, 2)
        inside = graph.from_mesh(values)
        np.testing.assert_array_equal(inside, values[:, graph.order])
        np.testing.assert_array_equal(graph.to_mesh(inside), values)


def test_neighbour_lists_of_a_batch_are_those_of_its_graphs_end_to_end() -> None:
    one_way = [lambda mesh: mesh_edges(mesh)[:, ::3]]
    graphs = [build_graph(mesh, masks=one_way) for mesh in (planar_mesh(), grid_of_quads(5, 3))]
    batch = batch_graphs([graphs[1], graphs[0], graphs[1]])
    lists = batch.attention[0]
    starts = [0, graphs[1].num_nodes, graphs[1].num_nodes + graphs[0].num_nodes]
    expected = torch.cat(
        [
            graph.attention[0].edge_index + start
            for graph, start in zip([graphs[1], graphs[0], graphs[1]], starts, strict=True)
        ],
        dim=1,
    )
    torch.testing.assert_close(lists.edge_index, expected)
    senders, receivers = expected.tolist()
    for node in range(batch.num_nodes):
        seen = lists.senders[lists.offsets[node] : lists.offsets[node + 1]].tolist()
        assert seen == [s for s, r in zip(senders, receivers, strict=True) if r == node]
        seeing = lists.seen_by[lists.seen_by_offsets[node] : lists.seen_by_offsets[node + 1]]
        assert seeing.tolist() == [r for s, r in zip(senders, receivers, strict=True) if s == node]
