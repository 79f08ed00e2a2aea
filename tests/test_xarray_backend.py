"""VTKHDF files as xarray users open any other file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from physgt.datasets.vtkhdf import write_vtkhdf
from physgt.errors import PhysgtError
from sample_trajectories import planar


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_vtkhdf(planar(), tmp_path / "planar.vtkhdf")
    return tmp_path / "planar.vtkhdf"


def test_xarray_opens_a_file_by_the_name_of_the_engine(path: Path) -> None:
    with xr.open_dataset(path, engine="physgt") as dataset:
        xr.testing.assert_identical(dataset, planar().to_xarray())
    with xr.open_dataset(str(path), engine="physgt") as dataset:
        assert dataset["velocity"].dims == ("time", "node", "velocity_component")


def test_values_are_read_when_they_are_asked_for(path: Path) -> None:
    dataset = xr.open_dataset(path, engine="physgt")
    nearest = dataset["velocity"].sel(time=0.36, method="nearest")
    np.testing.assert_array_equal(nearest, planar().fields["velocity"][1])
    path.write_bytes(b"")  # the very file that is open
    with pytest.raises(PhysgtError, match=r"planar.vtkhdf: truncated or damaged"):
        dataset["pressure"].load()


def test_variables_can_be_left_out(path: Path) -> None:
    dataset = xr.open_dataset(path, engine="physgt", drop_variables=["flux", "no such field"])
    assert "flux" not in dataset
    assert "velocity" in dataset
    assert "pressure" not in xr.open_dataset(path, engine="physgt", drop_variables="pressure")


def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "notes.vtkhdf").write_text("nothing")
    with pytest.raises(PhysgtError, match=r"notes.vtkhdf: not an HDF5 file"):
        xr.open_dataset(tmp_path / "notes.vtkhdf", engine="physgt")
