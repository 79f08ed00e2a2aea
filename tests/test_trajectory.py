"""Trajectories: their shapes, their laziness, their times, and what xarray makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from physgt.errors import PhysgtError
from physgt.task import Field
from physgt.trajectory import Trajectory, matching_times
from sample_trajectories import SAMPLES, TIMES, planar, planar_mesh, planar_moving


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> Trajectory:
    return SAMPLES[request.param]()


def lazy_copy(trajectory: Trajectory, read: list[int]) -> Trajectory:
    """The same from frames, that notes in `read` which frames were read."""

    def read_frame(index: int) -> dict[str, np.ndarray]:
        read.append(index)
        return trajectory.frame(index)

    over_time = trajectory.declared(over_time=True)
    names = [f.name for f in trajectory.declared(over_time=False)]
    static = trajectory.fields[names].drop_vars("time", errors="ignore")
    return Trajectory.from_frames(
        trajectory.mesh,
        trajectory.times,
        over_time,
        read_frame,
        static=static,
    )


def test_dimensions_and_units_of_a_field_follow_its_place_and_components() -> None:
    trajectory = planar()
    fields = trajectory.fields
    assert {str(name): fields[name].dims for name in fields} == {
        "velocity": ("time", "node", "velocity_component"),
        "pressure": ("time", "node"),
        "inlet_speed": ("time",),
        "flux": ("time", "cell", "flux_component"),
        "material": ("time", "cell"),
        "conductivity": ("node",),
        "viscosity": (),
    }
    assert fields["velocity"].attrs["units"] == "m/s"
    assert fields["velocity"].coords["velocity_component"].values.tolist() == ["x", "y"]
    assert fields["time"].attrs["units"] == "s"
    assert trajectory.num_times == 4
    assert trajectory.num_steps == 3


def test_a_single_component_loses_its_axis() -> None:
    with_axis = Trajectory.from_arrays(planar_mesh(), TIMES, {"p": np.zeros((4, 5, 1))})
    assert with_axis.fields["p"].dims == ("time", "node")


def test_the_declared_fields_say_what_the_variables_are() -> None:
    assert planar().declared(over_time=False) == [
        Field("conductivity", dtype="float64"),
        Field("viscosity", units="m^2/s", location="global", dtype="float64"),
    ]
    assert Field("flux", 2, location="cell") in planar().declared(over_time=True)
    assert Field("inlet_speed", location="global", dtype="float64") in planar().declared()


def test_a_frame_holds_all_fields_of_one_time_and_those_that_stay(sample: Trajectory) -> None:
    frame = sample.frame(2)
    assert set(frame) == set(sample.fields.data_vars)
    for field in sample.declared():
        assert frame[field.name].shape == field.frame_shape(sample.mesh)
        expected = sample.fields[field.name]
        expected = expected.isel(time=2) if "time" in expected.dims else expected
        np.testing.assert_array_equal(frame[field.name], expected)
    some = [sample.declared()[0].name]
    assert list(sample.frame(1, some)) == some


def test_only_a_moving_mesh_has_other_points_than_its_reference_configuration() -> None:
    assert not planar().moving
    np.testing.assert_array_equal(planar().points_at(3), planar_mesh().points)
    moving = planar_moving()
    assert moving.moving
    np.testing.assert_array_equal(moving.points_at(3), moving.fields["points"][3])
    assert not np.array_equal(moving.points_at(3), moving.mesh.points)


def test_frames_are_read_when_they_are_asked_for_and_no_others(sample: Trajectory) -> None:
    read: list[int] = []
    lazy = lazy_copy(sample, read)
    name = lazy.declared(over_time=True)[0].name
    later = lazy.select(slice(1, None))
    assert not read
    np.testing.assert_array_equal(later.fields[name][1].values, sample.fields[name][2].values)
    assert read == [2]
    lazy.initial().frame(0)
    assert set(read) == {0, 2}


@pytest.mark.parametrize(
    "part",
    [
        lambda v: v[1:3],
        lambda v: v[::-1],
        lambda v: v[::2, 1],
        lambda v: v[-1, 1:4],
        lambda v: v[2:2],
        lambda v: v[[3, 0, 0]],
        lambda v: v[:, [4, 1], 0] if v.ndim == 3 else v[:, [4, 1]],
        lambda v: v.sel(time=0.36, method="nearest"),
        lambda v: v.mean("time"),
    ],
)
def test_a_lazy_trajectory_is_sliced_like_one_in_memory(
    part: Callable[[xr.DataArray], xr.DataArray], sample: Trajectory
) -> None:
    lazy = lazy_copy(sample, [])
    for field in sample.declared(over_time=True):
        if field.location == "node":
            xr.testing.assert_identical(
                part(lazy.fields[field.name]), part(sample.fields[field.name])
            )


def test_selected_times_make_a_trajectory_and_the_initial_one_is_the_first_alone() -> None:
    every_other = planar().select(slice(None, None, 2))
    np.testing.assert_array_equal(every_other.times, TIMES[::2])
    assert every_other.attributes == planar().attributes
    initial = planar().initial()
    np.testing.assert_array_equal(initial.times, TIMES[:1])
    assert initial.num_steps == 0


def test_xarray_has_the_points_as_coordinates_and_keeps_all_in_a_netcdf_file(
    sample: Trajectory, tmp_path: Path
) -> None:
    dataset = sample.to_xarray()
    np.testing.assert_array_equal(dataset["y"], sample.mesh.points[:, 1])
    np.testing.assert_array_equal(dataset["node_type"], sample.mesh.node_type)
    assert ("z" in dataset) == (sample.mesh.dimension == 3)
    dataset.to_netcdf(tmp_path / "sample.nc")
    with xr.open_dataset(tmp_path / "sample.nc") as read:
        xr.testing.assert_equal(read.load(), dataset)
        for name in dataset.data_vars:
            assert read[name].attrs["units"] == dataset[name].attrs["units"]
            assert read[name].dtype == dataset[name].dtype


def test_xarray_gets_the_attributes_that_netcdf_can_hold() -> None:
    attributes = planar().to_xarray().attrs
    assert attributes == {"solver": "by hand", "mach": 0.1, "steady": 0}


def test_a_stride_is_the_number_of_times_in_a_step() -> None:
    trajectory = Trajectory.from_arrays(planar_mesh(), 3 + 0.1 * np.arange(7), {})
    assert [trajectory.stride(dt) for dt in (0.1, 0.2, 0.6)] == [1, 2, 6]
    for dt in (0.15, 0.04, 0.25):
        with pytest.raises(PhysgtError, match=rf"dt = {dt} s is not a multiple of the 0.1 s"):
            trajectory.stride(dt)
    uneven = Trajectory.from_arrays(planar_mesh(), [0.0, 0.1, 0.3], {})
    with pytest.raises(PhysgtError, match=r"not evenly spaced: from 0.1 s to 0.2 s"):
        uneven.stride(0.1)
    with pytest.raises(PhysgtError, match="one time has no steps"):
        uneven.initial().stride(0.1)


def test_equal_times_are_matched_to_a_thousandth_of_the_finer_spacing() -> None:
    reference = 0.1 * np.arange(11)
    found, in_reference = matching_times(np.array([0.2, 0.40005, 0.65, 5.0]), reference)
    assert found.tolist() == [0, 1]
    assert in_reference.tolist() == [2, 4]
    with pytest.raises(PhysgtError, match="no time is in both: 2 to 3 s against 0 to 1 s"):
        matching_times(np.array([2.0, 3.0]), reference)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([], "one or more finite times"),
        ([0.0, np.nan], "one or more finite times"),
        ([0.0, 0.2, 0.1], "must increase, but time 2 is 0.1 s after 0.2 s"),
        ([0.0, 0.0], "must increase"),
    ],
)
def test_times_that_do_not_increase_are_refused(times: list[float], message: str) -> None:
    with pytest.raises(PhysgtError, match=message):
        Trajectory.from_arrays(planar_mesh(), times, {})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"p": np.zeros((3, 5))}, r"'p' has shape \(3, 5\), but there are 4 times"),
        ({"p": np.zeros(())}, r"'p' has shape \(\)"),
        ({"p": np.zeros((4, 6))}, r"'p' has shape \(6,\) at one time.*5 nodes and 3 cells"),
        ({"p": np.zeros((4, 5, 2, 2))}, r"'p' has shape \(5, 2, 2\)"),
    ],
)
def test_a_field_of_another_shape_than_times_and_mesh_is_refused(
    fields: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(PhysgtError, match=message):
        Trajectory.from_arrays(planar_mesh(), TIMES, fields)


def test_a_frame_that_changes_its_shape_is_refused_when_it_is_read() -> None:
    lazy = Trajectory.from_frames(
        planar_mesh(), TIMES, [Field("p")], lambda i: {"p": np.zeros(5 + (i == 2))}
    )
    lazy.frame(1)
    with pytest.raises(PhysgtError, match=r"'p' has shape \(6,\) at time number 2, but \(5,\)"):
        lazy.frame(2)
