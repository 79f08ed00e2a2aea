"""d3plot as lasso-python writes it (data/lsdyna/make.py) is read with the values written."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError
from physgt.mesh import Mesh

DATA = Path(__file__).parent / "data" / "lsdyna"


def nodes_of(mesh: Mesh, part: str) -> np.ndarray:
    (cell,) = mesh.cell_sets[part]
    return mesh.connectivity[mesh.offsets[cell] : mesh.offsets[cell + 1]]


def test_parts_share_the_nodes_that_stay_together_and_no_others() -> None:
    mesh = open_trajectory(DATA / "d3plot").mesh
    assert mesh.num_points == 17
    assert mesh.cell_types[mesh.cell_sets["cube"]].tolist() == [12]
    assert mesh.cell_types[mesh.cell_sets["tip"]].tolist() == [10]
    cube, tip, block = (set(nodes_of(mesh, name).tolist()) for name in ("cube", "tip", "block"))
    assert len(cube & tip) == 3
    assert not cube & block


def test_nodes_move_and_fields_are_those_written_at_every_time() -> None:
    trajectory = open_trajectory(DATA / "d3plot")
    np.testing.assert_allclose(trajectory.times, [0, 0.5, 1.0, 1.5])
    mesh = trajectory.mesh
    block = nodes_of(mesh, "block")
    for i in range(4):
        frame = trajectory.frame(i)
        expected = mesh.points.copy()
        expected[block, 0] += 0.1 * i
        np.testing.assert_allclose(frame["points"], expected, atol=1e-6)
        assert set(frame["Velocity"][block, 0].tolist()) == {np.float32(0.2)}
        for number, name in enumerate(("cube", "tip", "block")):
            cell = mesh.cell_sets[name][0]
            start = 18 * i + 6 * number
            np.testing.assert_array_equal(frame["Stress"][cell], np.arange(start, start + 6))
            assert frame["EffPlastStrn"][cell] == 3 * i + number


def test_without_the_files_of_its_family_there_is_no_state(tmp_path: Path) -> None:
    shutil.copy(DATA / "d3plot", tmp_path)
    with pytest.raises(PhysgtError, match=r"d3plot: VTK can't read it, .*No valid time steps"):
        open_trajectory(tmp_path / "d3plot")


@pytest.mark.parametrize("size", [0, 100, 300, 500])
def test_a_head_or_mesh_that_is_cut_off_is_an_error_at_once(tmp_path: Path, size: int) -> None:
    shutil.copy(DATA / "d3plot01", tmp_path)
    (tmp_path / "d3plot").write_bytes((DATA / "d3plot").read_bytes()[:size])
    with pytest.raises(PhysgtError, match="its head is short" if size < 256 else "needs 568;"):
        open_trajectory(tmp_path / "d3plot")


@pytest.mark.parametrize("size", [300, 1200, 1980])
def test_states_that_are_cut_off_are_an_error_at_once(tmp_path: Path, size: int) -> None:
    shutil.copy(DATA / "d3plot", tmp_path)
    (tmp_path / "d3plot01").write_bytes((DATA / "d3plot01").read_bytes()[:size])
    with pytest.raises(PhysgtError, match="d3plot01, has no end mark"):
        open_trajectory(tmp_path / "d3plot")
