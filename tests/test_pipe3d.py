"""The case family pipe3d: a pipe with a round wall, and a flow that obeys the physics."""

from dataclasses import replace

import numpy as np
import pytest

from physgt import NodeType
from physgt.datasets.generate import generate
from physgt.datasets.navier_stokes import IncompressibleFlow
from physgt.datasets.pipe3d import Pipe3DFamily, flow_space, pipe3d_mesh
from physgt.datasets.vtkhdf import read_vtkhdf
from physgt.errors import PhysgtError

QUICK = {"refinement": 0.5, "num_steps": 3, "spin_up": 0.04, "substeps": 2}
CASE = Pipe3DFamily().draw(seed=0)
STRAIGHT = replace(CASE, bulge=0.0, shift=0.0, mean_speed=0.03, pulse=0.0)


@pytest.fixture(scope="module")
def trajectory():
    return Pipe3DFamily(**QUICK).simulate(seed=3)


@pytest.fixture(scope="module")
def poiseuille():
    """The steady flow through a straight pipe, started from that without inertia."""
    space, held = flow_space(STRAIGHT, pipe3d_mesh(STRAIGHT, 0.5))
    flow = IncompressibleFlow(space, held, STRAIGHT.viscosity, 0.02, STRAIGHT.boundary_velocity)
    for _ in range(20):
        flow.step()
    return flow


def test_no_tetrahedron_has_all_of_its_nodes_on_the_wall():
    """Its pressure would act on no free velocity, and be anything."""
    for seed in range(3):
        mesh = pipe3d_mesh(CASE, 0.5, seed)
        on_wall = mesh.node_type[mesh.connectivity.reshape(-1, 4)] == NodeType.WALL_BOUNDARY
        assert on_wall.sum(axis=1).max() == 3


def test_every_node_of_the_surface_is_in_one_set_and_lies_where_its_name_says():
    mesh = pipe3d_mesh(CASE)
    z, sets = mesh.points[:, 2], mesh.node_sets
    from_axis = np.hypot(*(mesh.points[:, :2] - CASE.axis(z)).T)
    np.testing.assert_allclose(from_axis[sets["wall"]], CASE.wall_radius(z[sets["wall"]]))
    assert (z[sets["inflow"]] == 0).all()
    assert (z[sets["outflow"]] == CASE.length).all()
    kinds = {
        "inflow": NodeType.INFLOW,
        "outflow": NodeType.OUTFLOW,
        "wall": NodeType.WALL_BOUNDARY,
    }
    for name, kind in kinds.items():
        assert np.array_equal(np.flatnonzero(mesh.node_type == kind), sets[name])
    inside = (z > 0) & (z < CASE.length) & (from_axis < 0.999 * CASE.wall_radius(z))
    assert np.array_equal(mesh.node_type == NodeType.NORMAL, inside)


def test_the_bulge_is_widest_in_its_middle_and_ends_where_it_should():
    ends = np.array([0.0, CASE.bulge_middle - CASE.bulge_reach, CASE.length])
    np.testing.assert_allclose(CASE.wall_radius(ends), CASE.radius)
    np.testing.assert_allclose(CASE.axis(ends), 0.0)
    middle = np.array([CASE.bulge_middle])
    assert CASE.wall_radius(middle) == pytest.approx(CASE.radius * (1 + CASE.bulge))
    assert np.hypot(*CASE.axis(middle).T) == pytest.approx(CASE.shift)


def test_curved_cells_fill_the_round_pipe_fifty_times_as_well_as_straight_ones():
    mesh = pipe3d_mesh(STRAIGHT, 0.5)
    a, b, c, d = mesh.points[mesh.connectivity.reshape(-1, 4)].transpose(1, 0, 2)
    straight = (np.cross(b - a, c - a) * (d - a)).sum() / 6
    curved = flow_space(STRAIGHT, mesh)[0].velocity_basis.dx.sum()
    exact = np.pi * STRAIGHT.radius**2 * STRAIGHT.length
    assert abs(curved - exact) < abs(straight - exact) / 50


def test_the_steady_flow_is_poiseuilles_parabola_and_pressure_gradient(poiseuille):
    space = poiseuille.space
    radial = np.hypot(*space.positions[:2]) / STRAIGHT.radius
    exact = 2 * 0.03 * (1 - radial**2)
    difference = poiseuille.velocity[:, 2] - exact
    error = np.sqrt(difference @ (space.mass @ difference) / (exact @ (space.mass @ exact)))
    assert error < 1e-2
    assert np.abs(poiseuille.velocity[:, :2]).max() < 5e-3 * 0.06
    pressure, z = poiseuille.pressure, space.pressure_basis.doflocs[2]
    slope = np.polyfit(z, pressure, 1)[0]
    assert slope == pytest.approx(-8 * STRAIGHT.viscosity * 0.03 / STRAIGHT.radius**2, rel=0.03)


def test_the_pressure_at_the_rims_is_as_smooth_as_elsewhere(poiseuille):
    """No node's pressure is left undetermined by the wall's held velocities."""
    pressure, z = poiseuille.pressure, poiseuille.space.pressure_basis.doflocs[2]
    fitted = np.polyval(np.polyfit(z, pressure, 1), z)
    assert np.abs(pressure - fitted).max() < 0.05 * np.ptp(pressure)


def test_the_flow_through_the_pipe_keeps_its_volume():
    case = replace(CASE, pulse=0.4, frequency=2.0)
    space, held = flow_space(case, pipe3d_mesh(case, 0.5))
    flow = IncompressibleFlow(space, held, case.viscosity, 0.01, case.boundary_velocity)
    for _ in range(10):
        flow.step()
    assert np.abs(flow.divergence()).max() < 1e-12 * case.mean_speed * case.radius**2


def test_inflow_and_wall_have_the_velocity_that_is_stated(trajectory):
    mesh, fields, found = trajectory.mesh, trajectory.fields, trajectory.attributes
    velocity = fields["velocity"].values
    assert np.abs(velocity[:, mesh.node_sets["wall"]]).max() == 0.0
    inlet = mesh.node_sets["inflow"]
    parabola = 2 * (1 - (mesh.points[inlet, :2] ** 2).sum(axis=1) / found["radius"] ** 2)
    expected = fields["inlet_speed"].values[:, None] * parabola
    np.testing.assert_allclose(velocity[:, inlet, 2], expected, rtol=1e-5)
    solved = trajectory.times + 0.04
    omega = 2 * np.pi * found["frequency"]
    swing = 1 + found["pulse"] * np.sin(omega * solved)
    np.testing.assert_allclose(fields["inlet_speed"], found["mean_speed"] * swing, rtol=1e-5)
    rate = found["mean_speed"] * found["pulse"] * omega * np.cos(omega * solved)
    np.testing.assert_allclose(fields["inlet_acceleration"], rate, rtol=1e-5)
    assert {name: fields[name].attrs["units"] for name in fields.data_vars} == {
        "velocity": "m/s",
        "pressure": "Pa",
        "inlet_speed": "m/s",
        "inlet_acceleration": "m/s2",
    }


def test_files_are_the_same_for_the_same_seed(tmp_path, trajectory):
    (path,) = generate("pipe3d", tmp_path, [3], **QUICK)
    for name in ("velocity", "pressure"):
        stored = read_vtkhdf(path).fields[name]
        np.testing.assert_array_equal(stored, trajectory.fields[name])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pulse": (0.5, 1.2)}, r"pulse = \(0\.5, 1\.2\), expected less than 1"),
        ({"bulge_position": (0.1, 0.2)}, "bulge_length = .* reaches beyond the pipe"),
        ({"frequency": (0.0, 1.0)}, "frequency = .*two numbers above 0"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path, parameters, message):
    with pytest.raises(PhysgtError, match=message):
        generate("pipe3d", tmp_path, [0], **parameters)
