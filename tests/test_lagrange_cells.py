"""Lagrange cells become the cells with the same nodes, judged by VTK."""

from pathlib import Path

import numpy as np
import pytest
import pyvista as pv

from physgt import PhysgtError
from physgt.datasets import open_trajectory
from physgt.datasets.lagrange_cells import SAME_NODES
from physgt.datasets.vtk_bridge import from_pyvista


def one_cell(number: int, size: int) -> pv.UnstructuredGrid:
    nodes = np.arange(size)
    return pv.UnstructuredGrid(
        np.array([size, *nodes]), np.array([number]), np.random.default_rng(0).random((size, 3))
    )


def node_places(number: int, size: int) -> np.ndarray:
    """Where VTK says that the nodes lie in their cell: (size, 3), from 0 to 1."""
    places = np.array(one_cell(number, size).GetCell(0).GetParametricCoords())
    places = places.reshape(-1, 3) if places.ndim == 1 else places
    low, high = places.min(axis=0), places.max(axis=0)
    return (places - low) / np.where(high > low, high - low, 1)


@pytest.mark.parametrize(("lagrange", "plain"), SAME_NODES.items())
def test_a_lagrange_cell_is_the_cell_whose_nodes_lie_at_the_same_places(lagrange, plain):
    number, size = lagrange
    np.testing.assert_allclose(node_places(number, size), node_places(plain, size), atol=1e-12)
    mesh, _, _ = from_pyvista(one_cell(number, size), planar=False)
    assert mesh.cell_types.tolist() == [plain]


def test_a_file_with_lagrange_cells_is_read(tmp_path: Path):
    grid = one_cell(69, 6)
    grid["height"] = grid.points[:, 2]
    grid.save(tmp_path / "fenics.vtu")
    found = open_trajectory(tmp_path / "fenics.vtu")
    assert found.mesh.cell_types.tolist() == [22]
    np.testing.assert_allclose(found.frame(0)["height"], found.mesh.points[:, 2])


def test_higher_orders_are_refused_with_what_to_do():
    with pytest.raises(PhysgtError, match=r"type 69 with 10 nodes.*first or second order"):
        from_pyvista(one_cell(69, 10))
