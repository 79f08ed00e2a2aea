"""The case family hyperelastic: plates as asked for, and motions that obey elasticity."""

import numpy as np
import pytest
from scipy.optimize import brentq

from physgt import NodeType
from physgt.datasets.equilibrium import DeadLoad, Dynamics, Held, NotConvergedError, equilibrium
from physgt.datasets.generate import generate
from physgt.datasets.hyperelastic import HyperelasticFamily, solid_mesh
from physgt.datasets.neo_hookean import NeoHookeanSolid
from physgt.datasets.rigid_disc import DiscContact
from physgt.datasets.triangulation import polygon_points, triangulate
from physgt.datasets.vtkhdf import read_vtkhdf
from physgt.errors import PhysgtError

QUICK = {"refinement": 0.5, "num_steps": 10, "dt": 0.02}
ONLY = {
    "pull": {"press": 0, "cantilever": 0},
    "press": {"pull": 0, "cantilever": 0},
    "cantilever": {"pull": 0, "press": 0},
}
MATERIAL = {"youngs_modulus": 1e6, "poisson_ratio": 0.35}
SHEAR = 1e6 / 2 / 1.35
LAME = 2 * SHEAR * 0.35 / 0.3


@pytest.fixture(scope="module", params=ONLY)
def trajectory(request):
    return HyperelasticFamily(**QUICK, **ONLY[request.param]).simulate(seed=4)


@pytest.fixture(scope="module")
def press():
    return HyperelasticFamily(**QUICK, **ONLY["press"], num_holes=(1, 1)).simulate(seed=4)


def block(length, height, size, **material):
    def even(points):
        return np.full(len(points), size)

    corners = [(0.0, 0.0), (length, 0.0), (length, height), (0.0, height)]
    points, triangles = triangulate([polygon_points(corners, even)], even)
    return NeoHookeanSolid(points, triangles, **(MATERIAL | material))


def cantilever(size, **material):
    solid = block(1.0, 0.1, size, **material)
    return solid, Held.in_place(np.flatnonzero(solid.positions[:, 0] == 0))


def weight(solid, acceleration):
    """Downwards, on the nodes."""
    return -solid.mass.sum(axis=1).A1[:, None] * np.array([0.0, acceleration])


def test_consecutive_seeds_share_the_scenarios_out_evenly():
    drawn = [HyperelasticFamily().draw(seed).scenario.name for seed in range(30)]
    assert all(drawn.count(name) in (9, 10, 11) for name in ONLY)
    assert {HyperelasticFamily(**ONLY["press"]).draw(s).scenario.name for s in range(9)} == {
        "press"
    }


def test_refinement_one_has_600_to_900_nodes_and_halving_sizes_makes_four_times_as_many():
    for seed in range(6):
        case = HyperelasticFamily().draw(seed)
        nodes = solid_mesh(case).num_points
        assert 600 <= nodes <= 900
    assert solid_mesh(case, 2.0).num_points == pytest.approx(4 * nodes, rel=0.15)


def test_every_part_is_a_set_in_every_scenario(trajectory):
    mesh, scenario = trajectory.mesh, trajectory.attributes["scenario"]
    x, y = mesh.points.T
    length, height = trajectory.attributes["plate"]
    sets = {name: np.isin(np.arange(mesh.num_points), ids) for name, ids in mesh.node_sets.items()}
    assert set(sets) == {"clamped", "driven", "surface", "disc", "disc_surface"}
    on_disc = np.zeros(mesh.num_points, dtype=bool)
    if scenario == "press":
        center = [
            trajectory.attributes["center_x"],
            height + 1.04 * trajectory.attributes["radius"],
        ]
        distance = np.hypot(*(mesh.points - center).T)
        on_disc = distance < 1.001 * trajectory.attributes["radius"]
        assert np.array_equal(
            sets["disc_surface"], np.isclose(distance, trajectory.attributes["radius"])
        )
    assert np.array_equal(sets["disc"], on_disc)
    assert np.array_equal(sets["clamped"], (y if scenario == "press" else x) == 0)
    assert np.array_equal(sets["driven"], on_disc | ((x == length) & (scenario == "pull")))
    outside = ~on_disc & ((x == 0) | (x == length) | (y == 0) | (y == height))
    assert (sets["surface"] & ~outside).any() == bool(trajectory.attributes["holes"])
    assert (sets["surface"] | ~outside).all()
    assert np.array_equal(mesh.node_type == NodeType.HANDLE, sets["clamped"])
    assert np.array_equal(mesh.node_type == NodeType.OBSTACLE, sets["driven"])
    triangles = mesh.connectivity.reshape(-1, 3)
    in_disc = on_disc[triangles]
    assert np.array_equal(np.flatnonzero(in_disc.all(axis=1)), mesh.cell_sets["disc"])
    assert np.array_equal(np.flatnonzero(~in_disc.any(axis=1)), mesh.cell_sets["solid"])


def test_the_motion_starts_at_rest_and_clamped_nodes_stay(trajectory):
    points = trajectory.fields["points"].values
    np.testing.assert_allclose(points[0], trajectory.mesh.points, atol=1e-15)
    clamped = trajectory.mesh.node_sets["clamped"]
    assert np.abs(points[:, clamped] - points[0, clamped]).max() < 1e-15
    assert np.abs(points[-1] - points[0]).max() > 0.01
    assert trajectory.fields["stress"].values[0].max() < 1.0  # Pa


def test_driven_nodes_move_as_one_where_they_are_told_to(trajectory):
    found = trajectory.attributes
    driven = trajectory.mesh.node_sets["driven"]
    points = trajectory.fields["points"].values
    moved = points[:, driven] - points[0, driven]
    share = np.linspace(0, 1, 11)
    if found["scenario"] == "pull":
        expected = [
            found["elongation"] * np.sin(np.pi / 2 * share),
            found["shear"] * np.sin(np.pi * share),
        ]
    elif found["scenario"] == "press":
        down = -(found["depth"] + 0.04 * found["radius"]) * np.minimum(2 * share, 1)
        expected = [found["slide"] * np.maximum(2 * share - 1, 0), down]
    else:
        assert len(driven) == 0
        return
    np.testing.assert_allclose(
        moved, np.repeat(np.transpose(expected)[:, None], len(driven), 1), atol=1e-15
    )


def test_fields_have_units_and_what_a_model_must_know_is_stored(trajectory):
    fields, found = trajectory.fields, trajectory.attributes
    units = {name: fields[name].attrs["units"] for name in fields.data_vars}
    assert units.pop("velocity", "m/s") == "m/s"
    assert units == {
        "points": "m",
        "stress": "Pa",
        "acceleration": "m/s2",
        "youngs_modulus": "Pa",
        "poisson_ratio": "1",
        "density": "kg/m3",
    }
    assert 0.8e6 <= fields["youngs_modulus"].item() <= 1.5e6
    acceleration = fields["acceleration"].values
    if found["scenario"] == "cantilever":
        assert (acceleration == found["load"]).sum() == min(round(found["load_time"] / 0.02), 11)
        assert "velocity" in fields
    else:
        assert not acceleration.any()


def test_the_plate_gives_way_to_the_disc(press):
    """No node of the plate lies in the disc by more than a share of an edge."""
    mesh, points = press.mesh, press.fields["points"].values
    radius = press.attributes["radius"]
    solid = np.setdiff1d(np.arange(mesh.num_points), mesh.node_sets["disc"])
    rim = points[:, mesh.node_sets["disc_surface"]]
    center = 0.5 * (rim.min(axis=1) + rim.max(axis=1))
    distance = np.linalg.norm(points[:, solid] - center[:, None], axis=-1)
    assert (distance.min(axis=1)[5:] < radius).all()
    assert distance.min() > radius - 0.1 * 0.012
    assert press.fields["stress"].values[:, mesh.node_sets["disc"]].max() == 0.0
    assert press.fields["stress"].values[5].max() > 1e5


def test_files_are_the_same_for_the_same_seed_and_open_as_moving_meshes(tmp_path):
    (one,) = generate("hyperelastic", tmp_path / "one", [5], **QUICK)
    (again,) = generate("hyperelastic", tmp_path / "again", [5], **QUICK)
    a, b = read_vtkhdf(one), read_vtkhdf(again)
    assert a.moving
    assert a.fields.identical(b.fields)
    assert a.attributes == b.attributes


def test_a_bar_stretched_to_twice_its_length_is_as_the_closed_form_says():
    """Free sides: no stress across the bar gives its width, and then the force along it."""
    solid = block(1.0, 1.0, 0.3)
    x = solid.positions[:, 0]
    across = brentq(lambda s: SHEAR * (s - 1 / s) + LAME * np.log(2 * s) / s, 0.3, 1.0)
    ends = np.flatnonzero((x == 0) | (x == 1))
    wanted = solid.positions * [1.0, across - 1.0]
    displacement = np.zeros_like(solid.positions)
    for share in (0.5, 1.0):
        held = Held(ends, share * wanted[ends])
        displacement = equilibrium(solid, displacement, held)
    np.testing.assert_allclose(displacement, wanted, atol=1e-9)
    along = SHEAR * (2 - 1 / 2) + LAME * np.log(2 * across) / 2
    force = solid.internal_force(displacement)[x == 1].sum(axis=0)
    np.testing.assert_allclose(force, [along, 0.0], atol=1e-6 * along)
    # Von Mises of the principal Cauchy stresses: along / across, 0, lambda ln J / J.
    s1, s3, volume = along / across, LAME * np.log(2 * across) / (2 * across), 2 * across
    assert volume > 1
    expected = np.sqrt(0.5 * ((s1) ** 2 + s3**2 + (s3 - s1) ** 2))
    np.testing.assert_allclose(solid.von_mises(displacement), expected, rtol=1e-9)


def test_the_force_is_the_derivative_of_the_energy_and_the_tangent_that_of_the_force():
    solid, random = block(0.2, 0.1, 0.03), np.random.default_rng(0)
    at, way = 1e-3 * random.standard_normal((2, *solid.positions.shape))
    step = 1e-4
    energy = (solid.energy(at + step * way) - solid.energy(at - step * way)) / (2 * step)
    assert (solid.internal_force(at) * way).sum() == pytest.approx(energy, rel=1e-6)
    ahead, behind = (solid.internal_force(at + s * way) for s in (step, -step))
    found = (solid.tangent(at) @ way.ravel()).reshape(way.shape)
    np.testing.assert_allclose(found, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-5 * 1e6)


def test_the_stiffness_of_contact_is_the_derivative_of_its_force():
    solid = block(0.2, 0.1, 0.03)
    top = solid.mesh.facets_satisfying(lambda x: x[1] == 0.1, boundaries_only=True)
    contact = DiscContact.on(solid, top, np.array([0.1, 0.12]), 0.03)
    way = np.random.default_rng(0).standard_normal(solid.positions.shape)
    still, step = np.zeros_like(way), 1e-7
    assert contact.force(still).any()
    ahead, behind = (contact.force(s * way) for s in (step, -step))
    found = (contact.stiffness(still) @ way.ravel()).reshape(way.shape)
    largest = np.abs(found).max()
    np.testing.assert_allclose(found, (behind - ahead) / (2 * step), atol=1e-6 * largest)


def test_a_cantilever_bends_as_timoshenko_says():
    """Tip of a beam of length 1 and height 0.1 under little weight, in plane strain.

    The clamp keeps the end from widening, which the beam's theory leaves out.
    """
    solid, held = cantilever(0.05)
    load = 1e-3  # N/m3 of depth and length
    bent = equilibrium(solid, np.zeros_like(solid.positions), held, [DeadLoad(weight(solid, load))])
    bending = load * 0.1 / (8 * 1e6 / (1 - 0.35**2) * 0.1**3 / 12)
    shear = load * 0.1 / (2 * SHEAR * 5 / 6 * 0.1)
    tip = np.hypot(*(solid.positions - [1.0, 0.05]).T).argmin()
    assert -bent[tip, 1] == pytest.approx(bending + shear, rel=0.02)


def test_a_swinging_cantilever_keeps_its_energy_and_its_frequency():
    """First frequency of Euler and Bernoulli's beam: 1.875^2 sqrt(E I / (rho A L^4))."""
    solid, held = cantilever(0.1, density=1000.0)
    motion = Dynamics(solid, held, np.zeros_like(solid.positions))
    rigidity = 1e6 / (1 - 0.35**2) * 0.1**2 / 12
    period = 2 * np.pi / (1.8751**2 * np.sqrt(rigidity / 1000.0))
    motion.velocity = 0.05 * solid.positions[:, :1] ** 2 * np.array([0.0, 1.0])
    tip = np.hypot(*(solid.positions - [1.0, 0.05]).T).argmin()
    start, heights = motion.energy(), []
    for _ in range(60):
        motion.step(period / 40, np.zeros_like(solid.positions))
        heights.append(motion.displacement[tip, 1])
        assert motion.energy() == pytest.approx(start, rel=2e-3)
    down, up = (np.flatnonzero(np.diff(np.sign(heights)) == sign)[0] for sign in (-2, 2))
    half = (up - heights[up] / (heights[up + 1] - heights[up])) - (
        down - heights[down] / (heights[down + 1] - heights[down])
    )
    # Shear and rotary inertia make it 1 % slower, the time step 0.2 %.
    assert 2 * half / 40 == pytest.approx(1.0, rel=0.03)


def test_a_step_too_long_for_newton_is_taken_in_halves():
    solid, held = cantilever(0.1, density=1000.0)
    rest = np.zeros_like(solid.positions)
    whole, halves = Dynamics(solid, held, rest), Dynamics(solid, held, rest)
    whole.velocity = halves.velocity = 20 * solid.positions[:, :1] ** 2 * np.array([0.0, 1.0])
    with pytest.raises(NotConvergedError):
        whole._step(0.1, rest)
    whole.step(0.1, rest)
    halves.step(0.05, rest)
    halves.step(0.05, rest)
    np.testing.assert_array_equal(whole.displacement, halves.displacement)
    assert solid.is_valid(whole.displacement)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"pull": 0, "press": 0, "cantilever": 0}, "expected one of them above 0"),
        ({"poisson_ratio": (0.3, 0.499)}, r"poisson_ratio = .*below 0\.49"),
        ({"shear": (0.03, -0.03)}, "shear = .*the lower one first"),
        ({"depth": (0.0, 0.02)}, "depth = .*two numbers above 0"),
        ({"num_holes": (0, 1.5)}, "num_holes = .*two whole numbers"),
        ({"num_holes": (40, 40)} | ONLY["pull"], "no room for 40 holes"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path, parameters, message):
    with pytest.raises(PhysgtError, match=message):
        generate("hyperelastic", tmp_path, [0], **parameters)
    assert list(tmp_path.iterdir()) == []
