"""The case family beam3d: an elastic beam whose mesh moves as beam theory says."""

import numpy as np
import pytest

from physgt import NodeType
from physgt.datasets.beam3d import Beam3DFamily, beam3d_mesh
from physgt.datasets.elasticity import ElasticBody, Material
from physgt.datasets.extrusion import even_levels, extrude, rectangle_triangles
from physgt.datasets.generate import generate
from physgt.datasets.vtkhdf import read_vtkhdf
from physgt.errors import PhysgtError
from physgt.mesh import Mesh

QUICK = {"refinement": 0.5, "num_steps": 4, "substeps": 1}
LENGTH, SIDE = 1.0, 0.1


def bar(dt, poissons_ratio=0.0, relaxation_time=0.0, pull=(0.0, 0.0, 0.0), pull_time=np.inf):
    """A square bar along x, clamped at x = 0, under a force by volume until `pull_time`."""
    upright, cells = extrude(*rectangle_triangles(SIDE, SIDE, 1, 1), even_levels(LENGTH, 0.1))
    mesh = Mesh.from_blocks(upright[:, [2, 0, 1]], [("tetra", cells)])
    clamped = np.flatnonzero(mesh.points[:, 0] == 0)
    material = Material(1e6, poissons_ratio, 1000.0, relaxation_time)
    body = ElasticBody(mesh, material, dt, clamped, lambda t: np.array(pull) * (t <= pull_time))
    return body, mesh


@pytest.fixture(scope="module")
def trajectory():
    return Beam3DFamily(**QUICK).simulate(seed=1)


def test_the_tetrahedra_fill_the_beam():
    case = Beam3DFamily().draw(seed=2)
    mesh = beam3d_mesh(case)
    a, b, c, d = mesh.points[mesh.connectivity.reshape(-1, 4)].transpose(1, 0, 2)
    volumes = (np.cross(b - a, c - a) * (d - a)).sum(axis=1) / 6
    assert volumes.min() > 0
    assert volumes.sum() == pytest.approx(case.length * case.height * case.width)
    assert 300 <= mesh.num_points <= 700


def test_every_part_of_the_surface_is_a_set_and_the_clamp_a_handle():
    case = Beam3DFamily().draw(seed=2)
    mesh = beam3d_mesh(case)
    x, y, z = mesh.points.T
    surface = (
        (x == 0) | (x == case.length) | (y == 0) | (y == case.height) | (z == 0) | (z == case.width)
    )
    together = np.concatenate([mesh.node_sets[name] for name in ("clamped", "tip", "sides")])
    assert np.array_equal(np.sort(together), np.flatnonzero(surface))
    assert (x[mesh.node_sets["clamped"]] == 0).all()
    assert (x[mesh.node_sets["tip"]] == case.length).all()
    assert np.array_equal(
        np.flatnonzero(mesh.node_type == NodeType.HANDLE), mesh.node_sets["clamped"]
    )


def test_the_mesh_moves_from_its_reference_and_the_clamp_stays(trajectory):
    assert trajectory.moving
    np.testing.assert_allclose(trajectory.points_at(0), trajectory.mesh.points, rtol=1e-6)
    moved = trajectory.points_at(4) - trajectory.mesh.points
    assert np.abs(moved[trajectory.mesh.node_sets["clamped"]]).max() < 1e-7
    tip = trajectory.mesh.node_sets["tip"]
    assert (np.linalg.norm(moved[tip], axis=1) > 1e-5).all()


def test_the_velocity_is_the_rate_at_which_the_points_move():
    made = Beam3DFamily(**QUICK | {"num_steps": 20, "dt": 0.005}).simulate(seed=1)
    points = made.fields["points"].values.astype(np.float64)
    velocity = made.fields["velocity"].values
    central = (points[2:] - points[:-2]) / (2 * 0.005)
    assert np.abs(central - velocity[1:-1]).max() < 0.02 * np.abs(velocity).max()


def test_the_largest_pull_would_bend_the_beam_by_the_deflection_that_was_asked_for():
    """Of a slender beam under a force across its height, as Euler and Bernoulli say."""
    family = Beam3DFamily(
        length=(2.0, 2.0), deflection=(0.05, 0.05), poissons_ratio=0.0, refinement=0.5
    )
    case = family.draw(seed=3)
    mesh = beam3d_mesh(case, refinement=0.5)
    body = ElasticBody(
        mesh,
        Material(case.youngs_modulus, 0.0, case.density),
        1.0,
        mesh.node_sets["clamped"],
        case.load_at,
    )
    tip = body.static_displacement(case.load_at(case.load_time / 2))[mesh.node_sets["tip"]]
    assert np.linalg.norm(tip.mean(axis=0)) == pytest.approx(0.05 * 2.0, rel=0.02)


def test_the_pull_is_stored_over_time_and_material_and_sizes_with_it(trajectory):
    fields, found = trajectory.fields, trajectory.attributes
    pulse = np.sin(np.pi * trajectory.times / found["load_time"]) ** 2
    for name, share in zip(("load_y", "load_z"), found["load_direction"][1:], strict=True):
        assert fields[name].dims == ("time",)
        np.testing.assert_allclose(fields[name], found["load"] * share * pulse, rtol=1e-5)
    for name in ("youngs_modulus", "length", "height", "width"):
        assert fields[name].item() == pytest.approx(found[name])
    assert {name: fields[name].attrs["units"] for name in fields.data_vars} == {
        "points": "m",
        "velocity": "m/s",
        "load_y": "N/m3",
        "load_z": "N/m3",
        "youngs_modulus": "Pa",
        "length": "m",
        "height": "m",
        "width": "m",
    }


def test_files_are_the_same_for_the_same_seed_and_keep_the_moving_points(tmp_path, trajectory):
    (path,) = generate("beam3d", tmp_path, [1], **QUICK)
    stored = read_vtkhdf(path)
    assert stored.moving
    np.testing.assert_array_equal(stored.fields["points"], trajectory.fields["points"])
    np.testing.assert_array_equal(stored.mesh.points, trajectory.mesh.points)


def test_a_bar_stretches_under_its_weight_as_f_x_l_minus_half_x_over_e():
    """A quadratic displacement: exact in the space."""
    body, mesh = bar(dt=1.0)
    x = mesh.points[:, 0]
    found = body.static_displacement(np.array([50.0, 0.0, 0.0]))
    np.testing.assert_allclose(
        found[:, 0], 50.0 * x * (LENGTH - x / 2) / 1e6, rtol=1e-6, atol=1e-12
    )


def test_a_slender_bar_bends_as_timoshenko_says():
    """nu = 0, so that the clamp, which keeps the section as it is, makes no difference."""
    body, mesh = bar(dt=1.0)
    tip = mesh.points[:, 0] == LENGTH
    found = body.static_displacement(np.array([0.0, 0.0, 1.0]))[tip, 2].mean()
    area, moment = SIDE**2, SIDE**4 / 12
    bending = area * LENGTH**4 / (8 * 1e6 * moment)
    shearing = area * LENGTH**2 / (2 * 10 / 12 * 0.5e6 * area)
    assert found == pytest.approx(bending + shearing, rel=0.01)


def test_a_bar_let_go_keeps_its_energy_and_swings_with_the_frequency_of_the_first_mode():
    frequency = 1.8751**2 / (2 * np.pi) * np.sqrt(1e6 * SIDE**2 / 12 / 1000) / LENGTH**2
    dt = 1 / frequency / 40
    body, mesh = bar(dt, pull=(0.0, 1.0, 0.0), pull_time=1 / frequency / 2)
    tip = mesh.points[:, 0] == LENGTH
    swings, energies = [], []
    for _ in range(40 * 6):
        body.step()
        swings.append(body.displacement[tip, 1].mean())
        energies.append(body.energy)
    assert energies[-1] == pytest.approx(energies[45], rel=1e-9)
    swings = np.array(swings[40:])
    rising = np.flatnonzero((swings[:-1] < 0) & (swings[1:] >= 0))
    # Shear and the turning of sections slow a bar ten times as long as high by about 1.5 %.
    assert 1 / (np.diff(rising).mean() * dt) == pytest.approx(frequency, rel=0.03)


def test_a_viscous_material_loses_its_energy_at_the_rate_of_its_relaxation_time():
    """exp(-w2 tau t) for the first mode, to which the pull gives nearly all of the energy."""
    body, _ = bar(dt=0.02, relaxation_time=0.05, pull=(0.0, 1.0, 0.0), pull_time=0.1)
    energies = []
    for _ in range(200):
        body.step()
        energies.append(body.energy)
    assert (np.diff(energies[6:]) < 1e-9 * max(energies)).all()
    omega = 1.8751**2 * np.sqrt(1e6 * SIDE**2 / 12 / 1000) / LENGTH**2
    assert energies[-1] / energies[-101] == pytest.approx(np.exp(-(omega**2) * 0.05 * 2), rel=0.1)


def test_a_material_that_keeps_its_volume_is_one_clear_error(tmp_path):
    with pytest.raises(PhysgtError, match=r"beam3d: poissons_ratio = 0\.5, expected 0 to 0\.49"):
        generate("beam3d", tmp_path, [0], poissons_ratio=0.5)
