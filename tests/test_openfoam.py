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
from physgt.datasets.convert import convert
from physgt.datasets.vtk_bridge import to_pyvista
from physgt.errors import PhysgtError
from physgt.faces import cell_faces, cell_graph
from physgt.mesh import Mesh
from physgt.trajectory import Trajectory

SMALL = Path(__file__).parent / "data" / "openfoam"
"""Cases that OpenFOAM made for these tests, see README.md there."""

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


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A copy of the small cases to damage."""
    return Path(shutil.copytree(SMALL, tmp_path / "small"))


def volumes(mesh: Mesh) -> np.ndarray:
    return np.abs(to_pyvista(mesh).compute_cell_sizes(length=False, area=False)["Volume"])


def sizes(sets: dict[str, np.ndarray]) -> dict[str, int]:
    return {name: len(ids) for name, ids in sets.items()}


def assert_same(found: Trajectory, expected: Trajectory) -> None:
    np.testing.assert_array_equal(found.times, expected.times)
    np.testing.assert_array_equal(found.mesh.points, expected.mesh.points)
    np.testing.assert_array_equal(cell_graph(found.mesh), cell_graph(expected.mesh))
    for kind in ("node_sets", "cell_sets"):
        sets, others = getattr(found.mesh, kind), getattr(expected.mesh, kind)
        assert set(sets) == set(others)
        for name, ids in sets.items():
            assert sorted(ids.tolist()) == sorted(others[name].tolist())
    for i in range(expected.num_times):
        for name, values in expected.frame(i).items():
            np.testing.assert_array_equal(found.frame(i)[name], values)


def test_polyhedra_fill_the_box_with_one_face_between_neighbours() -> None:
    mesh = open_trajectory(SMALL / "box").mesh
    # The dual of 3 x 2 x 2 cells has a cell for each of their corners; 3 * 2 * 2 m^3. VTK takes
    # polyhedra of six quadrilaterals for hexahedra.
    assert (mesh.num_cells, set(mesh.cell_types.tolist())) == (4 * 3 * 3, {12, 42})
    assert volumes(mesh).sum() == pytest.approx(12, rel=1e-6)
    # The file owner lists the 173 faces, and neighbour the 75 inner ones.
    faces = cell_faces(mesh)
    assert (faces.num_distinct, faces.on_boundary().sum()) == (173, 13 + 13 + 72)
    assert cell_graph(mesh).shape == (2, 2 * 75)


def test_patches_and_zones_are_sets_of_the_cells_at_them_and_of_their_points() -> None:
    mesh = open_trajectory(SMALL / "box").mesh
    assert (mesh.points[mesh.node_sets["inlet"], 0] == 0).all()
    centres = to_pyvista(mesh).cell_centers().points
    # The duals of the corners at x = 0 reach half a cell into the box.
    np.testing.assert_array_equal(
        np.sort(mesh.cell_sets["inlet"]), np.flatnonzero(centres[:, 0] < 0.5)
    )
    # As in the dictionaries that made the zones: cells up to x = 1.2, points along one edge.
    np.testing.assert_array_equal(
        np.sort(mesh.cell_sets["left"]), np.flatnonzero(centres[:, 0] < 1.2)
    )
    assert (mesh.points[mesh.node_sets["probes"], :2] <= 0.1).all()
    assert len(mesh.node_sets["probes"]) == (np.abs(mesh.points[:, :2]) <= 0.1).all(axis=1).sum()
    between = mesh.points[mesh.node_sets["middle"], 0]
    assert between.min() > 0.4
    assert between.max() < 2.1


def test_fields_on_polyhedra_are_those_of_the_file() -> None:
    frame = open_trajectory(SMALL / "box").frame(2)
    velocity = ascii_field(SMALL / "box" / "0.02" / "U").reshape(-1, 3)
    np.testing.assert_array_equal(frame["U"], velocity.astype(np.float32))


def test_binary_and_packed_files_and_processors_hold_the_same_case() -> None:
    box = open_trajectory(SMALL / "box")
    decomposed = open_trajectory(SMALL / "box_decomposed")
    assert_same(decomposed, box)
    assert decomposed.declared() == box.declared()  # units among them
    packed = open_trajectory(SMALL / "box_binary")
    assert sizes(dict(packed.mesh.cell_sets)) == sizes(dict(box.mesh.cell_sets))
    np.testing.assert_allclose(packed.mesh.points, box.mesh.points, atol=1e-6)
    np.testing.assert_allclose(packed.frame(1)["p"], box.frame(1)["p"], rtol=1e-5)


def test_processors_that_came_further_than_the_whole_case_are_read(small: Path) -> None:
    shutil.copytree(
        small / "box" / "constant" / "polyMesh", small / "box_decomposed" / "constant" / "polyMesh"
    )
    shutil.copytree(small / "box" / "0", small / "box_decomposed" / "0")
    assert open_trajectory(small / "box_decomposed").num_times == 3
    for time in ("0.01", "0.02"):
        for processor in range(3):
            shutil.rmtree(small / "box_decomposed" / f"processor{processor}" / time)
    shutil.rmtree(small / "box_decomposed" / "processor1")  # isn't looked at any more
    assert open_trajectory(small / "box_decomposed").num_times == 1


def test_parts_without_a_record_are_joined_where_their_points_coincide(small: Path) -> None:
    case = small / "box_decomposed"
    for record in case.glob("processor*/constant/polyMesh/*ProcAddressing*"):
        record.unlink()
    found, box = open_trajectory(case), open_trajectory(SMALL / "box")
    assert found.mesh.num_points == box.mesh.num_points
    assert cell_graph(found.mesh).shape == cell_graph(box.mesh).shape
    assert sizes(dict(found.mesh.node_sets)) == sizes(dict(box.mesh.node_sets))
    ours, theirs = (to_pyvista(t.mesh).cell_centers().points for t in (found, box))
    same = np.linalg.norm(ours[:, None] - theirs, axis=2).argmin(axis=1)
    np.testing.assert_array_equal(found.frame(2)["U"], box.frame(2)["U"][same])


def test_a_polyhedral_case_survives_conversion_and_vtk_reads_it(tmp_path: Path) -> None:
    convert(SMALL / "box_decomposed", tmp_path / "box.vtkhdf")
    assert_same(open_trajectory(tmp_path / "box.vtkhdf"), open_trajectory(SMALL / "box"))
    grid = pv.read(tmp_path / "box.vtkhdf")
    assert np.abs(grid.compute_cell_sizes()["Volume"]).sum() == pytest.approx(12, rel=1e-6)


def test_a_wedge_stays_in_space_and_its_collapsed_axis_is_no_side() -> None:
    wedge = open_trajectory(SMALL / "wedge")
    assert (wedge.mesh.dimension, wedge.mesh.num_cells) == (3, 12)
    assert sizes(dict(wedge.mesh.cell_sets)) == {
        "inlet": 3, "outlet": 3, "wall": 4, "back": 12, "front": 12,
    }  # fmt: skip


@pytest.mark.parametrize("case", ["box", "box_decomposed"])
def test_points_that_move_are_a_field(small: Path, case: str) -> None:
    for root in [small / case, *(small / case).glob("processor*")]:
        points = root / "constant" / "polyMesh" / "points"
        for time, scale in {"0.01": 1.5, "0.02": 2.0}.items() if points.is_file() else ():
            (root / time / "polyMesh").mkdir()
            text = re.sub(
                r"\n\((\S+) (\S+ \S+)\)", lambda m, s=scale: f"\n({s * float(m[1])} {m[2]})",
                points.read_text(),
            )  # fmt: skip
            (root / time / "polyMesh" / "points").write_text(text)
    found, still = open_trajectory(small / case), open_trajectory(SMALL / "box").mesh.points
    assert found.moving
    for i, scale in enumerate((1.0, 1.5, 2.0)):
        np.testing.assert_allclose(found.points_at(i), still * [scale, 1, 1], atol=1e-6)


def test_one_region_of_several_is_chosen_by_its_folder_or_by_a_file_of_its_name(
    small: Path,
) -> None:
    solid = open_trajectory(small / "regions" / "constant" / "solid")
    assert (solid.mesh.num_cells, solid.frame(0)["T"].tolist()) == (12, 12 * [400.0])
    (small / "regions" / "case{fluid}.foam").touch()
    fluid = open_trajectory(small / "regions" / "case{fluid}.foam")
    assert (fluid.mesh.num_cells, fluid.frame(0)["T"].tolist()) == (8, 8 * [300.0])
    assert [field.units for field in fluid.declared()] == ["K"]
    with pytest.raises(
        PhysgtError, match=r"has the regions fluid, solid\. Name one, as in .*fluid"
    ):
        open_trajectory(small / "regions")


def test_parts_that_are_missing_are_named(small: Path) -> None:
    case = small / "box_decomposed"
    shutil.rmtree(case / "processor1" / "0.02")
    with pytest.raises(PhysgtError, match="processor1 has 2 times, but processor0 3"):
        open_trajectory(case)
    shutil.rmtree(case / "processor2")
    with pytest.raises(PhysgtError, match="processor1 has a boundary to processor2, whose folder"):
        open_trajectory(case)
    shutil.rmtree(case / "processor1")
    (case / "processor0").rename(case / "processors3")
    with pytest.raises(PhysgtError, match=r"collated files.*reconstructPar"):
        open_trajectory(case)


def test_times_that_only_collated_files_have_are_not_passed_over(small: Path) -> None:
    case = small / "box"
    before = open_trajectory(case).num_times
    for name in ("0", "7"):
        (case / "processors2" / name).mkdir(parents=True)
    with pytest.raises(PhysgtError, match=r"collated files \(processors2\).*reconstructPar"):
        open_trajectory(case)
    (case / "processors2" / "7").rmdir()
    assert open_trajectory(case).num_times == before


@pytest.mark.parametrize("file", ["owner", "cellZones", "boundary"])
def test_a_damaged_list_is_named(small: Path, file: str) -> None:
    path = small / "box" / "constant" / "polyMesh" / file
    damaged = {
        "owner": lambda text: text[: text.rindex("31")],
        "cellZones": lambda text: text.replace("\n18\n", "\n19\n"),
        "boundary": lambda text: text.replace("startFace", "startFaces"),
    }[file]
    path.write_text(damaged(path.read_text()))
    with pytest.raises(PhysgtError, match=rf"{small}.*{file}"):
        open_trajectory(small / "box")


def test_a_field_of_another_size_is_named(small: Path) -> None:
    path = small / "box" / "0.01" / "p"
    path.write_text(re.sub(r"\n36\n\(\n[^\n]*\n", "\n35\n(\n", path.read_text()))
    with pytest.raises(PhysgtError, match="mesh = 36, field = 35 in p"):
        open_trajectory(small / "box")


@pytest.mark.parametrize(
    ("head", "value"), [('#includeEtc "caseDicts/setConstraintTypes"', "(0 0 0)"), ("", "$Uin")]
)
def test_a_start_that_vtk_cannot_expand_says_how_to_go_on(
    small: Path, head: str, value: str
) -> None:
    case = small / "box"
    (case / "0" / "U").write_text(
        "FoamFile { version 2.0; format ascii; class volVectorField; object U; }\nUin (1 0 0);\n"
        f"dimensions [0 1 -1 0 0 0 0]; internalField uniform {value};\n"
        f"boundaryField {{ {head}\n}}\n"
    )
    with pytest.raises(PhysgtError, match=r"box: VTK can't expand.*0/U.*rename the folder"):
        open_trajectory(case)
    (case / "0").rename(case / "0.orig")
    assert open_trajectory(case).times.tolist() == [0.01, 0.02]


def test_symmetric_tensors_have_vtks_order_whether_uniform_or_not(small: Path) -> None:
    case = small / "box"
    count = open_trajectory(case).mesh.num_cells
    row = "(1 2 3 4 5 6)"  # OpenFOAM's xx xy xz yy yz zz
    values = {
        "0": f"uniform {row}",
        "0.01": f"nonuniform List<symmTensor> {count}({' '.join([row] * count)})",
        "0.02": f"uniform {row}",
    }
    for time, told in values.items():
        (case / time / "R").write_text(
            "FoamFile { version 2.0; format ascii; class volSymmTensorField; object R; }\n"
            f"dimensions [0 2 -2 0 0 0 0]; internalField {told}; boundaryField {{}}\n"
        )
    trajectory = open_trajectory(case)
    for i in range(3):
        assert np.unique(trajectory.frame(i)["R"], axis=0).tolist() == [[1, 4, 6, 2, 5, 3]]
