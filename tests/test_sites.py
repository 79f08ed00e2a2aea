"""Tasks on cells: the graph of shared faces, sets of cells, a whole run on finite volumes."""

from __future__ import annotations

import dataclasses
import tarfile
from pathlib import Path

import numpy as np
import pytest
import pyvista as pv
import torch
from torch import Tensor, nn

from heat_case import SMALL_MODELS, square_mesh
from physgt import BoundaryCondition, Field, Forcing, Mesh, PhysgtError, Simulator, Task, Trajectory
from physgt.case import read_case
from physgt.coupling import Stepper
from physgt.coupling.export import StepProgram
from physgt.datasets import open_trajectory
from physgt.datasets.convert import convert
from physgt.datasets.info import describe
from physgt.faces import cell_faces, cell_graph
from physgt.graph import Graph
from physgt.models import MODELS
from physgt.quantities.derived import probe
from physgt.rollout import rollout, score
from physgt.samples import Samples
from physgt.sites import cell_sites
from physgt.training import train
from physgt.viz import render
from sample_trajectories import planar_mesh, polyhedral_mesh, solid_mesh

HEAT = Task((Field("temperature", units="K", location="cell"),), dt=0.1)


def strip() -> Mesh:
    """Squares 0, 1, 2 in a row, from x = 0 to 3."""
    points = [[x, y] for y in (0, 1) for x in (0, 1, 2, 3)]
    return Mesh.from_blocks(
        np.array(points, dtype=float),
        [("quad", [[0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6]])],
        node_type=[4, 6, 6, 5, 4, 6, 6, 5],
        node_sets={"inlet": [0, 4], "corner": [3], "left": [0, 1, 4, 5], "cut": [1, 5]},
        cell_sets={"heater": [2]},
    )


def edges(mesh: Mesh) -> set[tuple[int, int]]:
    graph = Simulator(HEAT, mesh.dimension, "meshgraphnet", SMALL_MODELS["meshgraphnet"])
    built = graph.build_graph(mesh)
    return {(int(a), int(b)) for a, b in built.order[built.edge_index].T}


def test_the_nodes_of_a_graph_are_cells_and_its_edges_shared_faces() -> None:
    assert edges(strip()) == {(0, 1), (1, 0), (1, 2), (2, 1)}
    # The cube's top carries the pyramid and its side the wedge; the tetrahedron shares one triangle
    # with the pyramid.
    assert edges(solid_mesh()) == {(0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1)}
    for mesh in (square_mesh(3), polyhedral_mesh()):
        assert edges(mesh) == set(map(tuple, cell_graph(mesh).T.tolist()))
    # 18 triangles in a square of 3 x 3: 9 diagonals and 12 sides between squares.
    assert len(edges(square_mesh(3))) == 2 * (9 + 12)


def test_a_cell_lies_at_the_mean_of_its_nodes() -> None:
    np.testing.assert_allclose(cell_sites(strip()).points, [[0.5, 0.5], [1.5, 0.5], [2.5, 0.5]])
    centres = pv.wrap(solid_grid()).cell_centers().points
    linear = [0, 2, 3]  # VTK's centre of a pyramid is that of its parameters.
    np.testing.assert_allclose(cell_sites(solid_mesh()).points[linear], centres[linear], atol=1e-6)


def solid_grid() -> pv.UnstructuredGrid:
    from physgt.datasets.vtk_bridge import to_pyvista

    return to_pyvista(solid_mesh())


def test_sets_of_cells_come_from_cell_sets_and_from_what_node_sets_bound_or_hold() -> None:
    sites = cell_sites(strip())
    assert sites.nodes_of("heater").tolist() == [2]
    assert sites.nodes_of("inlet").tolist() == [0]  # its left side is the inlet
    assert sites.nodes_of("corner").tolist() == []  # one node is no side
    assert sites.nodes_of("left").tolist() == [0]  # all its nodes; the next shares an inner side
    assert sites.nodes_of("cut").tolist() == []
    with pytest.raises(PhysgtError, match=r"no node set 'outlet'.*'heater', 'inlet'"):
        sites.nodes_of("outlet")


def test_a_cell_has_the_type_that_most_nodes_of_its_boundary_faces_have() -> None:
    # Cell 0: the inlet side twice 4, top and bottom 4 and 6: 4 has four votes of six.
    assert cell_sites(strip()).node_type.tolist() == [4, 6, 5]
    types = cell_sites(square_mesh(3)).node_type
    assert types.tolist().count(0) == 18 - 10  # in two corners a triangle has both sides
    assert set(types.tolist()) == {0, 6}


def test_cells_of_a_lower_dimension_are_refused() -> None:
    with pytest.raises(PhysgtError, match=r"1 of the 3 cells have a lower dimension.*cell 2"):
        cell_sites(planar_mesh())


def test_a_boundary_acts_on_cells() -> None:
    rules = (
        BoundaryCondition("inlet", "temperature", "x"),
        BoundaryCondition("hot", "temperature", "held", where="x > 2"),
    )
    boundary = dataclasses.replace(HEAT, boundary=rules).boundary_on(strip())
    assert boundary.free[:, 0].tolist() == [False, True, False]
    enforced = boundary.enforce(np.zeros((3, 1)), 0.0, np.full((3, 1), 9.0))
    np.testing.assert_array_equal(enforced[:, 0], [0.5, 0, 9])


@pytest.mark.parametrize(
    ("collapsed", "plain"),
    [
        (("quad", [0, 1, 2, 2]), ("triangle", [0, 1, 2])),
        (("quad", [0, 1, 2, 0]), ("triangle", [0, 1, 2])),
        (("hexahedron", [0, 1, 2, 2, 3, 4, 5, 5]), ("wedge", [0, 1, 2, 3, 4, 5])),
        (("hexahedron", [0, 1, 2, 2, 3, 3, 3, 3]), ("tetra", [0, 1, 2, 3])),
        (("hexahedron", [0, 1, 2, 3, 4, 4, 4, 4]), ("pyramid", [0, 1, 2, 3, 4])),
    ],
)
def test_a_cell_that_is_collapsed_has_the_faces_of_what_it_is(collapsed, plain) -> None:
    points = np.random.default_rng(0).random((6, 3 if collapsed[0] == "hexahedron" else 2))

    def sides(*cells: tuple[str, list[int]]) -> list[tuple[list[int], bool]]:
        mesh = Mesh.from_blocks(points, [(name, [nodes]) for name, nodes in cells])
        faces = cell_faces(mesh)
        corners = np.split(faces.nodes, faces.offsets[1:-1])
        return sorted(
            (sorted(nodes.tolist()), bool(single))
            for nodes, single in zip(corners, faces.on_boundary(), strict=True)
        )

    assert sides(collapsed) == sides(plain)
    assert not any(single for _, single in sides(collapsed, plain))


def test_a_condition_at_nodes_that_hold_no_cell_is_refused() -> None:
    task = dataclasses.replace(HEAT, boundary=(BoundaryCondition("corner", "temperature", 1.0),))
    with pytest.raises(PhysgtError, match=r"no cell has all its nodes.* in the node set 'corner'"):
        task.free_mask(strip())


@pytest.mark.parametrize(
    ("targets", "forcings", "message"),
    [
        ((Field("p"), Field("u", location="cell")), (), "'u' lives on cells and 'p' on nodes"),
        ((Field("p", location="cell"),), (Forcing("f"),), "'f' lives on nodes, but the targets on"),
        ((Field("points", 2, location="cell"),), (), "points are those of nodes"),
        ((Field("p", location="global"),), (), "'p' lives on globals"),
    ],
)
def test_what_lives_elsewhere_is_refused(targets, forcings, message) -> None:
    with pytest.raises(PhysgtError, match=message):
        Task(targets, 0.1, forcings)


class Fluxes(nn.Module):
    """A finite-volume step of heat by hand: a tenth of each difference flows through each face."""

    masks = encodings = ()

    def embed_geometry(self, graph: Graph) -> None:
        return None

    def forward(
        self, graph: Graph, state: Tensor, forcing: Tensor, geometry: None = None
    ) -> Tensor:
        flux = 0.1 * (state[graph.senders] - state[graph.receivers])
        return torch.zeros_like(state).index_add(0, graph.receivers, flux)


def finite_volumes(mesh: Mesh, num_steps: int, seed: int = 0) -> Trajectory:
    """What Fluxes give, with numpy, in the order of the mesh."""
    senders, receivers = cell_graph(mesh)
    states = [np.random.default_rng(seed).uniform(20, 80, mesh.num_cells)]
    for _ in range(num_steps):
        flux = 0.1 * (states[-1][senders] - states[-1][receivers])
        states.append(states[-1] + np.bincount(receivers, flux, mesh.num_cells))
    return Trajectory.from_arrays(
        mesh, 0.1 * np.arange(num_steps + 1), {}, cell_fields={"temperature": np.array(states)}
    )


def test_a_finite_volume_step_on_the_graph_keeps_the_heat_and_equals_the_one_in_numpy() -> None:
    reference = finite_volumes(square_mesh(6, skew=0.3), 40)
    simulator = Simulator(HEAT, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"])
    simulator.model = Fluxes()
    prediction = rollout(simulator, reference.initial(), 40)
    found = prediction.fields["temperature"]
    assert found.dims == ("time", "cell")
    np.testing.assert_allclose(found.values, reference.fields["temperature"].values, rtol=1e-5)
    np.testing.assert_allclose(found.values.sum(axis=1), found.values[0].sum(), rtol=1e-6)
    assert np.ptp(found.values[-1]) < 0.5 * np.ptp(found.values[0])
    assert float(score(prediction, reference)["relative_l2"].max("time")[0, 0]) < 1e-5


@pytest.fixture(params=MODELS)
def simulator(request: pytest.FixtureRequest) -> Simulator:
    torch.manual_seed(0)
    options = SMALL_MODELS.get(request.param, {"width": 16, "heads": 2, "tokens": 4, "blocks": 1})
    return Simulator(HEAT, 2, request.param, options).eval()


def test_every_model_steps_on_cells_and_a_stepper_equals_its_rollout(simulator: Simulator) -> None:
    reference = finite_volumes(square_mesh(3), 1)
    stepper = Stepper(simulator, reference)
    np.testing.assert_array_equal(stepper.coordinates(), cell_sites(reference.mesh).points)
    states = [stepper.get_field("temperature")]
    for _ in range(3):
        stepper.step()
        states.append(stepper.get_field("temperature"))
    predicted = rollout(simulator, reference.initial(), 3).fields["temperature"].values
    np.testing.assert_array_equal(states, predicted)
    stepper.set_field("temperature", 5.0, on="rim")
    assert len(stepper.ids("rim")) == 10


def test_masks_and_encodings_are_those_of_the_graph_of_cells() -> None:
    options = {"width": 16, "heads": 2, "blocks": 2, "k_hop": 2, "laplacian_eigenvectors": 2}
    simulator = Simulator(HEAT, 2, "masked_transformer", options)
    graph = simulator.build_graph(strip())
    assert graph.encodings.shape == (3, 2)
    (attention,) = graph.attention
    assert attention.edge_index.shape[1] == 6  # all see all, in two hops


def test_an_exported_step_is_that_on_cells() -> None:
    reference = finite_volumes(square_mesh(3), 1)
    torch.manual_seed(0)
    simulator = Simulator(HEAT, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"]).eval()
    program = StepProgram.for_mesh(simulator, reference.mesh).program.module()
    state = torch.as_tensor(reference.frame(0)["temperature"][:, None], dtype=torch.float32)
    found = program(state, torch.zeros(len(state), 0)).detach().numpy()[:, 0]
    predicted = rollout(simulator, reference.initial(), 1).fields["temperature"].values[1]
    np.testing.assert_allclose(found, predicted, rtol=1e-5)


def test_samples_and_outputs_say_where_a_field_lies() -> None:
    on_cells = finite_volumes(square_mesh(3), 2)
    on_nodes = dataclasses.replace(HEAT, targets=(Field("temperature"),))
    with pytest.raises(
        PhysgtError, match=r"a: field 'temperature' lies on cells, .*--to-nodes, or"
    ):
        Samples({"a": on_cells}, on_nodes, lambda mesh: None)
    nodal = Trajectory.from_arrays(
        on_cells.mesh, np.arange(2.0), {"temperature": np.zeros((2, on_cells.mesh.num_points))}
    )
    with pytest.raises(PhysgtError, match=r"lies on nodes, but .* takes it on cells"):
        Samples({"a": nodal}, HEAT, lambda mesh: None)
    with pytest.raises(PhysgtError, match="'temperature' lies on cells, but this quantity is made"):
        probe(on_cells.mesh, HEAT, field="temperature", point=[0.5, 0.5])


CASE = """
name = "elbow"
[data]
train = "*.vtkhdf"
[task]
dt = 1.0
location = "cell"
[task.targets.U]
components = 2
[task.targets.p]
[task.forcings.nu]
value = 0.01
[boundary.velocity-inlet-5]
U = "held"
[model]
name = "meshgraphnet"
width = 16
blocks = 2
[training]
steps = 3
batch_size = 1
"""


def test_a_finite_volume_case_is_trained_rolled_out_scored_and_drawn_where_its_fields_are(
    shared_data: Path, tmp_path: Path
) -> None:
    with tarfile.open(shared_data / "files" / "openfoam_cases.tar.gz") as archive:
        archive.extractall(tmp_path / "cases", filter="data")
    convert(tmp_path / "cases" / "elbow", tmp_path / "elbow.vtkhdf")
    data = open_trajectory(tmp_path / "elbow.vtkhdf")
    (tmp_path / "case.toml").write_text(CASE.replace("dt = 1.0", f"dt = {data.times[1]:g}"))
    simulator = train(read_case(tmp_path / "case.toml"), {"elbow": data}, tmp_path / "run")
    prediction = rollout(simulator, data.initial(), 4, output=tmp_path / "out.vtkhdf")
    described = describe(tmp_path / "out.vtkhdf").fields
    assert {found.field.name: found.field.location for found in described} == {
        "U": "cell",
        "p": "cell",
    }
    grid = pv.read(tmp_path / "out.vtkhdf")
    assert grid.cell_data["p"].shape == (918,)
    assert grid.cell_data["U"].shape == (918, 3)
    inlet = cell_sites(data.mesh).nodes_of("velocity-inlet-5")
    velocity = prediction.fields["U"].values
    np.testing.assert_array_equal(velocity[-1, inlet], velocity[0, inlet])
    assert np.isfinite(score(prediction, data)["rmse"]).all()
    render(prediction, "p", tmp_path / "p.png", reference=data)
    assert (tmp_path / "p.png").stat().st_size > 10_000


def test_the_page_on_cells_shows_a_case_that_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "cells.md").read_text()
    (tmp_path / "case.toml").write_text(page.split("```toml\n")[1].split("```")[0])
    task = read_case(tmp_path / "case.toml").task()
    assert task.location == "cell"
    assert {field.location for field in task.targets} == {"cell"}
