"""The export to .pvd and .vtu, read by VTK through pyvista."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyvista as pv

from physgt.datasets.pvd import write_pvd
from physgt.trajectory import Trajectory
from sample_trajectories import SAMPLES, planar


@pytest.mark.parametrize("name", SAMPLES)
def test_vtk_reads_at_every_time_the_very_numbers_that_were_exported(
    name: str, tmp_path: Path
) -> None:
    sample = SAMPLES[name]()
    write_pvd(sample, tmp_path / "out" / "sample.pvd")
    reader = pv.get_reader(tmp_path / "out" / "sample.pvd")
    np.testing.assert_array_equal(reader.time_values, sample.times)
    for i in range(sample.num_times):
        reader.set_active_time_point(i)
        grid = reader.read()[0]
        np.testing.assert_array_equal(grid.celltypes, sample.mesh.cell_types)
        np.testing.assert_array_equal(grid.cell_connectivity, sample.mesh.connectivity)
        points = sample.points_at(i)
        np.testing.assert_array_equal(grid.points[:, : points.shape[1]], points)
        np.testing.assert_array_equal(grid.point_data["node_type"], sample.mesh.node_type)
        data = {"node": grid.point_data, "cell": grid.cell_data, "global": grid.field_data}
        for field in sample.declared():
            if field.name != "points":
                found = np.asarray(data[field.location][field.name])
                expected = sample.frame(i)[field.name]
                found = found[:, :2] if field.components == 2 else found
                assert found.dtype == expected.dtype
                np.testing.assert_array_equal(found.reshape(expected.shape), expected)


def test_an_export_that_fails_leaves_no_collection_that_names_missing_files(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sample.pvd"
    write_pvd(planar(), path)

    def fail_at_third(index: int) -> dict[str, np.ndarray]:
        if index == 2:
            raise KeyboardInterrupt
        return planar().frame(index)

    broken = Trajectory.from_frames(
        planar().mesh, planar().times, planar().declared(over_time=True), fail_at_third
    )
    with pytest.raises(KeyboardInterrupt):
        write_pvd(broken, path)
    assert not path.exists()
