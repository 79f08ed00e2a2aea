"""From what users bring to storage: streamed, checked, whole or not at all."""

import shutil
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from physgt.datasets import open_trajectory
from physgt.datasets.convert import convert
from physgt.datasets.vtkhdf import write_vtkhdf
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, NodeType
from physgt.task import Field
from physgt.trajectory import Trajectory

SOURCES = {
    "elbow": "files/openfoam_cases.tar.gz",
    "cyl": "files/openfoam_cases.tar.gz",
    "series": "files/cylinder_flow/cylinder_*.vtu",
    "xdmf": "files/cylinder_flow/mock.xdmf",
    "exodus": "files/exodus/mug.e",
    "hyperslabs": "solver/heat/traj_100.xdmf",
}


@pytest.fixture
def plate() -> Trajectory:
    """Ten times on two triangles; `p` is nan at time number 4 on node 2."""
    points = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=float)
    mesh = Mesh.from_blocks(
        points,
        [("triangle", np.array([[0, 1, 2], [0, 2, 3]]))],
        node_sets={"left": [0, 3]},
    )
    p = np.arange(40.0).reshape(10, 4)
    p[4, 2] = np.nan
    return Trajectory.from_arrays(
        mesh,
        0.1 * np.arange(10),
        {"p": p, "u": np.ones((10, 4, 2)), "q": np.ones((10, 4))},
        cell_fields={"heat": np.tile([2.0, 4.0], (10, 1))},
        static={"nu": 0.001},
        attributes={"solver": "by hand"},
    )


@pytest.fixture
def source(plate: Trajectory, tmp_path: Path) -> Path:
    write_vtkhdf(plate, tmp_path / "plate.vtkhdf")
    return tmp_path / "plate.vtkhdf"


@pytest.mark.parametrize("name", SOURCES)
def test_what_users_bring_is_in_storage_what_the_reader_gives(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    path = shared_data / SOURCES[name]
    if path.name.endswith(".tar.gz"):
        with tarfile.open(path) as archive:
            archive.extractall(tmp_path, filter="data")
        path = tmp_path / name
    expected = open_trajectory(path)
    found = open_trajectory(convert(path, tmp_path / "out" / f"{name}.vtkhdf"))
    np.testing.assert_array_equal(found.times, expected.times)
    np.testing.assert_array_equal(found.mesh.points, expected.mesh.points)
    np.testing.assert_array_equal(found.mesh.connectivity, expected.mesh.connectivity)
    assert found.mesh.node_sets.keys() == expected.mesh.node_sets.keys()
    assert found.declared() == expected.declared()
    assert found.attributes["source"] == path.name
    for i in range(0, expected.num_times, 5):
        for field, values in expected.frame(i).items():
            np.testing.assert_array_equal(found.frame(i)[field], values)


def test_fields_times_node_types_and_the_unit_of_time_are_chosen(source: Path) -> None:
    found = open_trajectory(
        convert(
            source,
            source.with_name("out.vtkhdf"),
            fields=["u", "nu"],
            node_type=["set:left=INFLOW", "x>0.9 and y>0.9=OUTFLOW"],
            start=0.2,
            stop=0.45,
            time_unit=0.5,
        )
    )
    assert [f.name for f in found.declared()] == ["u", "nu"]
    np.testing.assert_allclose(found.times, [0.2, 0.25, 0.3, 0.35, 0.4, 0.45])
    assert found.mesh.node_type.tolist() == [NodeType.INFLOW, 0, NodeType.OUTFLOW, NodeType.INFLOW]
    assert found.attributes["solver"] == "by hand"


def test_cell_fields_go_to_nodes_where_asked(source: Path) -> None:
    output = source.with_name("out.vtkhdf")
    found = open_trajectory(convert(source, output, fields=["heat"], to_nodes=True))
    assert found.declared() == [Field("heat", dtype="float64")]
    assert found.frame(9)["heat"].tolist() == [3, 2, 3, 4]


def test_the_ending_of_the_output_chooses_an_export(source: Path) -> None:
    output = convert(source, source.with_name("out.pvd"), fields=["q", "heat"])
    found = open_trajectory(output)
    np.testing.assert_allclose(found.times, 0.1 * np.arange(10))
    assert {f.name: f.location for f in found.declared()} == {"q": "node", "heat": "cell"}


def test_progress_counts_the_times(source: Path) -> None:
    seen: list[tuple[int, int]] = []
    convert(
        source, source.with_name("out.vtkhdf"), fields=["q"], progress=lambda *n: seen.append(n)
    )
    assert seen == [(i, 10) for i in range(1, 11)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"plate\.vtkhdf: at time number 4 \(0\.4 s\) field 'p' is nan .* first at number 2"),
        ({"fields": ["temperature"]}, r"plate\.vtkhdf: no field 'temperature'; it has \['p', "),
        ({"node_type": ["set:right=WALL_BOUNDARY"]}, r"plate\.vtkhdf: .*no node set 'right'"),
        ({"start": 7.0}, r"plate\.vtkhdf: no time from 7 to inf s; its times are 0 to 0\.9 s"),
        ({"time_unit": -1.0}, r"time_unit = -1, expected seconds greater than 0"),
    ],
)
def test_bad_input_is_told_in_one_line_and_leaves_the_old_output_as_it_was(
    source: Path, options: dict, message: str
) -> None:
    output = source.with_name("out.vtkhdf")
    output.write_text("of yesterday")
    with pytest.raises(PhysgtError, match=message) as error:
        convert(source, output, **options)
    assert "\n" not in str(error.value)
    assert output.read_text() == "of yesterday"
    assert sorted(path.name for path in source.parent.iterdir()) == ["out.vtkhdf", "plate.vtkhdf"]


def test_a_field_that_is_not_there_at_all_times_is_told_from_one_that_is_not_there(
    shared_data: Path, tmp_path: Path
) -> None:
    with tarfile.open(shared_data / SOURCES["elbow"]) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "elbow" / "0" / "p").unlink()
    with pytest.raises(PhysgtError, match="field 'p' is not there at all times"):
        convert(tmp_path / "elbow", tmp_path / "out.vtkhdf", fields=["p"])
    shutil.rmtree(tmp_path / "elbow" / "0")
    convert(tmp_path / "elbow", tmp_path / "out.vtkhdf", fields=["p"])


def test_memory_does_not_grow_with_the_number_of_times(tmp_path: Path) -> None:
    frame = np.zeros(10_000)
    points = np.random.default_rng(0).random((len(frame), 3))
    mesh = Mesh.from_blocks(points, [("tetra", np.arange(len(frame)).reshape(-1, 4))])
    peaks = []
    for times in (4, 4, 40):
        source = Trajectory.from_frames(
            mesh, np.arange(times), [Field("p", dtype="float64")], lambda i: {"p": frame + i}
        )
        write_vtkhdf(source, tmp_path / "source.vtkhdf")
        tracemalloc.start()
        convert(tmp_path / "source.vtkhdf", tmp_path / "out.vtkhdf")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The first run imports modules; 36 more times would be 2.9 MB.
    assert peaks[2] < peaks[1] + 2 * frame.nbytes
