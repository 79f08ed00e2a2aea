import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from heat_case import HEAT, SMALL_MODELS
from physgt import BoundaryCondition, Field, Forcing, PhysgtError, Simulator, Task, Trajectory
from physgt.coupling import Stepper
from physgt.rollout import rollout


def simulator_of(task: Task) -> Simulator:
    torch.manual_seed(0)
    return Simulator(task, 2, "physgto", SMALL_MODELS["physgto"]).eval()


def with_rim(condition: str | float) -> Task:
    rule = BoundaryCondition("rim", "temperature", condition)
    return dataclasses.replace(HEAT, boundary=(rule,))


POWERED = dataclasses.replace(HEAT, forcings=(Forcing("power", units="W", over_time=True),))


def steps(stepper: Stepper, count: int) -> np.ndarray:
    states = [stepper.get_field("temperature")]
    for _ in range(count):
        stepper.step()
        states.append(stepper.get_field("temperature"))
    return np.stack(states)


def test_a_stepper_nobody_writes_to_equals_a_rollout_to_the_last_bit(simulator, heat):
    stepper = Stepper(simulator, heat)
    predicted = rollout(simulator, heat.initial(), 7)
    np.testing.assert_array_equal(steps(stepper, 7), predicted.fields["temperature"].values)
    assert stepper.time == predicted.times[-1]


def ramp(heat: Trajectory) -> Trajectory:
    times = 0.1 * np.arange(6)
    values = np.repeat((10 + 100 * times)[:, None], heat.mesh.num_points, axis=1)
    return Trajectory.from_arrays(
        heat.mesh, times, {"temperature": values, "power": 3 * np.arange(6.0)}
    )


def test_a_stepper_with_prescribed_values_equals_the_rollout_with_them(heat):
    task = dataclasses.replace(with_rim("prescribed"), forcings=POWERED.forcings)
    stepper = Stepper(simulator_of(task), heat, prescribed=ramp(heat))
    predicted = rollout(simulator_of(task), heat, 5, prescribed=ramp(heat))
    np.testing.assert_array_equal(steps(stepper, 5), predicted.fields["temperature"].values)


def test_a_stepper_told_the_values_at_each_time_equals_the_rollout_that_reads_them(heat):
    task = dataclasses.replace(with_rim("prescribed"), forcings=POWERED.forcings)
    stepper = Stepper(simulator_of(task), heat)
    told, rim = ramp(heat), heat.mesh.node_sets["rim"]
    stepper.set_field("temperature", told.frame(0)["temperature"][rim], on="rim")
    states = [stepper.get_field("temperature")]
    for i in range(5):
        stepper.set_field("power", told.frame(i)["power"])
        stepper.set_field("temperature", told.frame(i + 1)["temperature"][rim], on="rim")
        stepper.step()
        states.append(stepper.get_field("temperature"))
    predicted = rollout(simulator_of(task), heat, 5, prescribed=told)
    np.testing.assert_array_equal(np.stack(states), predicted.fields["temperature"].values)


def test_save_step_restore_step_gives_the_same_again_any_number_of_times(heat):
    stepper = Stepper(simulator_of(POWERED), heat, interpolate=True)

    def drive(power: float) -> tuple[float, np.ndarray, np.ndarray]:
        stepper.set_field("power", power)
        stepper.set_field("temperature", 10 * power, on="rim")
        stepper.step(0.07)
        stepper.step()
        return stepper.time, stepper.get_field("temperature"), stepper.get_field("power")

    kept = []
    for power in (1.0, 2.0, 3.0, 4.0):
        token = stepper.save_state()
        kept.append((token, power, drive(power)))
    for token, power, (time, temperature, set_power) in reversed(kept):
        stepper.restore_state(token)
        time_again, temperature_again, power_again = drive(power)
        assert time_again == time
        np.testing.assert_array_equal(temperature_again, temperature)
        np.testing.assert_array_equal(power_again, set_power)


def test_a_restored_state_forgets_what_was_set_after_it(heat):
    stepper = Stepper(simulator_of(POWERED), heat)
    stepper.set_field("power", 1.0)
    token = stepper.save_state()
    stepper.set_field("temperature", 99.0, on="rim")
    stepper.set_field("power", 5.0)
    stepper.restore_state(token)
    rim = stepper.get_field("temperature", on="rim")
    np.testing.assert_array_equal(rim, heat.frame(0)["temperature"][heat.mesh.node_sets["rim"]])
    assert (stepper.get_field("power") == 1.0).all()


def test_a_saved_state_can_be_pickled_and_restored_in_another_stepper(heat):
    simulator = simulator_of(HEAT)
    first, second = Stepper(simulator, heat), Stepper(simulator, heat)
    first.set_field("temperature", 42.0, on="rim")
    first.step()
    second.restore_state(pickle.loads(pickle.dumps(first.save_state())))
    np.testing.assert_array_equal(steps(first, 2), steps(second, 2))
    assert first.time == second.time


def test_a_state_of_another_task_is_refused(heat):
    token = Stepper(simulator_of(POWERED), heat).save_state()
    with pytest.raises(PhysgtError, match="comes from another task or mesh"):
        Stepper(simulator_of(HEAT), heat).restore_state(token)


@pytest.mark.parametrize("condition", ["held", 25.0])
def test_a_value_set_on_the_boundary_is_held_until_it_is_set_again(heat, condition):
    stepper = Stepper(simulator_of(with_rim(condition)), heat)
    stepper.step()
    stepper.set_field("temperature", 60.0, on="rim")
    assert (steps(stepper, 2)[:, heat.mesh.node_sets["rim"]] == 60.0).all()
    stepper.set_field("temperature", 70.0, on="rim")
    assert (steps(stepper, 2)[:, heat.mesh.node_sets["rim"]] == 70.0).all()


def test_a_value_set_where_the_model_is_free_is_where_it_goes_on_from(heat):
    simulator = simulator_of(HEAT)
    stepper = Stepper(simulator, heat)
    changed = heat.frame(0)["temperature"] + 1
    stepper.set_field("temperature", changed)
    start = Trajectory.from_arrays(heat.mesh, np.zeros(1), {"temperature": changed[None]})
    predicted = rollout(simulator, start, 3).fields["temperature"].values
    np.testing.assert_array_equal(steps(stepper, 3), predicted)


def test_a_stepper_writes_nothing_into_arrays_that_it_gave_or_got(heat):
    stepper = Stepper(simulator_of(HEAT), heat)
    before = stepper.get_field("temperature")
    kept = before.copy()
    given = np.full(len(stepper.ids("rim")), 5.0)
    stepper.set_field("temperature", given, on="rim")
    given[:] = 7.0
    stepper.step()
    np.testing.assert_array_equal(before, kept)
    assert (stepper.get_field("temperature", on="rim") == 5.0).all()
    with pytest.raises(ValueError, match="read-only"):
        before[0] = 1.0


def test_what_a_stepper_gives_may_be_changed_by_who_got_it(heat):
    stepper = Stepper(simulator_of(HEAT), heat)
    saved, points = stepper.save_state(), heat.mesh.points.copy()
    stepper.frame()["temperature"][:] = 0.0  # to other units, say
    stepper.coordinates()[:] *= 1000.0
    stepper.ids("rim")[:] += 1
    for _ in range(2):
        np.testing.assert_array_equal(
            stepper.get_field("temperature", on="rim"),
            heat.frame(0)["temperature"][np.flatnonzero(heat.mesh.node_type)],
        )
        stepper.restore_state(saved)
    np.testing.assert_array_equal(stepper.coordinates(), points)


def test_coordinates_and_ids_of_a_set_are_those_of_its_values(heat):
    stepper = Stepper(simulator_of(HEAT), heat)
    rim = heat.mesh.node_sets["rim"]
    np.testing.assert_array_equal(stepper.ids("rim"), rim)
    np.testing.assert_array_equal(stepper.coordinates("rim"), heat.mesh.points[rim])
    np.testing.assert_array_equal(
        stepper.get_field("temperature", on="rim"), heat.frame(0)["temperature"][rim]
    )
    np.testing.assert_array_equal(stepper.ids("wall_boundary"), rim)
    assert stepper.coordinates().shape == (heat.mesh.num_points, 2)


def test_a_vector_is_set_by_one_value_by_one_a_node_or_a_component_alone(heat):
    task = Task(
        (Field("velocity", 2, "m/s"),),
        0.1,
        boundary=(BoundaryCondition("rim", "velocity", "held"),),
    )
    start = Trajectory.from_arrays(
        heat.mesh, np.zeros(1), {"velocity": np.ones((1, heat.mesh.num_points, 2))}
    )
    stepper = Stepper(simulator_of(task), start)
    stepper.set_field("velocity", [3.0, 4.0], on="rim")
    np.testing.assert_array_equal(
        stepper.get_field("velocity", on="rim"), np.tile([3.0, 4.0], (20, 1))
    )
    values = np.arange(40.0).reshape(20, 2)
    stepper.set_field("velocity", values, on="rim")
    stepper.step()
    np.testing.assert_array_equal(stepper.get_field("velocity", on="rim"), values)
    assert stepper.field("velocity").units == "m/s"
    stepper.set_field("velocity", 9.0, on=stepper.ids("rim")[:2], component=1)
    values[:2, 1] = 9.0
    np.testing.assert_array_equal(stepper.get_field("velocity", on="rim"), values)
    with pytest.raises(PhysgtError, match="'velocity' has 2 components, no number 2"):
        stepper.set_field("velocity", 9.0, on="rim", component=2)


def test_between_steps_of_the_model_the_state_is_interpolated_linearly(heat):
    simulator = simulator_of(HEAT)
    own = rollout(simulator, heat, 3).fields["temperature"].values
    stepper = Stepper(simulator, heat, interpolate=True)
    inside = np.flatnonzero(heat.mesh.node_type == 0)
    for dt, time, expected in (
        (0.04, 0.04, 0.6 * own[0] + 0.4 * own[1]),
        (0.06, 0.1, own[1]),
        (0.15, 0.25, 0.5 * own[2] + 0.5 * own[3]),
        (0.05, 0.3, own[3]),
    ):
        stepper.step(dt)
        assert stepper.time == pytest.approx(time)
        np.testing.assert_allclose(
            stepper.get_field("temperature")[inside], expected[inside], rtol=1e-5
        )


def test_many_small_steps_reach_the_states_of_the_model_exactly(heat):
    simulator = simulator_of(HEAT)
    own = rollout(simulator, heat, 3).fields["temperature"].values
    stepper = Stepper(simulator, heat, interpolate=True)
    for state in own[1:]:
        for _ in range(10):
            stepper.step(0.01)
        np.testing.assert_array_equal(stepper.get_field("temperature"), state)


def test_between_steps_the_boundary_is_as_set_and_the_model_sees_it_from_its_next_step(heat):
    simulator = simulator_of(HEAT)
    stepper = Stepper(simulator, heat, interpolate=True)
    stepper.step(0.05)
    stepper.set_field("temperature", 60.0, on="rim")
    assert (stepper.get_field("temperature", on="rim") == 60.0).all()
    stepper.step(0.05)
    expected = Stepper(simulator, heat)
    expected.step()
    expected.set_field("temperature", 60.0, on="rim")
    np.testing.assert_array_equal(steps(stepper, 2), steps(expected, 2))


def test_a_free_value_set_between_steps_makes_that_time_the_models_own(heat):
    simulator = simulator_of(HEAT)
    stepper = Stepper(simulator, heat, interpolate=True)
    stepper.step(0.05)
    changed = stepper.get_field("temperature") + 1
    stepper.set_field("temperature", changed)
    start = Trajectory.from_arrays(heat.mesh, np.zeros(1), {"temperature": changed[None]})
    predicted = rollout(simulator, start, 2).fields["temperature"].values
    np.testing.assert_array_equal(steps(stepper, 2), predicted)
    assert stepper.time == pytest.approx(0.25)


def test_another_step_than_the_models_is_refused_unless_asked_for(heat):
    stepper = Stepper(simulator_of(HEAT), heat)
    with pytest.raises(PhysgtError, match=r"dt=0\.05.*step is 0\.1 s.*interpolate=True"):
        stepper.step(0.05)
    stepper.step(0.1)
    assert stepper.time == 0.1
    with pytest.raises(PhysgtError, match="greater than 0"):
        stepper.step(-0.1)


def test_a_forcing_may_differ_from_node_to_node_and_holds_until_set_again(heat):
    task = dataclasses.replace(HEAT, forcings=(Forcing("source", units="W/m^3", over_time=True),))
    simulator = simulator_of(task)
    simulator.forcing.std.fill_(0.1)
    stepper = Stepper(simulator, heat)
    stepper.set_field("source", np.zeros(heat.mesh.num_points))
    stepper.set_field("source", 1.0, on="rim")
    token = stepper.save_state()
    local = steps(stepper, 2)[-1]
    source = np.zeros((3, heat.mesh.num_points))
    source[:, heat.mesh.node_sets["rim"]] = 1.0
    stated = Trajectory.from_arrays(heat.mesh, 0.1 * np.arange(3), {"source": source})
    predicted = rollout(simulator, heat, 2, prescribed=stated).fields["temperature"].values
    np.testing.assert_array_equal(local, predicted[-1])
    stepper.restore_state(token)
    stepper.set_field("source", 0.0, on="rim")
    assert not np.array_equal(steps(stepper, 2)[-1], local)


def test_what_the_task_prescribes_and_nobody_has_set_stops_the_first_step(heat):
    task = dataclasses.replace(with_rim("prescribed"), forcings=POWERED.forcings)
    stepper = Stepper(simulator_of(task), heat)
    with pytest.raises(PhysgtError, match=r"prescribes \['temperature', 'power'\].*set_field"):
        stepper.step()
    stepper.set_field("power", 1.0)
    stepper.set_field("temperature", 50.0, on="rim")
    stepper.step()


def test_a_boundary_may_be_held_at_its_start(heat):
    stepper = Stepper(simulator_of(with_rim("prescribed")), heat)
    stepper.hold_field("temperature", on="rim")
    rim = heat.mesh.node_sets["rim"]
    states = steps(stepper, 3)
    np.testing.assert_array_equal(states[:, rim], states[[0, 0, 0, 0]][:, rim])


@pytest.mark.parametrize(
    ("name", "values", "on", "message"),
    [
        ("temperatur", 1.0, "rim", r"no field 'temperatur'; targets are \['temperature'\]"),
        ("temperature", 1.0, "ring", r"no node set 'ring'.*\['rim'\]"),
        ("temperature", np.ones(3), "rim", r"'temperature', on='rim'.*\(20,\).*of shape \(3,\)"),
        ("temperature", np.full(20, np.nan), "rim", "on='rim'.*for node 0 is not finite"),
        ("temperature", 1e300, "rim", r"on='rim'.*not finite in float32: 1e\+300"),
        ("temperature", 1.0, np.array([3, 36]), "no node 36; there are 0 to 35"),
        ("temperature", 1.0, np.array([-1]), "no node -1"),
        ("temperature", 1.0, np.array([0.5]), r"name of a set or node numbers \(n,\).*float64"),
        ("temperature", "hot", "rim", "expected numbers"),
    ],
)
def test_what_cannot_be_set_is_named(heat, name, values, on, message):
    stepper = Stepper(simulator_of(HEAT), heat)
    before = stepper.save_state()
    with pytest.raises(PhysgtError, match=message):
        stepper.set_field(name, values, on=on)
    assert stepper.save_state() is before


def test_values_in_other_units_are_refused_and_the_same_units_may_be_written_otherwise(heat):
    stepper = Stepper(simulator_of(with_rim("prescribed")), heat)
    stepper.set_field("temperature", 1.0, on="rim", units="celsius")
    with pytest.raises(PhysgtError, match=r"set_field\('temperature'\) is in K, expected degC"):
        stepper.set_field("temperature", 300.0, on="rim", units="K")


def test_a_start_in_other_units_than_the_models_is_refused(heat):
    fields = {"temperature": heat.fields["temperature"].values}
    in_kelvin = Trajectory.from_arrays(heat.mesh, heat.times, fields, units={"temperature": "K"})
    with pytest.raises(PhysgtError, match="the start: 'temperature' is in K, expected degC"):
        Stepper(simulator_of(with_rim("prescribed")), in_kelvin)
    with pytest.raises(PhysgtError, match="the prescribed values: 'temperature' is in K"):
        Stepper(simulator_of(with_rim("prescribed")), heat, prescribed=in_kelvin)


def test_a_step_that_diverges_leaves_the_stepper_as_it_was(heat):
    simulator = simulator_of(HEAT)
    stepper = Stepper(simulator, heat)
    stepper.step()
    simulator.increment.std.fill_(float("inf"))
    before = stepper.save_state()
    with pytest.raises(PhysgtError, match="'temperature' is not finite"):
        stepper.step()
    assert stepper.save_state() is before


def test_steppers_of_one_simulator_may_run_side_by_side(simulator, heat):
    expected = rollout(simulator, heat, 5).fields["temperature"].values
    steppers = [Stepper(simulator, heat) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for states in pool.map(lambda stepper: steps(stepper, 5), steppers):
            np.testing.assert_array_equal(states, expected)
