import numpy as np
import pytest
import skfem
import skfem.helpers

from heat_case import heat_trajectory, square_mesh
from physgt import BoundaryCondition, Field, Mesh, PhysgtError, Simulator, Task, Trajectory
from physgt.coupling import OUTPUTS, Stepper, build_outputs
from physgt.quantities import history
from physgt.quantities.derived import (
    divergence,
    force,
    heat_flux,
    heat_flux_density,
    nodal_force,
    nodal_heat_flux,
    nodal_reaction_heat_flux,
    pressure_force,
    probe,
    reaction_force,
    reaction_heat_flux,
    surface_integral,
    surface_mean,
    volume_mean,
)

FLOW = Task(
    (
        Field("temperature", units="K"),
        Field("pressure", units="m^2/s^2"),
        Field("velocity", 2, "m/s"),
    ),
    dt=0.1,
)


def with_sides(mesh: Mesh) -> Mesh:
    """Its sides as node sets: left and right, bottom and top, back and front."""
    sets = {"all": np.arange(mesh.num_points)}
    names = ("left", "right"), ("bottom", "top"), ("back", "front")
    for axis, (low, high) in zip(range(mesh.dimension), names, strict=False):
        x = mesh.points[:, axis]
        sets[low] = np.flatnonzero(np.isclose(x, x.min()))
        sets[high] = np.flatnonzero(np.isclose(x, x.max()))
    return Mesh(mesh.points, mesh.connectivity, mesh.offsets, mesh.cell_types, mesh.node_type, sets)


SQUARE = with_sides(square_mesh(4))


def cube_of_tetrahedra(cells: int = 2) -> Mesh:
    """The unit cube in six tetrahedra a small cube, around its main diagonal."""
    ticks = np.linspace(0, 1, cells + 1)
    points = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
    strides = np.array([(cells + 1) ** 2, cells + 1, 1])
    corners = np.stack(np.meshgrid(*[range(cells)] * 3, indexing="ij"), -1).reshape(-1, 3) @ strides
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    paths = [np.cumsum([0, *strides[list(order)]]) for order in orders]
    return with_sides(
        Mesh.from_blocks(points, [("tetra", np.concatenate([corners[:, None] + p for p in paths]))])
    )


def frame_of(mesh: Mesh, **fields: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.broadcast_to(values, (mesh.num_points, *values.shape[1:])) for name, values in
            fields.items()}  # fmt: skip


@pytest.mark.parametrize("mesh", [SQUARE, cube_of_tetrahedra()], ids=["square", "cube"])
def test_the_heat_flux_of_a_linear_temperature_is_exact_and_positive_outward(mesh):
    slope = np.array([3.0, -5.0, 2.0])[: mesh.dimension]
    frame = frame_of(mesh, temperature=7 + mesh.points @ slope)
    sides = ("left", -1, 0), ("right", 1, 0), ("bottom", -1, 1), ("top", 1, 1)
    for side, sign, axis in sides:
        flux = heat_flux(mesh, FLOW, on=side, conductivity=0.5)
        assert flux.evaluate(frame) == pytest.approx(-0.5 * sign * slope[axis])
        density = heat_flux_density(mesh, FLOW, on=side, conductivity=0.5)
        np.testing.assert_allclose(density.evaluate(frame), -0.5 * sign * slope[axis])
        nodal = nodal_heat_flux(mesh, FLOW, on=side, conductivity=0.5)
        assert nodal.evaluate(frame).sum() == pytest.approx(-0.5 * sign * slope[axis])
        np.testing.assert_array_equal(nodal.ids, mesh.node_sets[side])
    around = heat_flux(mesh, FLOW, on="all", conductivity=0.5)
    assert around.evaluate(frame) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("mesh", [SQUARE, cube_of_tetrahedra()], ids=["square", "cube"])
def test_the_reaction_of_a_steady_linear_temperature_is_its_flux(mesh):
    frame = frame_of(mesh, temperature=7 + 3 * mesh.points[:, 0])
    for side, flux in ("left", 1.5), ("right", -1.5):
        reaction = reaction_heat_flux(mesh, FLOW, on=side, conductivity=0.5, capacity=4.0)
        assert reaction.over(0.1, frame, frame) == pytest.approx(flux)


def test_the_reactions_of_two_halves_balance_where_the_whole_is_solved_by_finite_elements():
    """One step of backward Euler by scikit-fem on the square, then each half by itself."""
    conductivity, capacity, seconds = 0.7, 3.0, 0.05
    whole = skfem.MeshTri(SQUARE.points.T.copy(), SQUARE.connectivity.reshape(-1, 3).T.copy())
    basis = skfem.Basis(whole, skfem.ElementTriP1())
    mass = skfem.BilinearForm(lambda u, v, w: capacity * u * v).assemble(basis)
    stiffness = skfem.BilinearForm(
        lambda u, v, w: conductivity * skfem.helpers.dot(u.grad, v.grad)
    ).assemble(basis)
    x = SQUARE.points[:, 0]
    before = np.random.default_rng(0).random(len(x))
    system = skfem.condense(
        mass / seconds + stiffness, mass @ before / seconds, x=before, D=np.flatnonzero(x == 0)
    )
    after = skfem.solve(*system)
    found = []
    for side in (x <= 0.5, x >= 0.5):
        nodes = np.flatnonzero(side)
        triangles = SQUARE.connectivity.reshape(-1, 3)
        number = np.cumsum(side) - 1
        half = Mesh.from_blocks(
            SQUARE.points[nodes],
            [("triangle", number[triangles[side[triangles].all(axis=1)]])],
            node_sets={"cut": number[np.flatnonzero(x == 0.5)]},
        )
        output = nodal_reaction_heat_flux(
            half, FLOW, on="cut", conductivity=conductivity, capacity=capacity
        )
        found.append(
            output.over(seconds, {"temperature": before[nodes]}, {"temperature": after[nodes]})
        )
    assert np.abs(found[0]).min() > 1e-3
    np.testing.assert_allclose(found[0], -found[1], atol=1e-13)


def test_the_reaction_of_a_stepper_is_that_of_its_last_step_and_is_saved_with_it():
    heat = heat_trajectory(0)
    task = Task((Field("temperature", units="degC"),), dt=0.1)
    options = {"width": 16, "heads": 2, "tokens": 4, "blocks": 1, "mlp_width": 16}
    output = reaction_heat_flux(heat.mesh, task, on="rim", conductivity=0.0, capacity=2.0)
    simulator = Simulator(task, 2, "physgto", options).eval()
    stepper = Stepper(simulator, heat, interpolate=True, outputs={"loss": output})
    nothing = np.zeros(heat.mesh.num_points)
    stepper.set_field("temperature", 30.0)
    assert stepper.get_field("loss") == 0  # nothing is known to change before the first step
    for seconds in (0.1, 0.05, 0.25):
        before = stepper.frame()
        stepper.step(seconds)
        content = output.over(1.0, {"temperature": nothing}, stepper.frame())
        content_before = output.over(1.0, {"temperature": nothing}, before)
        expected = (content - content_before) / seconds
        assert stepper.get_field("loss") == pytest.approx(float(expected))
    saved = stepper.save_state()
    loss = stepper.get_field("loss")
    stepper.step()
    assert stepper.get_field("loss") != loss
    stepper.restore_state(saved)
    assert stepper.get_field("loss") == loss


def test_the_reaction_knows_the_boundary_of_the_step_before_though_the_next_is_set_already():
    heat = heat_trajectory(0)
    rule = BoundaryCondition("rim", "temperature", "prescribed")
    task = Task((Field("temperature", units="degC"),), dt=0.1, boundary=(rule,))
    options = {"width": 16, "heads": 2, "tokens": 4, "blocks": 1, "mlp_width": 16}
    output = reaction_heat_flux(heat.mesh, task, on="rim", conductivity=1.0, capacity=2.0)
    simulator = Simulator(task, 2, "physgto", options).eval()
    stepper = Stepper(simulator, heat, outputs={"loss": output})
    stepper.set_field("temperature", 40.0, on="rim")
    stepper.step()
    before = {"temperature": stepper.get_field("temperature").copy()}
    stepper.set_field("temperature", 50.0, on="rim")  # of the end of the coming step
    stepper.step()
    expected = output.over(0.1, before, stepper.frame())
    assert (before["temperature"][heat.mesh.node_sets["rim"]] == 40).all()
    assert stepper.get_field("loss") == pytest.approx(float(expected))


def test_the_force_of_a_linear_pressure_on_a_closed_boundary_is_its_gradient_times_the_volume():
    frame = frame_of(
        SQUARE, pressure=SQUARE.points @ [2.0, 3.0], velocity=np.zeros((SQUARE.num_points, 2))
    )
    whole = force(SQUARE, FLOW, on="all", density=10.0, viscosity=1.0)
    np.testing.assert_allclose(whole.evaluate(frame), [20.0, 30.0])
    assert (whole.units, whole.components) == ("N/m", 2)


def in_units(units: str) -> Task:
    return Task((Field("pressure", units=units), Field("velocity", 2, "m/s")), dt=0.1)


def test_forces_take_a_pressure_in_pascal_or_a_kinematic_one_and_no_other():
    n = SQUARE.num_points
    frame = frame_of(SQUARE, pressure=np.full(n, 20.0), velocity=np.zeros((n, 2)))
    for kind in (force, reaction_force):
        for units, expected in (("Pa", 20.0), ("m2/s2", 20000.0), ("", 20000.0)):
            found = kind(SQUARE, in_units(units), on="right", density=1e3, viscosity=0.0)
            assert found.evaluate(frame)[0] == pytest.approx(expected)
        with pytest.raises(PhysgtError, match=r"'pressure' is in bar, expected m\^2/s\^2.*in Pa"):
            kind(SQUARE, in_units("bar"), on="right", density=1e3, viscosity=0.0)
    on_cells = Task((Field("pressure", units="m^2/s^2", location="cell"),), dt=0.1)
    with pytest.raises(PhysgtError, match=r"'pressure' is in m\^2/s\^2, expected Pa"):
        pressure_force(SQUARE, on_cells, on="right")


def test_a_flux_density_over_time_is_the_mean_over_its_set():
    x = SQUARE.points[:, 0]
    plate = Trajectory.from_arrays(SQUARE, np.zeros(1), {"temperature": 3 * x[None]})
    density = {"kind": "heat_flux_density", "on": "right", "conductivity": 2.0}
    found = history(plate, {"q": density})["q"]
    np.testing.assert_allclose(found, -6.0)


def test_cells_that_a_quantity_would_leave_out_are_named():
    """A square beside two triangles: what is taken at the triangles alone is right."""
    points = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [2, 0], [2, 1.0]])
    cells = [("quad", [[0, 1, 2, 3]]), ("triangle", [[1, 4, 5], [1, 5, 2]])]
    mesh = with_sides(Mesh.from_blocks(points, cells))
    flow = frame_of(mesh, pressure=np.ones(6), velocity=points.copy())
    with pytest.raises(PhysgtError, match=r"cell 0 is a quad, but .* needs triangles alone"):
        divergence(mesh, FLOW)
    right = reaction_force(mesh, FLOW, on="right", density=1.0, viscosity=0.0)
    assert np.isfinite(right.evaluate(flow)).all()
    assert probe(mesh, FLOW, field="pressure", point=[1.5, 0.5]).evaluate(flow) == 1.0


def test_a_cell_without_volume_is_told_by_its_corners():
    points = np.array([[0, 0], [1, 0], [1, 1], [0.5, 0.0]])
    mesh = Mesh.from_blocks(points, [("triangle", [[0, 1, 2], [0, 3, 1]])])
    with pytest.raises(PhysgtError, match=r"corners \[\[0.0, 0.0\], \[0.5, 0.0\].* no volume"):
        divergence(mesh, FLOW)


def test_a_shear_flow_drags_the_wall_that_drives_it_backwards():
    y = SQUARE.points[:, 1]
    frame = frame_of(SQUARE, pressure=0 * y, velocity=np.stack([4 * y, 0 * y], axis=1))
    top = force(SQUARE, FLOW, on="top", density=2.0, viscosity=0.5)
    np.testing.assert_allclose(top.evaluate(frame), [-4.0, 0.0], atol=1e-12)
    bottom = force(SQUARE, FLOW, on="bottom", density=2.0, viscosity=0.5)
    np.testing.assert_allclose(bottom.evaluate(frame), [4.0, 0.0], atol=1e-12)


def test_a_linear_pressure_loads_the_ends_of_a_face_as_its_shape_functions_say():
    mesh = with_sides(square_mesh(1))
    frame = frame_of(mesh, pressure=mesh.points[:, 1], velocity=np.zeros((4, 2)))
    nodal = nodal_force(mesh, FLOW, on="right", density=1.0, viscosity=0.0)
    # The integrals of y (1 - y) and y * y over [0, 1].
    np.testing.assert_allclose(nodal.evaluate(frame), [[1 / 6, 0], [1 / 3, 0]], atol=1e-12)


def test_probes_means_and_integrals_of_a_linear_field_are_exact():
    mesh = with_sides(square_mesh(4, skew=0.3))
    x, y = mesh.points.T
    frame = frame_of(mesh, temperature=1 + 2 * x + 3 * y)

    def value(output):
        return float(output.evaluate(frame))

    assert value(probe(mesh, FLOW, field="temperature", point=[0.41, 0.57])) == pytest.approx(
        1 + 0.82 + 1.71
    )
    # The sheared square has its centre at (0.65, 0.5), its top from (0.3, 1) to (1.3, 1).
    assert value(volume_mean(mesh, FLOW, field="temperature")) == pytest.approx(1 + 1.3 + 1.5)
    assert value(surface_mean(mesh, FLOW, field="temperature", on="top")) == pytest.approx(5.6)
    integral = surface_integral(mesh, FLOW, field="temperature", on="top")
    assert value(integral) == pytest.approx(5.6)
    assert integral.units == "K m"


def test_a_probe_outside_of_the_mesh_is_refused():
    with pytest.raises(PhysgtError, match=r"\[2\.0, 0\.5\] lies in no cell; the mesh spans"):
        probe(SQUARE, FLOW, field="temperature", point=[2.0, 0.5])


def test_a_set_without_a_face_of_the_boundary_cannot_be_integrated_over():
    mesh = Mesh.from_blocks(
        SQUARE.points, [("triangle", SQUARE.connectivity.reshape(-1, 3))],
        node_sets={"inside": np.array([6, 7])},
    )  # fmt: skip
    with pytest.raises(PhysgtError, match=r"no face of the boundary.*'inside'"):
        heat_flux(mesh, FLOW, on="inside", conductivity=1.0)


def test_cells_that_are_not_simplices_are_refused_for_integrals():
    mesh = with_sides(
        Mesh.from_blocks(np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]]), [("quad", [[0, 1, 2, 3]])])
    )
    with pytest.raises(PhysgtError, match="cells at 'top' must be triangles"):
        heat_flux(mesh, FLOW, on="top", conductivity=1.0)


def test_outputs_are_fields_of_a_stepper():
    heat = heat_trajectory(0)
    task = Task((Field("temperature", units="degC"),), dt=0.1)
    options = {"width": 16, "heads": 2, "tokens": 4, "blocks": 1, "mlp_width": 16}
    outputs = build_outputs(
        heat.mesh,
        task,
        {
            "loss": {"kind": "heat_flux", "on": "rim", "conductivity": 2.0},
            "middle": {"kind": "probe", "field": "temperature", "point": [0.5, 0.5]},
        },
    )
    stepper = Stepper(Simulator(task, 2, "physgto", options).eval(), heat, outputs=outputs)
    assert stepper.field("loss").units == "W/m"
    before = stepper.get_field("middle")
    stepper.set_field("temperature", 30.0)
    assert float(stepper.get_field("middle")) == pytest.approx(30.0)
    assert float(stepper.get_field("loss")) == pytest.approx(0.0, abs=1e-9)
    assert float(before) != pytest.approx(30.0)
    with pytest.raises(PhysgtError, match="'middle' is computed"):
        stepper.set_field("middle", 1.0)


def test_an_unknown_kind_or_option_of_an_output_is_named():
    with pytest.raises(PhysgtError, match=r"\[outputs\.q\] kind = 'flux'.*'heat_flux'"):
        build_outputs(SQUARE, FLOW, {"q": {"kind": "flux"}})
    with pytest.raises(PhysgtError, match=r"a heat_flux takes .*needs \['on', 'conductivity'\]"):
        build_outputs(SQUARE, FLOW, {"q": {"kind": "heat_flux", "on": "top"}})
    with pytest.raises(PhysgtError, match="no target 'heat'"):
        build_outputs(SQUARE, FLOW, {"q": {"kind": "volume_mean", "field": "heat"}})
    assert "force" in OUTPUTS
