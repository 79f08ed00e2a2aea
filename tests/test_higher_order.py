"""Lagrange and Bezier cells of any order: read, joined, measured and written, judged by VTK."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvista as pv
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from vtkmodules.vtkCommonDataModel import vtkGenericCell
from vtkmodules.vtkFiltersSources import vtkCellTypeSource
from vtkmodules.vtkIOHDF import vtkHDFReader

from heat_case import SMALL_MODELS
from physgt import Field, Mesh, PhysgtError, Simulator, Task
from physgt.cells import CELL_TYPES, edges_of_cells
from physgt.datasets import open_trajectory, write_trajectory
from physgt.datasets.info import describe
from physgt.datasets.lagrange_cells import SAME_NODES
from physgt.datasets.vtk_bridge import from_pyvista, to_pyvista
from physgt.faces import cell_graph
from physgt.mesh import mesh_edges
from physgt.rollout import rollout
from physgt.viz.surface import seen_surface
from physgt.volumes import cell_volumes, node_volumes

ANY_ORDER = [number for number, cell in CELL_TYPES.items() if cell.shape is not None]
BEZIER = [number for number in ANY_ORDER if CELL_TYPES[number].name.startswith("bezier")]

EDGES = {
    "curve": lambda n: n,
    # All steps along the three sides, less those that cut off a corner.
    "triangle": lambda n: 3 * n * (n + 1) // 2 - 3,
    "quadrilateral": lambda n: 2 * n * (n + 1),
    # The same along the six sides, less those that cut off corners or go from face to face inside.
    "tetrahedron": lambda n: n * (n + 1) * (n + 2) - 12 - 6 * (n - 2),
    "hexahedron": lambda n: 3 * n * (n + 1) ** 2,
    "wedge": lambda n: (n + 1) * (3 * n * (n + 1) // 2 - 3) + n * (n + 1) * (n + 2) // 2,
}
"""How many pairs of nodes a cell of order n > 1 joins, counted by hand."""


def by_number(number: Any) -> str | None:
    return CELL_TYPES[number].name if number in CELL_TYPES else None


def unit_block(number: int, order: int) -> pv.UnstructuredGrid:
    """The unit interval, square or cube in cells that VTK makes, with data, two blocks an axis."""
    source = vtkCellTypeSource()
    source.SetCellType(number)
    source.SetCellOrder(order)
    source.SetBlocksDimensions(2, 2, 2)
    source.SetOutputPrecision(1)
    source.Update()
    # Neighbours that VTK makes of tetrahedra have each their own nodes on a face.
    grid = pv.wrap(source.GetOutput()).clean(tolerance=1e-6)
    grid.points = grid.points * 0.5
    grid.point_data["x"] = grid.points[:, 0]
    grid.cell_data["number"] = np.arange(grid.n_cells)
    return grid


def one_cell(number: int, size: int) -> pv.UnstructuredGrid:
    nodes = np.arange(size)
    points = np.random.default_rng(0).random((size, 3))
    return pv.UnstructuredGrid(np.array([size, *nodes]), np.array([number]), points)


def node_places(number: int, size: int) -> np.ndarray:
    """Where VTK says that the nodes lie in their cell: (size, 3), from 0 to 1."""
    places = np.array(one_cell(number, size).GetCell(0).GetParametricCoords())
    places = places.reshape(-1, 3) if places.ndim == 1 else places
    low, high = places.min(axis=0), places.max(axis=0)
    return (places - low) / np.where(high > low, high - low, 1)


def joined(number: int, size: int) -> set[tuple[int, int]]:
    edges = edges_of_cells(number, np.arange(size)[None])
    found = [(int(a), int(b)) for a, b in np.sort(edges, axis=0).T]
    assert len(set(found)) == len(found), "each pair once"
    return set(found)


def read_by_vtk(path: Path) -> pv.UnstructuredGrid:
    reader = vtkHDFReader()
    reader.SetFileName(str(path))
    reader.Update()
    return pv.wrap(reader.GetOutputDataObject(0))


@pytest.mark.parametrize(("lagrange", "plain"), SAME_NODES.items())
def test_up_to_second_order_a_lagrange_cell_is_the_cell_with_the_same_nodes_and_edges(
    lagrange, plain
):
    number, size = lagrange
    np.testing.assert_allclose(node_places(number, size), node_places(plain, size), atol=1e-12)
    mesh, _, _ = from_pyvista(one_cell(number, size), planar=False)
    assert mesh.cell_types.tolist() == [plain]
    assert joined(number, size) == joined(plain, size)
    assert joined(number + 7, size) == joined(plain, size)  # Bezier's


@pytest.mark.parametrize("order", [3, 4, 10])
@pytest.mark.parametrize("number", ANY_ORDER, ids=by_number)
def test_a_cell_joins_its_nodes_along_its_edges_and_those_off_them_to_the_nodes_around(
    number: int, order: int
):
    shape = CELL_TYPES[number].shape
    cell = unit_block(number, order).GetCell(0)
    found = joined(number, cell.GetNumberOfPoints())
    assert len(found) == EDGES[str(shape)](order)
    local = {cell.GetPointId(i): i for i in range(cell.GetNumberOfPoints())}
    places = node_places(number, len(local))
    for k in range(cell.GetNumberOfEdges()):
        ids = cell.GetEdge(k).GetPointIds()
        nodes = [local[ids.GetId(i)] for i in range(ids.GetNumberOfIds())]
        from_one_end = np.linalg.norm(places[nodes] - places[min(nodes)], axis=1)
        path = np.array(nodes)[np.argsort(from_one_end)].tolist()
        on_edge = {pair for pair in found if set(pair) <= set(nodes)}
        assert on_edge == {(min(p), max(p)) for p in itertools.pairwise(path)}
    steps = np.abs(np.diff(places[np.array(sorted(found))], axis=1))
    np.testing.assert_allclose(steps.max(axis=(1, 2)), 1 / order, rtol=1e-6)


@pytest.mark.parametrize("order", [3, 4])
@pytest.mark.parametrize("number", ANY_ORDER, ids=by_number)
def test_a_file_of_any_order_is_converted_to_the_same_cells_and_data(
    number: int, order: int, tmp_path: Path
):
    grid = unit_block(number, order)
    grid.save(tmp_path / "made_by_vtk.vtu")
    write_trajectory(open_trajectory(tmp_path / "made_by_vtk.vtu"), tmp_path / "a.vtkhdf")
    found = read_by_vtk(tmp_path / "a.vtkhdf")
    kept = SAME_NODES.get((number, grid.get_cell(0).n_points), number)
    assert set(found.celltypes.tolist()) == {kept}
    for name in ("points", "cell_offsets", "cell_connectivity"):
        np.testing.assert_array_equal(getattr(found, name), getattr(grid, name))
    np.testing.assert_array_equal(found.point_data["x"], grid.point_data["x"])
    np.testing.assert_array_equal(found.cell_data["number"], grid.cell_data["number"])
    described = describe(tmp_path / "a.vtkhdf")
    assert described.cell_types == {CELL_TYPES[kept].name: grid.n_cells}


@pytest.mark.parametrize("order", [3, 4])
@pytest.mark.parametrize("number", ANY_ORDER, ids=by_number)
def test_a_mesh_of_any_order_is_connected_and_as_large_as_it_is(number: int, order: int):
    mesh, _, _ = from_pyvista(unit_block(number, order), planar=False)
    for edges, size in ((mesh_edges(mesh), mesh.num_points), (cell_graph(mesh), mesh.num_cells)):
        graph = coo_array((np.ones(edges.shape[1]), edges), shape=(size, size))
        assert connected_components(graph, directed=False)[0] == 1
    sheared = mesh.points @ np.array([[2, 0, 0], [1, 3, 0], [0, 1, 5]])
    dimension = CELL_TYPES[number].dimension
    of_sheared = Mesh(sheared, mesh.connectivity, mesh.offsets, mesh.cell_types, mesh.node_type)
    expected = (2, 6, 30)[dimension - 1]  # the determinant
    np.testing.assert_allclose(cell_volumes(of_sheared).sum(), expected, rtol=1e-12)
    np.testing.assert_allclose(node_volumes(of_sheared).sum(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("number", "size", "of_centres"),
    [
        (76, 7, [3]),  # the middles of the three sides
        (71, 15, [4, 4, 4, 4, 10]),  # three middles and the cell's centre; six middles, four faces
        (73, 21, [4, 4, 5, 5, 5, 5]),  # three or four middles and the cell's centre; five faces
    ],
)
def test_second_order_with_centres_joins_each_centre_to_the_middles_around(
    number: int, size: int, of_centres: list[int]
):
    mesh, _, _ = from_pyvista(one_cell(number, size), planar=False)
    assert mesh.cell_types.tolist() == [number]
    degrees = np.bincount(np.array(sorted(joined(number, size))).ravel())
    assert degrees[size - len(of_centres) :].tolist() == of_centres


def test_a_quarter_circle_of_rational_weights_is_still_one_in_the_converted_file(tmp_path: Path):
    corner = pv.UnstructuredGrid(
        np.array([3, 0, 1, 2]), np.array([75]), np.array([[1.0, 0, 0], [0, 1, 0], [1, 1, 0]])
    )
    weights = np.array([1, 1, np.sqrt(0.5)])
    corner.point_data["RationalWeights"] = weights
    corner.GetPointData().SetRationalWeights(corner.GetPointData().GetArray("RationalWeights"))
    corner.save(tmp_path / "arc.vtu")
    arc = open_trajectory(tmp_path / "arc.vtu")
    write_trajectory(arc, tmp_path / "arc.vtkhdf")
    again = to_pyvista(arc.mesh, arc.frame(0))
    for grid in (read_by_vtk(tmp_path / "arc.vtkhdf"), again):
        np.testing.assert_array_equal(grid.point_data["RationalWeights"], weights)
        cell = vtkGenericCell()
        grid.GetCell(0, cell)
        for along in (0.25, 0.5, 0.9):
            place, work = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
            grid.GetCell(0).EvaluateLocation(pv._vtk.mutable(0), [along, 0, 0], place, work)
            assert np.hypot(*place[:2]) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("number", [69, 72, *BEZIER[1:]], ids=by_number)
def test_pictures_show_each_node_where_it_is(number: int):
    mesh, _, _ = from_pyvista(unit_block(number, 3), planar=False)
    moved = mesh.points + 0.02 * np.random.default_rng(0).random(mesh.points.shape)
    bumpy = Mesh(moved, mesh.connectivity, mesh.offsets, mesh.cell_types, mesh.node_type)
    surface = seen_surface(bumpy)
    on_rim = (np.isclose(mesh.points, 0) | np.isclose(mesh.points, 1)).any(axis=1)
    np.testing.assert_array_equal(np.unique(surface.triangles), np.flatnonzero(on_rim))
    corners = mesh.points[surface.triangles]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    assert area.sum() / 2 == pytest.approx(6 if CELL_TYPES[number].dimension == 3 else 1)


def test_a_rollout_on_cubic_cells_is_written_as_cubic_cells(tmp_path: Path):
    unit_block(71, 3).save(tmp_path / "start.vtu")
    start = open_trajectory(tmp_path / "start.vtu")
    torch.manual_seed(0)
    task = Task(targets=(Field("x"),), dt=0.1)
    simulator = Simulator(task, 3, "meshgraphnet", SMALL_MODELS["meshgraphnet"]).eval()
    rollout(simulator, start, 2, output=tmp_path / "prediction.vtkhdf")
    found = read_by_vtk(tmp_path / "prediction.vtkhdf")
    assert set(found.celltypes.tolist()) == {71}
    np.testing.assert_array_equal(found.cell_connectivity, start.mesh.connectivity)


def test_a_size_of_no_order_and_an_order_beyond_vtks_are_refused():
    with pytest.raises(PhysgtError, match=r"a lagrange_triangle has 3, 6, 7, 10, 15.*with \[11\]"):
        from_pyvista(one_cell(69, 11))
    with pytest.raises(PhysgtError, match=r"a bezier_curve has .*10, 11 nodes.*with \[12\]"):
        from_pyvista(one_cell(75, 12))


def test_pyramids_of_any_order_are_refused_since_vtk_does_not_know_them():
    with pytest.raises(PhysgtError, match=r"cell 0 is a pyramid.*number 74.*first or second order"):
        from_pyvista(one_cell(74, 5))


@pytest.mark.parametrize("suffix", [".vtu", ".vtkhdf"])
def test_cells_of_one_order_a_axis_are_read_and_of_several_refused(suffix: str, tmp_path: Path):
    grid = unit_block(70, 3)
    path = tmp_path / f"degrees{suffix}"
    for degrees, refused in (([3.0, 3.0, 1.0], False), ([7.0, 1.0, 1.0], True)):
        grid.cell_data["HigherOrderDegrees"] = np.tile(degrees, (grid.n_cells, 1))
        data = grid.GetCellData()
        data.SetHigherOrderDegrees(data.GetArray("HigherOrderDegrees"))
        grid.save(path)
        if refused:
            with pytest.raises(
                PhysgtError, match=r"lagrange_quadrilateral is of order \[7.*1.*axes"
            ):
                open_trajectory(path)
        else:
            found = open_trajectory(path).frame(0)["HigherOrderDegrees"]
            np.testing.assert_array_equal(found, grid.cell_data["HigherOrderDegrees"])
