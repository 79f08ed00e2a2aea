"""Numbered files, one a time."""

from pathlib import Path

import meshio
import numpy as np
import pytest
import pyvista as pv

from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError


def write(path: Path, value: float, time: float | None = None) -> None:
    grid = pv.ImageData(dimensions=(3, 3, 1)).cast_to_unstructured_grid()
    grid["p"] = np.full(9, value)
    if time is not None:
        grid.field_data["TimeValue"] = [time]
    grid.save(path)


def test_six_steps_of_a_cylinder_flow_by_folder_and_by_pattern(shared_data: Path) -> None:
    folder = shared_data / "files" / "cylinder_flow"
    by_pattern = open_trajectory(folder / "cylinder_*.vtu", time_unit=0.01)
    assert (by_pattern.mesh.num_points, by_pattern.mesh.num_cells) == (1923, 3612)
    np.testing.assert_allclose(by_pattern.times, 0.01 * np.arange(6))
    for i in range(6):
        grid = pv.read(folder / f"cylinder_{i}.vtu")
        np.testing.assert_array_equal(by_pattern.frame(i)["velocity_x"], grid["velocity_x"])
        np.testing.assert_array_equal(by_pattern.frame(i)["velocity_y"], grid["velocity_y"])
    np.testing.assert_array_equal(open_trajectory(folder).times, np.arange(6))


def test_a_numbered_file_by_its_own_name_is_one_time(shared_data: Path) -> None:
    path = shared_data / "files" / "cylinder_flow" / "cylinder_3.vtu"
    assert open_trajectory(path).num_times == 1


def test_numbers_are_counted_not_spelled_and_gaps_stay(tmp_path: Path) -> None:
    for number in (0, 5, 10, 100):
        write(tmp_path / f"flow_{number}.vtu", number)
    trajectory = open_trajectory(tmp_path)
    assert trajectory.times.tolist() == [0, 5, 10, 100]
    assert trajectory.fields["p"][:, 0].values.tolist() == [0, 5, 10, 100]


def test_times_in_the_files_count_more_than_numbers(tmp_path: Path) -> None:
    for number, time in enumerate((0.0, 0.25, 0.5)):
        write(tmp_path / f"flow_{number}.vtu", number, time)
    assert open_trajectory(tmp_path).times.tolist() == [0, 0.25, 0.5]


def test_files_that_meshio_reads_make_a_series_as_well(tmp_path: Path) -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=float)
    for i in range(3):
        data = {"p": np.full(3, float(i))}
        cells = [("triangle", np.array([[0, 1, 2]]))]
        meshio.write_points_cells(tmp_path / f"step{i:03}.med", points, cells, point_data=data)
    assert open_trajectory(tmp_path).fields["p"][:, 0].values.tolist() == [0, 1, 2]


def test_numbers_that_may_be_digits_behind_a_point_are_not_put_in_a_wrong_order(
    tmp_path: Path,
) -> None:
    for time in (0.1, 0.25, 0.5):
        pv.Plane(i_resolution=1, j_resolution=1).save(tmp_path / f"flow_t{time}.vtp")
    with pytest.raises(PhysgtError, match=r"flow_t0\.1\.vtp may end in times"):
        open_trajectory(tmp_path)


def test_a_mesh_that_changes_is_refused_with_the_step(shared_data: Path) -> None:
    with pytest.raises(PhysgtError, match=r"time number 1 \(1 s\) has 7028 points and 6025 cells"):
        open_trajectory(shared_data / "files" / "ucd_changing_mesh")


def test_two_series_in_a_folder_are_told_apart_by_a_pattern(tmp_path: Path) -> None:
    for number in range(2):
        write(tmp_path / f"flow_{number}.vtu", number)
        write(tmp_path / f"wall_{number}.vtu", -number)
    with pytest.raises(PhysgtError, match=r"holds 2 series of files.*flow_\*\.vtu"):
        open_trajectory(tmp_path)
    assert open_trajectory(tmp_path / "wall_*.vtu").frame(1)["p"][0] == -1


def test_two_files_of_one_number_are_named(tmp_path: Path) -> None:
    write(tmp_path / "flow_1.vtu", 0)
    write(tmp_path / "flow_01.vtu", 0)
    with pytest.raises(PhysgtError, match=r"flow_1\.vtu: has the same number as flow_01\.vtu"):
        open_trajectory(tmp_path)


def test_a_folder_or_pattern_without_numbered_files_says_what_they_look_like(
    tmp_path: Path,
) -> None:
    (tmp_path / "notes.txt").write_text("")
    for path in (tmp_path, tmp_path / "flow_*.vtu"):
        with pytest.raises(PhysgtError, match=r"no numbered files .* like flow_0\.vtu"):
            open_trajectory(path)
