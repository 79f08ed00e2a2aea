"""What physgt info tells of a folder of converted files."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from physgt import Mesh, Trajectory
from physgt.cli import main
from physgt.datasets.data_set import is_data_set, summarise
from physgt.datasets.data_set_table import data_set_table
from physgt.datasets.vtkhdf import write_vtkhdf
from physgt.viz import picture_sheet


def case(seed: int, scale: float = 1.0, dt: float = 0.1, shift: float = 0.0) -> Trajectory:
    points = np.array([[0, 0], [2 + shift, 0], [2, 1], [0, 1]], dtype=float)
    mesh = Mesh.from_blocks(points, [("triangle", np.array([[0, 1, 2], [0, 2, 3]]))])
    p = scale * np.random.default_rng(seed).uniform(0.9, 1.0, (3, 4))
    return Trajectory.from_arrays(mesh, dt * np.arange(3), {"p": p}, units={"p": "Pa"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven cases: one tenfold, one twice, one with a nan, one of another mesh and dt, one cut."""
    for i in range(4):
        write_vtkhdf(case(i), tmp_path / "train" / f"{i}.vtkhdf")
    write_vtkhdf(case(0), tmp_path / "train" / "again.vtkhdf")
    write_vtkhdf(case(7, scale=10), tmp_path / "train" / "large.vtkhdf")
    write_vtkhdf(case(8, dt=0.2, shift=0.5), tmp_path / "test" / "other.vtkhdf")
    spoilt = case(9)
    spoilt.fields["p"][1, 2] = np.nan
    write_vtkhdf(spoilt, tmp_path / "valid" / "spoilt.vtkhdf")
    whole = (tmp_path / "train" / "1.vtkhdf").read_bytes()
    (tmp_path / "valid" / "cut.vtkhdf").write_bytes(whole[:1000])
    return tmp_path


def test_cases_splits_meshes_and_all_that_is_odd_are_told(folder: Path) -> None:
    summary = summarise(folder)
    assert [c.name for c in summary.cases if c.problem] == ["valid/cut.vtkhdf"]
    assert [c.split for c in summary.readable] == ["test"] + ["train"] * 6 + ["valid"]
    assert summary.num_meshes == 2
    assert summary.duplicates == (("train/0.vtkhdf", "train/again.vtkhdf"),)
    assert {(o.case, o.field, o.what) for o in summary.outliers} == {
        ("train/large.vtkhdf", "p", "minimum"), ("train/large.vtkhdf", "p", "maximum"),
    }  # fmt: skip
    assert {c.name: c.num_not_finite for c in summary.readable if c.num_not_finite} == {
        "valid/spoilt.vtkhdf": 1
    }
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(data_set_table(summary))
    text = capture.get()
    for words in (
        "8: test 1, train 6, valid 1", "2 different", "0.1 s in 7, 0.2 s in 1", "Pa",
        "can't be read", "cut.vtkhdf", "equal: train/0.vtkhdf, train/again.vtkhdf",
        "not finite: valid/spoilt.vtkhdf, p at 1 places", "outlier: train/large.vtkhdf",
    ):  # fmt: skip
        assert words in text


def test_a_sheet_has_a_picture_of_each_case(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["info", str(folder / "train"), "--pictures", str(tmp_path / "sheet.png")])
    many = matplotlib.image.imread(tmp_path / "sheet.png")
    one = picture_sheet({"one": case(1)}, tmp_path / "one.png")
    # Cases of the range 0.9 to 1 are dark beside one of 9 to 10, which is bright.
    bright = (many[..., :3] @ [1, 1, -1] > 1).mean()
    assert 0.02 < bright < 0.5
    assert matplotlib.image.imread(one).std() > 0.05


def test_a_solvers_case_with_a_converted_file_in_it_stays_a_case(folder: Path) -> None:
    assert is_data_set(folder)
    (folder / "constant" / "polyMesh").mkdir(parents=True)
    assert not is_data_set(folder)
