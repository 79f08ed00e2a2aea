"""What is told about a file."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from physgt.datasets import info
from physgt.datasets.info import describe, table
from physgt.datasets.vtkhdf import write_vtkhdf
from physgt.mesh import Mesh
from physgt.trajectory import Trajectory


@pytest.fixture
def path(tmp_path: Path) -> Path:
    points = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [2, 0.5]])
    mesh = Mesh.from_blocks(
        points,
        [("quad", np.array([[0, 1, 2, 3]])), ("triangle", np.array([[1, 4, 2]]))],
        node_type=np.array([4, 0, 0, 4, 8]),
        node_sets={"inlet": [0, 3]},
        cell_sets={"fluid": [0, 1]},
    )
    p = np.arange(20.0).reshape(4, 5)
    p[2, 3], p[3, 4] = np.nan, np.inf
    trajectory = Trajectory.from_arrays(
        mesh,
        np.array([0, 0.1, 0.2, 0.5]),
        {"p": p, "u": np.tile([[-3.0, 4.0]], (4, 5, 1)), "speed": np.array([1.0, 2, 3, 4])},
        cell_fields={"material": np.array([[7, 9]] * 4, dtype=np.int16)},
        static={"nu": 0.001},
        units={"p": "Pa", "u": "m/s"},
    )
    write_vtkhdf(trajectory, tmp_path / "plate.vtkhdf")
    return tmp_path / "plate.vtkhdf"


def test_counts_types_sets_and_times_are_told(path: Path) -> None:
    d = describe(path)
    assert (d.num_points, d.num_cells, d.moving) == (5, 2, False)
    assert d.format == "VTKHDF (.vtkhdf)"
    assert d.bounds.tolist() == [[0, 2], [0, 1]]
    assert d.cell_types == {"quad": 1, "triangle": 1}
    assert d.node_types == {"NORMAL": 2, "INFLOW": 2, "8": 1}
    assert (d.node_sets, d.cell_sets) == ({"inlet": 2}, {"fluid": 2})
    assert d.times.tolist() == [0, 0.1, 0.2, 0.5]


def test_each_field_has_its_location_components_units_and_finite_range(path: Path) -> None:
    found = {
        entry.field.name: (
            entry.field.location, entry.field.components, entry.field.units, entry.field.dtype,
            entry.over_time, entry.minimum, entry.maximum, entry.num_not_finite,
        )
        for entry in describe(path).fields
    }  # fmt: skip
    assert found == {
        "p": ("node", 1, "Pa", "float64", True, 0, 18, 2),
        "u": ("node", 2, "m/s", "float64", True, -3, 4, 0),
        "speed": ("global", 1, "", "float64", True, 1, 4, 0),
        "material": ("cell", 1, "", "int16", True, 7, 9, 0),
        "nu": ("global", 1, "", "float64", False, 0.001, 0.001, 0),
    }


def test_a_long_file_is_sampled_and_the_table_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(info, "MOST_TIMES", 2)
    d = describe(path)
    speed = next(entry for entry in d.fields if entry.field.name == "speed")
    assert (d.num_sampled, speed.minimum, speed.maximum) == (2, 1, 4)
    assert "2 of 4 times" in rendered(path)


def test_the_table_shows_all_of_it_in_eighty_columns(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    text = rendered(Path(path.name))
    for word in (
        "plate.vtkhdf", "x 0 to 2, y 0 to 1", "triangle 1, quad 1", "INFLOW 2", "inlet 2",
        "fluid 2", "4 from 0 to 0.5 s, 0.1 to 0.3 s apart", "m/s", "Pa", "material", "int16",
        "0.001", "constant",
    ):  # fmt: skip
        assert word in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_real_files_are_described(shared_data: Path) -> None:
    d = describe(shared_data / "files" / "exodus" / "mug.e")
    assert (d.num_points, d.cell_types) == (3774, {"hexahedron": 2476})
    assert d.node_sets == {"node set 1": 498, "node set 2": 114, "bottom": 498, "top": 114}
    assert "every 0.1 s" in rendered(shared_data / "files" / "exodus" / "mug.e")


def rendered(path: Path) -> str:
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(table(describe(path)))
    return capture.get()
