"""The participant against preCICE's rules (fake_precice.py), and against the library itself."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from fake_precice import Coupling
from heat_case import SMALL_MODELS, heat_trajectory
from moving_case import PULL, pulled_plate
from physgt import BoundaryCondition, Field, Forcing, PhysgtError, Simulator, Task
from physgt.cli import main
from physgt.coupling import Stepper
from physgt.coupling.precice import couple
from physgt.datasets import open_trajectory
from physgt.datasets.vtkhdf import write_vtkhdf

PLATE = Task(
    targets=(Field("temperature", units="degC"),),
    dt=0.1,
    forcings=(Forcing("power", units="W", over_time=True),),
    boundary=(BoundaryCondition("rim", "temperature", "prescribed"),),
)
CONFIG = """
model = "heat.physgt"
start = "start.vtkhdf"
output = "solid.vtkhdf"
config = "precice-config.xml"
participant = "Solid"
[meshes.Rim-Mesh]
nodes = "rim"
read = { Temperature = "temperature" }
write = { Heat-Flux = "flux", Wall = "temperature" }
[meshes.Plate-Mesh]
read = { Power = "power" }
[outputs.flux]
kind = "heat_flux_density"
on = "rim"
conductivity = 2.0
"""
MOVING = """
model = "heat.physgt"
start = "start.vtkhdf"
output = "solid.vtkhdf"
config = "precice-config.xml"
participant = "Solid"
[meshes.Right-Mesh]
nodes = "right"
read = { Displacement = "points" }
[meshes.Plate-Mesh]
write = { Moved = "points" }
"""
MESHES = {"Rim-Mesh": 2, "Plate-Mesh": 2}
DATA = {
    ("Rim-Mesh", "Temperature"): 1,
    ("Rim-Mesh", "Heat-Flux"): 1,
    ("Rim-Mesh", "Wall"): 1,
    ("Plate-Mesh", "Power"): 1,
}


def peer(data: str, points: np.ndarray, time: float, iteration: int) -> np.ndarray:
    """The other side: closer to 40 + 100 t with each iteration, not the same everywhere."""
    if data == "Power":
        return np.full(len(points), 1 + time)
    return 40 + 100 * time + points[:, 0] + 8.0**-iteration


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    simulator = Simulator(PLATE, 2, "physgto", SMALL_MODELS["physgto"])
    simulator.save(tmp_path / "heat.physgt")
    write_vtkhdf(heat_trajectory(0).initial(), tmp_path / "start.vtkhdf")
    (tmp_path / "solid.toml").write_text(CONFIG)
    return tmp_path


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "solid.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def run(folder: Path, coupling: Coupling, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The temperature at all times of the file that the coupling writes."""
    monkeypatch.setitem(sys.modules, "precice", coupling.module())
    couple(folder / "solid.toml")
    assert coupling.log[-1] == ("finalize",)
    return open_trajectory(folder / "solid.vtkhdf").fields["temperature"].values


def by_hand(folder: Path, times: list[float], iteration: int, **options: bool) -> np.ndarray:
    """What the last iteration of each window must give, stepped without preCICE."""
    start = open_trajectory(folder / "start.vtkhdf")
    stepper = Stepper(Simulator.load(folder / "heat.physgt"), start, **options)
    rim = stepper.coordinates("rim")
    stepper.set_field("temperature", stepper.get_field("temperature", on="rim"), on="rim")
    states = [stepper.get_field("temperature")]
    for before, after in pairwise(times):
        stepper.set_field("power", peer("Power", stepper.coordinates(), before, iteration))
        stepper.set_field("temperature", peer("Temperature", rim, after, iteration), on="rim")
        stepper.step(after - before)
        states.append(stepper.get_field("temperature"))
    return np.stack(states)


def test_explicit_coupling_steps_with_forcings_of_the_beginning_and_boundaries_of_the_end(
    folder, monkeypatch
):
    states = run(folder, Coupling(MESHES, DATA, peer), monkeypatch)
    expected = by_hand(folder, [0, 0.1, 0.2, 0.3], iteration=1)
    np.testing.assert_allclose(states, expected, rtol=1e-6)
    assert not (folder / "solid.partial.vtkhdf").exists()


def test_implicit_windows_are_repeated_from_their_checkpoint_and_written_once(folder, monkeypatch):
    coupling = Coupling(MESHES, DATA, peer, implicit=True, iterations=(3,))
    states = run(folder, coupling, monkeypatch)
    assert sum(entry[0] == "advance" for entry in coupling.log) == 9
    expected = by_hand(folder, [0, 0.1, 0.2, 0.3], iteration=3)
    np.testing.assert_allclose(states, expected, rtol=1e-6)


def test_windows_of_several_steps_are_sub_cycled_and_repeated_as_a_whole(folder, monkeypatch):
    coupling = Coupling(
        MESHES, DATA, peer, window=0.2, max_time=0.6, implicit=True, iterations=(2,)
    )
    states = run(folder, coupling, monkeypatch)
    expected = by_hand(folder, np.arange(7) * 0.1, iteration=2)
    np.testing.assert_allclose(states, expected, rtol=1e-6)


def test_windows_that_are_no_multiple_of_the_step_need_interpolation(folder, monkeypatch):
    coupling = Coupling(MESHES, DATA, peer, window=0.15, max_time=0.3)
    with pytest.raises(PhysgtError, match=r"dt=0\.05.*step is 0\.1 s.*interpolate"):
        run(folder, coupling, monkeypatch)
    change(folder, "participant =", "interpolate = true\nparticipant =")
    coupling = Coupling(MESHES, DATA, peer, window=0.15, max_time=0.3)
    states = run(folder, coupling, monkeypatch)
    steps = [entry[1] for entry in coupling.log if entry[0] == "advance"]
    np.testing.assert_allclose(steps, [0.1, 0.05, 0.1, 0.05])
    times = [0, 0.1, 0.15, 0.25, 0.3]
    expected = by_hand(folder, times, iteration=1, interpolate=True)
    np.testing.assert_allclose(states, expected, rtol=1e-6)


def test_what_is_written_lies_on_the_vertices_in_their_order(folder, monkeypatch):
    coupling = Coupling(MESHES, DATA, peer)
    states = run(folder, coupling, monkeypatch)
    rim = heat_trajectory(0).mesh.node_sets["rim"]
    walls = [entry[4] for entry in coupling.log if entry[:2] == ("write", "Wall")]
    np.testing.assert_array_equal(np.array(walls), states[1:, rim])


def test_initial_data_is_that_of_the_start(folder, monkeypatch):
    coupling = Coupling(MESHES, DATA, peer, initial_data=True)
    states = run(folder, coupling, monkeypatch)
    first = next(entry for entry in coupling.log if entry[:2] == ("write", "Wall"))
    rim = heat_trajectory(0).mesh.node_sets["rim"]
    np.testing.assert_array_equal(first[4], states[0, rim])


def test_connectivity_is_the_boundary_of_a_set_and_the_cells_of_the_whole_mesh(folder, monkeypatch):
    coupling = Coupling(MESHES, DATA, peer, connectivity=True)
    run(folder, coupling, monkeypatch)
    told = [entry[1:] for entry in coupling.log if entry[0] == "connectivity"]
    edges = np.concatenate([vertices for mesh, vertices in told if mesh == "Rim-Mesh"])
    # The square's rim has 20 nodes and 20 edges, each node in two of them.
    assert edges.shape == (20, 2)
    np.testing.assert_array_equal(np.bincount(edges.ravel()), 2)
    triangles = np.concatenate([vertices for mesh, vertices in told if mesh == "Plate-Mesh"])
    mesh = heat_trajectory(0).mesh
    np.testing.assert_array_equal(triangles, mesh.connectivity.reshape(-1, 3))


def test_when_the_other_side_is_gone_the_complete_windows_are_in_a_whole_file(folder, monkeypatch):
    coupling = Coupling(MESHES, DATA, peer, window=0.2, max_time=2.0, lost_at=0.65)
    with pytest.raises(PhysgtError, match="stopped the coupling: ERROR: the other side is gone"):
        run(folder, coupling, monkeypatch)
    assert not (folder / "solid.vtkhdf").exists()
    kept = open_trajectory(folder / "solid.partial.vtkhdf")
    # The window from 0.6 to 0.8 was not complete.
    np.testing.assert_allclose(kept.times, 0.1 * np.arange(7))
    expected = by_hand(folder, np.arange(7) * 0.1, iteration=1)
    np.testing.assert_allclose(kept.fields["temperature"].values, expected, rtol=1e-6)


def test_of_points_displacements_are_exchanged(tmp_path, monkeypatch):
    simulator = Simulator(PULL, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"])
    simulator.save(tmp_path / "heat.physgt")
    pulled = pulled_plate(origin=(3.0, 7.0))
    write_vtkhdf(pulled.initial(), tmp_path / "start.vtkhdf")
    (tmp_path / "solid.toml").write_text(MOVING)
    meshes, sides = {"Right-Mesh": 2, "Plate-Mesh": 2}, pulled.mesh.node_sets["right"]

    def pull(data: str, points: np.ndarray, time: float, iteration: int) -> np.ndarray:
        return np.stack([0.2 * time + 0 * points[:, 0], 0.01 * time * points[:, 1]], axis=1)

    data = {("Right-Mesh", "Displacement"): 2, ("Plate-Mesh", "Moved"): 2}
    coupling = Coupling(meshes, data, pull)
    monkeypatch.setitem(sys.modules, "precice", coupling.module())
    couple(tmp_path / "solid.toml")
    own = pulled.mesh.points
    told = [entry[4] for entry in coupling.log if entry[:2] == ("write", "Moved")]
    moved = pull("", own[sides], 0.3, 1)
    np.testing.assert_allclose(told[-1][sides], moved, rtol=1e-6)
    written = open_trajectory(tmp_path / "solid.vtkhdf").fields["points"].values
    np.testing.assert_allclose(written[-1], own + told[-1], rtol=1e-6)


def test_nan_from_the_other_side_is_named(folder, monkeypatch):
    def broken(data: str, points: np.ndarray, time: float, iteration: int) -> np.ndarray:
        values = peer(data, points, time, iteration)
        return np.where(np.arange(len(points)) == 3, np.nan, values) if time > 0.15 else values

    with pytest.raises(
        PhysgtError, match=r"'Temperature' read from the mesh 'Rim-Mesh'.*node 3 is"
    ):
        run(folder, Coupling(MESHES, DATA, broken), monkeypatch)
    assert open_trajectory(folder / "solid.partial.vtkhdf").num_times == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('nodes = "rim"', 'nodes = "ring"', r"no node set 'ring'.*\['rim'\]"),
        (
            '= "temperature" }\nw',
            '= "heat" }\nw',
            r"no field 'heat'; targets are \['temperature'\]",
        ),
        ('nodes = "rim"\n', "", r"model advances it on 16 of these 36 nodes"),
        ('Wall = "temperature"', 'Wall = "middle"', r"'middle' can't be written as 'Wall'"),
        ("Heat-Flux", "Flux", r"Data 'Flux' is unknown on mesh 'Rim-Mesh'"),
        ("meshes.Plate-Mesh", "meshes.Plate", r"unknown to preCICE|unknown on mesh 'Plate'"),
        ("participant =", "particpant =", r"solid\.toml: unknown key 'particpant'"),
        ('kind = "heat_flux_density"', 'kind = "drag"', r"\[outputs\.flux\] kind = 'drag'"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(folder, monkeypatch, old, new, message):
    text = CONFIG + '[outputs.middle]\nkind = "probe"\nfield = "temperature"\npoint = [0.5, 0.5]\n'
    (folder / "solid.toml").write_text(text)
    change(folder, old, new)
    with pytest.raises(PhysgtError, match=message):
        run(folder, Coupling(MESHES, DATA, peer), monkeypatch)


def test_other_dimensions_or_components_in_precice_are_refused(folder, monkeypatch):
    with pytest.raises(PhysgtError, match=r"'Rim-Mesh' has 3 dimensions in preCICE.*start's has 2"):
        run(folder, Coupling({**MESHES, "Rim-Mesh": 3}, DATA, peer), monkeypatch)
    wide = {**DATA, ("Rim-Mesh", "Heat-Flux"): 2}
    with pytest.raises(
        PhysgtError, match=r"'Heat-Flux'.*2 components in preCICE, but 'flux' has 1"
    ):
        run(folder, Coupling(MESHES, wide, peer), monkeypatch)


def test_the_command_couples_and_names_what_it_wrote(folder, monkeypatch, capsys):
    coupling = Coupling(MESHES, DATA, peer)
    monkeypatch.setitem(sys.modules, "precice", coupling.module())
    with pytest.raises(SystemExit, match="0"):
        main(["couple", "precice", str(folder / "solid.toml")])
    assert coupling.log[0] == ("Participant", "Solid", str(folder / "precice-config.xml"))
    assert "0.3 s" in capsys.readouterr().out


def test_the_command_has_help_with_an_example(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["couple", "precice", "--help"])
    assert "Example: physgt couple precice solid.toml" in capsys.readouterr().out


def test_without_the_library_the_command_says_what_to_install(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "precice", None)
    with pytest.raises(SystemExit, match="2"):
        main(["couple", "precice", str(folder / "solid.toml")])
    assert 'pip install "physgt[precice]"' in capsys.readouterr().err


XML = """<?xml version="1.0" encoding="UTF-8" ?>
<precice-configuration>
  <data:scalar name="Temperature" />
  <data:scalar name="Heat-Flux" />
  <mesh name="Rim-Mesh" dimensions="2">
    <use-data name="Temperature" /> <use-data name="Heat-Flux" />
  </mesh>
  <mesh name="Peer-Mesh" dimensions="2">
    <use-data name="Temperature" /> <use-data name="Heat-Flux" />
  </mesh>
  <participant name="Solid">
    <provide-mesh name="Rim-Mesh" />
    <receive-mesh name="Peer-Mesh" from="Peer" />
    <read-data name="Temperature" mesh="Rim-Mesh" />
    <write-data name="Heat-Flux" mesh="Rim-Mesh" />
    <mapping:nearest-neighbor
      direction="read" from="Peer-Mesh" to="Rim-Mesh" constraint="consistent" />
  </participant>
  <participant name="Peer">
    <provide-mesh name="Peer-Mesh" />
    <receive-mesh name="Rim-Mesh" from="Solid" />
    <read-data name="Heat-Flux" mesh="Peer-Mesh" />
    <write-data name="Temperature" mesh="Peer-Mesh" />
    <mapping:nearest-neighbor
      direction="read" from="Rim-Mesh" to="Peer-Mesh" constraint="consistent" />
  </participant>
  <m2n:sockets acceptor="Peer" connector="Solid" exchange-directory="." />
  <coupling-scheme:serial-implicit>
    <participants first="Peer" second="Solid" />
    <max-time value="0.6" />
    <time-window-size value="0.2" />
    <max-iterations value="3" />
    <relative-convergence-measure limit="1e-14" data="Temperature" mesh="Peer-Mesh" />
    <exchange data="Temperature" mesh="Peer-Mesh" from="Peer" to="Solid" />
    <exchange data="Heat-Flux" mesh="Rim-Mesh" from="Solid" to="Peer" initialize="true" />
  </coupling-scheme:serial-implicit>
</precice-configuration>
"""
PEER = """
import sys
import numpy as np
import precice

rim = np.load("rim.npy")
peer = precice.Participant("Peer", "precice-config.xml", 0, 1)
ids = peer.set_mesh_vertices("Peer-Mesh", rim)
peer.initialize()
time = iteration = checkpoint = 0
while peer.is_coupling_ongoing():
    if peer.requires_writing_checkpoint():
        checkpoint, iteration = time, 0
    dt = peer.get_max_time_step_size()
    iteration += 1
    flux = peer.read_data("Peer-Mesh", "Heat-Flux", ids, dt)
    assert np.isfinite(flux).all() and (flux != 0).any()
    values = 40 + 100 * (time + dt) + rim[:, 0] + 8.0**-iteration
    peer.write_data("Peer-Mesh", "Temperature", ids, values)
    peer.advance(dt)
    time = checkpoint if peer.requires_reading_checkpoint() else time + dt
peer.finalize()
"""


def test_the_library_itself_couples_two_processes_over_implicit_windows(folder):
    pytest.importorskip("precice", reason="preCICE and its Python bindings are not installed")
    change(folder, '[meshes.Plate-Mesh]\nread = { Power = "power" }\n', "")
    change(folder, ', Wall = "temperature"', "")
    task = Task(PLATE.targets, PLATE.dt, boundary=PLATE.boundary)
    torch.manual_seed(0)
    Simulator(task, 2, "physgto", SMALL_MODELS["physgto"]).save(folder / "heat.physgt")
    (folder / "precice-config.xml").write_text(XML)
    mesh = heat_trajectory(0).mesh
    np.save(folder / "rim.npy", mesh.points[mesh.node_sets["rim"]])
    commands = ["-c", PEER], ["-m", "physgt.cli", "couple", "precice", "solid.toml"]
    both = [subprocess.Popen([sys.executable, *words], cwd=folder) for words in commands]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    prediction = open_trajectory(folder / "solid.vtkhdf")
    np.testing.assert_allclose(prediction.times, 0.1 * np.arange(7), atol=1e-9)
    rim = prediction.fields["temperature"].values[:, mesh.node_sets["rim"]]
    x = mesh.points[mesh.node_sets["rim"], 0]
    for time in (0.2, 0.4, 0.6):
        expected = 40 + 100 * time + x + 8.0**-3
        np.testing.assert_allclose(rim[round(time / 0.1)], expected, rtol=1e-5)
