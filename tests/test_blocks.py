"""Files of several blocks and lists of files, as OpenFOAM's foamToVTK and ParaView write them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import pyvista as pv

from physgt.datasets import open_trajectory
from physgt.errors import PhysgtError
from physgt.faces import cell_graph

SMALL = Path(__file__).parent / "data"


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A copy of what foamToVTK wrote of the case openfoam/box, without its second time."""
    return Path(shutil.copytree(SMALL / "vtm", tmp_path / "vtm"))


@pytest.mark.parametrize("source", ["box.vtm.series", "box_*.vtm", ""])
def test_an_exported_case_is_the_case_with_its_patches_as_sets(exported: Path, source: str) -> None:
    found, box = open_trajectory(exported / source), open_trajectory(SMALL / "openfoam" / "box")
    np.testing.assert_allclose(found.times, box.times[[0, 2]])
    assert {name: len(ids) for name, ids in found.mesh.node_sets.items()} == {
        "inlet": 24, "outlet": 24, "walls": 100,
    }  # fmt: skip
    for name in ("inlet", "outlet", "walls"):
        np.testing.assert_array_equal(found.mesh.cell_sets[name], box.mesh.cell_sets[name])
    np.testing.assert_array_equal(cell_graph(found.mesh), cell_graph(box.mesh))
    # foamToVTK interpolates to nodes as well; the solver's values are those of cells.
    np.testing.assert_allclose(found.frame(1)["U_cell"], box.frame(2)["U"], atol=1e-6)


def test_one_file_of_blocks_tells_its_time(exported: Path) -> None:
    assert open_trajectory(exported / "box_2.vtm").times.tolist() == [pytest.approx(0.02)]


def test_a_block_or_a_listed_file_that_is_missing_is_named(exported: Path) -> None:
    (exported / "box_2" / "boundary" / "inlet.vtp").unlink()
    with pytest.raises(PhysgtError, match=r"box_2\.vtm: names box_2/boundary/inlet\.vtp, which"):
        open_trajectory(exported / "box.vtm.series")
    (exported / "box_0.vtm").unlink()
    with pytest.raises(PhysgtError, match=r"box\.vtm\.series: lists box_0\.vtm, which isn't there"):
        open_trajectory(exported / "box.vtm.series")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"files": 3}', '{"files": [{"name": "a.vtu"}]}', '{"files": [', "[" * 10**5]
)
def test_a_damaged_list_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.vtu.series").write_text(text)
    with pytest.raises(PhysgtError, match=r"a\.vtu\.series: not a file series"):
        open_trajectory(tmp_path / "a.vtu.series")


def test_times_of_a_list_may_be_in_any_order(tmp_path: Path) -> None:
    grid = pv.ImageData(dimensions=(3, 3, 1)).cast_to_unstructured_grid()
    for i in range(3):
        grid["level"] = np.full(9, float(i))
        grid.save(tmp_path / f"{i}.vtu")
    entries = [{"name": f"{i}.vtu", "time": 0.5 * i} for i in (2, 0, 1)]
    (tmp_path / "all.vtu.series").write_text(json.dumps({"files": entries}))
    found = open_trajectory(tmp_path / "all.vtu.series")
    assert found.times.tolist() == [0, 0.5, 1]
    assert [found.frame(i)["level"][0] for i in range(3)] == [0, 1, 2]


def test_a_surface_that_cuts_through_the_mesh_is_no_part_of_it(tmp_path: Path) -> None:
    box = pv.ImageData(dimensions=(3, 3, 3)).cast_to_unstructured_grid()
    blocks = pv.MultiBlock({"box": box, "cut": box.slice(normal="x", origin=(0.3, 1, 1))})
    blocks.save(tmp_path / "cut.vtm")
    mesh = open_trajectory(tmp_path / "cut.vtm").mesh
    assert (mesh.num_points, mesh.num_cells) == (27, 8)
    assert "cut" not in {**mesh.node_sets, **mesh.cell_sets}
