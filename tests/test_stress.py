"""Von Mises stress against closed forms and against the solver of the family `hyperelastic`."""

import numpy as np
import pytest

from heat_case import square_mesh
from physgt import Field, Mesh, PhysgtError, Task, Trajectory
from physgt.datasets.neo_hookean import NeoHookeanSolid
from physgt.quantities import build_outputs, with_fields
from test_derived import cube_of_tetrahedra

YOUNG, POISSON = 3e5, 0.3
SHEAR = YOUNG / (2 * (1 + POISSON))
MODULI = {"youngs_modulus": YOUNG, "poisson_ratio": POISSON}
SQUARE, CUBE = square_mesh(3, skew=0.2), cube_of_tetrahedra(2)


def stress(mesh: Mesh, kind: str, gradient: np.ndarray) -> np.ndarray:
    """(N,) where every point X is moved to F X."""
    task = Task((Field("points", mesh.dimension, "m"),), dt=1.0)
    output = build_outputs(mesh, task, {"stress": {"kind": kind, **MODULI}})["stress"]
    assert output.units == "Pa"
    return output.evaluate({"points": mesh.points @ np.asarray(gradient, dtype=float).T})


@pytest.mark.parametrize("stretch", [0.6, 1.0, 1.5])
def test_a_stretch_in_plane_strain(stretch):
    # sigma_xx = (mu (a^2 - 1) + lambda ln a) / a, sigma_yy = sigma_zz = lambda ln a / a.
    found = stress(SQUARE, "von_mises_neo_hookean", [[stretch, 0], [0, 1]])
    expected = SHEAR * abs(stretch**2 - 1) / stretch
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.1, 1.0])
def test_simple_shear_at_any_size(gamma):
    # J = 1 and sigma = mu (F F^T - I): gamma^2 along x, gamma across.
    expected = SHEAR * np.sqrt(gamma**4 + 3 * gamma**2)
    planar = stress(SQUARE, "von_mises_neo_hookean", [[1, gamma], [0, 1]])
    np.testing.assert_allclose(planar, expected, rtol=1e-9)
    solid = stress(CUBE, "von_mises_neo_hookean", [[1, gamma, 0], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(solid, expected, rtol=1e-9)


def test_a_turn_makes_no_stress_and_a_cell_turned_inside_out_an_infinite_one():
    turn = [[np.cos(2), -np.sin(2)], [np.sin(2), np.cos(2)]]
    np.testing.assert_allclose(stress(SQUARE, "von_mises_neo_hookean", turn), 0, atol=1e-6)
    assert np.isinf(stress(SQUARE, "von_mises_neo_hookean", [[-1, 0], [0, 1]])).all()


def test_a_bar_under_tension_has_young_s_modulus_times_its_strain():
    strain = 1e-3
    gradient = np.diag([1 + strain, 1 - POISSON * strain, 1 - POISSON * strain])
    np.testing.assert_allclose(stress(CUBE, "von_mises_linear", gradient), YOUNG * strain)


def test_small_strains_of_both_materials_are_alike():
    gradient = np.eye(3) + 1e-5 * np.random.default_rng(0).normal(size=(3, 3))
    neo_hookean = stress(CUBE, "von_mises_neo_hookean", gradient)
    np.testing.assert_allclose(stress(CUBE, "von_mises_linear", gradient), neo_hookean, rtol=1e-3)


def test_a_linear_displacement_has_the_stress_that_the_solver_gives_it():
    triangles = SQUARE.connectivity.reshape(-1, 3)
    solid = NeoHookeanSolid(SQUARE.points, triangles, **MODULI)
    gradient = np.array([[1.2, 0.3], [-0.1, 0.9]])
    expected = solid.von_mises(solid.positions @ (gradient - np.eye(2)).T)
    found = stress(SQUARE, "von_mises_neo_hookean", gradient)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_stress_is_a_field_of_the_trajectory_and_what_comes_after_it_may_be_made_of_it():
    points = np.stack([SQUARE.points * [1 + 0.1 * k, 1] for k in range(3)])
    moving = Trajectory.from_arrays(SQUARE, np.arange(3.0), {"points": points}, static=MODULI)
    names = {name: name for name in MODULI}
    settings = {
        "von_mises": {"kind": "von_mises_neo_hookean", **names},
        "peak": {"kind": "largest", "field": "von_mises"},
    }
    found, rest = with_fields(moving, settings)
    assert list(rest) == ["peak"]
    assert found.fields["von_mises"].attrs["units"] == "Pa"
    expected = SHEAR * (1.2**2 - 1) / 1.2
    np.testing.assert_allclose(found.frame(2)["von_mises"], expected, rtol=1e-9)


def test_a_node_without_a_cell_has_no_stress():
    corners = np.array([[0, 0], [1, 0], [0, 1], [5, 5.0]])
    mesh = Mesh.from_blocks(corners, [("triangle", [[0, 1, 2]])])
    found = stress(mesh, "von_mises_linear", [[1.01, 0], [0, 1]])
    assert (found[:3] > 0).all()
    assert found[3] == 0


@pytest.mark.parametrize(("ratio", "young"), [(0.5, 1.0), (0.7, 1.0), (-1.0, 1.0), (0.3, 0.0)])
def test_moduli_that_no_solid_has_are_refused(ratio, young):
    task = Task((Field("points", 2, "m"),), dt=1.0)
    moduli = {"youngs_modulus": young, "poisson_ratio": ratio}
    with pytest.raises(PhysgtError, match=r"poisson_ratio = .*below 0\.5"):
        build_outputs(SQUARE, task, {"s": {"kind": "von_mises_linear", **moduli}})


def test_points_that_stay_have_no_stress():
    with pytest.raises(PhysgtError, match="no target 'points'"):
        build_outputs(
            SQUARE, Task((Field("p"),), dt=1.0), {"s": {"kind": "von_mises_linear", **MODULI}}
        )
