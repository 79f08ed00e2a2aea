"""A mesh that changes from time to time, interpolated onto one."""

from pathlib import Path

import meshio
import numpy as np
import pytest

from physgt.datasets import open_trajectory
from physgt.datasets.convert import convert
from physgt.errors import PhysgtError


def write(path: Path, n: int, width: float = 1.0) -> None:
    """A square of n x n x 2 triangles with the field 1 + 2 x + 3 y, and on cells the side of x."""
    axis = np.linspace(0, width, n + 1)
    x, y = (a.ravel() for a in np.meshgrid(axis, axis, indexing="ij"))
    corner = np.add.outer(np.arange(n) * (n + 1), np.arange(n)).ravel()
    square = corner[:, None] + [0, n + 1, n + 2, 1]
    triangles = square[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
    right = (x[triangles].mean(axis=1) > 0.5).astype(float)
    points = np.stack([x, y, 0 * x], axis=1)
    data = {"p": 1 + 2 * x + 3 * y, "u": np.stack([x, y, 0 * x], axis=1)}
    meshio.write_points_cells(
        path, points, [("triangle", triangles)], point_data=data, cell_data={"side": [right]}
    )


def test_linear_fields_are_exact_on_the_mesh_of_the_first_time(tmp_path: Path) -> None:
    for i, n in enumerate((4, 7, 3)):
        write(tmp_path / f"a_{i}.vtu", n)
    with pytest.raises(PhysgtError, match=r"time number 1 .* physgt convert --remap"):
        open_trajectory(tmp_path)
    convert(tmp_path, tmp_path / "out.vtkhdf", remap="first")
    trajectory = open_trajectory(tmp_path / "out.vtkhdf")
    x, y = trajectory.mesh.points.T
    assert trajectory.mesh.num_points == 25
    for i in range(3):
        frame = trajectory.frame(i)
        np.testing.assert_allclose(frame["p"], 1 + 2 * x + 3 * y, rtol=1e-6)
        np.testing.assert_allclose(frame["u"], trajectory.mesh.points, atol=1e-7)
    # The seven by seven mesh has a cell across the middle; the others agree with the first.
    np.testing.assert_array_equal(trajectory.frame(0)["side"], trajectory.frame(0)["side"].round())
    assert set(np.unique(trajectory.frame(2)["side"])) == {0, 1}


def test_the_mesh_of_a_file_may_be_finer(tmp_path: Path) -> None:
    write(tmp_path / "a_0.vtu", 4)
    write(tmp_path / "a_1.vtu", 5)
    write(tmp_path / "fine.vtu", 16)
    convert(f"{tmp_path}/a_*.vtu", tmp_path / "out.vtkhdf", remap=tmp_path / "fine.vtu")
    trajectory = open_trajectory(tmp_path / "out.vtkhdf")
    x, y = trajectory.mesh.points.T
    assert trajectory.mesh.num_points == 17 * 17
    np.testing.assert_allclose(trajectory.frame(0)["p"], 1 + 2 * x + 3 * y, rtol=1e-6)


def test_what_lies_outside_is_named_and_not_made_up(tmp_path: Path) -> None:
    write(tmp_path / "a_0.vtu", 4)
    write(tmp_path / "a_1.vtu", 4, width=0.6)
    with pytest.raises(PhysgtError, match=r"time number 1 .* 16 points lie outside .* node 3 at"):
        convert(tmp_path, tmp_path / "out.vtkhdf", remap="first")
    assert not (tmp_path / "out.vtkhdf").exists()


def test_real_results_whose_mesh_adapts_stay_within_their_range(
    shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "files" / "ucd_changing_mesh"
    convert(source, tmp_path / "out.vtkhdf", remap="first")
    trajectory = open_trajectory(tmp_path / "out.vtkhdf")
    assert trajectory.num_times == 3
    for i, file in enumerate(sorted(source.glob("*.inp"))):
        original = open_trajectory(file)
        for name, values in trajectory.frame(i).items():
            expected = original.frame(0)[name]
            assert expected.min() - 1e-6 <= values.min()
            assert values.max() <= expected.max() + 1e-6
