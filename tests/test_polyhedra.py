"""Polyhedra, and the faces that cells share, judged by VTK and by counting."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvista as pv

from physgt.cells import CELL_TYPES, faces_of_cells
from physgt.datasets import open_trajectory
from physgt.datasets.vtk_bridge import from_pyvista, to_pyvista
from physgt.errors import PhysgtError
from physgt.faces import cell_faces, cell_graph
from physgt.mesh import Mesh, mesh_edges
from physgt.polyhedra import Polyhedra
from sample_trajectories import polyhedral_mesh, solid_mesh

WITH_VTK_FACES = [
    n for n, c in CELL_TYPES.items() if c.num_nodes is not None and c.dimension >= 2
]  # fmt: skip


def corners_by_vtk(cell: Any) -> list[frozenset[int]]:
    """Corners of the faces of a VTK cell, or of the sides of a planar one."""
    found = []
    for k in range(cell.GetNumberOfFaces() or cell.GetNumberOfEdges()):
        face = cell.GetFace(k) or cell.GetEdge(k)
        corners = face.GetNumberOfEdges() or 2
        found.append(frozenset(face.GetPointId(i) for i in range(corners)))
    return found


def neighbours_by_search(mesh: Mesh) -> set[tuple[int, int]]:
    """Pairs of cells that have a face of VTK in common, by comparing each with each."""
    grid = to_pyvista(mesh)
    faces = [set(corners_by_vtk(grid.GetCell(i))) for i in range(mesh.num_cells)]
    pairs = itertools.permutations(range(mesh.num_cells), 2)
    return {(i, j) for i, j in pairs if faces[i] & faces[j]}


def voronoi_like() -> Mesh:
    """VTK's subdivision of a box into polyhedra: the duals of a grid of hexahedra's corners."""
    grid = pv.ImageData(dimensions=(4, 3, 3)).cast_to_unstructured_grid()
    cells: list[int] = []
    for i in range(grid.n_cells):
        faces = grid.get_cell(i).faces
        stream = [len(faces)]
        for face in faces:
            corners = face.point_ids
            ring = [corners[0], corners[1], corners[3], corners[2]]
            ring = corners if face.type == pv.CellType.QUAD else ring
            stream += [4, *ring]
        cells += [len(stream), *stream]
    types = np.full(grid.n_cells, pv.CellType.POLYHEDRON)
    return from_pyvista(pv.UnstructuredGrid(np.array(cells), types, grid.points))[0]


@pytest.mark.parametrize("number", WITH_VTK_FACES, ids=lambda n: CELL_TYPES[n].name)
def test_a_cell_has_the_faces_that_vtk_says(number: int) -> None:
    size = CELL_TYPES[number].num_nodes
    assert size is not None
    nodes = np.random.default_rng(0).permutation(size)[None]
    points = np.random.default_rng(1).random((size, 3))
    mesh = Mesh.from_blocks(points, [(CELL_TYPES[number].name, nodes)])
    found = [frozenset(face[0].tolist()) for face in faces_of_cells(number, nodes)]
    assert sorted(map(sorted, found)) == sorted(
        map(sorted, corners_by_vtk(to_pyvista(mesh).GetCell(0)))
    )


def test_corners_of_a_face_are_in_order_around_it() -> None:
    for mesh in (solid_mesh(), polyhedral_mesh(), voronoi_like()):
        sides = {frozenset(pair) for pair in mesh_edges(mesh).T.tolist()}
        for _, nodes in cell_faces(mesh).size_groups():
            for ring in nodes.tolist():
                assert {frozenset(p) for p in itertools.pairwise([*ring, ring[0]])} <= sides


def test_edges_of_polyhedra_are_those_of_vtk() -> None:
    for mesh in (polyhedral_mesh(), voronoi_like()):
        lines = to_pyvista(mesh).extract_all_edges().lines.reshape(-1, 3)[:, 1:]
        expected = {tuple(sorted(pair)) for pair in lines.tolist()}
        assert {tuple(sorted(pair)) for pair in mesh_edges(mesh).T.tolist()} == expected


@pytest.mark.parametrize("mesh", [solid_mesh(), polyhedral_mesh(), voronoi_like()])
def test_cells_are_neighbours_where_they_share_a_face_in_both_directions_and_sorted(
    mesh: Mesh,
) -> None:
    senders, receivers = cell_graph(mesh)
    pairs = list(zip(receivers.tolist(), senders.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    assert set(pairs) == neighbours_by_search(mesh)


def test_a_grid_of_polyhedra_has_the_neighbours_of_a_grid_of_hexahedra() -> None:
    mesh = voronoi_like()  # 3 x 2 x 2 cells
    assert cell_graph(mesh).shape == (2, 2 * (2 * 4 + 3 * 2 + 3 * 2))
    faces = cell_faces(mesh)
    assert faces.on_boundary().sum() == 2 * (2 * 2 + 3 * 2 + 3 * 2)
    assert faces.num_distinct == 4 * 4 + 3 * 3 * 2 + 3 * 2 * 3


def test_quadratic_cells_polygons_and_lines_are_neighbours_through_corners_alone() -> None:
    points = np.random.default_rng(0).random((12, 2))
    mixed = Mesh.from_blocks(
        points,
        [
            ("triangle6", [[0, 1, 2, 3, 4, 5]]),
            ("polygon", [[1, 6, 7, 8, 2]]),
            ("quad", [[6, 9, 10, 7]]),
            ("line", [[6, 9]]),  # of a lower dimension: a mark on the quad's side
        ],
    )
    assert cell_graph(mixed).T.tolist() == [[1, 0], [0, 1], [2, 1], [1, 2]]
    path = Mesh.from_blocks(np.arange(6.0)[:, None], [("line", [[0, 1], [1, 2], [4, 5]])])
    assert cell_graph(path).T.tolist() == [[1, 0], [0, 1]]


def test_taking_cells_takes_their_faces_fields_of_sets_and_order() -> None:
    taken = polyhedral_mesh().take_cells(np.array([2, 1]))
    assert taken.cell_types.tolist() == [10, 42]
    assert taken.connectivity.tolist() == [2, 6, 8, 9, 1, 2, 6, 5, 8]
    assert taken.cell_sets["fluid"].tolist() == [1]
    pyramid = {frozenset(s) for s in ([1, 2, 6, 5], [1, 2, 8], [2, 6, 8], [6, 5, 8], [5, 1, 8])}
    faces = cell_faces(taken)
    found = {frozenset(ring) for _, nodes in faces.size_groups() for ring in nodes.tolist()}
    assert pyramid < found
    assert polyhedral_mesh().take_cells(np.array([2])).polyhedra is None


def test_polyhedra_come_back_from_vtk_and_keep_their_volume(tmp_path: Path) -> None:
    mesh = polyhedral_mesh()
    grid = to_pyvista(mesh)
    volumes = np.abs(grid.compute_cell_sizes(length=False, area=False)["Volume"])
    # A unit cube, a pyramid of height 1 on its side; the determinant of the tetrahedron is 2.
    np.testing.assert_allclose(volumes[:2], [1, 1 / 3])
    for suffix in ("vtu", "vtk"):
        grid.save(tmp_path / f"mesh.{suffix}")
        found = open_trajectory(tmp_path / f"mesh.{suffix}").mesh
        np.testing.assert_array_equal(cell_graph(found), cell_graph(mesh))
        again = to_pyvista(found).compute_cell_sizes(length=False, area=False)["Volume"]
        np.testing.assert_allclose(np.abs(again), volumes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"connectivity": [0, 1, 2, 0, 1, 3, 1, 2, 3, 2, 0, 9]}, "polyhedra name nodes 0 to 9"),
        ({"offsets": [0, 3, 6, 9, 11]}, "offsets of faces of polyhedra must go from 0 to 12"),
        ({"offsets": [0, 2, 6, 9, 12]}, "faces of polyhedra have 3 entries or more, found 2"),
        ({"cell_faces": [0, 1, 2, 4]}, "polyhedra name faces 0 to 4, but faces are 0 to 3"),
        ({"cell_faces": [0, 1, 2], "cell_offsets": [0, 3]}, "cell 0 has 3 faces of its own"),
        ({"cell_offsets": [0, 4, 4]}, "faces are given for 2 cells, but the mesh has 1"),
    ],
)
def test_broken_polyhedra_are_refused_with_what_is_wrong(
    change: dict[str, Any], message: str
) -> None:
    tetra: dict[str, Any] = {
        "connectivity": [0, 1, 2, 0, 1, 3, 1, 2, 3, 2, 0, 3],
        "offsets": [0, 3, 6, 9, 12],
        "cell_faces": [0, 1, 2, 3],
        "cell_offsets": [0, 4],
    }
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    Mesh(points, range(4), [0, 4], [42], np.zeros(4), polyhedra=Polyhedra(**tetra))
    with pytest.raises(PhysgtError, match=message):
        Mesh(points, range(4), [0, 4], [42], np.zeros(4), polyhedra=Polyhedra(**(tetra | change)))
    with pytest.raises(PhysgtError, match="cell 0 is a polyhedron without faces"):
        Mesh(points, range(4), [0, 4], [42], np.zeros(4))
