"""FMUs, run by FMPy, against the stepper that they are made of."""

from dataclasses import replace
from pathlib import Path

import fmpy
import numpy as np
import pytest
import torch
from fmpy.fmi1 import FMICallException
from fmpy.fmi2 import FMU2Slave, defaultCallbacks, fmi2CallbackFunctions, fmi2CallbackLoggerTYPE
from fmpy.validation import validate_fmu

from heat_case import SMALL_MODELS, square_mesh
from moving_case import PULL, pulled_plate
from physgt import BoundaryCondition, Field, Forcing, Mesh, PhysgtError, Simulator, Task, Trajectory
from physgt.cli import main
from physgt.coupling import Stepper
from physgt.coupling.fmu import write_fmu
from physgt.datasets import open_trajectory
from physgt.datasets.vtkhdf import write_vtkhdf
from physgt.quantities.derived import probe, volume_mean

ROOM = Task(
    targets=(Field("temperature", units="K"), Field("velocity", 2, "m s-1")),
    dt=0.1,
    forcings=(
        Forcing("power", units="W", location="global", over_time=True),
        Forcing("wind", 2, "m s-1", over_time=True),
        Forcing("conductivity", units="W m-1 K-1"),
    ),
    boundary=(
        BoundaryCondition("rim", "temperature", "prescribed"),
        BoundaryCondition("rim", "velocity", "held"),
    ),
)
OUTPUTS = """
[outputs.middle]
kind = "probe"
field = "velocity"
point = [0.5, 0.5]
[outputs.mean]
kind = "volume_mean"
field = "temperature"
"""
NODES = 36
DISCARD = 2  # fmi2Status


def make_start(cells: int = 5, **changed) -> Trajectory:
    rng = np.random.default_rng(0)
    mesh = square_mesh(cells)
    nodes = mesh.num_points
    fields = {
        "temperature": rng.random((1, nodes)),
        "velocity": rng.random((1, nodes, 2)),
        "power": np.array([2.0]),
        "wind": np.tile([1.0, -3.0], (1, nodes, 1)),
    }
    static = {"conductivity": rng.random(nodes)} if "conductivity" not in changed else {}
    given = {name: value for name, value in (fields | changed).items() if value is not None}
    return Trajectory.from_arrays(mesh, np.zeros(1), given, static=static)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A model, a start, and the component made of them."""
    folder = tmp_path_factory.mktemp("room")
    torch.manual_seed(0)
    simulator = Simulator(ROOM, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"])
    simulator.increment.std.fill_(0.1)
    simulator.save(folder / "room.physgt")
    write_vtkhdf(make_start(), folder / "start.vtkhdf")
    (folder / "outputs.toml").write_text(OUTPUTS)
    write_fmu(
        folder / "room.physgt",
        folder / "start.vtkhdf",
        folder / "room.fmu",
        outputs=folder / "outputs.toml",
    )
    return folder


@pytest.fixture
def stepper(folder: Path) -> Stepper:
    """What the component must equal, its boundary held as in the start."""
    start = open_trajectory(folder / "start.vtkhdf")
    outputs = {
        "middle": probe(start.mesh, ROOM, field="velocity", point=[0.5, 0.5]),
        "mean": volume_mean(start.mesh, ROOM, field="temperature"),
    }
    simulator = Simulator.load(folder / "room.physgt")
    stepper = Stepper(simulator, start.initial(), interpolate=True, outputs=outputs)
    stepper.hold_field("temperature", on="rim")
    stepper.set_field("power", 2.0)
    stepper.set_field("wind", np.array([1.0, -3.0]))
    return stepper


class Component:
    """An instance of an FMU, its variables by name."""

    def __init__(self, path: Path, folder: Path) -> None:
        description = fmpy.read_model_description(path)
        self.references = {v.name: v.valueReference for v in description.modelVariables}
        self.messages: list[str] = []
        self._callbacks = fmi2CallbackFunctions(
            logger=fmi2CallbackLoggerTYPE(self._log),
            allocateMemory=defaultCallbacks.allocateMemory,
            freeMemory=defaultCallbacks.freeMemory,
        )
        self.slave = FMU2Slave(
            guid=description.guid,
            unzipDirectory=fmpy.extract(path, folder / "unzipped"),
            modelIdentifier=description.coSimulation.modelIdentifier,
            instanceName="room",
        )
        self.slave.instantiate(callbacks=self._callbacks, loggingOn=True)
        self.slave.setupExperiment(startTime=0.0)
        self.slave.enterInitializationMode()
        self.slave.exitInitializationMode()
        self.time = 0.0

    def _log(self, environment, instance, status, category, message) -> None:
        self.messages.append(message.decode())

    def set(self, name: str, value: float) -> None:
        self.slave.setReal([self.references[name]], [value])

    def get(self, *names: str) -> list[float]:
        return self.slave.getReal([self.references[name] for name in names])

    def step(self, dt: float) -> None:
        self.slave.doStep(self.time, dt)
        self.time += dt

    def end(self) -> None:
        self.slave.terminate()
        self.slave.freeInstance()


@pytest.fixture
def component(folder: Path, tmp_path: Path):
    component = Component(folder / "room.fmu", tmp_path)
    yield component
    component.end()


def outputs_of(stepper: Stepper) -> list[float]:
    return [*stepper.get_field("middle").tolist(), float(stepper.get_field("mean"))]


NAMES = ("middle_x", "middle_y", "mean")


def test_the_description_is_valid_and_names_inputs_and_outputs(folder):
    assert validate_fmu(folder / "room.fmu") == []
    variables = fmpy.read_model_description(folder / "room.fmu").modelVariables
    found = [(v.name, v.causality, v.start and float(v.start)) for v in variables]
    start = make_start()
    rim = start.fields["temperature"][0].values[start.mesh.nodes_of("rim")]
    assert found == [
        ("power", "input", 2.0),
        ("wind_x", "input", 1.0),
        ("wind_y", "input", -3.0),
        ("rim.temperature", "input", pytest.approx(rim.mean())),
        ("middle_x", "output", None),
        ("middle_y", "output", None),
        ("mean", "output", None),
    ]


def test_a_component_nobody_writes_to_gives_what_the_stepper_gives(component, stepper):
    assert component.get(*NAMES) == outputs_of(stepper)
    for _ in range(3):
        component.step(0.1)
        stepper.step()
        assert component.get(*NAMES) == outputs_of(stepper)


def test_inputs_are_forcings_and_boundary_values_at_the_beginning_of_a_step(component, stepper):
    for number in range(3):
        component.set("power", 5.0 + number)
        component.set("wind_y", -number)
        component.set("rim.temperature", 10.0 + number)
        stepper.set_field("power", 5.0 + number)
        stepper.set_field("wind", np.array([1.0, -number]))
        stepper.set_field("temperature", 10.0 + number, on="rim")
        component.step(0.1)
        stepper.step()
        assert component.get(*NAMES) == outputs_of(stepper)


def test_other_steps_are_interpolated(component, stepper):
    for dt in (0.05, 0.1, 0.25):
        component.step(dt)
        stepper.step(dt)
        assert component.get(*NAMES) == outputs_of(stepper)


def test_a_saved_state_gives_the_same_steps_again(component):
    component.set("rim.temperature", 7.0)
    component.step(0.05)
    saved = component.slave.getFMUstate()
    stored = component.slave.serializeFMUstate(saved)

    def go_on() -> list[float]:
        component.step(0.1)
        component.set("wind_x", 4.0)  # together with the other component that was saved
        component.step(0.1)
        return component.get(*NAMES, "rim.temperature", "wind_y")

    first = go_on()
    component.set("rim.temperature", 90.0)
    component.set("wind_y", 90.0)
    component.slave.setFMUstate(saved)
    assert go_on() == first
    component.slave.setFMUstate(component.slave.deSerializeFMUstate(stored))
    assert go_on() == first
    component.slave.freeFMUstate(saved)


def test_instances_side_by_side_share_nothing_that_changes(folder, tmp_path, stepper):
    """pythonfmu 0.7 by itself crashes at the second instance in a process."""
    components = [Component(folder / "room.fmu", tmp_path / str(i)) for i in range(4)]
    components[0].set("power", 50.0)
    for component in components:
        component.step(0.1)
    stepper.step()
    assert components[0].get(*NAMES) != outputs_of(stepper)
    for component in components[1:]:
        assert component.get(*NAMES) == outputs_of(stepper)
    for component in components:
        component.end()


def test_a_value_that_is_not_finite_is_told_and_no_step_is_taken_until_it_is_right(
    component, stepper, caplog
):
    before = component.get(*NAMES)
    component.set("power", float("nan"))
    assert "room: the input 'power' was set to nan" in caplog.text  # where FMI's log is off
    assert component.messages == ["the input 'power' was set to nan: expected a number."]
    for _ in range(2):
        with pytest.raises(FMICallException) as failure:
            component.step(0.1)
        assert failure.value.status == DISCARD
    assert component.messages[-1] == component.messages[0]
    assert component.get("power", *NAMES) == [2.0, *before]
    component.set("power", 2.0)
    component.step(0.1)
    stepper.step()
    assert component.get(*NAMES) == outputs_of(stepper)


@pytest.mark.parametrize("dt", [0.0, -0.1, float("nan")])
def test_a_step_of_no_length_is_refused(dt, component):
    with pytest.raises(FMICallException):
        component.slave.doStep(0.0, dt)
    assert "expected seconds, greater than 0" in component.messages[-1]


def test_a_step_that_diverges_fails_and_the_component_stays_as_it_was(folder, tmp_path):
    simulator = Simulator.load(folder / "room.physgt")
    simulator.increment.std.fill_(3e38)
    simulator.save(tmp_path / "wild.physgt")
    write_fmu(tmp_path / "wild.physgt", folder / "start.vtkhdf", tmp_path / "wild.fmu")
    component = Component(tmp_path / "wild.fmu", tmp_path)
    saved = component.slave.getFMUstate()
    before = component.get("mean_temperature")
    for _ in range(2):
        with pytest.raises(FMICallException):
            component.step(1.0)
        assert "the rollout diverged" in component.messages[-1]
        assert component.get("mean_temperature") == before
    component.slave.setFMUstate(saved)
    assert component.get("mean_temperature") == before
    component.end()


@pytest.mark.parametrize("stored", [b"", b"nothing of ours", b"PK\x05\x06" + bytes(18)])
def test_bytes_that_are_no_state_are_refused_and_the_state_stays(stored, component):
    before = component.get(*NAMES)
    saved = component.slave.getFMUstate()
    component.slave.setFMUstate(component.slave.deSerializeFMUstate(stored))
    assert "setFMUstate: these bytes are no state of this component" in component.messages[-1]
    assert component.get(*NAMES) == before
    with pytest.raises(FMICallException):
        component.step(0.1)
    component.slave.setFMUstate(saved)
    component.step(0.1)


def test_a_state_of_another_mesh_is_refused(component, folder, tmp_path):
    start = make_start(cells=6)
    write_vtkhdf(start, tmp_path / "finer.vtkhdf")
    write_fmu(folder / "room.physgt", tmp_path / "finer.vtkhdf", tmp_path / "finer.fmu")
    finer = Component(tmp_path / "finer.fmu", tmp_path)
    stored = finer.slave.serializeFMUstate(finer.slave.getFMUstate())
    component.slave.setFMUstate(component.slave.deSerializeFMUstate(stored))
    assert "comes from another task or mesh" in component.messages[-1]
    finer.end()


def test_a_state_of_a_component_with_other_inputs_is_refused(component, folder, tmp_path):
    """In one of the two the conductivity is a number, and so an input."""
    start = make_start(conductivity=np.ones((1, NODES)))
    write_vtkhdf(start, tmp_path / "start.vtkhdf")
    write_fmu(folder / "room.physgt", tmp_path / "start.vtkhdf", tmp_path / "other.fmu")
    other = Component(tmp_path / "other.fmu", tmp_path)
    stored = other.slave.serializeFMUstate(other.slave.getFMUstate())
    component.slave.setFMUstate(component.slave.deSerializeFMUstate(stored))
    assert "this saved state has other inputs" in component.messages[-1]
    other.end()


def test_a_value_beyond_the_models_precision_is_told_as_one_that_is_no_number(component):
    component.set("rim.temperature", 1e300)
    assert "'rim.temperature'" in component.messages[0]
    assert "not finite in float32" in component.messages[0]
    with pytest.raises(FMICallException):
        component.step(0.1)


def side_walls() -> Mesh:
    """A channel: at two of the nodes of `inflow` stand the walls."""
    square = square_mesh(5)
    x, y = square.points.T
    sets = {"inflow": np.flatnonzero(x == 0), "wall-1": np.flatnonzero((y == 0) | (y == 1))}
    return replace(square, node_sets=sets)


def test_an_input_is_for_the_nodes_of_its_set_where_no_later_condition_wins(tmp_path):
    mesh = side_walls()
    rules = (
        BoundaryCondition("inflow", "velocity", [1.0, 0.0]),
        BoundaryCondition("wall-1", "velocity", [0.0, 0.0]),
    )
    task = Task((Field("velocity", 2, "m/s"),), 0.1, boundary=rules)
    Simulator(task, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"]).save(tmp_path / "m.physgt")
    still = {"velocity": np.zeros((1, NODES, 2))}
    write_vtkhdf(Trajectory.from_arrays(mesh, np.zeros(1), still), tmp_path / "start.vtkhdf")
    probes = '[outputs.{}]\nkind = "probe"\nfield = "velocity"\npoint = [0.0, {}]\n'
    (tmp_path / "o.toml").write_text(probes.format("corner", 0.0) + probes.format("middle", 0.4))
    files = tmp_path / "m.physgt", tmp_path / "start.vtkhdf", tmp_path / "channel.fmu"
    write_fmu(*files, outputs=tmp_path / "o.toml")
    assert validate_fmu(tmp_path / "channel.fmu") == []
    variables = fmpy.read_model_description(tmp_path / "channel.fmu").modelVariables
    assert {v.name: float(v.start) for v in variables if v.causality == "input"} == {
        "inflow.velocity_x": 1.0,
        "inflow.velocity_y": 0.0,
        "wall-1.velocity_x": 0.0,
        "wall-1.velocity_y": 0.0,
    }
    channel = Component(tmp_path / "channel.fmu", tmp_path)
    channel.set("inflow.velocity_x", 2.0)
    channel.step(0.1)
    assert channel.get("corner_x", "middle_x") == pytest.approx([0.0, 2.0])
    channel.end()


def test_a_boundary_that_moves_takes_a_displacement_a_component(tmp_path):
    pulled = pulled_plate()
    Simulator(PULL, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"]).save(tmp_path / "m.physgt")
    write_vtkhdf(pulled.initial(), tmp_path / "start.vtkhdf")
    corner = '[outputs.corner]\nkind = "probe"\nfield = "points"\npoint = [1.0, 0.0]\n'
    (tmp_path / "o.toml").write_text(corner)
    files = tmp_path / "m.physgt", tmp_path / "start.vtkhdf", tmp_path / "plate.fmu"
    write_fmu(*files, outputs=tmp_path / "o.toml")
    variables = fmpy.read_model_description(tmp_path / "plate.fmu").modelVariables
    starts = {v.name: float(v.start) for v in variables if v.causality == "input"}
    assert starts == {"right.points_x": 0.0, "right.points_y": 0.0}
    plate = Component(tmp_path / "plate.fmu", tmp_path)
    plate.set("right.points_x", 0.05)
    plate.step(0.1)
    assert plate.get("corner_x", "corner_y") == pytest.approx([1.05, 0.0])
    plate.end()


def test_a_system_simulator_runs_the_component_by_itself(folder, stepper):
    result = fmpy.simulate_fmu(folder / "room.fmu", stop_time=0.3, output_interval=0.1)
    for _ in range(3):
        stepper.step()
    assert [float(result[name][-1]) for name in NAMES] == outputs_of(stepper)


def test_the_command_line_writes_a_component_with_the_means_of_the_targets(folder, tmp_path):
    files = str(folder / "room.physgt"), str(folder / "start.vtkhdf")
    with pytest.raises(SystemExit) as end:
        main(["export", "fmu", *files, "-o", str(tmp_path / "mean.fmu")])
    assert end.value.code == 0
    variables = fmpy.read_model_description(tmp_path / "mean.fmu").modelVariables
    outputs = [v.name for v in variables if v.causality == "output"]
    assert outputs == ["mean_temperature", "mean_velocity_x", "mean_velocity_y"]


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"power": None}, "the start has no 'power'.*an FMU starts with the value there"),
        (
            {"wind": np.random.default_rng(1).random((1, NODES, 2))},
            "'wind' changes over time and differs between nodes.*coupling.Stepper",
        ),
    ],
)
def test_a_start_that_gives_no_numbers_is_refused(start, message, folder, tmp_path):
    write_vtkhdf(make_start(**start), tmp_path / "start.vtkhdf")
    with pytest.raises(PhysgtError, match=message):
        write_fmu(folder / "room.physgt", tmp_path / "start.vtkhdf", tmp_path / "room.fmu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[outputs.x]\nkind = 'probe'", r"\[outputs.x\] a probe takes"),
        ("[probe.x]", r"expected tables \[outputs.NAME\] alone, found \['probe'\]"),
        ("[outputs.x", "not valid TOML"),
        (
            "[outputs.x]\nkind = 'nodal_heat_flux'\non = 'rim'\nconductivity = 1.0",
            "one value a node.*take a probe, a mean or an integral",
        ),
    ],
)
def test_outputs_that_cannot_be_are_refused(text, message, folder, tmp_path):
    (tmp_path / "outputs.toml").write_text(text)
    with pytest.raises(PhysgtError, match=message):
        write_fmu(
            folder / "room.physgt",
            folder / "start.vtkhdf",
            tmp_path / "room.fmu",
            outputs=tmp_path / "outputs.toml",
        )
    assert not (tmp_path / "room.fmu").exists()


@pytest.mark.parametrize("name", ["room.zip", "my-room.fmu"])
def test_a_name_that_c_cannot_have_is_refused(name, folder, tmp_path):
    with pytest.raises(PhysgtError, match="letters, digits and _"):
        write_fmu(folder / "room.physgt", folder / "start.vtkhdf", tmp_path / name)


def test_a_boundary_prescribed_to_a_number_starts_with_it(folder, tmp_path):
    rules = (BoundaryCondition("rim", "temperature", 350.0),)
    task = replace(ROOM, boundary=rules)
    Simulator(task, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"]).save(tmp_path / "r.physgt")
    write_fmu(tmp_path / "r.physgt", folder / "start.vtkhdf", tmp_path / "room.fmu")
    variables = fmpy.read_model_description(tmp_path / "room.fmu").modelVariables
    starts = {v.name: v.start for v in variables}
    assert float(starts["rim.temperature"]) == 350.0
