"""Made-to-order data: what was asked for, the same for the same seed, and nothing half done."""

import numpy as np
import pytest

from physgt import NodeType
from physgt.datasets.cylinder import CylinderCase, CylinderFamily, cylinder_mesh
from physgt.datasets.generate import GENERATORS, generate
from physgt.datasets.vtkhdf import read_vtkhdf
from physgt.errors import PhysgtError

QUICK = {"refinement": 0.6, "num_steps": 2, "spin_up": 0.02, "substeps": 1}
CASE = CylinderCase(0.05, 0.3, 0.2, inlet_speed=1.5, channel=(1.6, 0.41), viscosity=1e-3)


@pytest.fixture(scope="module")
def trajectory():
    return CylinderFamily(**QUICK).simulate(seed=3)


def test_the_mesh_has_the_area_of_the_channel_less_the_cylinders_polygon():
    mesh = cylinder_mesh(CASE)
    a, b, c = mesh.points[mesh.connectivity.reshape(-1, 3)].transpose(1, 0, 2)
    areas = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    polygon = 0.5 * 28 * 0.05**2 * np.sin(2 * np.pi / 28)
    assert areas.sum() == pytest.approx(1.6 * 0.41 - polygon, rel=1e-12)
    assert 600 <= mesh.num_points <= 900


def test_every_side_has_its_node_type_and_the_corners_are_wall():
    mesh = cylinder_mesh(CASE)
    x, y = mesh.points.T
    on_wall = (y == 0) | (y == 0.41)
    on_cylinder = np.isclose(np.hypot(x - 0.3, y - 0.2), 0.05)
    expected = {
        "inflow": (NodeType.INFLOW, (x == 0) & ~on_wall),
        "outflow": (NodeType.OUTFLOW, (x == 1.6) & ~on_wall),
        "wall": (NodeType.WALL_BOUNDARY, on_wall),
        "cylinder": (NodeType.OBSTACLE, on_cylinder),
    }
    assert on_cylinder.sum() == 28
    assert set(mesh.node_sets) == set(expected)
    for name, (kind, where) in expected.items():
        assert where.any()
        assert np.array_equal(mesh.node_sets[name], np.flatnonzero(where))
        assert np.array_equal(mesh.node_type == kind, where)
    inside = ~np.logical_or.reduce([where for _, where in expected.values()])
    assert np.array_equal(mesh.node_type == NodeType.NORMAL, inside)


def test_halving_the_mesh_size_makes_about_four_times_as_many_nodes():
    coarse, fine = (cylinder_mesh(CASE, refinement).num_points for refinement in (0.7, 1.4))
    assert fine / coarse == pytest.approx(4.0, rel=0.1)


def test_n_steps_have_n_plus_one_times_and_the_parameters_are_attributes(trajectory):
    assert trajectory.times.tolist() == [0.0, 0.01, 0.02]
    assert trajectory.fields["velocity"].attrs["units"] == "m/s"
    assert trajectory.fields["pressure"].attrs["units"] == "Pa"
    found = trajectory.attributes
    assert found["seed"] == 3
    assert found["reynolds"] == pytest.approx(
        2 / 3 * found["inlet_speed"] * 2 * found["radius"] / 1e-3
    )
    for name in ("radius", "center_x", "center_y", "inlet_speed"):
        low, high = getattr(CylinderFamily(), name)
        assert low <= found[name] <= high


def test_the_fluid_sticks_to_walls_and_enters_as_a_parabola(trajectory):
    """During the first turn of the cylinder its surface moves along itself."""
    mesh, velocity = trajectory.mesh, trajectory.fields["velocity"].values[-1]
    assert np.array_equal(velocity[mesh.node_sets["wall"]], 0 * velocity[mesh.node_sets["wall"]])
    inlet = mesh.node_sets["inflow"]
    y = mesh.points[inlet, 1]
    parabola = 4 * trajectory.attributes["inlet_speed"] * y * (0.41 - y) / 0.41**2
    np.testing.assert_allclose(velocity[inlet, 0], parabola, rtol=1e-6)
    cylinder, attributes = mesh.node_sets["cylinder"], trajectory.attributes
    outward = mesh.points[cylinder] - [attributes["center_x"], attributes["center_y"]]
    assert np.abs((velocity[cylinder] * outward).sum(axis=1)).max() < 1e-8
    assert np.abs(velocity[cylinder]).max() > 0.01


def test_the_same_seed_gives_the_same_trajectory_and_another_seed_another(trajectory):
    again, other = (CylinderFamily(**QUICK).simulate(seed) for seed in (3, 4))
    for name in ("velocity", "pressure"):
        assert np.array_equal(again.fields[name].values, trajectory.fields[name].values)
    assert np.array_equal(again.mesh.points, trajectory.mesh.points)
    assert other.attributes["radius"] != trajectory.attributes["radius"]


def test_vortices_are_shed_from_the_first_saved_time_on_as_strongly_as_later():
    """At the family's lowest speed, in two halves of about one and a half periods each."""
    family = CylinderFamily(
        refinement=0.7, inlet_speed=(1.25, 1.25), num_steps=60, dt=0.02, substeps=4
    )
    across = family.simulate(seed=0).fields["velocity"].values[..., 1]
    early, late = across[:30].std(axis=0).max(), across[30:].std(axis=0).max()
    assert early > 0.1 * 1.25
    assert early == pytest.approx(late, rel=0.1)


def test_workers_write_the_same_files_as_one_process(tmp_path):
    calls = []
    alone = generate("cylinder", tmp_path / "alone", [0, 1], **QUICK)
    shared = generate(
        "cylinder",
        tmp_path / "shared",
        [1, 0],
        workers=2,
        progress=lambda done, total: calls.append((done, total)),
        **QUICK,
    )
    assert [path.name for path in shared] == ["cylinder-0000.vtkhdf", "cylinder-0001.vtkhdf"]
    assert calls == [(0, 2), (1, 2), (2, 2)]
    for one, other in zip(alone, shared, strict=True):
        a, b = read_vtkhdf(one), read_vtkhdf(other)
        assert a.attributes == b.attributes
        assert a.fields.identical(b.fields)


def test_a_second_run_simulates_only_what_is_missing(tmp_path, monkeypatch):
    first, second = generate("cylinder", tmp_path, [0, 1], **QUICK)
    second.unlink()
    before, simulated = first.read_bytes(), []
    original = CylinderFamily.simulate
    monkeypatch.setattr(
        CylinderFamily,
        "simulate",
        lambda self, seed: simulated.append(seed) or original(self, seed),
    )
    generate("cylinder", tmp_path, [0, 1], **QUICK)
    assert simulated == [1]
    assert first.read_bytes() == before


def test_a_simulation_that_fails_leaves_no_file_and_names_its_seed(tmp_path, monkeypatch):
    def fail(self, seed):
        raise PhysgtError("the flow solver diverged.")

    monkeypatch.setattr(CylinderFamily, "simulate", fail)
    with pytest.raises(PhysgtError, match="cylinder, seed 5: the flow solver diverged"):
        generate("cylinder", tmp_path, [5], **QUICK)
    assert list(tmp_path.iterdir()) == []


def test_files_made_with_other_parameters_are_not_taken_for_these(tmp_path):
    generate("cylinder", tmp_path, [0], **QUICK)
    with pytest.raises(PhysgtError, match=r"cylinder-0000\.vtkhdf.* num_steps = 2 instead of 3"):
        generate("cylinder", tmp_path, [0], **QUICK | {"num_steps": 3})


@pytest.mark.parametrize(
    ("family", "parameters", "message"),
    [
        ("cylindre", {}, "unknown case family 'cylindre'; known are cylinder"),
        ("cylinder", {"raduis": (0.03, 0.04)}, "unknown parameter 'raduis'; known are radius"),
        ("cylinder", {"radius": 0.05}, r"radius = 0\.05, expected two numbers above 0"),
        ("cylinder", {"radius": (0.06, 0.03)}, r"radius = \(0\.06, 0\.03\), .*lower one first"),
        ("cylinder", {"radius": (0.03, 0.2)}, "center_x = .*leaves .*expected at least half"),
        ("cylinder", {"center_y": (0.04, 0.2)}, r"center_y = \(0\.04, 0\.2\) .*leaves -0\.025 m"),
        ("cylinder", {"num_steps": 0}, "num_steps = 0, expected a whole number above 0"),
        ("cylinder", {"substeps": 1.5}, r"substeps = 1\.5, expected a whole number"),
        ("cylinder", {"dt": "small"}, "dt = small, expected a number above 0"),
        ("cylinder", {"spin_up": -1.0}, r"spin_up = -1\.0, expected a number of 0 or more"),
        ("cylinder", {"inlet_speed": ("a", "b")}, "inlet_speed = .*expected two numbers above 0"),
        ("cylinder", {"channel": (1.6, 0.41, 0.41)}, "channel = .*length and height"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path, family, parameters, message):
    with pytest.raises(PhysgtError, match=message) as error:
        generate(family, tmp_path / "data", [0], **parameters)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "data").exists()


def test_every_family_is_a_frozen_description_with_a_simulation():
    for family in GENERATORS.values():
        assert callable(family.simulate)
        assert hash(family()) == hash(family())
