"""Forces and heat fluxes by balance, against exact flows and the solvers of the families."""

import numpy as np
import pytest

from heat_case import square_mesh
from physgt import Field, PhysgtError, Task, Trajectory
from physgt.datasets.cylinder import CylinderFamily, cylinder_mesh, flow_space
from physgt.datasets.heat import HeatFamily
from physgt.datasets.navier_stokes import IncompressibleFlow
from physgt.quantities import history
from physgt.quantities.force import force, nodal_reaction_force, pressure_force, reaction_force
from test_derived import cube_of_tetrahedra, frame_of, with_sides

SQUARE = with_sides(square_mesh(4))
RHO, NU = 2.0, 0.5


def flow_task(pressure_units: str = "Pa", dimension: int = 2) -> Task:
    fields = Field("pressure", units=pressure_units), Field("velocity", dimension, "m/s")
    return Task(fields, dt=0.1)


def test_a_shear_flow_drags_the_wall_that_drives_it_backwards():
    y = SQUARE.points[:, 1]
    frame = frame_of(SQUARE, pressure=0 * y, velocity=np.stack([4 * y, 0 * y], axis=1))
    top = reaction_force(SQUARE, flow_task(), on="top", density=RHO, viscosity=NU)
    np.testing.assert_allclose(top.over(0.1, frame, frame), [-4.0 * RHO * NU, 0.0], atol=1e-12)


@pytest.mark.parametrize(("units", "scale"), [("Pa", 1.0), ("m^2/s^2", RHO), ("", RHO)])
def test_a_pressure_is_kinematic_unless_it_is_in_pascal(units, scale):
    """A fluid at rest under p = 3 x: the right side is pushed by 3 N/m."""
    x = SQUARE.points[:, 0]
    frame = frame_of(SQUARE, pressure=3 * x, velocity=np.zeros((SQUARE.num_points, 2)))
    # At rest under a gradient of pressure the fluid would start: a body force holds it, which the
    # balance counts as part of the body's, over the layer of cells at the wall.
    found = nodal_reaction_force(SQUARE, flow_task(units), on="right", density=RHO, viscosity=NU)
    layer = 3.0 * scale * np.array([1 / 8, 0])
    total = found.over(0.1, frame, frame).sum(axis=0)
    np.testing.assert_allclose(total, np.array([3.0 * scale, 0]) - layer, atol=1e-12)


@pytest.mark.parametrize("mesh", [SQUARE, cube_of_tetrahedra()], ids=["square", "cube"])
def test_a_fluid_that_is_accelerated_as_one_pushes_by_its_pressure_alone(mesh):
    """u = 5 t e_x under p = -rho 5 x: on the right side acts p = -5 rho."""
    dimension, x = mesh.dimension, mesh.points[:, 0]
    task = flow_task(dimension=dimension)
    still = frame_of(mesh, pressure=-5 * RHO * x, velocity=np.zeros((mesh.num_points, dimension)))
    moving = still | {
        "velocity": np.zeros((mesh.num_points, dimension)) + 0.5 * np.eye(dimension)[0]
    }
    found = reaction_force(mesh, task, on="right", density=RHO, viscosity=NU)
    np.testing.assert_allclose(
        found.over(0.1, still, moving), -5 * RHO * np.eye(dimension)[0], atol=1e-12
    )


def test_a_fluid_that_a_wind_carries_loses_what_the_wind_brings():
    """u = (1 + x, -y), steady: rho (u . grad) u = rho (1 + x, y), without pressure or viscosity."""
    x, y = SQUARE.points.T
    frame = frame_of(SQUARE, pressure=0 * x, velocity=np.stack([1 + x, -y], axis=1))
    found = nodal_reaction_force(SQUARE, flow_task(), on="all", density=RHO, viscosity=0.0)
    # Over all nodes the shape functions add up to 1: the integrals of 1 + x and of y.
    total = found.over(0.1, frame, frame).sum(axis=0)
    np.testing.assert_allclose(total, [-1.5 * RHO, -0.5 * RHO], rtol=1e-12)


def test_the_reaction_is_the_solvers_own_where_stresses_at_the_wall_are_ten_percent_off():
    case = CylinderFamily().draw(seed=0)
    mesh = cylinder_mesh(case)
    space, held = flow_space(case, mesh)
    flow = IncompressibleFlow(space, held, case.viscosity, 0.01, case.boundary_velocity)
    offset = space.positions[:, flow.held_nodes] - case.center[:, None]
    cylinder = flow.held_nodes[np.hypot(*offset) < 1.001 * case.radius]
    frames = []
    for _ in range(25):
        flow.step()
        velocity = flow.velocity[space.vertices]
        frames.append({"velocity": velocity, "pressure": flow.pressure[space.pressure_vertices]})
    expected = flow.reaction(cylinder)[0]
    fluid = {"on": "cylinder", "density": 1.0, "viscosity": case.viscosity}
    balance = reaction_force(mesh, flow_task(), **fluid).over(0.01, *frames[-2:])
    stresses = force(mesh, flow_task(), **fluid).evaluate(frames[-1])
    assert balance[0] == pytest.approx(expected, rel=0.02)
    assert abs(stresses[0] / expected - 1) > 0.05


def test_a_pressure_on_cells_pushes_each_wall_by_its_own():
    task = Task((Field("pressure", units="Pa", location="cell"),), dt=0.1)
    for mesh in (SQUARE, cube_of_tetrahedra()):
        ones = {"pressure": np.ones(mesh.num_cells)}
        right = pressure_force(mesh, task, on="right").evaluate(ones)
        np.testing.assert_allclose(right, np.eye(mesh.dimension)[0], atol=1e-12)
        around = pressure_force(mesh, task, on="all").evaluate(ones)
        np.testing.assert_allclose(around, 0, atol=1e-12)
    with pytest.raises(PhysgtError, match=r"lies on nodes, but .* of nodes there are force and"):
        pressure_force(SQUARE, flow_task(), on="right")


HEAT_OF = {"conductivity": "diffusivity", "capacity": 1.0, "velocity": "velocity"}


@pytest.fixture(scope="module")
def plate() -> Trajectory:
    return HeatFamily(num_steps=40, speed=(0.008, 0.01)).simulate(seed=1)


def test_heat_that_a_solver_conserves_is_balanced_and_stays_so_with_fewer_times(plate):
    settings = {
        "holes": {"kind": "reaction_heat_flux", "on": "holes", **HEAT_OF},
        "nowhere": {"kind": "heat_imbalance", "outside": ["sides", "holes"], **HEAT_OF},
    }
    fine = history(plate, settings)
    assert abs(fine["nowhere"]).max() < 5e-3 * abs(fine["holes"]).max()
    coarse = history(plate.select(slice(None, None, 4)), settings)
    np.testing.assert_allclose(coarse["holes"][2:-1], fine["holes"][8:-4:4], rtol=0.01)


def test_heat_that_is_made_up_is_found():
    """A body that warms by 3 K/s everywhere, from nothing."""
    times = 0.1 * np.arange(5)
    temperature = np.tile(300 + 3 * times[:, None], (1, SQUARE.num_points))
    warming = Trajectory.from_arrays(SQUARE, times, {"temperature": temperature})
    options = {"outside": ["left"], "conductivity": 0.5, "capacity": 2.0}
    found = history(warming, {"nowhere": {"kind": "heat_imbalance", **options}})["nowhere"]
    # All shares of the area but those of the nodes on the left, half a row of cells of width 1/4.
    np.testing.assert_allclose(found, 2.0 * 3.0 * (1 - 1 / 8), rtol=1e-9)
    options["source"] = "heating"
    heating = warming.fields.assign(heating=("node", np.full(SQUARE.num_points, 6.0)))
    heated = Trajectory(SQUARE, heating)
    found = history(heated, {"nowhere": {"kind": "heat_imbalance", **options}})["nowhere"]
    np.testing.assert_allclose(found, 0.0, atol=1e-9)
