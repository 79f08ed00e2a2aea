"""OpenFOAM cases, against their own files read by hand and against VTK's filters."""

import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import pyvista as pv

from physgt.datasets import open_trajectory
from physgt.datasets.cells_to_nodes import cells_to_nodes
from physgt.errors import PhysgtError

THICKNESS = 2 * 0.9377383


@pytest.fixture(scope="module")
def cases(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openfoam")
    with tarfile.open(shared_data / "files" / "openfoam_cases.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def elbow(cases: Path, tmp_path: Path) -> Path:
    """A copy of the case `elbow` to damage."""
    return Path(shutil.copytree(cases / "elbow", tmp_path / "elbow"))


def ascii_field(file: Path) -> np.ndarray:
    """The numbers between the outer parentheses of an internalField."""
    text = file.read_text()
    numbers = re.search(r"internalField\s+nonuniform List<\w+>\s*\d+\s*\((.*?)\)\s*;", text, re.S)
    assert numbers
    return np.array(re.sub(r"[()]", " ", numbers[1]).split(), dtype=float)


def binary_field(file: Path, components: int) -> np.ndarray:
    data = file.read_bytes()
    head = re.search(rb"internalField\s+nonuniform List<\w+>\s*(\d+)\s*\(", data)
    assert head
    return np.frombuffer(data, "<f8", int(head[1]) * components, head.end())


def triangle_areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b = points[triangles[:, 1:]].transpose(1, 0, 2) - points[triangles[:, 0]]
    return (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2


def vtk_output(case: Path, time: float) -> pv.UnstructuredGrid:
    reader = pv.POpenFOAMReader(case / "system" / "controlDict")
    reader.skip_zero_time = False
    reader.cell_to_point_creation = False
    reader.set_active_time_value(time)
    return reader.read()["internalMesh"]


def test_a_two_dimensional_case_becomes_the_front_of_its_prisms_with_all_its_times(
    cases: Path,
) -> None:
    elbow = open_trajectory(cases / "elbow")
    assert (elbow.mesh.num_cells, elbow.mesh.dimension) == (918, 2)
    assert elbow.times.tolist() == list(range(11))
    cylinder = open_trajectory(cases / "cyl")
    assert (cylinder.mesh.num_cells, cylinder.mesh.dimension) == (5443, 2)
    np.testing.assert_allclose(cylinder.times, [0, *np.linspace(5, 7, 21)])


def test_patches_become_node_sets_and_open_ones_have_one_node_more_than_faces(cases: Path) -> None:
    sets = {n: len(ids) for n, ids in open_trajectory(cases / "cyl").mesh.node_sets.items()}
    # Faces from constant/polyMesh/boundary; the cylinder is closed, the walls are two lines.
    assert sets == {"walls": 187 + 2, "inlet": 19 + 1, "outlet": 18 + 1, "cylinder": 53}


def test_nodes_of_a_patch_lie_where_the_patch_is(cases: Path) -> None:
    mesh = open_trajectory(cases / "cyl").mesh
    assert (mesh.points[mesh.node_sets["inlet"], 0] == 0).all()
    assert np.isin(mesh.points[mesh.node_sets["walls"], 1], [0, np.float32(0.41)]).all()
    radius = np.linalg.norm(mesh.points[mesh.node_sets["cylinder"]] - [0.2, 0.2], axis=1)
    np.testing.assert_allclose(radius, 0.05, rtol=1e-4)


def test_the_front_covers_the_channel_less_the_polygon_around_the_cylinder(cases: Path) -> None:
    mesh = open_trajectory(cases / "cyl").mesh
    areas = triangle_areas(mesh.points, mesh.connectivity.reshape(-1, 3))
    polygon = 53 / 2 * 0.05**2 * np.sin(2 * np.pi / 53)
    assert (areas > 0).all()
    assert areas.sum() == pytest.approx(2.2 * 0.41 - polygon, rel=1e-5)


def test_face_i_of_the_front_is_cell_i_of_the_layer(cases: Path) -> None:
    mesh, layer = open_trajectory(cases / "elbow").mesh, vtk_output(cases / "elbow", 0.0)
    faces = mesh.connectivity.reshape(-1, 3)
    centres = layer.cell_centers().points
    np.testing.assert_allclose(mesh.points[faces].mean(axis=1), centres[:, :2], atol=1e-4)
    # The sign of a wedge's volume tells on which side VTK starts to count its nodes.
    volumes = np.abs(layer.compute_cell_sizes(length=False, area=False)["Volume"])
    areas = triangle_areas(mesh.points, faces)
    np.testing.assert_allclose(areas * THICKNESS, volumes, rtol=1e-3)


def test_ascii_and_binary_values_are_those_in_the_files(cases: Path) -> None:
    elbow = open_trajectory(cases / "elbow")
    for i in (1, 5, 10):
        frame, folder = elbow.frame(i), cases / "elbow" / str(i)
        velocity = ascii_field(folder / "U").reshape(-1, 3)[:, :2]
        np.testing.assert_array_equal(frame["U"], velocity.astype(np.float32))
        np.testing.assert_array_equal(frame["p"], ascii_field(folder / "p").astype(np.float32))
    frame = open_trajectory(cases / "cyl").frame(6)
    velocity = binary_field(cases / "cyl" / "5.5" / "U", 3).reshape(-1, 3)[:, :2]
    np.testing.assert_array_equal(frame["U"], velocity.astype(np.float32))
    pressure = binary_field(cases / "cyl" / "5.5" / "p", 1)
    np.testing.assert_array_equal(frame["p"], pressure.astype(np.float32))


def test_fields_stay_on_cells_with_planar_vectors_and_the_units_of_their_files(
    cases: Path,
) -> None:
    fields = {f.name: f for f in open_trajectory(cases / "elbow").declared()}
    assert (fields["U"].location, fields["U"].components, fields["U"].units) == (
        "cell", 2, "m s^-1",
    )  # fmt: skip
    assert (fields["p"].components, fields["p"].units) == (1, "m^2 s^-2")


def test_node_values_are_vtks_means_over_the_cells_around(cases: Path) -> None:
    ours = cells_to_nodes(open_trajectory(cases / "elbow"))
    theirs = vtk_output(cases / "elbow", 10.0).cell_data_to_point_data()
    front = theirs.points[:, 2] > 0
    assert {f.location for f in ours.declared()} == {"node"}
    np.testing.assert_allclose(ours.frame(10)["U"], theirs["U"][front, :2], atol=1e-5)


def test_a_foam_file_and_a_decomposed_case_mean_the_same_case(elbow: Path) -> None:
    whole = open_trajectory(elbow)
    (elbow / "empty.foam").touch()
    by_file = open_trajectory(elbow / "empty.foam")
    np.testing.assert_array_equal(by_file.frame(3)["U"], whole.frame(3)["U"])
    expected, sets = whole.frame(3)["U"], whole.mesh.node_sets
    (elbow / "processor0").mkdir()
    shutil.move(elbow / "constant", elbow / "processor0")
    for time in range(11):
        shutil.move(elbow / str(time), elbow / "processor0")
    decomposed = open_trajectory(elbow)
    np.testing.assert_array_equal(decomposed.frame(3)["U"], expected)
    assert {name: len(ids) for name, ids in decomposed.mesh.node_sets.items()} == {
        name: len(ids) for name, ids in sets.items()
    }


@pytest.mark.parametrize("file", ["5/U", "constant/polyMesh/points", "constant/polyMesh/faces"])
def test_a_truncated_file_is_an_error_that_names_the_case(
    elbow: Path, file: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = (elbow / file).read_bytes()
    (elbow / file).write_bytes(data[: len(data) // 2])
    with pytest.raises(PhysgtError, match=f"{elbow}.*truncated or damaged"):
        open_trajectory(elbow).frame(5)
    assert capfd.readouterr().err == ""


def test_a_field_that_a_time_lacks_is_named_with_the_time(elbow: Path) -> None:
    (elbow / "5" / "p").unlink()
    with pytest.raises(PhysgtError, match=r"time number 5 \(5 s\) there is no field 'p'"):
        open_trajectory(elbow).frame(5)


def test_a_case_without_boundary_has_no_cells_and_one_without_times_is_its_mesh(
    cases: Path, elbow: Path
) -> None:
    boundary = "constant/polyMesh/boundary"
    (elbow / boundary).unlink()
    with pytest.raises(PhysgtError, match=f"{elbow}: the mesh is empty"):
        open_trajectory(elbow)
    shutil.copy(cases / "elbow" / boundary, elbow / boundary)
    for time in range(11):
        shutil.rmtree(elbow / str(time))
    trajectory = open_trajectory(elbow)
    assert (trajectory.mesh.num_cells, trajectory.num_times, trajectory.declared()) == (918, 1, [])
