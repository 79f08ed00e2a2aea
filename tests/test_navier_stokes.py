"""The flow solver against exact solutions of the Navier-Stokes equations."""

import numpy as np
import pytest
import skfem

from physgt.datasets.navier_stokes import IncompressibleFlow, TaylorHood, mesh_with_circle
from physgt.datasets.triangulation import circle_points, polygon_points, triangulate
from physgt.errors import PhysgtError

LENGTH, HEIGHT, PEAK = 2.0, 1.0, 1.5


def channel(rows):
    """A channel without a cylinder; velocity is given on all sides but the right one."""
    x, y = np.linspace(0, LENGTH, 5), np.linspace(0, HEIGHT, rows + 1)
    mesh = skfem.MeshTri.init_tensor(x, y)
    held = mesh.facets_satisfying(lambda x: x[0] < LENGTH - 1e-9, boundaries_only=True)
    return TaylorHood(mesh), held


def parabola(positions, time):
    y = positions[1]
    return np.stack([4 * PEAK * y * (HEIGHT - y) / HEIGHT**2, np.zeros_like(y)])


@pytest.fixture(scope="module")
def flow_between_plates():
    space, held = channel(rows=10)
    flow = IncompressibleFlow(space, held, viscosity=0.1, dt=0.01, boundary_velocity=parabola)
    for _ in range(20):
        flow.step()
    return flow


def test_the_flow_between_two_plates_is_exact_and_stays(flow_between_plates):
    """u = 4 U y (H - y) / H2 is quadratic, p = 8 nu U (L - x) / H2 linear: both in the space."""
    flow, space = flow_between_plates, flow_between_plates.space
    pressure = 8 * 0.1 * PEAK / HEIGHT**2 * (LENGTH - space.pressure_basis.doflocs[0])
    assert flow.time == pytest.approx(0.2)
    assert np.abs(flow.velocity.T - parabola(space.positions, 0)).max() < 1e-11
    assert np.abs(flow.pressure - pressure).max() < 1e-11


def test_the_drag_of_two_plates_is_shear_times_area(flow_between_plates):
    """Shear nu 4 U / H on 2 L, less the inlet's pressure 8 nu U L / H2 on the corners' nodes.

    A quadratic corner function has the integral h / 6 over its edge of length h.
    """
    flow, y = flow_between_plates, flow_between_plates.space.positions[1]
    walls = flow.held_nodes[(y[flow.held_nodes] == 0) | (y[flow.held_nodes] == HEIGHT)]
    shear = 0.1 * 4 * PEAK / HEIGHT * 2 * LENGTH
    on_corners = 8 * 0.1 * PEAK * LENGTH / HEIGHT**2 * 2 * (HEIGHT / 10) / 6
    assert flow.reaction(walls) == pytest.approx([shear - on_corners, 0.0], abs=1e-10)


def oscillating_plates(positions, time, viscosity=1.0, omega=4 * np.pi):
    """Between plates that move to and fro together: Stokes' second problem for two plates."""
    k = np.sqrt(1j * omega / viscosity)
    profile = np.cosh(k * (positions[1] - HEIGHT / 2)) / np.cosh(k * HEIGHT / 2)
    along = np.real(np.exp(1j * omega * time) * profile)
    return np.stack([along, np.zeros_like(along)])


def test_halving_the_time_step_quarters_the_error():
    errors = []
    for dt in (0.04, 0.02):
        space, held = channel(rows=40)
        flow = IncompressibleFlow(space, held, 1.0, dt, oscillating_plates)
        differences = []
        for _ in range(round(2.0 / dt)):
            flow.step()
            exact = oscillating_plates(space.positions, flow.time)
            differences.append(np.abs(flow.velocity.T - exact).max())
        # Over the last period: the start has decayed as exp(-pi2 t).
        errors.append(np.mean(differences[-round(0.5 / dt) :]))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.15)


@pytest.fixture(scope="module")
def hole():
    """A square with a round hole: (points, triangles, center, radius)."""
    center, radius = np.array([0.5, 0.4]), 0.2

    def size(points):
        return np.full(len(points), 0.1)

    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    loops = [polygon_points(corners, size), circle_points(center, radius, 12)]
    return *triangulate(loops, size), center, radius


def test_a_curved_mesh_has_the_area_of_the_circle_and_keeps_the_points_order(hole):
    points, triangles, center, radius = hole
    space = TaylorHood(mesh_with_circle(points, triangles, center, radius))
    area = space.velocity_basis.dx.sum()
    straight = 1 - 6 * radius**2 * np.sin(2 * np.pi / 12)
    exact = 1 - np.pi * radius**2
    assert abs(area - exact) < 0.01 * abs(straight - exact)
    assert np.array_equal(space.positions[:, space.vertices].T, points)
    assert np.array_equal(space.pressure_basis.doflocs[:, space.pressure_vertices].T, points)


def test_convection_equals_its_weak_form_assembled_the_slow_way(hole):
    space = TaylorHood(mesh_with_circle(*hole))
    velocity = np.random.default_rng(0).normal(size=(space.velocity_basis.N, 2))
    u = [space.velocity_basis.interpolate(component) for component in velocity.T.copy()]
    for axis in range(2):
        weak = skfem.LinearForm(
            lambda v, w: (w.ux * w.changing.grad[0] + w.uy * w.changing.grad[1]) * v
        ).assemble(space.velocity_basis, ux=u[0], uy=u[1], changing=u[axis])
        np.testing.assert_allclose(space.convection(velocity)[:, axis], weak, atol=1e-14)
    by_matrix = space.convection_matrix(velocity) @ velocity
    np.testing.assert_allclose(by_matrix, space.convection(velocity), atol=1e-14)


def test_the_flow_past_a_hole_keeps_its_volume(hole):
    mesh = mesh_with_circle(*hole)
    held = mesh.facets_satisfying(lambda x: x[0] < 1 - 1e-9, boundaries_only=True)

    def inflow(positions, time):
        inlet = np.where(positions[0] == 0, parabola(positions, time)[0], 0.0)
        return np.stack([inlet, np.zeros_like(inlet)])

    flow = IncompressibleFlow(TaylorHood(mesh), held, 0.01, 0.02, inflow)
    for _ in range(50):
        flow.step()
    assert np.abs(flow.velocity).max() > PEAK
    assert np.abs(flow.divergence()).max() < 1e-13


def test_a_flow_that_is_not_finite_is_one_clear_error():
    space, held = channel(rows=2)

    def broken(positions, time):
        return np.full_like(positions, np.nan if time > 0.015 else 1.0)

    flow = IncompressibleFlow(space, held, 0.1, 0.01, broken)
    flow.step()
    with pytest.raises(PhysgtError, match=r"diverged at t = 0.02 s with dt = 0.01 s"):
        flow.step()
