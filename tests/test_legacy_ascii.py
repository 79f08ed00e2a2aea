"""The end of ASCII files in VTK's legacy format."""

from pathlib import Path

import numpy as np
import pytest
import pyvista as pv

from physgt.datasets.legacy_ascii import check_ascii_end
from physgt.errors import PhysgtError

ARRAYS = {
    "scalar": np.arange(27.0),
    "vector": np.arange(81.0).reshape(27, 3),
    "tensor": np.arange(243.0).reshape(27, 9),
    "whole numbers": np.arange(27),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("location", ["point_data", "cell_data"])
def test_a_whole_file_passes_and_one_without_its_last_number_does_not(
    tmp_path: Path, name: str, location: str
) -> None:
    grid = pv.ImageData(dimensions=(3, 3, 3)).cast_to_unstructured_grid()
    data = getattr(grid, location)
    data[name] = ARRAYS[name][: data.valid_array_len]
    path = tmp_path / "grid.vtk"
    grid.save(path, binary=False)
    check_ascii_end(path)
    text = path.read_text().rstrip()
    path.write_text(text[: text.rindex(" ")])
    count = ARRAYS[name][: data.valid_array_len].size
    with pytest.raises(PhysgtError, match=f"grid.vtk: truncated.* {count - 1} of {count} numbers"):
        check_ascii_end(path)


def test_a_file_that_ends_within_a_number_is_truncated(tmp_path: Path) -> None:
    grid = pv.ImageData(dimensions=(3, 3, 3)).cast_to_unstructured_grid()
    grid["p"] = np.linspace(0.1, 0.7, 27)
    path = tmp_path / "grid.vtk"
    grid.save(path, binary=False)
    text = path.read_text().rstrip()
    path.write_text(text[:-1])
    with pytest.raises(PhysgtError, match=r"grid.vtk: truncated; it ends within the number '0\.'"):
        check_ascii_end(path)


def test_a_file_of_another_program_may_end_without_a_line_end(tmp_path: Path) -> None:
    path = tmp_path / "grid.vtk"
    rows = "1 2 3\n4 5 6"
    path.write_text(
        f"# vtk DataFile Version 3.0\ntitle\nASCII\nPOINT_DATA 2\nVECTORS v float\n{rows}"
    )
    check_ascii_end(path)


def test_the_heads_of_scalars_vectors_and_tensors_say_how_many_numbers_follow(
    tmp_path: Path,
) -> None:
    for head, count in {
        "SCALARS s float\nLOOKUP_TABLE default": 2,
        "SCALARS s float 3\nLOOKUP_TABLE default": 6,
        "VECTORS v double": 6,
        "NORMALS n float": 6,
        "TENSORS t float": 18,
        "FIELD FieldData 1\nf 4 2 int": 8,
    }.items():
        start = f"# vtk DataFile Version 3.0\ntitle\nASCII\nPOINT_DATA 2\n{head}\n"
        path = tmp_path / "grid.vtk"
        path.write_text(start + "1 " * count)
        check_ascii_end(path)
        path.write_text(start + "1 " * (count - 1))
        with pytest.raises(PhysgtError, match=f"{count - 1} of {count}"):
            check_ascii_end(path)
