import dataclasses

import numpy as np
import pytest

from heat_case import HEAT, build_heat_graph, heat_trajectory
from physgt import BoundaryCondition, Field, Forcing, PhysgtError, Trajectory
from physgt.samples import Samples


def test_every_time_that_leaves_room_for_the_window_begins_one():
    trajectories = {"a": heat_trajectory(0, num_steps=10), "b": heat_trajectory(1, num_steps=7)}
    task = dataclasses.replace(HEAT, dt=0.2)
    assert len(Samples(trajectories, task, build_heat_graph, unroll=3)) == (11 - 6) + (8 - 6)


def test_a_window_holds_the_states_dt_apart():
    trajectory = heat_trajectory(0, num_steps=10)
    window = Samples(
        {"a": trajectory}, dataclasses.replace(HEAT, dt=0.3), build_heat_graph, unroll=2
    ).batch([4])
    expected = trajectory.fields["temperature"].values[[4, 7, 10]]
    np.testing.assert_array_equal(window.states[..., 0], expected)


def test_meshes_of_different_size_lie_end_to_end_without_padding():
    small, large = heat_trajectory(0, cells=2), heat_trajectory(1, cells=4)
    samples = Samples({"small": small, "large": large}, HEAT, build_heat_graph)
    window = samples.batch([0, len(samples) - 1])
    assert window.states.shape == (2, 9 + 25, 1)
    np.testing.assert_array_equal(window.states[0, :9, 0], small.frame(0)["temperature"])
    np.testing.assert_array_equal(window.states[1, 9:, 0], large.frame(30)["temperature"])
    assert window.graph.graph_index.tolist() == [0] * 9 + [1] * 25


def test_a_global_forcing_reaches_every_node():
    heat = heat_trajectory(0)
    fields = heat.fields.assign(power=((), 3.5), source=(("node",), np.arange(36.0)))
    task = dataclasses.replace(HEAT, forcings=(Forcing("power"), Forcing("source")))
    window = Samples({"a": Trajectory(heat.mesh, fields)}, task, build_heat_graph).batch([2])
    np.testing.assert_array_equal(window.forcings[0, :, 0], np.full(36, 3.5))
    np.testing.assert_array_equal(window.forcings[0, :, 1], np.arange(36.0))


def with_nan() -> Trajectory:
    heat = heat_trajectory(0)
    fields = heat.fields.copy(deep=True)
    fields["temperature"][5, 3] = np.nan
    return Trajectory(heat.mesh, fields)


def on_cells() -> Trajectory:
    mesh = heat_trajectory(0).mesh
    values = np.zeros((31, mesh.num_cells))
    return Trajectory.from_arrays(
        mesh, 0.1 * np.arange(31), {}, cell_fields={"temperature": values}
    )


def with_changing_power() -> Trajectory:
    """It ends as it began."""
    heat = heat_trajectory(0)
    return Trajectory(
        heat.mesh, heat.fields.assign(power=("time", 15 - np.abs(np.arange(-15, 16))))
    )


@pytest.mark.parametrize(
    ("trajectory", "changes", "message"),
    [
        (
            heat_trajectory(0),
            {"targets": (Field("heat"),), "boundary": ()},
            "bad.vtk.*no field 'heat'",
        ),
        (heat_trajectory(0), {"targets": (Field("temperature", 2),)}, "has 1 components.*2"),
        (heat_trajectory(0), {"dt": 0.25}, "bad.vtk: dt = 0.25 s is not a multiple of the 0.1 s"),
        (heat_trajectory(0, num_steps=2), {"dt": 0.3}, "bad.vtk: too short for a window of 1"),
        (on_cells(), {}, "bad.vtk: field 'temperature' lies on cells.*--to-nodes"),
        (with_nan(), {}, "bad.vtk: field 'temperature' is not finite at 0.5 s"),
        (
            heat_trajectory(0),
            {"boundary": (BoundaryCondition("all", "temperature", "held", where="x > -1"),)},
            "bad.vtk: the boundary leaves no node free",
        ),
        (
            heat_trajectory(0),
            {"forcings": (Forcing("power", value="1 / x"),)},
            "forcing 'power', value: not finite at 0 s",
        ),
        (with_changing_power(), {"forcings": (Forcing("power"),)}, "set over_time = true"),
    ],
)
def test_a_trajectory_that_does_not_fit_is_named_with_the_reason(trajectory, changes, message):
    with pytest.raises(PhysgtError, match=message):
        list(
            Samples(
                {"bad.vtk": trajectory}, dataclasses.replace(HEAT, **changes), build_heat_graph
            ).steps()
        )
