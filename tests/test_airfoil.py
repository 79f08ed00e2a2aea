"""The case family airfoil: sections as asked for, and a gas that obeys the Euler equations."""

import numpy as np
import pytest
from scipy.optimize import brentq

from physgt import NodeType
from physgt.datasets.airfoil import AirfoilCase, AirfoilFamily, airfoil_mesh
from physgt.datasets.cells_to_nodes import cells_to_nodes
from physgt.datasets.euler import CompressibleFlow, TriangleFaces
from physgt.datasets.generate import generate
from physgt.datasets.triangulation import polygon_points, triangulate
from physgt.datasets.vtkhdf import read_vtkhdf
from physgt.errors import PhysgtError

QUICK = {"refinement": 0.5, "num_steps": 3, "spin_up": 5e-4}
NACA0012 = AirfoilCase(0.5, 2.0, 0.12, camber=0.0, camber_position=0.4, far_field=6.0)


@pytest.fixture(scope="module")
def trajectory():
    return AirfoilFamily(**QUICK).simulate(seed=3)


def strip(length, height, size):
    def even(points):
        return np.full(len(points), size)

    corners = [(0.0, 0.0), (length, 0.0), (length, height), (0.0, height)]
    return triangulate([polygon_points(corners, even)], even)


def areas(mesh):
    a, b, c = mesh.points[mesh.connectivity.reshape(-1, 3)].transpose(1, 0, 2)
    return 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])


def test_the_mesh_is_the_circle_less_the_section():
    """The section's area is 0.68085 t, the integral of NACA's polynomial."""
    mesh = airfoil_mesh(NACA0012, refinement=2)
    count = len(mesh.node_sets["far_field"])
    circle = 0.5 * count * 6.0**2 * np.sin(2 * np.pi / count)
    assert areas(mesh).min() > 0
    assert circle - areas(mesh).sum() == pytest.approx(0.68085 * 0.12, rel=3e-3)
    section = mesh.points[mesh.node_sets["airfoil"]]
    assert np.ptp(section[:, 1]) == pytest.approx(0.12, rel=5e-3)
    assert section[:, 0].min() == 0
    assert section[:, 0].max() == 1


def test_camber_lifts_the_middle_line_where_it_is_asked_for():
    """NACA 4412: the mean of the two sides is highest at 0.4 chords, by 0.04."""
    outline = AirfoilCase(0.5, 0.0, 0.12, 0.04, 0.4, 6.0).outline(200)
    upper, lower = outline[1:200], outline[:200:-1]
    middle = 0.5 * (upper + lower)
    highest = middle[:, 1].argmax()
    assert middle[highest, 1] == pytest.approx(0.04, abs=1e-4)
    assert middle[highest, 0] == pytest.approx(0.4, abs=0.01)


def test_refinement_one_has_700_to_1000_nodes_and_halving_sizes_makes_four_times_as_many():
    for seed in range(4):
        case = AirfoilFamily().draw(seed)
        nodes = airfoil_mesh(case).num_points
        assert 700 <= nodes <= 1000
    assert airfoil_mesh(case, 2.0).num_points == pytest.approx(4 * nodes, rel=0.1)


def test_the_section_and_the_far_field_are_sets_of_nodes_and_of_cells():
    mesh = airfoil_mesh(NACA0012)
    far = np.isclose(np.hypot(mesh.points[:, 0] - 0.5, mesh.points[:, 1]), 6.0)
    near = np.isin(np.arange(mesh.num_points), mesh.node_sets["airfoil"])
    assert np.array_equal(np.flatnonzero(far), mesh.node_sets["far_field"])
    assert near.sum() == 80
    assert np.array_equal(mesh.node_type == NodeType.INFLOW, far)
    assert np.array_equal(mesh.node_type == NodeType.AIRFOIL, near)
    triangles = mesh.connectivity.reshape(-1, 3)
    assert np.array_equal(
        np.flatnonzero(far[triangles].sum(axis=1) == 2), mesh.cell_sets["far_field"]
    )
    assert len(mesh.cell_sets["airfoil"]) == 80
    assert (near[triangles[mesh.cell_sets["airfoil"]]].sum(axis=1) >= 2).all()


def test_fields_lie_on_cells_with_units_and_start_near_the_far_field(trajectory):
    fields, found = trajectory.fields, trajectory.attributes
    assert {name: fields[name].attrs["units"] for name in fields.data_vars} == {
        "density": "kg/m3",
        "velocity": "m/s",
        "pressure": "Pa",
        "lift_coefficient": "1",
        "drag_coefficient": "1",
        "mach": "1",
        "angle_of_attack": "deg",
    }
    assert fields["velocity"].dims[1] == "cell"
    edge = trajectory.mesh.cell_sets["far_field"]
    np.testing.assert_allclose(fields["pressure"].values[0, edge], 101325, rtol=1e-4)
    np.testing.assert_allclose(fields["density"].values[0, edge], 1.225, rtol=1e-3)
    angle = np.radians(found["angle_of_attack"])
    speed = found["mach"] * np.sqrt(1.4 * 287.05 * 288.15)
    expected = np.broadcast_to([speed * np.cos(angle), speed * np.sin(angle)], (len(edge), 2))
    np.testing.assert_allclose(fields["velocity"].values[0, edge], expected, atol=1e-3 * speed)
    assert fields["pressure"].values[-1].max() > 1.1 * 101325


def test_cell_values_move_to_the_nodes(trajectory):
    on_nodes = cells_to_nodes(trajectory)
    assert on_nodes.fields["pressure"].shape == (4, trajectory.mesh.num_points)
    assert np.isfinite(on_nodes.fields["pressure"].values).all()


def test_files_are_the_same_for_the_same_seed(tmp_path):
    (one,) = generate("airfoil", tmp_path / "one", [5], **QUICK)
    (again,) = generate("airfoil", tmp_path / "again", [5], **QUICK)
    a, b = read_vtkhdf(one), read_vtkhdf(again)
    assert a.fields.identical(b.fields)
    assert a.attributes == b.attributes


def test_gas_that_flows_evenly_goes_on_as_it_is():
    points, triangles = strip(1.0, 0.5, 0.1)
    even = np.array([1.0, 0.6, 0.2, 0.7])
    flow = CompressibleFlow(points, triangles, even, walls=np.empty(0, np.int64), far=even)
    flow.advance(1.0)
    assert flow.time == 1.0
    assert np.abs(flow.state - even).max() < 1e-12


def test_between_walls_no_mass_and_no_energy_is_lost():
    points, triangles = strip(1.0, 0.5, 0.1)
    walls = TriangleFaces(points, triangles).boundary
    x, y = points[triangles].mean(axis=1).T
    burst = 1 + 2 * np.exp(-((x - 0.3) ** 2 + (y - 0.2) ** 2) / 0.01)
    initial = np.stack([burst, 0 * x, 0 * x, burst], axis=1)
    flow = CompressibleFlow(points, triangles, initial, walls, far=initial[0])

    def totals():
        density, u, v, pressure = flow.state.T
        energy = pressure / 0.4 + 0.5 * density * (u**2 + v**2)
        return flow.areas @ np.stack([density, energy], axis=1)

    before = totals()
    flow.advance(0.5)
    assert np.abs(flow.state[:, 1:3]).max() > 0.1
    np.testing.assert_allclose(totals(), before, rtol=1e-12)


def test_a_warm_spot_drifts_with_the_flow_with_an_error_of_second_order():
    """At even pressure and velocity, any density is carried along: an exact solution."""
    errors = []
    for size in (0.05, 0.025):
        points, triangles = strip(1.0, 0.5, size)
        x, y = points[triangles].mean(axis=1).T

        def state(time, x=x, y=y):
            spot = 1 - 0.3 * np.exp(-((x - 0.3 - 0.5 * time) ** 2 + (y - 0.25) ** 2) / 0.01)
            return np.stack([spot, 0 * x + 0.5, 0 * x, 0 * x + 1 / 1.4], axis=1)

        flow = CompressibleFlow(
            points, triangles, state(0.0), np.empty(0, np.int64), np.array([1, 0.5, 0, 1 / 1.4])
        )
        flow.advance(0.6)
        errors.append(flow.areas @ np.abs(flow.state - state(0.6))[:, 0])
    assert errors[0] / errors[1] > 3
    assert errors[1] < 0.1 * flow.areas @ np.abs(state(0.6) - state(0.0))[:, 0]


def test_behind_the_shock_of_sods_tube_pressure_and_velocity_are_the_exact_ones():
    """Between shock and rarefaction both are constant (Toro, "Riemann Solvers", section 4.2)."""
    points, triangles = strip(1.0, 0.06, 0.015)
    walls = TriangleFaces(points, triangles).boundary
    x = points[triangles].mean(axis=1)[:, :1]
    left, right = np.array([1.0, 0.0, 0.0, 1.0]), np.array([0.125, 0.0, 0.0, 0.1])
    flow = CompressibleFlow(points, triangles, np.where(x < 0.5, left, right), walls, left)
    flow.advance(0.2)

    def behind_rarefaction(p):
        return 2 * np.sqrt(1.4) / 0.4 * (1 - p ** (0.2 / 1.4))

    def behind_shock(p):
        return (p - 0.1) * np.sqrt(2 / (0.125 * (2.4 * p + 0.4 * 0.1)))

    pressure = brentq(lambda p: behind_shock(p) - behind_rarefaction(p), 0.1, 1.0)
    velocity = behind_shock(pressure)
    assert pressure == pytest.approx(0.30313, abs=1e-5)
    place = (x[:, 0] - 0.5) / 0.2
    plateau = flow.state[(place > 0.1) & (place < velocity)]
    assert np.median(plateau[:, 3]) == pytest.approx(pressure, rel=0.01)
    assert np.median(plateau[:, 1]) == pytest.approx(velocity, rel=0.01)
    shock = 1.75216  # Toro, table 4.2, in lengths per time
    assert (np.abs(flow.state[place > shock + 0.2] - right) < 1e-3).all()


def test_a_section_lifts_as_it_is_inclined():
    """The lift of a thin section, 2 pi alpha, begins as its half and grows (Wagner, 1925)."""
    lifts = []
    for angle in (-2.0, 2.0):
        case = AirfoilCase(0.3, angle, 0.12, 0.0, 0.4, 6.0)
        flow = case.start(airfoil_mesh(case, 0.4))
        flow.advance(5.0)
        lifts.append(case.coefficients(flow)[0])
    assert lifts[0] == pytest.approx(-lifts[1], rel=0.25)
    assert 0.5 < lifts[1] / (2 * np.pi * np.radians(2.0)) < 1.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"mach": (0.5, 1.2)}, r"mach = .*up to 0\.95: the far field is that of a subsonic flow"),
        ({"thickness": (0.0, 0.1)}, "thickness = .*two numbers above 0"),
        ({"angle_of_attack": (3.0, 1.0)}, "angle_of_attack = .*the lower one first"),
        ({"far_field": 1.0}, "far_field = 1.0, expected a number of 2 or more"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path, parameters, message):
    with pytest.raises(PhysgtError, match=message):
        generate("airfoil", tmp_path, [0], **parameters)
    assert list(tmp_path.iterdir()) == []
