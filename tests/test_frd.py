"""CalculiX results, on files that CalculiX wrote (data/calculix/README.md)."""

from pathlib import Path

import numpy as np
import pytest

from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError

DATA = Path(__file__).parent / "data" / "calculix"


def test_times_and_displacements_are_those_that_calculix_prints() -> None:
    trajectory = open_trajectory(DATA / "beam.frd")
    words = [line.split() for line in (DATA / "beam.dat").read_text().splitlines() if line.strip()]
    printed = [line for line in words if len(line) == 4]
    assert len(printed) == 3 * 4
    np.testing.assert_allclose(trajectory.times, [0.02, 0.04, 0.06])
    tip = trajectory.mesh.node_sets["TIP"]
    for i in range(3):
        expected = np.array([line[1:] for line in printed[4 * i : 4 * i + 4]], dtype=float)
        np.testing.assert_allclose(trajectory.frame(i)["DISP"][tip], expected, rtol=1e-5)


def test_a_cantilever_of_hexahedra_with_sets_and_named_tensors() -> None:
    trajectory = open_trajectory(DATA / "beam.frd")
    mesh = trajectory.mesh
    assert (mesh.num_points, mesh.cell_types.tolist()) == (28, [12] * 6)
    assert np.ptp(mesh.points, axis=0).tolist() == pytest.approx([0.6, 0.1, 0.1])
    assert np.unique(mesh.points[mesh.node_sets["FIX"], 0]).tolist() == [0]
    assert np.unique(mesh.points[mesh.node_sets["TIP"], 0]).tolist() == [0.6]
    assert {name: len(ids) for name, ids in mesh.cell_sets.items()} == {"EALL": 6, "ROOT": 2}
    assert {f.name: f.components for f in trajectory.declared()} == {
        "DISP": 3, "VELO": 3, "STRESS": 6, "TOSTRAIN": 6, "ERROR": 1,
    }  # fmt: skip
    names = trajectory.attributes["component_names"]
    assert names["STRESS"] == ["SXX", "SYY", "SZZ", "SXY", "SYZ", "SZX"]
    # Hooke: the trace of the stress is E / (1 - 2 nu) times that of the strain.
    frame = trajectory.frame(2)
    traces = frame["STRESS"][:, :3].sum(axis=1), frame["TOSTRAIN"][:, :3].sum(axis=1)
    np.testing.assert_allclose(traces[0], 1e6 / 0.4 * traces[1], rtol=1e-4, atol=0.1)


def test_binary_holds_what_the_text_holds() -> None:
    text, binary = (open_trajectory(DATA / f"{n}.frd") for n in ("beam", "beam_binary"))
    np.testing.assert_allclose(binary.mesh.points, text.mesh.points, atol=1e-9)
    np.testing.assert_array_equal(binary.mesh.connectivity, text.mesh.connectivity)
    for i in range(3):
        for name, values in text.frame(i).items():
            largest = np.abs(values).max()
            np.testing.assert_allclose(
                binary.frame(i)[name], values, rtol=1e-5, atol=largest * 1e-5
            )


def test_middle_nodes_lie_where_vtk_expects_them() -> None:
    edges = {
        25: [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4),
             (0, 4), (1, 5), (2, 6), (3, 7)],
        26: [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3), (1, 4), (2, 5)],
    }  # fmt: skip
    mesh = open_trajectory(DATA / "quadratic.frd").mesh
    assert mesh.cell_types.tolist() == [25, 26]
    for cell, (kind, ends) in enumerate(edges.items()):
        nodes = mesh.connectivity[mesh.offsets[cell] : mesh.offsets[cell + 1]]
        assert mesh.cell_types[cell] == kind
        middles = mesh.points[nodes[-len(ends) :]]
        np.testing.assert_allclose(middles, mesh.points[nodes[ends]].mean(axis=1), atol=1e-6)


def test_a_quadratic_beam_has_its_middle_node_last_as_calculix_writes_it(tmp_path: Path) -> None:
    # What CalculiX 2.20 writes of *ELEMENT, TYPE=B32: 1, 1, 2, 3 with node 2 in the middle.
    nodes = "".join(
        f" -1{n:10d}{x:12.5E}{0:12.5E}{0:12.5E}\n" for n, x in enumerate((0, 0.5, 1), 1)
    )
    (tmp_path / "beam.frd").write_text(
        f"    1C\n    2C{3:30d}{1:38d}\n{nodes} -3\n    3C{1:30d}{1:38d}\n"
        " -1         1   12    0    1\n -2         1         3         2\n -3\n 9999\n"
    )
    mesh = open_trajectory(tmp_path / "beam.frd").mesh
    assert mesh.cell_types.tolist() == [21]
    assert mesh.points[mesh.connectivity, 0].tolist() == [0, 1, 0.5]


@pytest.mark.parametrize(("number", "name"), [(2, "frequency"), (4, "buckling")])
def test_shapes_of_modes_are_not_taken_for_times(number: int, name: str, tmp_path: Path) -> None:
    lines = (DATA / "beam.frd").read_text().splitlines(keepends=True)
    heads = "".join(
        line[:56] + f"{number:2d}" + line[58:] if line.startswith("  100C") else line
        for line in lines
    )
    (tmp_path / "modes.frd").write_text(heads)
    with pytest.raises(PhysgtError, match=rf"modes\.frd: DISP .* a shape of a {name} analysis"):
        open_trajectory(tmp_path / "modes.frd")


def test_exponents_of_three_digits_which_break_the_columns_are_read(tmp_path: Path) -> None:
    text = (DATA / "quadratic.frd").read_text()
    where = text.rindex(" -1         7")
    end = text.index("\n", where)
    changed = text[:where] + " -1         7-1.00000E-101 2.00000E+00-3.00000E-102" + text[end:]
    (tmp_path / "tiny.frd").write_text(changed)
    values = open_trajectory(tmp_path / "tiny.frd").frame(0)["DISP"]
    assert values[6].tolist() == [0, 2, 0]


def test_a_field_on_some_nodes_is_nan_on_the_others(tmp_path: Path) -> None:
    text = (DATA / "quadratic.frd").read_text()
    where = text.rindex(" -1        35")
    text = text[:where] + text[text.index("\n", where) + 1 :]
    head = text.index("  100CL")
    changed = text[:head] + text[head:].replace("35 ", "34 ", 1)
    (tmp_path / "some.frd").write_text(changed)
    values = open_trajectory(tmp_path / "some.frd").frame(0)["DISP"]
    assert np.isnan(values[34]).all()
    assert np.isfinite(values[:34]).all()


@pytest.mark.parametrize("name", ["beam", "beam_binary"])
def test_of_a_truncated_file_all_times_but_the_last_are_right(name: str, tmp_path: Path) -> None:
    whole = (DATA / f"{name}.frd").read_bytes()
    (tmp_path / "cut.frd").write_bytes(whole[: int(0.9 * len(whole))])
    trajectory, expected = (
        open_trajectory(tmp_path / "cut.frd"),
        open_trajectory(DATA / f"{name}.frd"),
    )
    np.testing.assert_allclose(trajectory.times, [0.02, 0.04])
    for i in range(2):
        for field, values in expected.frame(i).items():
            np.testing.assert_array_equal(trajectory.frame(i)[field], values)
    (tmp_path / "cut.frd").write_bytes(whole[: int(0.3 * len(whole))])
    with pytest.raises(PhysgtError, match=r"cut\.frd: truncated before the end of its first time"):
        open_trajectory(tmp_path / "cut.frd")
