"""What meshio reads, and what it does to a program that asks it."""

from pathlib import Path

import meshio
import numpy as np
import pytest

from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError

POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=float)

GMSH = """$MeshFormat
2.2 0 8
$EndMeshFormat
$PhysicalNames
3
2 7 "inlet"
3 3 "fluid"
3 7 "solid"
$EndPhysicalNames
$Nodes
5
1 0 0 0
2 1 0 0
3 0 1 0
4 0 0 1
5 1 1 1
$EndNodes
$Elements
3
1 2 2 7 1 1 2 3
2 4 2 3 1 1 2 3 4
3 4 2 7 2 2 3 4 5
$EndElements
"""


def test_physical_groups_of_gmsh_name_node_sets_and_cell_sets_by_dimension_and_tag(
    tmp_path: Path,
) -> None:
    (tmp_path / "pipe.msh").write_text(GMSH)
    mesh = open_trajectory(tmp_path / "pipe.msh").mesh
    assert mesh.cell_types.tolist() == [10, 10]
    assert {name: ids.tolist() for name, ids in mesh.node_sets.items()} == {"inlet": [0, 1, 2]}
    assert mesh.cell_sets["fluid"].tolist() == [0]
    assert mesh.cell_sets["solid"].tolist() == [1]


@pytest.mark.parametrize("suffix", [".msh", ".med", ".avs", ".su2", ".inp", ".nas", ".mesh"])
def test_formats_of_other_programs_bring_points_and_cells(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mesh{suffix}"
    cells = [("tetra", np.array([[0, 1, 2, 3], [1, 2, 3, 4]]))]
    options = {".msh": {"file_format": "gmsh"}, ".nas": {"file_format": "nastran"}}
    meshio.write_points_cells(path, POINTS, cells, **options.get(suffix, {}))
    mesh = open_trajectory(path).mesh
    np.testing.assert_allclose(mesh.points, POINTS)
    np.testing.assert_array_equal(mesh.connectivity.reshape(-1, 4), cells[0][1])


def test_point_and_cell_data_come_over_blocks_of_cells(tmp_path: Path) -> None:
    cells = [("quad", np.array([[0, 1, 4, 2]])), ("triangle", np.array([[0, 1, 3]]))]
    meshio.write_points_cells(
        tmp_path / "mesh.med",
        POINTS,
        cells,
        point_data={"u": POINTS},
        cell_data={"heat": [np.array([1.0]), np.array([2.0])]},
    )
    trajectory = open_trajectory(tmp_path / "mesh.med")
    frame = trajectory.frame(0)
    np.testing.assert_array_equal(frame["u"], POINTS)
    by_type = dict(zip(trajectory.mesh.cell_types.tolist(), frame["heat"].tolist(), strict=True))
    assert by_type == {9: 1, 5: 2}


def test_a_file_at_which_meshio_would_exit_the_program_is_an_error_that_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.msh").write_text("not a mesh")
    with pytest.raises(SystemExit):
        meshio.read(tmp_path / "wrong.msh")
    capsys.readouterr()
    with pytest.raises(PhysgtError, match=r"wrong\.msh: meshio can't read it"):
        open_trajectory(tmp_path / "wrong.msh")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_an_error_that_names_it(tmp_path: Path, kept: float) -> None:
    (tmp_path / "cut.msh").write_text(GMSH[: int(kept * len(GMSH))])
    with pytest.raises(PhysgtError, match=r"cut\.msh: meshio can't read it"):
        open_trajectory(tmp_path / "cut.msh")


@pytest.mark.parametrize("tags", ["{}", '1\n"u"\n{}'])
def test_an_enormous_count_of_tags_ends_with_the_file(tmp_path: Path, tags: str) -> None:
    (tmp_path / "many.msh").write_text(f"{GMSH}$NodeData\n{tags.format(2**40)}\n")
    with pytest.raises(PhysgtError, match=r"many\.msh: .*the file ends before what its counts say"):
        open_trajectory(tmp_path / "many.msh")


def test_an_unknown_cell_type_is_named(tmp_path: Path) -> None:
    cells = [("tetra35", np.arange(35).reshape(1, -1))]
    points = np.random.default_rng(0).random((35, 3))
    meshio.write_points_cells(tmp_path / "high.msh", points, cells, file_format="gmsh22")
    with pytest.raises(PhysgtError, match=r"high\.msh: unknown cell type 'tetra35'"):
        open_trajectory(tmp_path / "high.msh")


def test_a_file_of_points_alone_is_an_empty_mesh(tmp_path: Path) -> None:
    (tmp_path / "points.msh").write_text(GMSH[: GMSH.index("$Elements")])
    with pytest.raises(PhysgtError, match=r"points\.msh"):
        open_trajectory(tmp_path / "points.msh")


SU2 = """NDIME= 2
NELEM= 2
5 0 1 2 0
5 1 3 2 1
NPOIN= 4
0 0 0
1 0 1
0 1 2
1 1 3
NMARK= 2
MARKER_TAG= inlet
MARKER_ELEMS= 1
3 0 2
MARKER_TAG= outlet
MARKER_ELEMS= 1
3 1 3
"""


def test_an_su2_mesh_has_its_markers_as_node_sets(tmp_path: Path) -> None:
    (tmp_path / "plate.su2").write_text(SU2)
    mesh = open_trajectory(tmp_path / "plate.su2").mesh
    sets = {name: ids.tolist() for name, ids in mesh.node_sets.items()}
    assert sets == {"inlet": [0, 2], "outlet": [1, 3]}


@pytest.mark.parametrize("size", range(0, len(SU2), 3))
def test_an_su2_mesh_that_is_cut_anywhere_is_an_error(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHYSGT_READ_IN_PROCESS", "1")
    (tmp_path / "cut.su2").write_text(SU2[:size])
    with pytest.raises(PhysgtError, match=r"cut\.su2: "):
        open_trajectory(tmp_path / "cut.su2")


def test_an_su2_mesh_with_fewer_elements_than_it_promises_says_how_many(tmp_path: Path) -> None:
    (tmp_path / "cut.su2").write_text(SU2.replace("NELEM= 2", "NELEM= 27"))
    with pytest.raises(PhysgtError, match=r"NELEM promises 27 elements, but 2 follow"):
        open_trajectory(tmp_path / "cut.su2")


@pytest.mark.parametrize("text", ["$ Nastran f", "BEGIN BULK\n$ cards", "ENDDATA\nBEGIN BULK\n"])
def test_nastran_cards_without_their_end_are_an_error_at_once(tmp_path: Path, text: str) -> None:
    (tmp_path / "cut.bdf").write_text(text)
    with pytest.raises(PhysgtError, match=r"cut\.bdf: no line ENDDATA"):
        open_trajectory(tmp_path / "cut.bdf")


def test_a_cell_in_several_physical_groups_is_in_the_set_of_each(tmp_path: Path) -> None:
    (tmp_path / "plate.msh").write_text(
        '$MeshFormat\n4.1 0 8\n$EndMeshFormat\n$PhysicalNames\n3\n1 1 "wall"\n1 2 "heated"\n'
        '2 3 "body"\n$EndPhysicalNames\n$Entities\n0 2 1 0\n1 0 0 0 1 0 0 2 1 2 0\n'
        "2 0 0 0 0 1 0 1 1 0\n1 0 0 0 1 1 0 1 3 0\n$EndEntities\n$Nodes\n1 3 1 3\n2 1 0 3\n"
        "1\n2\n3\n0 0 0\n1 0 0\n0 1 0\n$EndNodes\n$Elements\n3 3 1 3\n1 1 1 1\n1 1 2\n1 2 1 1\n"
        "2 1 3\n2 1 2 1\n3 1 2 3\n$EndElements\n"
    )
    mesh = open_trajectory(tmp_path / "plate.msh").mesh
    sets = {name: ids.tolist() for name, ids in mesh.node_sets.items()}
    assert sets == {"wall": [0, 1, 2], "heated": [0, 1]}


@pytest.mark.parametrize(
    ("numbers", "again", "message"),
    [
        ("54321", False, "'T' gives its values in another order"),
        ("12345", True, "'T' is there more than once"),
    ],
)
def test_data_of_gmsh_that_meshio_would_misplace_are_refused(
    numbers: str, again: bool, message: str, tmp_path: Path
) -> None:
    rows = "".join(f"{n} {n}0.0\n" for n in numbers)
    section = f'$NodeData\n1\n"T"\n1\n0.5\n3\n0\n1\n{len(numbers)}\n{rows}$EndNodeData\n'
    path = tmp_path / "pipe.msh"
    path.write_text(GMSH + section * (1 + again))
    with pytest.raises(PhysgtError, match=rf"pipe\.msh: .*{message}"):
        open_trajectory(path)


def test_data_of_gmsh_in_the_order_of_the_numbers_are_read(tmp_path: Path) -> None:
    rows = "".join(f"{n} {n}0.0\n" for n in range(1, 6))
    section = f'$NodeData\n1\n"T"\n1\n0.5\n3\n0\n1\n5\n{rows}$EndNodeData\n'
    (tmp_path / "text.msh").write_text(GMSH + section)
    assert open_trajectory(tmp_path / "text.msh").frame(0)["T"].tolist() == [10, 20, 30, 40, 50]
    data = {"T": np.arange(5.0)}
    mesh = meshio.Mesh(POINTS, [("tetra", [[0, 1, 2, 3], [1, 2, 3, 4]])], point_data=data)
    meshio.write(tmp_path / "binary.msh", mesh, file_format="gmsh22", binary=True)
    assert open_trajectory(tmp_path / "binary.msh").frame(0)["T"].tolist() == [0, 1, 2, 3, 4]


def test_nodes_of_nastran_in_a_coordinate_system_of_their_own_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ring.bdf"
    cards = "BEGIN BULK\nCORD2C,7,,0.,0.,0.,0.,0.,1.\n,1.,0.,0.\n"
    for n, (radius, angle) in enumerate([(1, 0), (1, 90), (2, 90)], start=1):
        cards += f"GRID,{n},7,{radius}.0,{angle}.0,0.0\n"
    path.write_text(cards + "CTRIA3,1,1,1,2,3\nENDDATA\n")
    with pytest.raises(PhysgtError, match=r"ring\.bdf: has nodes in coordinate systems"):
        open_trajectory(path)


def test_several_zones_of_tecplot_are_refused_rather_than_cut_to_the_first(tmp_path: Path) -> None:
    path = tmp_path / "flow.dat"
    zone = "ZONE N=3, E=1, F=FEPOINT, ET=TRIANGLE\n0 0 1\n1 0 2\n0 1 3\n1 2 3\n"
    path.write_text('VARIABLES = "X" "Y" "P"\n' + zone)
    assert open_trajectory(path).frame(0)["P"].tolist() == [1, 2, 3]
    path.write_text('VARIABLES = "X" "Y" "P"\n' + zone + zone)
    with pytest.raises(PhysgtError, match=r"flow\.dat: holds 2 zones"):
        open_trajectory(path)
