"""CGNS files: one of another solver in ADF, one over time written with the CGNS library."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import pyvista as pv

from physgt.datasets import open_trajectory
from physgt.datasets.vtk_bridge import to_pyvista
from physgt.errors import PhysgtError
from physgt.faces import cell_faces

UNSTEADY = Path(__file__).parent / "data" / "cgns" / "unsteady.cgns"
"""Written by unsteady.c beside it, which says what is in it."""


def test_values_over_time_stay_on_vertices_and_cells() -> None:
    found = open_trajectory(UNSTEADY)
    assert found.times.tolist() == [0, 0.5, 1]
    assert {f.name: f.location for f in found.declared()} == {
        "Temperature": "node", "Pressure": "cell",
    }  # fmt: skip
    for i, time in enumerate(found.times):
        frame = found.frame(i)
        np.testing.assert_allclose(frame["Temperature"], found.mesh.points[:, 0] + 10 * time)
        np.testing.assert_allclose(frame["Pressure"], [100 + time, 101 + time, 102 + time])


def test_zones_are_joined_where_they_meet_and_stay_as_sets() -> None:
    mesh = open_trajectory(UNSTEADY).mesh
    assert (mesh.num_points, mesh.num_cells) == (4 * 4, 3)
    assert cell_faces(mesh).on_boundary().sum() == 4 * 3 + 2
    assert {name: ids.tolist() for name, ids in mesh.cell_sets.items()} == {
        "left": [0, 1], "right": [2], "inlet": [0],
    }  # fmt: skip
    assert (mesh.points[mesh.node_sets["inlet"], 0] == 0).all()
    assert len(mesh.node_sets["inlet"]) == 4


def test_structured_zones_become_hexahedra_and_boundary_conditions_sets(shared_data: Path) -> None:
    path = shared_data / "files" / "cgns" / "sqnz_s.adf.cgns"
    found = open_trajectory(path)
    # The file has 4 rows of zones of 15, 15 and 17 x 9 x 9 vertices; neighbours share theirs.
    assert found.mesh.num_cells == 4 * (14 + 14 + 16) * 8 * 8
    assert found.mesh.num_points == (14 + 14 + 16 + 1) * 17 * 17
    assert {name: len(ids) for name, ids in found.mesh.node_sets.items()} == {
        "entree": 17 * 17, "sortie": 17 * 17,
        **dict.fromkeys(("sym1", "sym2", "paroi1", "paroi2"), 45 * 17),
    }  # fmt: skip
    assert len(found.mesh.cell_sets["entree"]) == 16 * 16
    grid = pv.CGNSReader(path)
    grid.enable_all_cell_arrays()
    grid.load_boundary_patch = False
    blocks = grid.read().combine()
    np.testing.assert_allclose(np.sort(found.frame(0)["Density"]), np.sort(blocks["Density"]))
    volumes = to_pyvista(found.mesh).compute_cell_sizes()["Volume"]
    assert np.abs(volumes).sum() == pytest.approx(
        np.abs(blocks.compute_cell_sizes()["Volume"]).sum()
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_named(tmp_path: Path, share: float) -> None:
    path = Path(shutil.copy(UNSTEADY, tmp_path / "cut.cgns"))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(PhysgtError, match=r"cut\.cgns"):
        open_trajectory(path).frame(2)
