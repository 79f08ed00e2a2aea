"""Meshes in input files of Abaqus; expected numbers are counted by hand in the texts below."""

from pathlib import Path

import pytest

from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError
from physgt.mesh import Mesh

NODES = """*NODE
10, 0, 0, 0
20, 1, 0, 0
30, 0, 1, 0
*NODE, NSET=right
40, 1, 1, 0
50, 2, 0, 0
60, 2, 1, 0
"""
TRIANGLES = "*ELEMENT, TYPE=CPS3{}\n1, 10, 20, 30\n2, 20, 40, 30\n"
QUAD = "*ELEMENT, TYPE=CPS4{}\n7, 20, 50,\n60, 40\n"


def read(folder: Path, text: str) -> Mesh:
    (folder / "plate.inp").write_text(text)
    return open_trajectory(folder / "plate.inp").mesh


def test_nodes_in_several_cards_are_all_there(tmp_path: Path) -> None:
    mesh = read(tmp_path, NODES + TRIANGLES.format("") + QUAD.format(""))
    assert mesh.points[:, 0].tolist() == [0, 1, 0, 1, 2, 2]
    assert mesh.connectivity.tolist() == [0, 1, 2, 1, 3, 2, 1, 4, 5, 3]
    assert mesh.node_sets["right"].tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    ("of_triangles", "of_quad", "expected"),
    [
        ("", ", ELSET=Tip", {"Tip": [2]}),
        (", ELSET=Root", "", {"Root": [0, 1]}),
        (", ELSET=All", ", ELSET=ALL", {"All": [0, 1, 2]}),
        (", ELSET=Root", ", ELSET=Tip", {"Root": [0, 1], "Tip": [2]}),
    ],
)
def test_sets_of_element_cards_hold_the_elements_of_all_cards_of_the_name(
    of_triangles: str, of_quad: str, expected: dict[str, list[int]], tmp_path: Path
) -> None:
    mesh = read(tmp_path, NODES + TRIANGLES.format(of_triangles) + QUAD.format(of_quad))
    assert {name: ids.tolist() for name, ids in mesh.cell_sets.items()} == expected


def test_sets_name_numbers_ranges_and_other_sets(tmp_path: Path) -> None:
    text = NODES + TRIANGLES.format(", ELSET=Root") + QUAD.format(", ELSET=Tip")
    text += "*ELSET, ELSET=Both\nRoot, Tip\n*NSET, NSET=odd, GENERATE\n10, 50, 20\n"
    text += "*NSET, NSET=more\nodd, 60\n"
    mesh = read(tmp_path, text)
    assert mesh.cell_sets["Both"].tolist() == [0, 1, 2]
    assert mesh.node_sets["odd"].tolist() == [0, 2, 4]
    assert mesh.node_sets["more"].tolist() == [0, 2, 4, 5]


def test_an_included_file_is_read_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "Nodes.inp").write_text(NODES)
    mesh = read(tmp_path, "*INCLUDE, INPUT=Nodes.inp\n" + TRIANGLES.format(""))
    assert mesh.connectivity.tolist() == [0, 1, 2, 1, 3, 2]
    with pytest.raises(PhysgtError, match=r"includes other\.inp, which isn't there"):
        read(tmp_path, "*INCLUDE, INPUT=other.inp\n" + TRIANGLES.format(""))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (2 * (NODES + TRIANGLES.format("")), "node 10 is there twice, in several parts"),
        (NODES + 2 * TRIANGLES.format(""), "element 1 is there twice"),
        (NODES + TRIANGLES.format("") + "*INSTANCE, NAME=a, PART=b\n5, 0, 0\n", "INSTANCE places"),
        (NODES + "*NGEN\n10, 20, 2\n" + TRIANGLES.format(""), "NGEN places or makes nodes"),
        (NODES, "no mesh"),
    ],
)
def test_what_would_be_misread_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PhysgtError, match=rf"plate\.inp: .*{message}"):
        read(tmp_path, text)
