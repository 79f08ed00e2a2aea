"""What a task advances, is given and holds, column by column."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from physgt.declared_fields import require_fields
from physgt.errors import PhysgtError
from physgt.mesh import NodeType
from physgt.task import BoundaryCondition, Field, Forcing, Task
from sample_trajectories import planar_mesh

FLOW = Task(
    targets=(Field("velocity", 2, "m/s"), Field("pressure", 1, "Pa")),
    dt=0.01,
    forcings=(Forcing("gravity", 2), Forcing("viscosity", location="global", over_time=True)),
    boundary=(
        BoundaryCondition("wall_boundary", "velocity", (0.0, 0.0)),
        BoundaryCondition("inflow", "velocity", "prescribed"),
        BoundaryCondition("outflow", "pressure", "held"),
    ),
)
# planar_mesh: node 0 inflow, node 3 wall, node 4 outflow; the set walls/upper is nodes 2 and 3.


def test_a_state_holds_the_targets_side_by_side_in_their_order() -> None:
    velocity = np.arange(10.0).reshape(5, 2)
    pressure = np.arange(100.0, 105.0)
    state = FLOW.pack_state({"pressure": pressure, "velocity": velocity, "unused": np.zeros(5)})
    assert state.shape == (5, FLOW.state_size) == (5, 3)
    np.testing.assert_array_equal(state[:, :2], velocity)
    np.testing.assert_array_equal(state[:, 2], pressure)
    assert FLOW.columns("pressure") == slice(2, 3)


def test_unpacking_is_the_inverse_of_packing_also_over_times() -> None:
    state = np.random.default_rng(0).random((7, 5, 3))
    fields = FLOW.unpack_state(state)
    assert {name: values.shape for name, values in fields.items()} == {
        "velocity": (7, 5, 2),
        "pressure": (7, 5),
    }
    np.testing.assert_array_equal(FLOW.pack_state(fields), state)


def test_a_global_forcing_goes_to_every_node() -> None:
    gravity = np.random.default_rng(0).random((5, 2))
    forcing = FLOW.pack_forcing({"gravity": gravity, "viscosity": 0.25}, num_nodes=5)
    assert forcing.shape == (5, FLOW.forcing_size) == (5, 3)
    np.testing.assert_array_equal(forcing[:, :2], gravity)
    np.testing.assert_array_equal(forcing[:, 2], 0.25)
    everywhere = FLOW.pack_forcing({"gravity": [0.0, -9.81], "viscosity": 0.25}, num_nodes=5)
    np.testing.assert_array_equal(everywhere, np.tile([0.0, -9.81, 0.25], (5, 1)))


def test_no_forcing_is_no_column() -> None:
    assert replace(FLOW, forcings=()).pack_forcing({}, num_nodes=5).shape == (5, 0)


def test_the_boundary_frees_holds_and_prescribes_single_components_of_nodes() -> None:
    mesh = planar_mesh()
    np.testing.assert_array_equal(
        FLOW.free_mask(mesh),
        [[0, 0, 1], [1, 1, 1], [1, 1, 1], [0, 0, 1], [1, 1, 0]],
    )
    boundary = FLOW.boundary_on(mesh)
    np.testing.assert_array_equal(
        boundary.told, [[1, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    )
    state = np.arange(1.0, 16.0).reshape(5, 3)
    enforced = state.copy()
    enforced[3, :2], enforced[4, 2] = 0.0, -1.0
    np.testing.assert_array_equal(boundary.enforce(state, 0.0, np.full((5, 3), -1.0)), enforced)


def test_where_node_sets_overlap_the_later_condition_wins() -> None:
    upper = BoundaryCondition("walls/upper", "velocity", (1.0, 2.0))
    task = replace(FLOW, boundary=(*FLOW.boundary, upper))
    state = np.full((5, 3), 9.0)
    enforced = task.boundary_on(planar_mesh()).enforce(state, 0.0, state)
    np.testing.assert_array_equal(enforced[[2, 3]], [[1, 2, 9], [1, 2, 9]])
    freed = replace(task, boundary=(*task.boundary, replace(upper, condition="free")))
    boundary = freed.boundary_on(planar_mesh())
    assert boundary.free[[2, 3]].all()
    np.testing.assert_array_equal(boundary.enforce(state, 0.0, state), state)
    along = replace(freed, boundary=(*freed.boundary, replace(upper, condition=5.0, component=1)))
    np.testing.assert_array_equal(along.free_mask(planar_mesh())[3], [True, False, True])


def test_a_task_survives_json() -> None:
    assert Task.from_dict(json.loads(json.dumps(FLOW.to_dict()))) == FLOW


def test_a_frame_has_no_component_axis_for_one_component_and_no_node_axis_for_a_global() -> None:
    mesh = planar_mesh()
    assert Field("p").frame_shape(mesh) == (5,)
    assert Field("u", 2).frame_shape(mesh) == (5, 2)
    assert Field("q", 2, location="cell").frame_shape(mesh) == (3, 2)
    assert Field("g", 3, location="global").frame_shape(mesh) == (3,)
    assert Field("m", location="global").frame_shape(mesh) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": ()}, "at least one target"),
        ({"dt": 0.0}, "dt = 0.0, expected a time step greater than 0 s"),
        ({"dt": float("nan")}, "dt = nan"),
        ({"forcings": (Forcing("pressure"),)}, "declared once.*'pressure'"),
        ({"targets": (Field("velocity", 2), Field("pressure", location="cell"))}, "convert"),
        (
            {"boundary": (BoundaryCondition("inflow", "velocty", "held"),)},
            r"'inflow' names the field 'velocty', but the targets are \['pressure', 'velocity'\]",
        ),
        (
            {"boundary": (BoundaryCondition("inflow", "velocity", (1.0,)),)},
            "'inflow', field 'velocity': 1 values for a field of 2 components",
        ),
    ],
)
def test_a_task_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(PhysgtError, match=message):
        replace(FLOW, **change)


def test_a_field_without_components_is_refused() -> None:
    with pytest.raises(PhysgtError, match="'velocity': components = 0; expected a whole number, 1"):
        Field("velocity", components=0)
    with pytest.raises(
        PhysgtError, match=r"'velocity': components = 1\.5; expected a whole number"
    ):
        Field("velocity", components=1.5)


def test_fields_that_are_missing_or_have_other_components_are_named_when_packed() -> None:
    with pytest.raises(PhysgtError, match=r"no field 'pressure'; there are \['velocity'\]"):
        FLOW.pack_state({"velocity": np.zeros((5, 2))})
    with pytest.raises(PhysgtError, match=r"'velocity' has 3 components.*declares 2"):
        FLOW.pack_state({"velocity": np.zeros((5, 3)), "pressure": np.zeros(5)})
    with pytest.raises(PhysgtError, match=r"no target 'temperature'.*'velocity', 'pressure'"):
        FLOW.columns("temperature")
    on_the_lid = replace(FLOW, boundary=(BoundaryCondition("lid", "velocity", "held"),))
    with pytest.raises(PhysgtError, match="no node set 'lid'"):
        on_the_lid.free_mask(planar_mesh())


def test_a_source_without_the_declared_fields_is_refused_with_where_they_are_declared() -> None:
    found = [Field("velocity", 3), Field("viscosity", location="global")]
    require_fields("a.vtkhdf", found, [Forcing("viscosity")], where="[task.forcings]")
    with pytest.raises(PhysgtError, match=r"'viscosity' is one value .*\[task.targets\] takes it"):
        require_fields("a.vtkhdf", found, [Field("viscosity")], where="[task.targets]")
    with pytest.raises(PhysgtError, match=r"'viscosity' has 1 components.*declares 2"):
        require_fields("a.vtkhdf", found, [Forcing("viscosity", 2)], where="[task.forcings]")
    with pytest.raises(PhysgtError, match=r"a.vtkhdf: no field 'pressure'.*\[task.targets\]"):
        require_fields("a.vtkhdf", found, FLOW.targets[1:], where="[task.targets]")
    with pytest.raises(PhysgtError, match=r"'velocity' has 3 components.*Set components = 3"):
        require_fields("a.vtkhdf", found, FLOW.targets, where="[task.targets]")


def test_node_types_may_be_named_where_no_set_is() -> None:
    inflow = replace(FLOW, boundary=(BoundaryCondition(NodeType.INFLOW.name, "pressure", "held"),))
    assert (~inflow.free_mask(planar_mesh())).nonzero()[0].tolist() == [0]
