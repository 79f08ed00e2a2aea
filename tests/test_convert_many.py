"""Many sources at once."""

from pathlib import Path

import pytest
import pyvista as pv

from physgt.cli import main
from physgt.datasets.convert_many import convert_all
from physgt.errors import PhysgtError


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = pv.ImageData(dimensions=(2, 2, 2)).cast_to_unstructured_grid()
    grid["p"] = range(8)
    grid.save(path)


def made(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.vtkhdf"))


def test_several_sources_and_patterns_become_a_file_each(tmp_path: Path) -> None:
    for name in ("a.vtu", "b.vtu", "c.vtk"):
        write(tmp_path / name)
    with pytest.raises(SystemExit, match="0"):
        main(["convert", f"{tmp_path}/*.vtu", str(tmp_path / "c.vtk"), "-o", str(tmp_path / "out")])
    assert made(tmp_path / "out") == ["a.vtkhdf", "b.vtkhdf", "c.vtkhdf"]


def test_sources_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for run in ("run1", "run2"):
        write(tmp_path / run / "case.vtu")
    convert_all([tmp_path / "*" / "case.vtu"], tmp_path / "out")
    assert made(tmp_path / "out") == ["run1-case.vtkhdf", "run2-case.vtkhdf"]


def test_points_in_names_of_folders_are_no_endings(tmp_path: Path) -> None:
    for run in ("run_0.1", "run_0.2"):
        write(tmp_path / run / "flow_0.vtu")
    convert_all([tmp_path / "run_*"], tmp_path / "out")
    assert made(tmp_path / "out") == ["run_0.1.vtkhdf", "run_0.2.vtkhdf"]


def test_sources_that_would_overwrite_one_another_are_refused_before_any_is_written(
    tmp_path: Path,
) -> None:
    for name in ("a.vtu", "a.vtk"):
        write(tmp_path / name)
    with pytest.raises(PhysgtError, match=r"a\.vtk and .*a\.vtu would both become .*a\.vtkhdf"):
        convert_all([tmp_path / "a.vtk", tmp_path / "a.vtu"], tmp_path / "out")
    assert not made(tmp_path / "out")


def test_a_damaged_source_stops_no_other_and_is_named_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.vtu", "b.vtu", "c.vtu"):
        write(tmp_path / name)
    (tmp_path / "b.vtu").write_text("<VTKFile")
    with pytest.raises(SystemExit, match="2"):
        main(["convert", f"{tmp_path}/*.vtu", "-o", str(tmp_path / "out")])
    assert made(tmp_path / "out") == ["a.vtkhdf", "c.vtkhdf"]
    assert "1 of 3 could not be converted" in capsys.readouterr().err
