"""Cells of every type, judged by VTK, and the edges of meshes, judged by counting."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import pyvista as pv

from physgt.cells import CELL_TYPES, VTK_NUMBERS, edges_of_cells
from physgt.datasets.vtk_bridge import to_pyvista
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, NodeType, is_planar, mesh_edges
from sample_trajectories import planar_mesh, solid_mesh

# VTK says what the edges of these are; it has no edges for cells of dimension 0 and 1 and strips.
WITH_VTK_EDGES = [
    n
    for n, c in CELL_TYPES.items()
    if c.dimension >= 2 and c.name not in ("triangle_strip", "polyhedron")
]


def one_cell(name: str, size: int) -> Mesh:
    """A mesh of one cell, whose nodes are numbered at random."""
    nodes = np.random.default_rng(0).permutation(size)
    points = np.random.default_rng(1).random((size, 3))
    return Mesh.from_blocks(points, [(name, nodes[None])])


def as_pairs(edges: np.ndarray) -> list[tuple[int, int]]:
    """Undirected edges, each as (smaller, larger), sorted; repeats stay."""
    return sorted(map(tuple, np.sort(edges, axis=0).T.tolist()))


def grid_of_quads(columns: int, rows: int) -> Mesh:
    number = np.arange((columns + 1) * (rows + 1)).reshape(rows + 1, columns + 1)
    cells = np.stack([number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]], axis=-1)
    y, x = np.divmod(number.ravel(), columns + 1)
    return Mesh.from_blocks(np.stack([x, y], axis=1), [("quad", cells.reshape(-1, 4))])


def renumbered(mesh: Mesh, new_number: np.ndarray) -> Mesh:
    old = np.argsort(new_number)
    return Mesh(
        mesh.points[old], new_number[mesh.connectivity], mesh.offsets, mesh.cell_types,
        mesh.node_type[old],
    )  # fmt: skip


@pytest.mark.parametrize("number", WITH_VTK_EDGES, ids=lambda n: CELL_TYPES[n].name)
def test_a_cell_has_the_edges_that_vtk_says_and_joins_inner_nodes_to_those_around(
    number: int,
) -> None:
    cell_type = CELL_TYPES[number]
    mesh = one_cell(cell_type.name, (*cell_type.sizes(), 8)[0])
    cell = to_pyvista(mesh).GetCell(0)
    expected: list[tuple[int, int]] = []
    for k in range(cell.GetNumberOfEdges()):
        ids = cell.GetEdge(k).GetPointIds()
        # A quadratic edge lists its ends, then the node between them.
        ends_and_middle = [ids.GetId(i) for i in range(ids.GetNumberOfIds())]
        path = [ends_and_middle[0], *ends_and_middle[2:], ends_and_middle[1]]
        expected += itertools.pairwise(path)
    expected += spokes_by_vtk(number, cell)
    found = edges_of_cells(number, mesh.connectivity[None])
    assert as_pairs(found) == as_pairs(np.array(expected).T)


def spokes_by_vtk(number: int, cell: Any) -> list[tuple[int, int]]:
    """A centre of a face belongs to the middles of its edges, that of a cell to its faces'."""
    spokes, centres = [], []
    for k in range(max(cell.GetNumberOfFaces(), 1)):
        face = cell.GetFace(k) or cell  # GetFace fills one and the same object each time
        nodes = [face.GetPointId(i) for i in range(face.GetNumberOfPoints())]
        corners = face.GetNumberOfEdges()
        if len(nodes) == 2 * corners + 1 and number not in (7, 36):
            spokes += [(nodes[-1], node) for node in nodes[corners:-1]]
            centres.append(nodes[-1])
    if CELL_TYPES[number].name in ("hexahedron27", "pyramid19"):
        last = cell.GetPointId(cell.GetNumberOfPoints() - 1)
        spokes += [(last, centre) for centre in centres]
    return spokes


@pytest.mark.parametrize(
    ("name", "size", "pairs"),
    [
        ("vertex", 1, []),
        ("poly_vertex", 3, []),
        ("line", 2, [(0, 1)]),
        ("line3", 3, [(0, 2), (1, 2)]),
        ("line4", 4, [(0, 2), (1, 3), (2, 3)]),
        ("polyline", 4, [(0, 1), (1, 2), (2, 3)]),
        ("triangle_strip", 5, [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4)]),
    ],
)
def test_cells_without_edges_in_vtk_have_those_counted_by_hand(
    name: str, size: int, pairs: list[tuple[int, int]]
) -> None:
    assert as_pairs(edges_of_cells(VTK_NUMBERS[name], np.arange(size)[None])) == pairs


def test_cell_types_have_the_numbers_dimensions_and_node_counts_of_vtk() -> None:
    for number, cell_type in CELL_TYPES.items():
        if cell_type.name == "polyhedron":
            continue  # see test_polyhedra.py
        size = (*cell_type.sizes(), 6)[0]
        cell = to_pyvista(one_cell(cell_type.name, size)).GetCell(0)
        assert cell.GetCellType() == number
        assert cell.GetCellDimension() == cell_type.dimension
        assert cell.GetNumberOfPoints() == size


def test_a_grid_of_quadrilaterals_has_its_sides_as_edges_and_no_diagonals() -> None:
    mesh = grid_of_quads(4, 3)
    edges = mesh_edges(mesh)
    assert edges.shape[1] == 2 * (4 * 4 + 5 * 3)  # 4 rows of 4 sides, 5 columns of 3, two ways
    np.testing.assert_array_equal(np.abs(np.diff(mesh.points[edges], axis=0)).sum(axis=(0, 2)), 1.0)


@pytest.mark.parametrize("mesh", [planar_mesh(), solid_mesh(), grid_of_quads(3, 3)])
def test_each_edge_comes_once_in_each_direction_sorted_by_receiver_then_sender(mesh: Mesh) -> None:
    senders, receivers = mesh_edges(mesh)
    pairs = list(zip(receivers.tolist(), senders.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    assert {(b, a) for a, b in pairs} == set(pairs)
    assert all(a != b for a, b in pairs)


def test_edges_of_a_mixed_solid_are_those_of_vtk() -> None:
    by_vtk = to_pyvista(solid_mesh()).extract_all_edges()
    expected = by_vtk.lines.reshape(-1, 3)[:, 1:].T
    senders, receivers = mesh_edges(solid_mesh())
    once = np.stack([senders, receivers])[:, senders < receivers]
    assert as_pairs(once) == as_pairs(expected)


def test_renumbering_the_nodes_renumbers_the_edges() -> None:
    mesh = solid_mesh()
    new_number = np.random.default_rng(2).permutation(mesh.num_points)
    expected = new_number[mesh_edges(mesh)]
    found = mesh_edges(renumbered(mesh, new_number))
    assert set(map(tuple, found.T)) == set(map(tuple, expected.T))


def test_a_node_that_a_cell_names_twice_has_no_edge_to_itself() -> None:
    collapsed = Mesh.from_blocks(np.eye(3), [("quad", [[0, 1, 2, 2]])])
    assert as_pairs(mesh_edges(collapsed)) == sorted(2 * [(0, 1), (0, 2), (1, 2)])


def test_blocks_put_cells_of_one_type_and_size_together_in_their_order() -> None:
    mesh = Mesh(
        np.random.default_rng(0).random((6, 2)),
        connectivity=[0, 1, 2, 0, 1, 2, 3, 3, 4, 5, 0, 1, 2, 3, 4],
        offsets=[0, 3, 7, 10, 15],
        cell_types=[5, 7, 5, 7],
        node_type=np.zeros(6),
    )
    found = [(n, cells.tolist(), nodes.tolist()) for n, cells, nodes in mesh.blocks()]
    assert found == [
        (5, [0, 2], [[0, 1, 2], [3, 4, 5]]),
        (7, [1], [[0, 1, 2, 3]]),
        (7, [3], [[0, 1, 2, 3, 4]]),
    ]


def test_nodes_are_named_by_a_set_of_nodes_or_cells_or_else_by_a_node_type_in_any_case() -> None:
    mesh = planar_mesh()
    np.testing.assert_array_equal(mesh.nodes_of("walls/upper"), [2, 3])
    np.testing.assert_array_equal(mesh.nodes_of("inflow"), [0])
    np.testing.assert_array_equal(mesh.nodes_of("WALL_BOUNDARY"), [3])
    np.testing.assert_array_equal(mesh.nodes_of("fluid"), [0, 1, 2, 3, 4])
    with pytest.raises(PhysgtError, match=r"no node set 'lid'.*'walls/upper'.*INFLOW"):
        mesh.nodes_of("lid")


def test_a_node_type_that_nobody_gave_is_no_empty_set() -> None:
    mesh = planar_mesh()
    untyped = replace(mesh, node_type=np.zeros(mesh.num_points))
    with pytest.raises(PhysgtError, match=r"no node has that type.*'walls/upper'.*--node-type"):
        untyped.nodes_of("wall_boundary")
    assert untyped.nodes_of("normal").tolist() == list(range(mesh.num_points))
    assert mesh.nodes_of("obstacle").size == 0  # of a mesh with types one may be absent


def test_node_types_have_the_numbers_of_the_public_data_sets() -> None:
    # deepmind-research, meshgraphnets/common.py
    assert [t.value for t in NodeType] == [0, 1, 2, 3, 4, 5, 6]
    assert (NodeType.INFLOW, NodeType.OUTFLOW, NodeType.WALL_BOUNDARY) == (4, 5, 6)


def test_a_mesh_is_planar_at_one_z_without_volume_cells() -> None:
    flat, solid = pv.Plane().points, pv.Sphere().points
    assert is_planar(flat, np.array([9]))
    assert is_planar(flat + np.float32(0.3), np.array([3, 5]))
    assert not is_planar(solid, np.array([5]))
    assert not is_planar(flat, np.array([9, 12]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": np.zeros((0, 2)), "node_type": []}, "mesh is empty: 0 points"),
        (
            {"connectivity": [], "offsets": [0], "cell_types": []},
            "mesh is empty: 3 points, 0 cells",
        ),
        ({"points": np.zeros(3)}, r"points.*\(3,\)"),
        ({"points": [[0, 0], [1, np.nan], [0, 1]]}, "1 points are not finite, the first is node 1"),
        ({"node_type": [0, 1]}, r"node_type has shape \(2,\), expected \(3,\)"),
        ({"node_type": [0, 0, 9]}, "node_type of node 2 is 9, expected 0 to 8"),
        ({"cell_types": [5, 5]}, "2 cells need 3 increasing offsets"),
        ({"offsets": [1, 3]}, "increasing offsets from 0"),
        ({"offsets": [0, 2]}, "last offset is 2, but connectivity holds 3"),
        ({"connectivity": [0, 1, 3]}, "nodes 0 to 3, but nodes are 0 to 2"),
        ({"connectivity": [-1, 1, 2]}, "nodes -1 to 2"),
        ({"cell_types": [41]}, "cell 0 has the unknown VTK cell type 41; known are 1 vertex"),
        ({"cell_types": [9]}, r"a quad has 4 nodes, found cells with \[3\]"),
        ({"node_sets": {"wall": [3]}}, "node set 'wall' must list node numbers from 0 to 2"),
        ({"node_sets": {"wall": np.array([True, False, True])}}, r"node set 'wall' is a mask, but"),
        ({"cell_sets": {"fluid": [True]}}, r"list cell numbers: np\.flatnonzero\(mask\)"),
        ({"cell_sets": {"fluid": [-1]}}, "cell set 'fluid' must list cell numbers from 0 to 0"),
    ],
)
def test_a_broken_mesh_is_refused_with_what_is_wrong(change: dict[str, Any], message: str) -> None:
    triangle = {
        "points": [[0, 0], [1, 0], [0, 1]],
        "connectivity": [0, 1, 2],
        "offsets": [0, 3],
        "cell_types": [5],
        "node_type": [0, 0, 0],
    }
    Mesh(**triangle)
    with pytest.raises(PhysgtError, match=message):
        Mesh(**(triangle | change))


def test_an_unknown_cell_name_is_refused_with_those_known() -> None:
    with pytest.raises(PhysgtError, match=r"unknown cell type 'triangel'; known are.*triangle"):
        Mesh.from_blocks(np.eye(3), [("triangel", [[0, 1, 2]])])
