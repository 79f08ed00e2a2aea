"""The case family block3d: a block with a bore in tetrahedra, and heat in three dimensions."""

import numpy as np
import pytest

from physgt import NodeType
from physgt.datasets.advection_diffusion import AdvectionDiffusion
from physgt.datasets.block3d import Block3DFamily, block3d_mesh
from physgt.datasets.extrusion import even_levels, extrude, rectangle_triangles
from physgt.datasets.generate import generate
from physgt.datasets.vtkhdf import read_vtkhdf
from physgt.errors import PhysgtError
from physgt.mesh import Mesh

CASE = Block3DFamily().draw(seed=4)
QUICK = {"refinement": 0.6, "num_steps": 3}


def volumes(mesh):
    a, b, c, d = mesh.points[mesh.connectivity.reshape(-1, 4)].transpose(1, 0, 2)
    return (np.cross(b - a, c - a) * (d - a)).sum(axis=1) / 6


def faces(mesh):
    """Each face once, as sorted node numbers, and in how many tetrahedra it is."""
    cells = mesh.connectivity.reshape(-1, 4)
    all_faces = np.vstack([np.delete(cells, corner, axis=1) for corner in range(4)])
    return np.unique(np.sort(all_faces, axis=1), axis=0, return_counts=True)


def test_the_tetrahedra_fill_the_block_less_the_bores_prism_and_fit_each_other():
    mesh = block3d_mesh(CASE)
    corners = round(2 * np.pi * CASE.bore_radius / 0.0115)
    corners = max(14, corners)
    bore = 0.5 * corners * CASE.bore_radius**2 * np.sin(2 * np.pi / corners)
    width, depth, height = CASE.size
    assert volumes(mesh).min() > 0
    assert volumes(mesh).sum() == pytest.approx((width * depth - bore) * height, rel=1e-10)
    outer = faces(mesh)
    assert set(outer[1]) == {1, 2}
    a, b, c = mesh.points[outer[0][outer[1] == 1]].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    around = 2 * (width + depth) + 2 * corners * CASE.bore_radius * np.sin(np.pi / corners)
    assert area == pytest.approx(around * height + 2 * (width * depth - bore), rel=1e-10)


def test_halving_all_sizes_makes_about_eight_times_as_many_nodes():
    coarse, fine = (block3d_mesh(CASE, refinement).num_points for refinement in (1.0, 2.0))
    assert fine == pytest.approx(8 * coarse, rel=0.25)


def test_every_node_of_a_face_is_in_one_set_and_the_cooled_ones_are_obstacles():
    mesh = block3d_mesh(CASE)
    everything = np.concatenate(list(mesh.node_sets.values()))
    on_faces = np.unique(faces(mesh)[0][faces(mesh)[1] == 1])
    assert np.array_equal(np.sort(everything), on_faces)
    assert list(mesh.node_sets) == ["bottom", "bore", "top", "left", "right", "front", "back"]
    from_axis = np.hypot(*(mesh.points[mesh.node_sets["bore"], :2] - CASE.bore).T)
    np.testing.assert_allclose(from_axis, CASE.bore_radius)
    assert (mesh.points[mesh.node_sets["top"], 2] == CASE.size[2]).all()
    cooled = np.concatenate([mesh.node_sets["bottom"], mesh.node_sets["bore"]])
    assert np.array_equal(np.sort(cooled), np.flatnonzero(mesh.node_type == NodeType.OBSTACLE))


def test_bottom_and_bore_keep_their_temperatures_and_the_known_inputs_have_units():
    made = Block3DFamily(**QUICK).simulate(seed=2)
    temperature, found = made.fields["temperature"].values, made.attributes
    for part in ("bottom", "bore"):
        values = temperature[:, made.mesh.node_sets[part]]
        np.testing.assert_allclose(values, found[f"{part}_temperature"], rtol=1e-6)
    heating = made.fields["heating"]
    assert heating.values.max() <= found["heating"]
    assert heating.values.max() == pytest.approx(found["heating"], rel=0.3)
    units = {name: made.fields[name].attrs["units"] for name in made.fields.data_vars}
    assert units == {"temperature": "K", "heating": "W/m3", "conductivity": "W/(m K)"}


def test_far_from_the_cooled_faces_the_spot_warms_at_first_at_its_heating_over_the_heat_capacity():
    family = Block3DFamily(
        width=(0.12, 0.12), depth=(0.12, 0.12), height=(0.1, 0.1), bore_radius=(0.008, 0.008),
        spot_size=(0.02, 0.02), dt=0.05, num_steps=2, spin_up=0.0,
    )  # fmt: skip
    made = family.simulate(seed=5)
    temperature = made.fields["temperature"].values.astype(np.float64)
    distance = np.hypot(*(made.mesh.points[:, :2] - made.attributes["bore"]).T)
    far = (made.mesh.points[:, 2] > 0.05) & (distance > 0.03)
    hottest = np.argmax(np.where(far, made.fields["heating"].values, 0))
    rate = (temperature[2, hottest] - temperature[0, hottest]) / 0.1
    assert rate == pytest.approx(made.fields["heating"].values[hottest] / 2.43e6, rel=0.05)


def test_files_are_the_same_for_the_same_seed(tmp_path):
    (one,) = generate("block3d", tmp_path / "one", [5], **QUICK)
    (again,) = generate("block3d", tmp_path / "again", [5], **QUICK)
    assert read_vtkhdf(one).fields.identical(read_vtkhdf(again).fields)


def test_an_eigenmode_of_a_cube_decays_at_its_rate_with_an_error_of_second_order():
    """Sides held, top and bottom insulated: sin(pi x) sin(pi y) cos(pi z) decays as 3 pi2 kappa."""
    errors = []
    for cells in (6, 12):
        levels = even_levels(1.0, 1 / cells)
        points, tetrahedra = extrude(*rectangle_triangles(1, 1, cells, cells), levels)
        mesh = Mesh.from_blocks(points, [("tetra", tetrahedra)])
        x, y, z = points.T
        mode = np.sin(np.pi * x) * np.sin(np.pi * y) * np.cos(np.pi * z)
        held = np.flatnonzero(np.isin(x, (0, 1)) | np.isin(y, (0, 1)))
        zeros = np.zeros(len(held))
        heat = AdvectionDiffusion(mesh, mode, 0.1, 0.02, held, lambda t, zeros=zeros: zeros)
        for _ in range(10):
            heat.step()
        difference = heat.temperature - mode * np.exp(-3 * np.pi**2 * 0.1 * 0.2)
        errors.append(np.sqrt(difference @ (heat.mass @ difference) / (mode @ (heat.mass @ mode))))
    assert errors[1] < 0.02
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.2)


def test_a_bore_too_wide_for_the_block_is_one_clear_error(tmp_path):
    with pytest.raises(PhysgtError, match=r"block3d: depth = .* with bore_radius up to 0\.02 m"):
        generate("block3d", tmp_path, [0], bore_radius=(0.01, 0.02), width=(0.2, 0.3))
