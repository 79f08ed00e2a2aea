"""Cell fields on nodes, against means by hand and against VTK's filter."""

import numpy as np
import pyvista as pv

from physgt.datasets.cells_to_nodes import cells_to_nodes
from physgt.datasets.vtk_bridge import from_pyvista
from physgt.mesh import Mesh
from physgt.trajectory import Trajectory

POINTS = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [5, 5]], dtype=float)
MESH = Mesh.from_blocks(POINTS, [("triangle", np.array([[0, 1, 2], [0, 2, 3]]))])


def test_a_node_gets_the_mean_of_the_cells_that_it_is_in() -> None:
    heat = np.array([[10.0, 30.0], [0.0, 4.0]])
    trajectory = Trajectory.from_arrays(
        MESH,
        np.arange(2.0),
        {"p": np.zeros((2, 5))},
        cell_fields={"heat": heat, "material": np.array([[1, 2], [1, 2]])},
        units={"heat": "W"},
    )
    moved = cells_to_nodes(trajectory)
    fields = {f.name: (f.location, f.dtype, f.units) for f in moved.declared()}
    assert fields == {
        "p": ("node", "float64", ""),
        "heat": ("node", "float64", "W"),
        "material": ("node", "float64", ""),
    }
    # The last node is in no cell.
    np.testing.assert_array_equal(moved.frame(0)["heat"], [20, 10, 20, 30, np.nan])
    np.testing.assert_array_equal(moved.frame(1)["heat"], [2, 0, 2, 4, np.nan])
    np.testing.assert_array_equal(moved.frame(0)["material"], [1.5, 1, 1.5, 2, np.nan])


def test_a_collapsed_cell_counts_once_at_its_double_node() -> None:
    cells = [("quad", np.array([[0, 1, 2, 2]])), ("triangle", np.array([[0, 2, 3]]))]
    mesh = Mesh.from_blocks(POINTS, cells)
    fields = {"heat": np.array([[1.0, 3.0]])}
    trajectory = Trajectory.from_arrays(mesh, np.zeros(1), {}, cell_fields=fields)
    means = cells_to_nodes(trajectory).frame(0)["heat"]
    np.testing.assert_array_equal(means, [2, 1, 2, 3, np.nan])


def test_means_are_those_of_vtk() -> None:
    random = np.random.default_rng(0)
    grid = pv.ImageData(dimensions=(5, 4, 3)).cast_to_unstructured_grid()
    vectors = random.random((grid.n_cells, 3))
    grid.cell_data["flux"] = vectors
    mesh = from_pyvista(grid)[0]
    trajectory = Trajectory.from_arrays(mesh, np.zeros(1), {}, cell_fields={"flux": vectors[None]})
    expected = grid.cell_data_to_point_data()["flux"]
    np.testing.assert_allclose(cells_to_nodes(trajectory).frame(0)["flux"], expected, rtol=1e-12)
