"""EnSight cases: two of other programs, and what OpenFOAM's foamToEnsight wrote of one case."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError
from physgt.faces import cell_graph

SMALL = Path(__file__).parent / "data" / "ensight"


def floats_of(file: Path, count: int) -> np.ndarray:
    """The last `count` numbers of a binary variable, stored big end first."""
    return np.frombuffer(file.read_bytes(), ">f4")[-count:]


def test_a_geometry_that_moves_is_read_with_variables_of_nodes_and_elements(
    shared_data: Path,
) -> None:
    folder = shared_data / "files" / "ensight"
    found = open_trajectory(folder / "blow2_bin.case")
    assert found.times.tolist() == [0, 0.1]
    assert found.moving
    # Three blocks of 80-character lines and counts before the coordinates, all x first.
    for i in range(2):
        thickness = floats_of(folder / f"blow2_bin_pd_thickness00{i}", found.mesh.num_points)
        np.testing.assert_array_equal(found.frame(i)["thickness"], thickness)
        displacement = floats_of(folder / f"blow2_bin_pd_displacement00{i}", 3 * 687)
        np.testing.assert_array_equal(found.frame(i)["displacement"], displacement.reshape(3, -1).T)
    start, later = (found.points_at(i) - found.frame(i)["displacement"] for i in range(2))
    np.testing.assert_allclose(later, start, atol=1e-4)
    assert found.frame(1)["thickness_cell"].shape == (found.mesh.num_cells,)


def test_parts_of_lines_mark_the_boundary_of_the_part_of_cells(shared_data: Path) -> None:
    mesh = open_trajectory(shared_data / "files" / "ensight_cylinder" / "cylinder_Re35.case").mesh
    assert (mesh.dimension, mesh.num_cells) == (2, 14594)
    assert len(mesh.cell_sets["fluid"]) == mesh.num_cells
    # An open line has one node more than it has elements, the closed cylinder as many.
    for name, lines in {"inlet": 75, "outlet": 75, "outlet_top": 150, "wall_cylinder": 63}.items():
        closed = name == "wall_cylinder"
        assert len(mesh.node_sets[name]) == lines + (not closed)
        assert len(mesh.cell_sets[name]) == lines


@pytest.mark.parametrize("name", ["box_ascii", "box_binary"])
def test_polyhedra_and_element_variables_are_those_of_the_case_that_was_exported(name: str) -> None:
    found = open_trajectory(SMALL / name / "box.case")
    box = open_trajectory(SMALL.parent / "openfoam" / "box")
    np.testing.assert_allclose(found.times, box.times)
    assert found.mesh.num_points == box.mesh.num_points
    assert {n: len(ids) for n, ids in found.mesh.cell_sets.items()} == {
        "internalMesh": 36, "inlet": 9, "outlet": 9, "walls": 32,
    }  # fmt: skip
    # EnSight has hexahedra first; only pressures tell who is who.
    order, theirs = np.argsort(found.frame(2)["p"]), np.argsort(box.frame(2)["p"])
    np.testing.assert_allclose(
        found.frame(2)["p"][order], box.frame(2)["p"][theirs], rtol=1e-4, atol=1e-5
    )
    assert cell_graph(found.mesh).shape == cell_graph(box.mesh).shape


def test_a_missing_or_truncated_file_of_a_case_is_an_error_that_names_the_case(
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(SMALL / "box_binary", tmp_path / "box"))
    variable = folder / "data" / "00000000" / "p"
    whole = variable.read_bytes()
    variable.write_bytes(whole[:400])
    with pytest.raises(PhysgtError, match=r"box\.case: data/00000000/p has 400 bytes, but .* 1592"):
        open_trajectory(folder / "box.case")
    variable.write_bytes(whole)
    for name in ("geometry", "data/00000001/U"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(PhysgtError, match=re.escape(str(folder / "box.case"))):
            open_trajectory(folder / "box.case").frame(1)
        (folder / name).unlink()
        with pytest.raises(PhysgtError, match=re.escape(str(folder / "box.case"))):
            open_trajectory(folder / "box.case").frame(1)
        (folder / name).write_bytes(data)
