"""Conditions on a boundary: what they state, when, and that training and rollout agree on it."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from heat_case import HEAT, SMALL_MODELS, build_heat_graph
from physgt import BoundaryCondition, Field, Forcing, PhysgtError, Simulator, Task, Trajectory
from physgt.boundary_file import read_scenario, read_table
from physgt.case import read_case
from physgt.cli import main
from physgt.conditions import (
    CONDITIONS,
    Constant,
    Formula,
    Profile,
    Table,
    condition_of,
    from_plain,
    to_plain,
)
from physgt.coupling import Stepper
from physgt.datasets.vtkhdf import read_vtkhdf, write_vtkhdf
from physgt.formulas import where
from physgt.loss import unrolled_loss
from physgt.rollout import Member, ensemble, rollout
from physgt.samples import Samples

DOCS = Path(__file__).resolve().parents[1] / "docs" / "boundaries.md"
POINTS = np.array([[0.0, 0.0], [0.5, 0.25], [1.0, 1.0]])
INITIAL = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
RAMP = Table((0.0, 0.25, 1.0), (10.0, 35.0, 110.0))  # 10 + 100 t


def simulator_of(task: Task) -> Simulator:
    torch.manual_seed(0)
    simulator = Simulator(task, 2, "physgto", SMALL_MODELS["physgto"])
    simulator.state.mean.fill_(50.0)
    simulator.state.std.fill_(5.0)
    simulator.increment.std.fill_(100.0)
    return simulator.eval()


def on_rim(condition: object, **changes: object) -> Task:
    rule = BoundaryCondition("rim", "temperature", condition)
    return dataclasses.replace(HEAT, boundary=(rule,), **changes)


def temperature(trajectory: Trajectory) -> np.ndarray:
    return trajectory.fields["temperature"].values


@pytest.mark.parametrize(
    ("condition", "time", "expected"),
    [
        (Constant((5.0, -1.0)), 3.0, [[5, -1]] * 3),
        (condition_of("held"), 3.0, INITIAL),
        (Table((0, 2, 3), ((0, 1), (4, 1), (4, 0))), 0.5, [[1, 1]] * 3),
        (Table((0, 2, 3), ((0, 1), (4, 1), (4, 0))), 2.25, [[4, 0.75]] * 3),
        (Table((1, 2), ((0, 1), (4, 2)), hold=True), 0.5, [[0, 1]] * 3),
        (Table((1, 2), ((0, 1), (4, 2)), hold=True), 9.0, [[4, 2]] * 3),
        # The sawtooth rises for 1 s and falls for 1 s: at 4.5 s as at 0.5 s, at 5.75 s as at 1.75.
        (Table((0, 1), ((0, 0), (8, 4)), period=2), 4.5, [[4, 2]] * 3),
        (Table((0, 1), ((0, 0), (8, 4)), period=2), 5.75, [[2, 1]] * 3),
        (Table((0, 1, 2), ((0, 0), (8, 4), (9, 9)), period=2), 4.5, [[4, 2]] * 3),  # then jumps
        (Table((0, 1, 2), ((0, 0), (8, 4), (9, 9)), period=2), 4 - 1e-12, [[0, 0]] * 3),
        (Table((0, 1, 2), ((0, 0), (8, 4), (9, 9)), period=2), -0.5, [[8.5, 6.5]] * 3),
        (Table((0.1, 0.4), ((0, 0), (3, 6)), period=0.3), 0.8, [[1, 2]] * 3),  # 0.4 - 0.1 > 0.3
        (Formula(("x + 10*t", "min(y, 0.5)")), 0.2, [[2, 0], [2.5, 0.25], [3, 0.5]]),
        (Formula(("initial*(1 + (x > 0.7))",)), 0.0, [[1, 10], [2, 20], [6, 60]]),
        (Profile(Formula(("initial",)), Table((0, 1), (0, 2))), 0.25, INITIAL / 2),
        (Profile(("4*y*(1-y)", "0"), Table((0, 1), (0, 2))), 1, [[0, 0], [1.5, 0], [0, 0]]),
    ],
)
def test_a_condition_states_its_values_at_a_time(condition, time, expected) -> None:
    found = np.broadcast_to(condition.at(time, POINTS, INITIAL), INITIAL.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_beyond_its_times_a_table_that_neither_holds_nor_repeats_is_an_error() -> None:
    with pytest.raises(PhysgtError, match=r"covers 0 to 1 s, but 1\.1 s is needed.*hold = true"):
        RAMP.at(1.1, POINTS, INITIAL)
    np.testing.assert_allclose(RAMP.at(1.0 + 1e-9, POINTS, INITIAL), 110.0)


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_kind_of_condition_survives_json(name) -> None:
    examples = {
        "constant": Constant((1.0,)),
        "table": Table((0, 1), ((1, 2), (3, 4)), period=2.0),
        "formula": Formula(("x", "t")),
        "profile": Profile("initial", RAMP),
    }
    condition = examples.get(name) or condition_of(name)
    assert from_plain(json.loads(json.dumps(to_plain(condition)))) == condition
    assert to_plain(condition)["kind"] == name


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("9" * 400, "can't understand"),
        ("fixed", "'fixed' is none of free, held, prescribed; as a formula: can't understand"),
        ("__import__('os')", "can't understand"),
        (True, "True: expected 'free', 'held'"),
        ([], "expected 'free'"),
        ({"times": [0, 1]}, r"keys \['times'\] .* table: times, values, period, hold; formula"),
        ({"times": [0, 1], "values": [1]}, "table of 2 times needs as many values"),
        ({"times": [1, 0], "values": [1, 1]}, "times of a table must increase"),
        ({"times": [0, 1], "values": [1, [1, 2]]}, "must all have as many components"),
        ({"times": [0, 1], "values": [1, "x"]}, "'x' is not a number"),
        ({"times": [0, 3], "values": [1, 1], "period": 2}, "period = 2 s, but the times cover 3"),
        ({"times": [0, 1], "values": [1, float("nan")]}, "nan is not finite"),
        ({"profile": "y", "factor": 3.0}, "factor of a profile must be a table"),
    ],
)
def test_what_is_no_condition_is_refused_with_what_was_expected(said, message) -> None:
    with pytest.raises(PhysgtError, match=message):
        condition_of(said)


def test_a_formula_that_this_mesh_cannot_answer_names_boundary_and_field(heat) -> None:
    with pytest.raises(PhysgtError, match="boundary 'rim', field 'temperature': can't understand"):
        rollout(simulator_of(on_rim("z + 1")), heat.initial(), 2)
    with pytest.raises(PhysgtError, match="formula '1/t' is not finite at 0 s"):
        rollout(simulator_of(on_rim("1/t")), heat.initial(), 2)


def test_an_inlet_follows_its_ramp_between_the_times_of_the_table(heat) -> None:
    prediction = rollout(simulator_of(on_rim(RAMP)), heat.initial(), 7)
    rim = heat.mesh.node_sets["rim"]
    expected = 10 + 100 * prediction.times
    for node in rim:
        np.testing.assert_allclose(temperature(prediction)[:, node], expected, rtol=1e-6)
    inside = np.setdiff1d(np.arange(heat.mesh.num_points), rim)
    np.testing.assert_array_equal(temperature(prediction)[0, inside], temperature(heat)[0, inside])
    with pytest.raises(PhysgtError, match=r"'rim', field 'temperature': a table covers 0 to 1 s"):
        rollout(simulator_of(on_rim(RAMP)), heat.initial(), 11)


FLOW = Task((Field("velocity", 2),), 0.1)


def flow(heat: Trajectory) -> Trajectory:
    velocity = np.random.default_rng(0).normal(size=(1, heat.mesh.num_points, 2))
    return Trajectory.from_arrays(heat.mesh, np.zeros(1), {"velocity": velocity})


def test_a_wall_moves_by_a_formula_and_a_slip_wall_states_one_component(heat) -> None:
    task = dataclasses.replace(
        FLOW,
        boundary=(
            BoundaryCondition("slip", "velocity", 0.0, component=1, where="y < 0.001"),
            BoundaryCondition("lid", "velocity", ["sin(pi*t)", 0.0], where="y > 0.999"),
        ),
    )
    start = flow(heat)
    prediction = rollout(simulator_of(task), start, 4)
    velocity, y = prediction.fields["velocity"].values, heat.mesh.points[:, 1]
    expected = np.sin(np.pi * prediction.times)[:, None]
    np.testing.assert_allclose(velocity[:, y == 1, 0], expected.repeat(6, 1), atol=1e-6)
    assert (velocity[:, y == 1, 1] == 0).all()
    assert (velocity[:, y == 0, 1] == 0).all()
    moved = velocity[1:, y == 0, 0] != velocity[:-1, y == 0, 0]
    assert moved.all()
    # The set that the case defines has its name for couplings, too.
    assert len(Stepper(simulator_of(task), start).ids("lid")) == 6


def test_a_region_that_no_node_lies_in_is_named(heat) -> None:
    rule = BoundaryCondition("inlet", "temperature", 1.0, where="x < -1")
    task = dataclasses.replace(HEAT, boundary=(rule,))
    with pytest.raises(PhysgtError, match="boundary 'inlet', 'x < -1': no node obeys it; the mesh"):
        task.free_mask(heat.mesh)


@pytest.mark.parametrize("text", ["max(x, y, z) < 0.5", "sin(x, y) < 0.5", "min(x) < 0.5"])
def test_a_function_of_too_many_or_few_numbers_is_refused_and_writes_to_no_point(text) -> None:
    points = np.eye(3)
    with pytest.raises(PhysgtError, match="can't understand"):
        where(text, points)
    np.testing.assert_array_equal(points, np.eye(3))


def hand_written(simulator: Simulator, heat: Trajectory, seen_at: float) -> np.ndarray:
    """Two steps with the rim at 10 + 100 t; the model sees it as it is at t + seen_at * dt."""
    graph, rim = simulator.build_graph(heat.mesh), heat.mesh.node_sets["rim"]
    state = temperature(heat)[0][:, None].copy()
    for step in range(2):
        state[rim] = 10 + 100 * 0.1 * (step + seen_at)
        with torch.inference_mode():
            advanced = simulator.step(graph, graph.from_mesh(state), torch.zeros(len(state), 0))
        state = graph.to_mesh(advanced).copy()
    state[rim] = 10 + 100 * 0.1 * 2
    return state[:, 0]


def test_a_step_sees_the_boundary_as_it_is_at_its_end(heat) -> None:
    simulator = simulator_of(on_rim(RAMP))
    predicted = temperature(rollout(simulator, heat.initial(), 2))[-1]
    np.testing.assert_allclose(predicted, hand_written(simulator, heat, 1.0), rtol=1e-5)
    assert not np.allclose(predicted, hand_written(simulator, heat, 0.0), rtol=1e-3)


def test_training_shows_the_model_what_a_rollout_does(heat, monkeypatch) -> None:
    simulator = simulator_of(on_rim(RAMP, forcings=(Forcing("power", value="3*t"),)))
    window = Samples({"heat": heat}, simulator.task, simulator.build_graph, unroll=3).batch([2])
    seen = []
    predict = Simulator.predict

    def recorded(self, graph, state, forcing):
        seen.append((graph.to_mesh(state), graph.to_mesh(forcing)))
        return predict(self, graph, state, forcing)

    monkeypatch.setattr(Simulator, "predict", recorded)
    with torch.inference_mode():
        unrolled_loss(simulator, window, torch.zeros_like(window.states[0]))
    rim, prediction = heat.mesh.node_sets["rim"], rollout(simulator, heat.select(slice(2, 3)), 3)
    assert len(seen) == 3
    for step, (state, forcing) in enumerate(seen):
        expected = temperature(prediction)[step].copy()
        expected[rim] = temperature(prediction)[step + 1][rim]
        np.testing.assert_allclose(state[:, 0], expected, rtol=1e-5)
        np.testing.assert_allclose(forcing, 3 * (0.2 + 0.1 * step), rtol=1e-6)


def test_training_holds_what_is_held_from_the_start_of_a_window_on(heat) -> None:
    drifting = heat.fields.copy(deep=True)
    drifting["temperature"] += 100 * drifting["time"]
    data = {"a": Trajectory(heat.mesh, drifting.astype(np.float32))}
    window = Samples(data, HEAT, build_heat_graph, unroll=2).batch([3])
    rim = heat.mesh.node_sets["rim"]
    first = drifting["temperature"].values[3, rim]
    np.testing.assert_allclose(window.states[:, rim, 0], [first] * 3, rtol=1e-6)


@pytest.mark.parametrize("times", [[0, 1], [20, 21]])
@pytest.mark.parametrize(
    "condition", [Profile("initial", Table((0.0, 10.0), (1.0, 11.0))), "initial * (1 + t)"]
)
def test_training_ramps_what_was_initial_in_the_data(heat, condition, times) -> None:
    """A rim that heats up to three times what it was, as in the data."""
    ramped = heat.fields.copy(deep=True)
    rim = heat.mesh.node_sets["rim"]
    ramped["temperature"][:, rim] = np.outer(1 + heat.times, heat.frame(0)["temperature"][rim])
    data = {"a": Trajectory(heat.mesh, ramped)}
    window = Samples(data, on_rim(condition), build_heat_graph).batch([times[0]])
    expected = ramped["temperature"].values[times]
    np.testing.assert_allclose(window.states[:, :, 0], expected, rtol=1e-5)


def test_a_time_of_the_data_that_a_table_does_not_cover_names_the_file(heat) -> None:
    samples = Samples({"long.vtkhdf": heat}, on_rim(RAMP), build_heat_graph)
    with pytest.raises(PhysgtError, match=r"long\.vtkhdf: boundary 'rim', .* covers 0 to 1 s"):
        list(samples.steps())


def test_a_stepper_with_stated_conditions_equals_the_rollout(heat) -> None:
    forcings = (Forcing("power", value=Table((0, 1), (0.0, 2.0))), Forcing("source", value="x"))
    task = on_rim(Profile("initial", Table((0, 0.3), (1.0, 0.5), period=0.6)), forcings=forcings)
    simulator = simulator_of(task)
    stepper, states = Stepper(simulator, heat), []
    for step in range(6):
        if step:
            stepper.step()
        states.append(stepper.get_field("temperature"))
    expected = temperature(rollout(simulator, heat.initial(), 5))
    np.testing.assert_array_equal(states, expected)
    np.testing.assert_array_equal(stepper.get_field("source"), heat.mesh.points[:, 0])


def test_members_of_an_ensemble_see_the_boundary_as_a_rollout_does(heat, tmp_path) -> None:
    simulator = simulator_of(on_rim("held"))
    ramp = [BoundaryCondition("rim", "temperature", RAMP)]
    members = [Member(name, simulator, heat.initial(), boundary=ramp) for name in ("a", "b")]
    found = ensemble(members, 4, tmp_path / "out.vtkhdf")
    expected = temperature(rollout(simulator, heat.initial(), 4, boundary=ramp))
    np.testing.assert_allclose(found.fields["temperature_mean"].values, expected, rtol=1e-5)


def as_version_1(path: Path) -> None:
    """The file as physgt wrote it before conditions had kinds."""
    with safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["physgt"])
    task = description["task"]
    del task["boundary_ahead"]
    task["boundary"] = [
        {"nodes": "rim", "field": "temperature", "condition": "prescribed", "value": None},
        {"nodes": "normal", "field": "temperature", "condition": "free", "value": None},
        {"nodes": "none", "field": "temperature", "condition": "prescribed", "value": [4.0]},
    ]
    for forcing in task["forcings"]:
        del forcing["value"]
    description["version"] = 1
    save_file(load_file(path), path, {"physgt": json.dumps(description)})


def test_a_model_of_file_version_1_loads_and_sees_the_boundary_as_it_was_trained(
    heat, tmp_path
) -> None:
    simulator_of(on_rim("prescribed", forcings=())).save(tmp_path / "old.physgt")
    as_version_1(tmp_path / "old.physgt")
    old = Simulator.load(tmp_path / "old.physgt")
    assert old.task.boundary == (
        BoundaryCondition("rim", "temperature", "prescribed"),
        BoundaryCondition("normal", "temperature", "free"),
        BoundaryCondition("none", "temperature", (4.0,)),
    )
    old.task = dataclasses.replace(old.task, boundary=old.task.boundary[:2])
    times = np.linspace(0, 1, 3)
    values = np.repeat((10 + 100 * times)[:, None], heat.mesh.num_points, axis=1)
    told = Trajectory.from_arrays(heat.mesh, times, {"temperature": values})
    predicted = temperature(rollout(old, heat.initial(), 2, prescribed=told))[-1]
    np.testing.assert_allclose(predicted, hand_written(old, heat, 0.0), rtol=1e-5)
    old.save(tmp_path / "again.physgt")
    assert Simulator.load(tmp_path / "again.physgt").task == old.task


def test_other_conditions_may_be_stated_for_what_the_model_does_not_advance(heat) -> None:
    simulator = simulator_of(on_rim("held", forcings=(Forcing("power", over_time=True),)))
    rules = [BoundaryCondition("rim", "temperature", RAMP)]
    prediction = rollout(
        simulator, heat.initial(), 3, boundary=rules, forcings={"power": Constant((2.0,))}
    )
    stated = simulator_of(on_rim(RAMP, forcings=(Forcing("power", value=2.0),)))
    expected = rollout(stated, heat.initial(), 3)
    np.testing.assert_array_equal(temperature(prediction), temperature(expected))
    stepper = Stepper(simulator, heat, boundary=rules, forcings={"power": Constant((2.0,))})
    for _ in range(3):
        stepper.step()
    np.testing.assert_array_equal(stepper.get_field("temperature"), temperature(expected)[-1])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (BoundaryCondition("normal", "temperature", 1.0), r"trained with it free on 16 of these"),
        (BoundaryCondition("rim", "temperature", "free"), r"trained with it stated on 20 of"),
        (BoundaryCondition("ring", "temperature", 1.0), r"no node set 'ring'.*\['rim'\]"),
        (BoundaryCondition("rim", "heat", 1.0), r"field 'heat', but the targets are"),
    ],
)
def test_what_cannot_be_stated_anew_is_named(heat, rule, message) -> None:
    with pytest.raises(PhysgtError, match=message):
        rollout(simulator_of(on_rim("held")), heat.initial(), 2, boundary=[rule])


def test_a_forcing_that_the_task_has_not_cannot_be_stated(heat) -> None:
    with pytest.raises(PhysgtError, match=r"no forcing 'power'; the forcings are \[\]"):
        rollout(simulator_of(HEAT), heat.initial(), 2, forcings={"power": Constant((1.0,))})


CASE = """
name = "pipe"
[data]
train = "*.vtkhdf"
[task]
dt = 0.1
[task.targets.velocity]
components = 2
[task.targets.pressure]
[task.forcings.power]
value = { file = "power.csv", hold = true }
[boundary.inlet]
where = "x < 0.01"
velocity.x = { file = "tables/inlet.csv" }
velocity.y = 0
[boundary.outlet]
pressure = { profile = "initial", factor = { file = "power.csv", period = 3.0 } }
[model]
name = "physgto"
[training]
steps = 1
"""


def case_folder(folder: Path) -> Path:
    (folder / "tables").mkdir()
    (folder / "tables" / "inlet.csv").write_text("# ramp\ntime, u\n0, 0\n0.5, 1.5\n")
    (folder / "power.csv").write_text("0 1\n2 3\n")
    (folder / "case.toml").write_text(CASE)
    return folder / "case.toml"


def test_a_case_file_names_tables_beside_it(tmp_path) -> None:
    task = read_case(case_folder(tmp_path)).task()
    power = {"times": (0.0, 2.0), "values": ((1.0,), (3.0,))}
    assert task.forcings == (Forcing("power", value=Table(**power, hold=True)),)
    where = {"where": "x < 0.01"}
    assert task.boundary == (
        BoundaryCondition("inlet", "velocity", Table((0, 0.5), ((0,), (1.5,))), 0, **where),
        BoundaryCondition("inlet", "velocity", 0, 1, **where),
        BoundaryCondition("outlet", "pressure", Profile("initial", Table(**power, period=3.0))),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"x < 0.01"', '"x <"', r"\[boundary.inlet\] where = 'x <': can't understand"),
        ('"x < 0.01"', "0.01", r"\[boundary.inlet\] where = 0.01; expected text"),
        ("velocity.y = 0", "velocity.z = 0", "component 2: the field has 2 components"),
        ("velocity.y = 0", 'velocity.y = "fast"', r"\[boundary.inlet\] velocity.y: 'fast' is none"),
        ("tables/inlet.csv", "inlet.csv", "inlet.csv: no such table"),
        ("hold = true", "held = true", r"value: the keys \['held', 'times', 'values'\]"),
        ('"initial"', '["x", "y"]', "field 'pressure': 2 formulas for a field of 1 components"),
        ('value = { file = "power.csv", hold = true }', 'value = "held"', "'held' is no value"),
    ],
)
def test_a_mistake_about_a_boundary_is_one_line_with_file_and_key(old, new, message, tmp_path):
    path = case_folder(tmp_path)
    assert old in CASE
    path.write_text(CASE.replace(old, new))
    with pytest.raises(PhysgtError, match=message) as error:
        read_case(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1\n1 fast\n", "line 2: '1 fast' are no numbers"),
        ("0 1\n1 2 3\n", "line 2: 3 numbers"),
        ("0\n1\n", "line 1: 1 numbers"),
        ("t;u\n", "no numbers"),
        ("0, 1O\n1, 2\n", "line 1: '0, 1O' are no numbers"),
    ],
)
def test_a_table_that_cannot_be_read_names_file_and_line(text, message, tmp_path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(PhysgtError, match=message) as error:
        read_table(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("", "utf-8"),
        ("", "utf-8-sig"),
        ("t,u\n", "utf-8-sig"),
        ("# measured\nt,Stärke\n", "latin-1"),
    ],
)
def test_no_line_of_a_table_is_lost_however_a_program_begins_it(head, encoding, tmp_path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"{head}0,1\n1,2\n", encoding)
    assert read_table(path) == {"times": [0, 1], "values": [[1], [2]]}


def test_the_command_line_states_another_scenario(heat, tmp_path, capsys) -> None:
    simulator_of(on_rim("held", forcings=(Forcing("power", value=1.0),))).save(
        tmp_path / "m.physgt"
    )
    write_vtkhdf(heat.initial(), tmp_path / "start.vtkhdf")
    (tmp_path / "ramp.toml").write_text(
        '[boundary.rim]\ntemperature = { file = "ramp.csv" }\n[forcings]\npower = "2*t"\n'
    )
    (tmp_path / "ramp.csv").write_text("0,10\n1,110\n")
    command = [
        "rollout",
        str(tmp_path / "m.physgt"),
        str(tmp_path / "start.vtkhdf"),
        "--steps",
        "3",
    ]
    command += ["-o", str(tmp_path / "out.vtkhdf"), "--boundary", str(tmp_path / "ramp.toml")]
    with pytest.raises(SystemExit, match=r"^0$"):
        main(command)
    rim = heat.mesh.node_sets["rim"]
    found = temperature(read_vtkhdf(tmp_path / "out.vtkhdf"))[:, rim]
    np.testing.assert_allclose(found, np.tile([[10], [20], [30], [40]], (1, 20)), rtol=1e-6)
    (tmp_path / "ramp.toml").write_text("[boundry.rim]\ntemperature = 1.0\n")
    with pytest.raises(SystemExit):
        main(command)
    assert (
        "ramp.toml: unknown key 'boundry'; expected boundary, forcings" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[boundary]\nrim = 3", r"\[boundary.rim\] is 3; expected a table"),
        ("forcings = 3", r"\[forcings\] is 3; expected a table"),
        ("[boundary.rim]\ntemperature = {}", r"temperature: the keys \[\]"),
        ("[boundary.rim]\ntemperature.q = 1", r"\[boundary.rim\] temperature: the keys \['q'\]"),
        ("boundary = ", "not valid TOML"),
    ],
)
def test_a_scenario_that_cannot_be_read_is_one_line_with_file_and_key(text, message, tmp_path):
    path = tmp_path / "ramp.toml"
    path.write_text(text)
    with pytest.raises(PhysgtError, match=message) as error:
        read_scenario(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_table_that_ends_before_the_rollout_does_stops_it_before_anything_is_written(
    heat, tmp_path
) -> None:
    with pytest.raises(PhysgtError, match=r"covers 0 to 1 s, but 1\.1 s is needed"):
        rollout(simulator_of(on_rim(RAMP)), heat.initial(), 11, output=tmp_path / "out.vtkhdf")
    assert not list(tmp_path.iterdir())


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(), flags=re.S)


def test_the_page_on_boundaries_shows_a_case_that_is_read_and_a_scenario_that_fits(
    tmp_path,
) -> None:
    case, scenario = blocks("toml")
    (tmp_path / "case.toml").write_text(case)
    task = read_case(tmp_path / "case.toml").task()
    (tmp_path / "ramp.toml").write_text(scenario)
    stated = read_scenario(tmp_path / "ramp.toml")
    changed = task.restated(stated.boundary, stated.forcings)
    assert [f.name for f in changed.file_forcings] == ["viscosity"]
    assert len(changed.boundary) == len(task.boundary) + 2
    kinds = {to_plain(rule.condition)["kind"] for rule in task.boundary}
    assert kinds == set(CONDITIONS)
    assert tomllib.loads(case)["boundary"]["symmetry"]["velocity"] == {"y": 0.0}


def test_the_page_on_boundaries_shows_python_that_runs(tmp_path, monkeypatch) -> None:
    (tmp_path / "ramp.toml").write_text(blocks("toml")[1])
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(blocks("python")[0], names)
    assert set(names["ramp"]) == {"boundary", "forcings"}
