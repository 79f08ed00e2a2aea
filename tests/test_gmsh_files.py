"""Meshes that Gmsh wrote in its own and others' formats (data/gmsh/README.md)."""

from pathlib import Path

import numpy as np
import pytest

from physgt.datasets import open_trajectory
from physgt.mesh import Mesh

DATA = Path(__file__).parent / "data" / "gmsh"
GMSH = ["plate_2.msh", "plate_2_binary.msh", "plate_4.msh", "plate_4_binary.msh"]


def volumes(mesh: Mesh) -> np.ndarray:
    a, b, c, d = mesh.points[mesh.connectivity.reshape(-1, 4)].transpose(1, 0, 2)
    return np.abs(np.einsum("ij,ij->i", b - a, np.cross(c - a, d - a))) / 6


@pytest.mark.parametrize(
    "name", [*GMSH, "plate.inp", "plate.bdf", "plate.su2", "plate.vtk", "plate.med"]
)
def test_the_volume_is_kept_and_its_skin_adds_no_cells(name: str) -> None:
    mesh = open_trajectory(DATA / name).mesh
    assert set(mesh.cell_types.tolist()) == {10}
    assert volumes(mesh).sum() == pytest.approx(3.0)


@pytest.mark.parametrize("name", [*GMSH, "plate.inp", "plate.med"])
def test_groups_of_volumes_are_cell_sets_and_groups_of_surfaces_node_sets(name: str) -> None:
    mesh = open_trajectory(DATA / name).mesh
    assert volumes(mesh)[mesh.cell_sets["fluid"]].sum() == pytest.approx(2.0)
    assert volumes(mesh)[mesh.cell_sets["solid"]].sum() == pytest.approx(1.0)
    assert np.unique(mesh.points[mesh.node_sets["inlet"], 0]).tolist() == [0]
    assert np.unique(mesh.points[mesh.node_sets["outlet"], 0]).tolist() == [3]


def test_markers_of_su2_keep_their_names() -> None:
    mesh = open_trajectory(DATA / "plate.su2").mesh
    assert set(mesh.node_sets) == {"inlet", "outlet"}
    assert np.unique(mesh.points[mesh.node_sets["inlet"], 0]).tolist() == [0]


def test_properties_of_nastran_are_sets_by_their_numbers() -> None:
    mesh = open_trajectory(DATA / "plate.bdf").mesh
    assert volumes(mesh)[mesh.cell_sets["property 1"]].sum() == pytest.approx(2.0)
    assert volumes(mesh)[mesh.cell_sets["property 2"]].sum() == pytest.approx(1.0)
