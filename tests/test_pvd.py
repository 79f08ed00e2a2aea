"""ParaView's collections: written by us, read by VTK; written by VTK, read by us."""

from pathlib import Path

import numpy as np
import pytest
import pyvista as pv

from physgt.datasets.pvd import read_pvd, write_pvd
from physgt.errors import PhysgtError
from physgt.task import Field
from physgt.trajectory import Trajectory
from sample_trajectories import solid, solid_moving


@pytest.mark.parametrize("sample", [solid, solid_moving])
def test_what_is_written_is_what_is_read_here_and_by_pyvista(tmp_path: Path, sample) -> None:
    trajectory, path = sample(), tmp_path / "out.pvd"
    write_pvd(trajectory, path)
    ours, theirs = read_pvd(path), pv.PVDReader(path)
    np.testing.assert_array_equal(ours.times, trajectory.times)
    np.testing.assert_array_equal(theirs.time_values, trajectory.times)
    np.testing.assert_array_equal(ours.mesh.connectivity, trajectory.mesh.connectivity)
    for i in range(trajectory.num_times):
        theirs.set_active_time_point(i)
        grid = theirs.read()[0]
        np.testing.assert_array_equal(ours.points_at(i), trajectory.points_at(i))
        np.testing.assert_array_equal(grid.points, trajectory.points_at(i))
        for name, values in trajectory.frame(i).items():
            if name != "points":
                np.testing.assert_array_equal(ours.frame(i)[name], values)
                np.testing.assert_array_equal(grid[name], values)


def test_a_global_vector_comes_back(tmp_path: Path) -> None:
    sample = solid()
    field = Field("force", 3, "N", "global", dtype="float64")
    trajectory = Trajectory.from_frames(
        sample.mesh, sample.times, [field], lambda i: {"force": np.array([i, 1.0, 2.0])}
    )
    write_pvd(trajectory, tmp_path / "out.pvd")
    assert read_pvd(tmp_path / "out.pvd").frame(1)["force"].tolist() == [1, 1, 2]


def test_parts_of_one_time_are_joined_where_they_share_points(tmp_path: Path) -> None:
    image = pv.ImageData(dimensions=(5, 2, 1)).cast_to_unstructured_grid()
    image["x"] = image.points[:, 0].copy()
    for part, cells in enumerate(([0, 1], [2, 3])):
        image.extract_cells(cells).save(tmp_path / f"part{part}.vtu")
    entries = "".join(
        f'<DataSet timestep="0.5" part="{part}" file="part{part}.vtu"/>' for part in range(2)
    )
    (tmp_path / "parts.pvd").write_text(
        f'<VTKFile type="Collection"><Collection>{entries}</Collection></VTKFile>'
    )
    trajectory = read_pvd(tmp_path / "parts.pvd")
    assert trajectory.times.tolist() == [0.5]
    assert (trajectory.mesh.num_points, trajectory.mesh.num_cells) == (10, 4)
    np.testing.assert_array_equal(trajectory.frame(0)["x"], trajectory.mesh.points[:, 0])
    assert trajectory.mesh.cell_sets["part 1"].tolist() == [2, 3]


def test_a_time_that_a_restart_wrote_again_is_named(tmp_path: Path) -> None:
    entries = ""
    for i, time in enumerate((0, 1, 1, 2)):
        pv.Plane(i_resolution=1, j_resolution=1).save(tmp_path / f"flow_{i}.vtp")
        entries += f'<DataSet timestep="{time}" part="0" file="flow_{i}.vtp"/>'
    path = tmp_path / "flow.pvd"
    path.write_text(f'<VTKFile type="Collection"><Collection>{entries}</Collection></VTKFile>')
    with pytest.raises(PhysgtError, match=r"lists flow_1\.vtp and flow_2\.vtp for one part at 1 s"):
        read_pvd(path)


def test_a_truncated_or_empty_collection_and_a_missing_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "out.pvd"
    write_pvd(solid(), path)
    text = path.read_text()
    path.write_text(text[:200])
    with pytest.raises(PhysgtError, match=r"out\.pvd: truncated or damaged collection"):
        read_pvd(path)
    path.write_text("<VTKFile><Collection/></VTKFile>")
    with pytest.raises(PhysgtError, match=r"out\.pvd: lists no files"):
        read_pvd(path)
    path.write_text(text)
    (tmp_path / "out_vtu" / "0.vtu").unlink()
    with pytest.raises(PhysgtError, match=r"out_vtu/0\.vtu"):
        read_pvd(path)
