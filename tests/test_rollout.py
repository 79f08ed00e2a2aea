import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr

from heat_case import HEAT, SMALL_MODELS, heat_trajectory
from physgt import BoundaryCondition, Field, Forcing, PhysgtError, Simulator, Task, Trajectory
from physgt.conditions import Condition
from physgt.rollout import rollout


def test_rollout_equals_a_hand_written_loop(simulator, heat):
    graph = simulator.build_graph(heat.mesh)
    state = graph.from_mesh(heat.frame(0)["temperature"][:, None])
    states = [graph.to_mesh(state)[:, 0]]
    with torch.inference_mode():
        for _ in range(7):
            state = simulator.step(graph, state, torch.zeros(len(state), 0))
            states.append(graph.to_mesh(state)[:, 0])
    predicted = rollout(simulator, heat.initial(), 7).fields["temperature"].values
    np.testing.assert_array_equal(predicted, np.array(states))


def test_n_steps_give_n_plus_one_states_from_the_initial_one_on(simulator, heat):
    late = heat.select(slice(4, 5))
    prediction = rollout(simulator, late, 12)
    np.testing.assert_allclose(prediction.times, 0.4 + 0.1 * np.arange(13), rtol=1e-12)
    np.testing.assert_array_equal(prediction.frame(0)["temperature"], heat.frame(4)["temperature"])
    assert prediction.fields["temperature"].attrs["units"] == "degC"


def test_a_rollout_never_sees_the_future(simulator, heat):
    garbled = heat.fields.copy(deep=True)
    garbled["temperature"][1:] = np.nan
    blind = rollout(simulator, Trajectory(heat.mesh, garbled), 5)
    sighted = rollout(simulator, heat, 5)
    np.testing.assert_array_equal(
        blind.fields["temperature"].values, sighted.fields["temperature"].values
    )


def test_what_is_written_step_by_step_is_what_is_held_in_memory(simulator, heat, tmp_path):
    path = tmp_path / "prediction.vtkhdf"
    seen = []
    written = rollout(
        simulator, heat.initial(), 5, output=path, progress=lambda *done: seen.append(done)
    )
    held = rollout(simulator, heat.initial(), 5)
    np.testing.assert_array_equal(
        written.fields["temperature"].values, held.fields["temperature"].values
    )
    assert seen == [(step, 5, "") for step in range(1, 6)]
    assert [file.name for file in tmp_path.iterdir()] == ["prediction.vtkhdf"]


def simulator_of(task: Task) -> Simulator:
    torch.manual_seed(0)
    return Simulator(task, 2, "physgto", SMALL_MODELS["physgto"]).eval()


def with_boundary(condition: Condition | str | float) -> Task:
    rule = BoundaryCondition("rim", "temperature", condition)
    return dataclasses.replace(HEAT, boundary=(rule,))


def test_a_constant_boundary_value_of_the_task_holds_at_every_time(heat):
    prediction = rollout(simulator_of(with_boundary(25.0)), heat.initial(), 3)
    rim = prediction.fields["temperature"].values[:, heat.mesh.node_sets["rim"]]
    assert (rim == 25.0).all()


def ramp(heat: Trajectory) -> Trajectory:
    """The boundary's temperature over time: 10 + 100 t, stated at 0, 0.25 and 1 s."""
    times = np.array([0.0, 0.25, 1.0])
    values = np.repeat((10 + 100 * times)[:, None], heat.mesh.num_points, axis=1)
    return Trajectory.from_arrays(heat.mesh, times, {"temperature": values})


def test_prescribed_values_are_interpolated_in_time_and_reach_the_named_nodes_only(heat):
    prediction = rollout(
        simulator_of(with_boundary("prescribed")), heat.initial(), 5, prescribed=ramp(heat)
    )
    values = prediction.fields["temperature"].values
    rim = heat.mesh.node_sets["rim"]
    expected = 10 + 100 * np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    np.testing.assert_allclose(values[:, rim], np.repeat(expected[:, None], len(rim), 1), rtol=1e-6)
    inside = np.setdiff1d(np.arange(heat.mesh.num_points), rim)
    np.testing.assert_array_equal(values[0, inside], heat.frame(0)["temperature"][inside])


def test_prescribed_values_must_be_given_and_must_cover_the_rollout(heat):
    simulator = simulator_of(with_boundary("prescribed"))
    with pytest.raises(PhysgtError, match=r"\['temperature'\] over time.*--prescribed FILE"):
        rollout(simulator, heat.initial(), 3)
    with pytest.raises(PhysgtError, match=r"cover 0 to 1 s, but the rollout needs 2 s"):
        rollout(simulator, heat.initial(), 20, prescribed=ramp(heat))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": 1.1}, r"node \d+ lies at .* in the prescribed values, at .* in the start;"),
        ({"order": -1}, r"node \d+ lies at .* with its nodes in one order.*convert FILE --remap"),
        ({"cells": -1}, r"the same nodes, but other cells; both must lie on one mesh"),
        ({"axes": 1}, r"lie on 36 nodes .* in 1 dimensions, but the start on 36 .* in 2 dim"),
    ],
)
def test_prescribed_values_of_another_mesh_with_as_many_nodes_are_refused(heat, change, message):
    told, mesh = ramp(heat), heat.mesh
    points = mesh.points[:: change.get("order", 1), : change.get("axes", 2)]
    cells = np.arange(mesh.num_cells)[:: change.get("cells", 1)]
    other = dataclasses.replace(mesh.take_cells(cells), points=points * change.get("points", 1))
    with pytest.raises(PhysgtError, match=message):
        rollout(
            simulator_of(with_boundary("prescribed")),
            heat.initial(),
            3,
            prescribed=Trajectory(other, told.fields),
        )


def test_prescribed_values_may_come_from_a_file_that_rounded_the_coordinates(heat):
    told = ramp(heat)
    points = heat.mesh.points.astype(np.float32)
    rounded = Trajectory(dataclasses.replace(heat.mesh, points=points), told.fields)
    simulator = simulator_of(with_boundary("prescribed"))
    expected = rollout(simulator, heat.initial(), 3, prescribed=told)
    found = rollout(simulator, heat.initial(), 3, prescribed=rounded)
    xr.testing.assert_equal(found.fields, expected.fields)


def test_a_forcing_over_time_changes_the_rollout_only_from_the_step_it_changes_in(heat):
    task = dataclasses.replace(HEAT, forcings=(Forcing("power", over_time=True),))
    simulator = simulator_of(task)
    times = 0.1 * np.arange(6)

    def run(power: list[float]) -> np.ndarray:
        stated = Trajectory.from_arrays(heat.mesh, times, {"power": np.array(power)})
        prediction = rollout(simulator, heat.initial(), 5, prescribed=stated)
        return prediction.fields["temperature"].values

    calm, pulse = run([1.0] * 6), run([1.0, 1.0, 3.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(calm[:3], pulse[:3])
    assert not np.array_equal(calm[3], pulse[3])


def test_a_start_without_a_field_of_the_task_is_refused_with_its_name(heat):
    task = dataclasses.replace(HEAT, targets=(*HEAT.targets, Field("velocity", 2)))
    with pytest.raises(PhysgtError, match=r"no field 'velocity'.*It has \['temperature'\]"):
        rollout(simulator_of(task), heat.initial(), 3)
    task = Task((Field("temperature", components=3),), dt=0.1)
    with pytest.raises(PhysgtError, match="has 1 components, but the model's task declares 3"):
        rollout(simulator_of(task), heat.initial(), 3)


def test_a_boundary_on_a_set_that_the_mesh_lacks_names_the_sets_there_are(heat):
    rule = BoundaryCondition("inlet", "temperature", "held")
    simulator = simulator_of(dataclasses.replace(HEAT, boundary=(rule,)))
    with pytest.raises(PhysgtError, match=r"no node set 'inlet'.*\['rim'\]"):
        rollout(simulator, heat.initial(), 3)


def test_a_rollout_may_begin_at_the_end_of_one_from_a_file_of_one_time(heat, tmp_path):
    task = dataclasses.replace(HEAT, forcings=(Forcing("power"),))
    torch.manual_seed(0)
    simulator = Simulator(task, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"]).eval()
    power = np.random.default_rng(0).normal(size=(1, heat.mesh.num_points)).astype(np.float32)
    # Solvers' files have a field that stays at each of their times.
    first = {"temperature": heat.fields["temperature"].values[:1], "power": power}
    start = Trajectory.from_arrays(heat.mesh, heat.times[:1], first)
    whole = rollout(simulator, start, 6).fields["temperature"].values
    for output in (None, tmp_path / "out.vtkhdf"):
        half = rollout(simulator, start, 3, output=output)
        rest = rollout(simulator, half.select(slice(3, 4)), 3).fields["temperature"].values
        np.testing.assert_array_equal(rest, whole[3:])


def test_a_forcing_that_is_not_finite_is_refused(heat):
    task = dataclasses.replace(HEAT, forcings=(Forcing("power"),))
    simulator = Simulator(task, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"])
    with pytest.raises(PhysgtError, match="the start's forcing 'power' is not finite"):
        rollout(simulator, Trajectory(heat.mesh, heat.fields.assign(power=np.nan)), 3)


def test_a_start_that_is_not_finite_is_refused(heat):
    fields = heat.fields.copy(deep=True)
    fields["temperature"][0, 7] = np.nan
    with pytest.raises(PhysgtError, match="not finite at node 7"):
        rollout(simulator_of(HEAT), Trajectory(heat.mesh, fields), 3)


def test_a_diverging_rollout_stops_with_step_and_field_named_and_keeps_what_it_had(heat, tmp_path):
    simulator = simulator_of(HEAT)
    simulator.increment.std.fill_(1e30)
    with pytest.raises(PhysgtError, match=r"'temperature' is not finite at node \d+, step \d"):
        rollout(simulator, heat.initial(), 20, output=tmp_path / "out.vtkhdf")
    kept = sorted(file.name for file in tmp_path.iterdir())
    assert kept == ["out.partial.vtkhdf", "out.restart.safetensors"]


def test_a_mesh_of_another_dimension_is_refused(heat):
    simulator = Simulator(HEAT, 3, "physgto", SMALL_MODELS["physgto"])
    with pytest.raises(PhysgtError, match="has 2 dimensions, but the model was trained in 3"):
        rollout(simulator, heat_trajectory(1).initial(), 3)
