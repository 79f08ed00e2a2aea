"""The case family heat: plates as they were asked for, and temperatures that obey the physics."""

import numpy as np
import pytest

from physgt import NodeType
from physgt.datasets.advection_diffusion import AdvectionDiffusion
from physgt.datasets.generate import generate
from physgt.datasets.heat import HeatFamily, heat_mesh
from physgt.datasets.vtkhdf import read_vtkhdf
from physgt.errors import PhysgtError
from physgt.mesh import Mesh

QUICK = {"refinement": 0.5, "num_steps": 3}


@pytest.fixture(scope="module")
def trajectory():
    return HeatFamily(**QUICK, speed=(0.004, 0.005), num_holes=(3, 3)).simulate(seed=7)


def areas(mesh):
    a, b, c = mesh.points[mesh.connectivity.reshape(-1, 3)].transpose(1, 0, 2)
    return 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])


def relative_error(heat, exact):
    difference = heat.temperature - exact
    return np.sqrt((difference @ (heat.mass @ difference)) / (exact @ (heat.mass @ exact)))


def held_at(values):
    return lambda time: values


def test_the_mesh_is_the_plate_less_its_ellipses():
    case = HeatFamily(num_holes=(3, 3)).draw(seed=1)
    mesh = heat_mesh(case, refinement=2)
    ellipses = sum(np.pi * hole.a * hole.b for hole in case.holes)
    assert areas(mesh).min() > 0
    assert areas(mesh).sum() == pytest.approx(0.1 * 0.1 - ellipses, rel=2e-3)


def test_refinement_one_has_600_to_900_nodes_and_halving_sizes_makes_four_times_as_many():
    for seed in range(3):
        case = HeatFamily().draw(seed)
        nodes = heat_mesh(case).num_points
        assert 600 <= nodes <= 900
    assert heat_mesh(case, 2.0).num_points == pytest.approx(4 * nodes, rel=0.1)


def test_each_side_and_hole_is_a_set_and_keeps_the_temperature_drawn_for_it(trajectory):
    mesh, found = trajectory.mesh, trajectory.attributes
    x, y = mesh.points.T
    parts = {"left": x == 0, "right": x == 0.1, "bottom": y == 0, "top": y == 0.1}
    between = (x > 0) & (x < 0.1)
    for name, where in parts.items():
        where = where if name in ("left", "right") else where & between
        assert np.array_equal(mesh.node_sets[name], np.flatnonzero(where))
    temperatures = found["side_temperatures"] | {
        f"hole_{i}": t for i, t in enumerate(found["hole_temperatures"], start=1)
    }
    assert len(temperatures) == 7
    for name, temperature in temperatures.items():
        values = trajectory.fields["temperature"].values[:, mesh.node_sets[name]]
        np.testing.assert_allclose(values, temperature, rtol=1e-6)
    together = np.concatenate([mesh.node_sets["sides"], mesh.node_sets["holes"]])
    assert np.array_equal(np.sort(together), np.flatnonzero(mesh.node_type != NodeType.NORMAL))


def test_what_the_model_needs_to_know_is_stored_with_units(trajectory):
    fields, attributes = trajectory.fields, trajectory.attributes
    assert fields["temperature"].attrs["units"] == "K"
    assert fields["diffusivity"].attrs["units"] == "m2/s"
    assert fields["velocity"].attrs["units"] == "m/s"
    assert fields["diffusivity"].item() == pytest.approx(attributes["diffusivity"])
    assert (fields["velocity"].values == np.float32(attributes["velocity"])).all()
    assert 0.004 <= np.hypot(*attributes["velocity"]) <= 0.005
    np.testing.assert_allclose(trajectory.times, [0.0, 0.02, 0.04, 0.06])


def test_no_temperature_leaves_the_range_of_the_initial_and_the_held_ones():
    family = HeatFamily(refinement=0.7, num_steps=50, initial_temperature=(300.0, 301.0))
    temperature = family.simulate(seed=2).fields["temperature"].values
    held = [*family.draw(2).side_temperatures, *family.draw(2).hole_temperatures]
    assert min(300.0, *held) - 0.1 <= temperature.min()
    assert temperature.max() <= max(301.0, *held) + 0.1
    assert np.abs(temperature[-1] - temperature[0]).max() > 3.0


def test_files_are_the_same_for_the_same_seed(tmp_path):
    (one,) = generate("heat", tmp_path / "one", [5], **QUICK)
    (again,) = generate("heat", tmp_path / "again", [5], **QUICK)
    a, b = read_vtkhdf(one), read_vtkhdf(again)
    assert a.fields.identical(b.fields)
    assert a.attributes == b.attributes


def test_an_eigenmode_decays_at_its_rate_with_an_error_of_second_order():
    errors = []
    for refinement in (0.5, 1.0):
        mesh = heat_mesh(HeatFamily(num_holes=(0, 0)).draw(seed=0), refinement)
        mode = np.prod(np.sin(np.pi * mesh.points / 0.1), axis=1)
        held = mesh.node_sets["sides"]
        heat = AdvectionDiffusion(mesh, mode, 1e-4, 0.1, held, held_at(np.zeros(len(held))))
        for _ in range(50):
            heat.step()
        assert heat.time == pytest.approx(5.0)
        errors.append(relative_error(heat, mode * np.exp(-2 * np.pi**2 * 1e-4 / 0.1**2 * 5)))
    assert errors[1] < 3e-3
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.2)


def test_a_gaussian_drifts_with_the_medium_while_it_spreads():
    mesh = heat_mesh(HeatFamily(num_holes=(0, 0)).draw(seed=0))
    drift, kappa, held = np.array([0.006, 0.004]), 2e-5, mesh.node_sets["sides"]

    def exact(time):
        variance = 0.008**2 + 2 * kappa * time
        squared = ((mesh.points - [0.03, 0.03] - drift * time) ** 2).sum(axis=1)
        return 0.008**2 / variance * np.exp(-squared / (2 * variance))

    heat = AdvectionDiffusion(
        mesh, exact(0.0), kappa, 0.1, held, lambda t: exact(t)[held], velocity=drift
    )
    for _ in range(50):
        heat.step()
    assert relative_error(heat, exact(5.0)) < 0.02
    standing = ((mesh.points - [0.03, 0.03]) ** 2).sum(axis=1)
    assert relative_error(heat, np.exp(-standing / (2 * 0.008**2))) > 1.0


def test_without_held_nodes_heating_raises_the_mean_at_its_rate():
    """Insulated all around: the heat that comes in stays."""
    corners = [(0, 0), (0.1, 0), (0.1, 0.1), (0, 0.1)]
    mesh = Mesh.from_blocks(np.array(corners), [("triangle", [[0, 1, 2], [0, 2, 3]])])
    none = np.array([], dtype=np.int64)
    heating = np.array([1.0, 2.0, 3.0, 4.0])
    heat = AdvectionDiffusion(
        mesh, np.full(4, 300.0), 1e-4, 0.5, none, held_at(np.array([])), heating=heating
    )
    weights = np.asarray(heat.mass.sum(axis=0)).ravel() / heat.mass.sum()
    for _ in range(6):
        heat.step()
    assert weights @ heat.temperature == pytest.approx(300.0 + 3.0 * weights @ heating, rel=1e-12)


def test_a_jump_at_the_start_costs_no_order_in_time():
    """Sides cooled at once; without the damped start, the error is not of second order."""
    mesh = heat_mesh(HeatFamily(num_holes=(0, 0)).draw(seed=0), 0.6)
    held = mesh.node_sets["sides"]
    ends = {}
    for dt in (0.4, 0.2, 0.0125):
        ones = np.ones(mesh.num_points)
        heat = AdvectionDiffusion(mesh, ones, 1e-4, dt, held, held_at(np.zeros(len(held))))
        for _ in range(round(4 / dt)):
            heat.step()
        ends[dt] = heat
    errors = [relative_error(ends[dt], ends[0.0125].temperature) for dt in (0.4, 0.2)]
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"num_holes": (1.5, 3)}, r"num_holes = \(1\.5, 3\), expected two whole numbers"),
        ({"num_holes": (30, 30)}, "no room for 30 holes"),
        ({"speed": (0.0, 0.5)}, r"cell Péclet number of up to .* Set refinement = "),
        ({"side_temperature": (-3.0, 300.0)}, "side_temperature = .*0 or more"),
        ({"diffusivity": (0.0, 1.0)}, "diffusivity = .*two numbers above 0"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path, parameters, message):
    with pytest.raises(PhysgtError, match=message):
        generate("heat", tmp_path, [0], **parameters)
    assert list(tmp_path.iterdir()) == []


def test_the_refinement_that_the_error_names_is_enough():
    with pytest.raises(PhysgtError) as error:
        HeatFamily(speed=(0.0, 0.05))
    named = str(error.value).split("refinement = ")[1].split()[0]
    HeatFamily(speed=(0.0, 0.05), refinement=float(named))
