"""The rules of BMI 2.0, as its documentation and bmi-tester state them."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from heat_case import SMALL_MODELS, square_mesh
from physgt import BoundaryCondition, Field, Forcing, Mesh, PhysgtError, Simulator, Task, Trajectory
from physgt.coupling import Stepper
from physgt.coupling.bmi import SimulatorBmi
from physgt.coupling.topology import Topology
from physgt.datasets import open_trajectory
from physgt.datasets.vtkhdf import write_vtkhdf

FLOW = Task(
    targets=(Field("temperature", units="K"), Field("velocity", 2, "m s-1")),
    dt=0.1,
    forcings=(
        Forcing("power", units="W", location="global", over_time=True),
        Forcing("gravity", 2, "m s-2"),
        Forcing("wind", 2, "m s-1", over_time=True),
    ),
    boundary=(BoundaryCondition("rim", "temperature", "held"),),
)
CONFIG = """
model = "flow.physgt"
start = "start.vtkhdf"
[outputs.loss]
kind = "nodal_heat_flux"
on = "rim"
conductivity = 1.5
[outputs.middle]
kind = "probe"
field = "velocity"
point = [0.5, 0.5]
"""
NODES = 36


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    Simulator(FLOW, 2, "physgto", SMALL_MODELS["physgto"]).save(tmp_path / "flow.physgt")
    mesh = square_mesh(5)
    rng = np.random.default_rng(0)
    start = Trajectory.from_arrays(
        mesh,
        np.zeros(1),
        {"temperature": rng.random((1, NODES)), "velocity": rng.random((1, NODES, 2))},
        static={"gravity": np.tile([0.0, -9.81], (NODES, 1))},
    )
    write_vtkhdf(start, tmp_path / "start.vtkhdf")
    (tmp_path / "flow.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def bmi(folder: Path) -> SimulatorBmi:
    component = SimulatorBmi()
    component.initialize(str(folder / "flow.toml"))
    return component


def value(bmi: SimulatorBmi, name: str) -> np.ndarray:
    """As a caller gets it: into an array of the type and size that the component tells."""
    size = bmi.get_var_nbytes(name) // bmi.get_var_itemsize(name)
    dest = np.empty(size, dtype=bmi.get_var_type(name))
    assert bmi.get_value(name, dest) is dest
    return dest


def set_all(bmi: SimulatorBmi) -> None:
    bmi.set_value("power", np.array([3.0]))
    bmi.set_value("wind_x", np.full(NODES, 1.0))
    bmi.set_value("wind_y", np.full(NODES, 2.0))


def test_inputs_are_targets_and_forcings_and_outputs_targets_and_derived_ones(bmi):
    targets = ("temperature", "velocity_x", "velocity_y")
    forcings = ("power", "gravity_x", "gravity_y", "wind_x", "wind_y")
    assert bmi.get_input_var_names() == targets + forcings
    assert bmi.get_output_var_names() == (*targets, "loss", "middle_x", "middle_y")
    assert bmi.get_input_item_count() == 8
    assert bmi.get_output_item_count() == 6
    assert bmi.get_component_name() == "physgt"


def test_units_and_times_are_those_of_the_task(bmi):
    assert bmi.get_var_units("velocity_x") == "m s-1"
    assert bmi.get_var_units("loss") == "W/m"
    assert bmi.get_time_units() == "s"
    assert bmi.get_time_step() == 0.1
    assert bmi.get_start_time() == bmi.get_current_time() == 0.0
    assert bmi.get_end_time() == sys.float_info.max


def test_each_variable_has_one_value_a_node_of_its_grid(bmi, folder):
    start = open_trajectory(folder / "start.vtkhdf").frame(0)
    assert bmi.get_grid_size(bmi.get_var_grid("temperature")) == NODES
    np.testing.assert_array_equal(value(bmi, "velocity_y"), start["velocity"][:, 1].astype("f4"))
    np.testing.assert_array_equal(value(bmi, "gravity_y"), -9.81)
    assert bmi.get_grid_size(bmi.get_var_grid("loss")) == len(value(bmi, "loss")) == 20
    scalar = bmi.get_var_grid("power")
    assert (bmi.get_grid_type(scalar), bmi.get_grid_rank(scalar)) == ("scalar", 0)
    assert value(bmi, "middle_x").shape == (1,)
    assert {bmi.get_var_location(name) for name in bmi.get_output_var_names()} == {"node"}


def test_the_grid_of_a_set_has_its_nodes_and_neither_edges_nor_faces(bmi):
    grid, mesh = bmi.get_var_grid("loss"), square_mesh(5)
    rim = mesh.points[mesh.node_sets["rim"]]
    assert bmi.get_grid_type(grid) == "unstructured"
    assert bmi.get_grid_node_count(grid) == 20
    assert bmi.get_grid_edge_count(grid) == bmi.get_grid_face_count(grid) == 0
    np.testing.assert_array_equal(bmi.get_grid_y(grid, np.empty(20)), rim[:, 1])


def test_the_unstructured_grid_tells_nodes_edges_and_faces(bmi):
    mesh = square_mesh(5)
    assert (bmi.get_grid_type(0), bmi.get_grid_rank(0)) == ("unstructured", 2)
    np.testing.assert_array_equal(bmi.get_grid_x(0, np.empty(NODES)), mesh.points[:, 0])
    edges, faces = bmi.get_grid_edge_count(0), bmi.get_grid_face_count(0)
    # Euler's formula for a disc.
    assert bmi.get_grid_node_count(0) - edges + faces == 1
    nodes_per_face = bmi.get_grid_nodes_per_face(0, np.empty(faces, dtype=np.int32))
    assert (nodes_per_face == 3).all()
    face_nodes = bmi.get_grid_face_nodes(0, np.empty(3 * faces, dtype=np.int32))
    np.testing.assert_array_equal(face_nodes, mesh.connectivity)
    edge_nodes = bmi.get_grid_edge_nodes(0, np.empty(2 * edges, dtype=np.int32)).reshape(-1, 2)
    face_edges = bmi.get_grid_face_edges(0, np.empty(3 * faces, dtype=np.int32))
    for nodes, own in zip(face_nodes.reshape(-1, 3), face_edges.reshape(-1, 3), strict=True):
        for k, edge in enumerate(own):
            assert set(edge_nodes[edge]) == {nodes[k], nodes[(k + 1) % 3]}


def test_what_a_structured_grid_alone_has_is_not_implemented(bmi):
    for method in (bmi.get_grid_shape, bmi.get_grid_spacing, bmi.get_grid_origin, bmi.get_grid_z):
        with pytest.raises(NotImplementedError, match="has no"):
            method(0, np.empty(2))


def test_updates_equal_those_of_a_stepper(bmi, folder):
    start = open_trajectory(folder / "start.vtkhdf")
    stepper = Stepper(Simulator.load(folder / "flow.physgt"), start)
    stepper.set_field("power", 3.0)
    stepper.set_field("wind", [1.0, 2.0])
    stepper.set_field("temperature", 7.0, on="rim")
    set_all(bmi)
    rim = stepper.ids("rim")
    bmi.set_value_at_indices("temperature", rim, np.full(20, 7.0))
    for _ in range(3):
        bmi.update()
        stepper.step()
    np.testing.assert_array_equal(value(bmi, "temperature"), stepper.get_field("temperature"))
    at_rim = bmi.get_value_at_indices("temperature", np.empty(20), rim)
    np.testing.assert_array_equal(at_rim, 7.0)
    assert bmi.get_current_time() == stepper.time


def test_update_until_takes_the_steps_that_lead_there(bmi):
    set_all(bmi)
    bmi.update_until(0.3)
    assert bmi.get_current_time() == pytest.approx(0.3)
    with pytest.raises(PhysgtError, match=r"update_until\(0\.2\): it is 0\.3 s already"):
        bmi.update_until(0.2)
    with pytest.raises(PhysgtError, match="interpolate"):
        bmi.update_until(0.35)


def test_a_pointer_shows_the_present_values_after_every_update(bmi):
    set_all(bmi)
    pointer = bmi.get_value_ptr("temperature")
    assert pointer is bmi.get_value_ptr("temperature")
    before = pointer.copy()
    bmi.update()
    assert not np.array_equal(pointer, before)
    np.testing.assert_array_equal(pointer, value(bmi, "temperature"))


def test_what_is_written_through_pointers_of_inputs_is_set(bmi):
    set_all(bmi)
    power, wind = bmi.get_value_ptr("power"), bmi.get_value_ptr("wind_x")
    power[0], wind[:] = 9.0, 4.0
    bmi.update()
    assert value(bmi, "power") == [9.0]
    np.testing.assert_array_equal(value(bmi, "wind_x"), 4.0)
    np.testing.assert_array_equal(value(bmi, "wind_y"), 2.0)


def component_of(folder: Path, rule: BoundaryCondition) -> SimulatorBmi:
    task = Task(FLOW.targets, FLOW.dt, boundary=(rule,))
    Simulator(task, 2, "physgto", SMALL_MODELS["physgto"]).save(folder / "flow.physgt")
    component = SimulatorBmi()
    component.initialize(str(folder / "flow.toml"))
    return component


@pytest.mark.parametrize("way", ["indices", "pointer"])
def test_a_boundary_follows_its_task_where_nothing_is_set_on_it(folder, way):
    bmi = component_of(folder, BoundaryCondition("rim", "temperature", "10 + 100*t"))
    rim = square_mesh(5).node_sets["rim"]
    inside = np.array([14])
    if way == "indices":
        bmi.set_value_at_indices("temperature", inside, np.array([50.0]))
    else:
        bmi.get_value_ptr("temperature")[inside] = 50.0
    assert value(bmi, "temperature")[inside] == 50.0
    bmi.update()
    np.testing.assert_allclose(value(bmi, "temperature")[rim], 20.0)


def test_a_component_that_is_set_leaves_the_others_to_the_task(folder):
    bmi = component_of(folder, BoundaryCondition("rim", "velocity", ["t", "2*t"]))
    rim = square_mesh(5).node_sets["rim"]
    bmi.set_value("velocity_x", np.full(NODES, 7.0))
    bmi.update()
    np.testing.assert_array_equal(value(bmi, "velocity_x")[rim], 7.0)
    np.testing.assert_allclose(value(bmi, "velocity_y")[rim], 0.2)


def test_a_forcing_may_be_set_piece_by_piece_before_the_first_step(bmi):
    first, rest = np.arange(30), np.arange(30, NODES)
    bmi.set_value("power", np.array([3.0]))
    bmi.set_value("wind_y", np.full(NODES, 2.0))
    bmi.set_value_at_indices("wind_x", first, np.full(30, 5.0))
    with pytest.raises(PhysgtError, match=r"prescribes \['wind'\] over time"):
        bmi.update()
    bmi.set_value_at_indices("wind_x", rest, np.full(6, 1.0))
    bmi.update()
    np.testing.assert_array_equal(value(bmi, "wind_x"), [5.0] * 30 + [1.0] * 6)
    np.testing.assert_array_equal(value(bmi, "wind_y"), 2.0)


def test_an_update_that_fails_leaves_values_and_pointers_as_they_were(bmi):
    set_all(bmi)
    pointer = bmi.get_value_ptr("temperature")
    before = pointer.copy()
    with pytest.raises(PhysgtError, match="interpolate"):
        bmi.update_until(0.35)
    assert bmi.get_current_time() == 0.0
    np.testing.assert_array_equal(pointer, before)
    np.testing.assert_array_equal(value(bmi, "temperature"), before)


def test_a_component_that_was_not_initialized_or_is_asked_for_what_it_lacks_says_so(bmi):
    with pytest.raises(PhysgtError, match=r"call initialize\(config_file\) first"):
        SimulatorBmi().update()
    with pytest.raises(PhysgtError, match=r"no variable 'heat'; there are \['temperature'"):
        bmi.get_var_units("heat")
    with pytest.raises(PhysgtError, match="no grid 9"):
        bmi.get_grid_rank(9)
    with pytest.raises(PhysgtError, match=r"'power' takes 1 values, found \(3,\)"):
        bmi.set_value("power", np.ones(3))
    bmi.finalize()
    with pytest.raises(PhysgtError, match="initialize"):
        bmi.get_current_time()


def test_the_faces_of_a_solid_are_those_of_its_cells_each_once():
    corners = np.array(
        [[x, y, z] for z in (0, 1, 2) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))], dtype=float
    )
    boxes = [[0, 1, 2, 3, 4, 5, 6, 7], [4, 5, 6, 7, 8, 9, 10, 11]]
    topology = Topology.of(Mesh.from_blocks(corners, [("hexahedron", boxes)]))
    # Two boxes on top of each other: 12 edges each, 4 shared; 6 faces each, 1 shared.
    assert len(topology.edge_nodes) == 20
    np.testing.assert_array_equal(topology.nodes_per_face, np.full(11, 4))
    around = topology.face_nodes.reshape(-1, 4)
    following = np.roll(around, -1, axis=1)
    told = topology.edge_nodes[topology.face_edges].reshape(11, 4, 2)
    np.testing.assert_array_equal(
        told, np.stack([np.minimum(around, following), np.maximum(around, following)], axis=2)
    )
