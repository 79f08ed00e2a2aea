"""VTK's own files, AVS UCD and parallel pieces."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import pyvista as pv
from vtkmodules.vtkCommonDataModel import VTK_CONVEX_POINT_SET

from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError

SUFFIXES = {
    ".vtu": pv.UnstructuredGrid,
    ".vtk": pv.UnstructuredGrid,
    ".vtp": pv.PolyData,
    ".vti": pv.ImageData,
    ".vtr": pv.RectilinearGrid,
    ".vts": pv.StructuredGrid,
}


def grid_of(kind: type[pv.DataSet]) -> pv.DataSet:
    """Two by three cells of one shape."""
    image = pv.ImageData(dimensions=(3, 4, 1))
    if kind is pv.ImageData:
        grid: pv.DataSet = image
    elif kind is pv.RectilinearGrid:
        grid = image.cast_to_rectilinear_grid()
    elif kind is pv.StructuredGrid:
        grid = image.cast_to_structured_grid()
    elif kind is pv.PolyData:
        grid = image.extract_surface(algorithm=None)
    else:
        grid = image.cast_to_unstructured_grid()
    grid["height"] = 10.0 * grid.points[:, 1] + grid.points[:, 0]
    grid.cell_data["number"] = np.arange(6)
    return grid


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_each_kind_of_grid_is_read_with_its_data(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"grid{suffix}"
    grid_of(SUFFIXES[suffix]).save(path)
    trajectory = open_trajectory(path)
    mesh, frame = trajectory.mesh, trajectory.frame(0)
    assert (mesh.num_points, mesh.num_cells, mesh.dimension) == (12, 6, 2)
    np.testing.assert_allclose(frame["height"], 10 * mesh.points[:, 1] + mesh.points[:, 0])
    assert frame["number"].tolist() == [0, 1, 2, 3, 4, 5]


def test_the_values_of_real_files_are_those_of_pyvista(shared_data: Path) -> None:
    for name, counts in {"can.vtu": (6724, 4800), "hexa.vtk": (12167, 10648)}.items():
        path = shared_data / "files" / "vtk" / name
        trajectory, grid = open_trajectory(path), pv.read(path)
        assert (trajectory.mesh.num_points, trajectory.mesh.num_cells) == counts
        frame = trajectory.frame(0)
        for array in (*grid.point_data, *grid.cell_data):
            np.testing.assert_array_equal(frame[array], grid[array])


def test_quadratic_cells_stay_quadratic(shared_data: Path) -> None:
    mesh = open_trajectory(shared_data / "files" / "vtk" / "notch_disp.vtu").mesh
    assert np.unique(mesh.cell_types).tolist() == [25, 26]


def test_pieces_of_a_parallel_run_share_their_points(shared_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared_data / "files" / "pvtu" / "blood_vessels.zip") as archive:
        archive.extractall(tmp_path)
    path = tmp_path / "blood_vessels" / "T0000000500.pvtu"
    mesh, grid = open_trajectory(path).mesh, pv.read(path)
    assert mesh.num_cells == grid.n_cells
    assert mesh.num_points == len(np.unique(grid.points, axis=0)) < grid.n_points


def write_pieces(path: Path, pieces: list[pv.UnstructuredGrid]) -> None:
    for i, piece in enumerate(pieces):
        piece.save(path.with_name(f"{path.stem}_{i}.vtu"))
    sources = "".join(f'<Piece Source="{path.stem}_{i}.vtu"/>' for i in range(len(pieces)))
    path.write_text(
        '<VTKFile type="PUnstructuredGrid" version="1.0" byte_order="LittleEndian">'
        '<PUnstructuredGrid GhostLevel="0"><PPointData><PDataArray type="Float64" Name="a"/>'
        '</PPointData><PPoints><PDataArray type="Float64" NumberOfComponents="3"/></PPoints>'
        f"{sources}</PUnstructuredGrid></VTKFile>"
    )


def squares(*corners: float) -> pv.UnstructuredGrid:
    """A unit square from each x, with points and values of its own: 0, 1, 2, ..."""
    places = [(x + dx, dy, 0) for x in corners for dx, dy in ((0, 0), (1, 0), (1, 1), (0, 1))]
    cells = np.concatenate([[4, *range(4 * i, 4 * i + 4)] for i in range(len(corners))])
    grid = pv.UnstructuredGrid(cells, [9] * len(corners), np.array(places, dtype=float))
    grid["a"] = np.arange(4.0 * len(corners))
    return grid


def test_a_crack_within_a_piece_stays_open_with_the_values_of_both_sides(tmp_path: Path) -> None:
    write_pieces(tmp_path / "crack.pvtu", [squares(0, 1), squares(2)])
    trajectory = open_trajectory(tmp_path / "crack.pvtu")
    assert (trajectory.mesh.num_points, trajectory.mesh.num_cells) == (8 + 2, 3)
    assert trajectory.frame(0)["a"][[1, 4]].tolist() == [1, 4]


def test_ghost_cells_are_not_counted_twice(tmp_path: Path) -> None:
    left, right = squares(0, 1), squares(1, 2)
    left.cell_data["vtkGhostType"] = np.array([0, 1], np.uint8)
    right.cell_data["vtkGhostType"] = np.array([0, 0], np.uint8)
    write_pieces(tmp_path / "two.pvtu", [left, right])
    listed = "".join(f'<DataSet timestep="0" part="{i}" file="two_{i}.vtu"/>' for i in range(2))
    collection = f'<VTKFile type="Collection"><Collection>{listed}</Collection></VTKFile>'
    (tmp_path / "two.pvd").write_text(collection)
    pv.MultiBlock({"left": left, "right": right}).save(tmp_path / "two.vtm")
    for suffix in (".pvtu", ".pvd", ".vtm"):
        trajectory = open_trajectory(tmp_path / f"two{suffix}")
        assert trajectory.mesh.num_cells == 3
        assert "vtkGhostType" not in trajectory.fields
    assert open_trajectory(tmp_path / "two_0.vtu").mesh.num_cells == 1


@pytest.mark.parametrize("name", ["at.vtu", "text.vtk", "binary.vtk", "pieces.pvtu"])
def test_the_time_of_a_file_is_its_time_value(name: str, tmp_path: Path) -> None:
    grid = squares(0)
    grid.field_data["TimeValue"] = [0.25]
    if name == "pieces.pvtu":
        write_pieces(tmp_path / name, [grid])
    else:
        grid.save(tmp_path / name, binary=name != "text.vtk")
    assert open_trajectory(tmp_path / name).times.tolist() == [0.25]


def test_binary_avs_ucd_is_read_although_abaqus_has_the_same_ending(shared_data: Path) -> None:
    path = shared_data / "files" / "ucd_changing_mesh" / "UCD_00000.inp"
    trajectory = open_trajectory(path)
    assert (trajectory.mesh.num_points, trajectory.mesh.num_cells) == (5866, 5384)
    assert "rho" in trajectory.frame(0)


@pytest.mark.parametrize("kept", [0, 0.3, 0.6, 0.97])
@pytest.mark.parametrize("name", ["vtk/can.vtu", "vtk/hexa.vtk", "ucd_changing_mesh/UCD_00001.inp"])
def test_a_truncated_file_is_an_error_that_names_it(
    shared_data: Path, tmp_path: Path, name: str, kept: float
) -> None:
    data = (shared_data / "files" / name).read_bytes()
    cut = tmp_path / f"cut{Path(name).suffix}"
    cut.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(PhysgtError, match=f"^{cut}"):
        open_trajectory(cut)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.99])
def test_a_truncated_binary_legacy_file_is_an_error_although_vtk_only_warns(
    tmp_path: Path, kept: float, capfd: pytest.CaptureFixture[str]
) -> None:
    grid = pv.ImageData(dimensions=(10, 10, 10)).cast_to_unstructured_grid()
    grid["number"] = np.arange(1000.0)
    grid.save(tmp_path / "whole.vtk")
    data = (tmp_path / "whole.vtk").read_bytes()
    (tmp_path / "cut.vtk").write_bytes(data[: int(kept * len(data))])
    with pytest.raises(PhysgtError, match=r"cut\.vtk"):
        open_trajectory(tmp_path / "cut.vtk")
    assert capfd.readouterr().err == ""


def test_an_empty_grid_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.vtu").write_text(
        '<VTKFile type="UnstructuredGrid" version="1.0"><UnstructuredGrid>'
        '<Piece NumberOfPoints="0" NumberOfCells="0"><Points/><Cells/></Piece>'
        "</UnstructuredGrid></VTKFile>"
    )
    with pytest.raises(PhysgtError, match=r"empty\.vtu: the grid is empty: 0 points"):
        open_trajectory(tmp_path / "empty.vtu")


def test_an_unknown_cell_type_is_named(tmp_path: Path) -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=float)
    grid = pv.UnstructuredGrid([3, 0, 1, 2], [VTK_CONVEX_POINT_SET], points)
    grid.save(tmp_path / "hull.vtu")
    with pytest.raises(PhysgtError, match=r"hull\.vtu: .*unknown VTK cell type 41"):
        open_trajectory(tmp_path / "hull.vtu")
