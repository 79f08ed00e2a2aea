"""Written and read by physgt, and read by VTK's own reader as the judge."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import pickle
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
import pyvista as pv
import xarray as xr
from vtkmodules.vtkCommonDataModel import vtkPartitionedDataSet
from vtkmodules.vtkIOHDF import vtkHDFReader, vtkHDFWriter

import physgt
from cut_file import CutFile, chunk_nodes
from physgt.datasets.vtk_bridge import from_pyvista
from physgt.datasets.vtkhdf import VTKHDFWriter, read_vtkhdf, write_vtkhdf
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.task import Field
from physgt.trajectory import Trajectory
from sample_trajectories import SAMPLES, counted_frame, planar, planar_mesh, write_until_killed


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> Trajectory:
    return SAMPLES[request.param]()


@pytest.fixture
def planar_file(tmp_path: Path) -> Path:
    write_vtkhdf(planar(), tmp_path / "planar.vtkhdf")
    return tmp_path / "planar.vtkhdf"


def read_by_vtk(path: Path) -> Iterator[tuple[float, pv.UnstructuredGrid]]:
    """Each time and grid that VTK's reader finds, without going through physgt."""
    reader = vtkHDFReader()
    reader.SetFileName(str(path))
    reader.UpdateInformation()
    for step in range(reader.GetNumberOfSteps()):
        reader.SetStep(step)
        reader.Modified()
        reader.Update()
        yield reader.GetTimeValue(), pv.wrap(reader.GetOutputDataObject(0)).copy()


def assert_same_mesh(mesh: Mesh, expected: Mesh) -> None:
    for name in ("points", "connectivity", "offsets", "cell_types", "node_type"):
        np.testing.assert_array_equal(getattr(mesh, name), getattr(expected, name), strict=True)
    for name in ("node_sets", "cell_sets"):
        sets, expected_sets = getattr(mesh, name), getattr(expected, name)
        assert list(sets) == list(expected_sets)
        for key, ids in sets.items():
            np.testing.assert_array_equal(ids, expected_sets[key], strict=True)


def test_what_is_written_is_what_is_read_in_every_bit_type_unit_and_name(
    sample: Trajectory, tmp_path: Path
) -> None:
    write_vtkhdf(sample, tmp_path / "sample.vtkhdf")
    read = read_vtkhdf(tmp_path / "sample.vtkhdf")
    assert_same_mesh(read.mesh, sample.mesh)
    xr.testing.assert_identical(read.fields, sample.fields)
    assert set(read.declared()) == set(sample.declared())
    assert read.attributes == sample.attributes


def test_vtk_reads_at_every_time_the_very_numbers_that_were_written(
    sample: Trajectory, tmp_path: Path
) -> None:
    write_vtkhdf(sample, tmp_path / "sample.vtkhdf")
    read = list(read_by_vtk(tmp_path / "sample.vtkhdf"))
    np.testing.assert_array_equal([t for t, _ in read], sample.times)
    for i, (_, grid) in enumerate(read):
        np.testing.assert_array_equal(grid.celltypes, sample.mesh.cell_types)
        np.testing.assert_array_equal(grid.cell_connectivity, sample.mesh.connectivity)
        points = sample.points_at(i)
        np.testing.assert_array_equal(grid.points[:, : points.shape[1]], points)
        assert not grid.points[:, points.shape[1] :].any()
        np.testing.assert_array_equal(grid.point_data["node_type"], sample.mesh.node_type)
        for field in sample.declared():
            if field.name == "points":
                continue
            data = {"node": grid.point_data, "cell": grid.cell_data, "global": grid.field_data}
            found = np.asarray(data[field.location][field.name])
            expected = sample.frame(i)[field.name]
            assert found.dtype == expected.dtype
            if field.components == 2:
                assert not found[:, 2].any()
                found = found[:, :2]
            np.testing.assert_array_equal(found.reshape(expected.shape), expected)


def test_a_file_says_which_physgt_wrote_it_and_units_where_the_numbers_are(
    planar_file: Path,
) -> None:
    with h5py.File(planar_file) as file:
        assert file["physgt"].attrs["version"] == physgt.__version__
        assert file["VTKHDF/PointData/velocity"].attrs["units"] == "m/s"


@pytest.mark.parametrize("number", ["int8", "uint8", "int32", "int64", "uint64", "float32"])
def test_a_number_type_is_kept(number: str, tmp_path: Path) -> None:
    values = np.arange(10).reshape(2, 5).astype(number)
    write_vtkhdf(
        Trajectory.from_arrays(planar_mesh(), [0.0, 1.0], {"a": values}), tmp_path / "a.vtkhdf"
    )
    read = read_vtkhdf(tmp_path / "a.vtkhdf").fields["a"].values
    np.testing.assert_array_equal(read, values, strict=True)
    for i, (_, grid) in enumerate(read_by_vtk(tmp_path / "a.vtkhdf")):
        np.testing.assert_array_equal(np.asarray(grid.point_data["a"]), values[i], strict=True)


def test_a_process_killed_while_it_writes_leaves_every_complete_time_readable(
    tmp_path: Path,
) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["physgt.datasets.vtkhdf"])
    random = np.random.default_rng(5)
    for attempt in range(20):
        path = tmp_path / f"{attempt}.vtkhdf"
        num_complete = context.Value("i", 0, lock=False)
        process = context.Process(target=write_until_killed, args=(path, num_complete))
        process.start()
        while num_complete.value == 0 and process.is_alive():
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode == -9, "the writer failed before it was killed"
        trajectory = read_vtkhdf(path)
        # The one time that was complete on disk may not have been reported any more.
        assert trajectory.num_times - num_complete.value in (0, 1)
        by_vtk = list(read_by_vtk(path))
        assert len(by_vtk) == trajectory.num_times
        for i, (_, grid) in enumerate(by_vtk):
            expected = counted_frame(i, 700)
            frame = trajectory.frame(i)
            np.testing.assert_array_equal(frame["a"], expected)
            np.testing.assert_array_equal(frame["b"][:, 1], -expected.astype(np.float32))
            np.testing.assert_array_equal(grid.point_data["a"], expected)


def whole_times(path: Path) -> int:
    """The number of times of a file of counted values."""
    with h5py.File(path, locking=False) as file:
        times = file["VTKHDF/Steps/Values"][:]
        n = len(times)
        assert file["VTKHDF/Steps"].attrs["NSteps"] == n
        np.testing.assert_array_equal(times, np.arange(n))
        rows = slice(0, 5 * n, 5)
        for found in (
            file["VTKHDF/PointData/a"][rows],
            file["VTKHDF/Points"][rows, 1],
            file["VTKHDF/FieldData/b"][:n],
            file["VTKHDF/Steps/PointOffsets"][:n] / 5,
        ):
            np.testing.assert_array_equal(found, times)
    return n


COUNTED = [Field("points", 2), Field("a"), Field("b", location="global")]


def append_counted(writer: VTKHDFWriter, number: int) -> None:
    values = np.full(5, number, np.float32)
    points = np.stack([values, values], axis=1)
    writer.append(number, {"points": points, "a": values, "b": values[0]})


@pytest.fixture
def whole_after_each_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PageReader:
    monkeypatch.setattr(io, "FileIO", CutFile)
    return PageReader(tmp_path / "copy")


class PageReader:
    """Reads a copy of the file after each page that is written within `with`."""

    def __init__(self, copy: Path) -> None:
        self.copy, self.found = copy, list[int]()

    def __enter__(self) -> list[int]:
        """The numbers of whole times."""
        self.found.clear()
        CutFile.after_write = self.read
        return self.found

    def __exit__(self, *error: object) -> None:
        CutFile.after_write = None

    def read(self, path: Path) -> None:
        shutil.copyfile(path, self.copy)
        self.found.append(whole_times(self.copy))


@pytest.mark.parametrize("shift", range(0, 16, 2))
def test_whichever_page_is_the_last_that_is_written_the_file_can_be_read_and_its_times_are_whole(
    shift: int, tmp_path: Path, whole_after_each_page: PageReader
) -> None:
    path = tmp_path / "written.vtkhdf"
    # Its size moves what is created behind it in the file.
    constant = Field("c", 256 + 32 * shift, location="global", dtype="float64")
    static = {constant: np.zeros(constant.components)}
    # HDF5 divides a node that finds chunks where it has 64.
    read_while_written = {0, 1, 63, 64}
    with VTKHDFWriter(path, planar_mesh(), COUNTED, static=static) as writer:
        for number in range(65):
            if number not in read_while_written:
                append_counted(writer, number)
                continue
            with whole_after_each_page as found:
                append_counted(writer, number)
            assert set(found) == {number, number + 1}
            assert len(found) > 8
    nodes = chunk_nodes(path)
    assert {level for _, level in nodes} == {0, 1}
    # A root that is divided keeps its head, of 24 bytes, and two entries, of 40, and a key.
    assert all(place % 4096 <= 4096 - 136 for place, _ in nodes)


def test_tables_of_rows_grow_before_the_times_that_need_them(
    tmp_path: Path, whole_after_each_page: PageReader
) -> None:
    with VTKHDFWriter(tmp_path / "long.vtkhdf", planar_mesh(), COUNTED) as writer:
        for number in range(1024):
            append_counted(writer, number)
        with whole_after_each_page as found:
            append_counted(writer, 1024)
    assert set(found) == {1024, 1025}


def test_a_file_that_is_gone_on_with_is_whole_while_its_last_times_are_dropped_and_written_anew(
    tmp_path: Path, whole_after_each_page: PageReader
) -> None:
    path = tmp_path / "resumed.vtkhdf"
    with VTKHDFWriter(path, planar_mesh(), COUNTED) as writer:
        for number in range(70):
            append_counted(writer, number)
    with (
        whole_after_each_page as found,
        VTKHDFWriter.reopen(path, planar_mesh(), COUNTED, 50) as writer,
    ):
        # What tells the number of times is written first where they get less.
        assert set(found) == {50}
        for number in range(50, 66):
            append_counted(writer, number)
    assert set(found) == set(range(50, 67))
    assert whole_times(path) == 66


def test_a_full_disk_ends_in_an_error_and_keeps_the_whole_times(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path, numbers = tmp_path / "full.vtkhdf", np.random.default_rng(0).random((50, 5))
    frames = [{"a": values} for values in numbers]
    with VTKHDFWriter(path, planar_mesh(), [Field("a")]) as writer:
        for i in range(20):
            writer.append(i, frames[i])
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 200, before[1]))
        with contextlib.suppress(PhysgtError):
            for i in range(20, 50):
                writer.append(i, frames[i])
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        with pytest.raises(PhysgtError, match=r"full\.vtkhdf: can't be written: .* whole times"):
            writer.append(50, frames[0])
        num_times = writer.num_times
    found = read_vtkhdf(path)
    assert 20 < found.num_times == num_times < 50
    np.testing.assert_array_equal(found.fields["a"].values, numbers[:num_times].astype("f4"))


def test_the_number_of_times_and_the_times_change_by_one_write(planar_file: Path) -> None:
    # VTK's reader overruns its memory where there are more times than it is told. HDF5 writes
    # metadata that lies side by side at once, so a killed process leaves both old or both new.
    with h5py.File(planar_file) as file:
        steps = h5py.h5o.get_info(file["VTKHDF/Steps"].id)
        values = h5py.h5o.get_info(file["VTKHDF/Steps/Values"].id)
        assert file["VTKHDF/Steps/Values"].shape == (file["VTKHDF/Steps"].attrs["NSteps"],)
    assert steps.hdr.nchunks == values.hdr.nchunks == 1
    assert values.addr == steps.addr + steps.hdr.space.total
    assert values.addr + values.hdr.space.total < 4096


def test_a_file_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "live.vtkhdf"
    with VTKHDFWriter(path, planar_mesh(), [Field("a")]) as writer:
        writer.append(0.0, {"a": np.zeros(5)})
        writer.append(1.0, {"a": np.ones(5)})
        assert [t for t, _ in read_by_vtk(path)] == [0.0, 1.0]
        early = read_vtkhdf(path)
        writer.append(2.0, {"a": np.full(5, 2.0)})
        later = read_vtkhdf(path)
        assert early.num_times == 2
        np.testing.assert_array_equal(early.frame(1)["a"], np.ones(5))
        np.testing.assert_array_equal(later.frame(2)["a"], np.full(5, 2.0))


def test_what_another_process_has_written_meanwhile_does_not_confuse_old_frames(
    tmp_path: Path,
) -> None:
    path = tmp_path / "live.vtkhdf"
    context = multiprocessing.get_context("forkserver")
    num_complete = context.Value("i", 0, lock=False)
    process = context.Process(target=write_until_killed, args=(path, num_complete))
    process.start()
    try:
        while num_complete.value < 2 and process.is_alive():
            time.sleep(0.001)
        early = read_vtkhdf(path)
        for _ in range(10):
            seen = num_complete.value
            later = read_vtkhdf(path)
            assert later.num_times >= seen
            for trajectory, index in ((early, 0), (early, -1), (later, 0), (later, -1)):
                number = index % trajectory.num_times
                found = trajectory.frame(index)["a"]
                np.testing.assert_array_equal(found, counted_frame(number, 700))
    finally:
        process.kill()
        process.join()


def test_reading_one_frame_of_ten_thousand_reads_one_frame(tmp_path: Path) -> None:
    counter = Path("/proc/self/io")
    if not counter.exists():
        pytest.skip("needs Linux to count the bytes that a process reads")
    path, num_times = tmp_path / "long.vtkhdf", 10_000
    mesh = Mesh.from_blocks(np.random.default_rng(0).random((300, 2)), [("line", [[0, 1]])])
    with VTKHDFWriter(path, mesh, [Field("a")]) as writer:
        writer.append(0.0, {"a": np.zeros(300)})
    values = np.random.default_rng(1).random((num_times, 300), dtype=np.float32)
    with h5py.File(path, "r+") as file:  # as 10,000 calls of append would, but in a second
        for name, rows in (
            ("VTKHDF/PointData/a", values.ravel()),
            ("VTKHDF/Steps/Values", np.arange(num_times)),
            ("VTKHDF/Steps/NodeRows", 300 * np.arange(num_times)),
            ("VTKHDF/Steps/PartOffsets", np.zeros(num_times)),
            ("VTKHDF/Steps/NumberOfParts", np.ones(num_times)),
        ):
            file[name].resize(len(rows), axis=0)
            file[name][:] = rows
        file["VTKHDF/Steps"].attrs.modify("NSteps", num_times)

    def bytes_read() -> int:
        return int(counter.read_text().split()[1])

    trajectory = read_vtkhdf(path)
    assert trajectory.num_times == num_times
    trajectory.frame(0)
    before = bytes_read()
    frame = trajectory.frame(7321)["a"]
    taken = bytes_read() - before
    np.testing.assert_array_equal(frame, values[7321])
    # A frame is 1200 bytes; the rest are the nodes of HDF5's tree that lead to it.
    assert taken < 50_000 < path.stat().st_size / 100
    np.testing.assert_array_equal(
        trajectory.fields["a"][5000:5010:3, 17].values, values[5000:5010:3, 17]
    )


def test_far_more_trajectories_can_be_open_than_files(tmp_path: Path) -> None:
    for i in range(6):
        write_vtkhdf(planar(), tmp_path / f"{i}.vtkhdf")
    with xr.set_options(file_cache_maxsize=2):
        trajectories = [read_vtkhdf(tmp_path / f"{i}.vtkhdf") for i in range(6)]
        for _ in range(2):
            for trajectory in trajectories:
                xr.testing.assert_identical(trajectory.fields, planar().fields)
        open_files = [link for link in Path("/proc/self/fd").iterdir() if link.exists()]
        names = {link.resolve().name for link in open_files}
        assert len(names & {f"{i}.vtkhdf" for i in range(6)}) <= 2


def test_a_lazy_trajectory_goes_to_another_process_as_its_path(planar_file: Path) -> None:
    trajectory = read_vtkhdf(planar_file)
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        frame = pool.submit(trajectory.frame, 2).result()
    np.testing.assert_array_equal(frame["velocity"], planar().frame(2)["velocity"])
    assert "velocity" in pickle.loads(pickle.dumps(trajectory)).fields


def test_overwriting_a_file_leaves_an_open_trajectory_of_it_as_it_was(planar_file: Path) -> None:
    before = read_vtkhdf(planar_file)
    write_vtkhdf(before.select(slice(1, 3)), planar_file)
    assert read_vtkhdf(planar_file).num_times == 2
    np.testing.assert_array_equal(before.frame(3)["velocity"], planar().frame(3)["velocity"])


def test_a_failed_write_leaves_the_old_file_and_nothing_else(planar_file: Path) -> None:
    def fail_at_second(index: int) -> dict[str, np.ndarray]:
        if index == 1:
            raise KeyboardInterrupt
        return {"a": np.zeros(5)}

    interrupted = Trajectory.from_frames(planar_mesh(), [0.0, 1.0], [Field("a")], fail_at_second)
    content = planar_file.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write_vtkhdf(interrupted, planar_file)
    assert planar_file.read_bytes() == content
    assert list(planar_file.parent.iterdir()) == [planar_file]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (Field("time"), "rename"),
        (Field("U/mean"), "rename"),
        (Field("mask", dtype="bool"), "mask.*bool.*convert"),
        (Field("half", dtype="float16"), "half.*float16.*convert"),
    ],
)
def test_a_field_that_the_format_cannot_hold_is_refused_by_name(
    field: Field, message: str, tmp_path: Path
) -> None:
    with pytest.raises(PhysgtError, match=message):
        VTKHDFWriter(tmp_path / "a.vtkhdf", planar_mesh(), [field])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("when", "values", "message"),
    [
        (1.0, {}, "no field 'a'"),
        (1.0, {"a": np.zeros(4)}, r"'a'.*\(5,\).*\(4,\)"),
        (1.0, {"a": np.zeros((5, 2))}, r"'a'.*\(5,\).*\(5, 2\)"),
        (1.0, {"a": np.zeros(5, dtype=complex)}, "float32.*complex"),
        (0.5, {"a": np.zeros(5)}, "0.5 s.*0.5 s"),
        (np.nan, {"a": np.zeros(5)}, "finite"),
    ],
)
def test_a_wrong_frame_is_refused_and_the_file_goes_on(
    when: float, values: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.vtkhdf"
    with VTKHDFWriter(path, planar_mesh(), [Field("a")]) as writer:
        writer.append(0.5, {"a": np.zeros(5)})
        with pytest.raises(PhysgtError, match=message):
            writer.append(when, values)
        writer.append(2.0, {"a": np.ones(5)})
    np.testing.assert_array_equal(read_vtkhdf(path).times, [0.5, 2.0])


def test_unreadable_files_are_refused_with_their_name_and_the_reason(
    planar_file: Path, tmp_path: Path
) -> None:
    content = planar_file.read_bytes()
    broken = tmp_path / "broken.vtkhdf"

    def refusal(match: str) -> None:
        with pytest.raises(PhysgtError, match=rf"^\S*broken.vtkhdf: .*{match}"):
            read_vtkhdf(broken)

    refusal("no such file")
    for cut in (0, 3, 1000, len(content) // 2, len(content) - 1):
        broken.write_bytes(content[:cut])
        refusal("not an HDF5 file" if cut < 8 else "truncated")
    broken.write_text("VTKHDF, honestly")
    refusal("not an HDF5 file")
    with h5py.File(broken, "w") as file:
        file["fields/velocity"] = [0.0]
    refusal(r"without the group /VTKHDF; it holds \['fields'\]")
    with h5py.File(broken, "w") as file:
        file.create_group("VTKHDF").attrs["Type"] = np.bytes_("ImageData")
    refusal("type ImageData, expected UnstructuredGrid")
    with h5py.File(broken, "w") as file:
        file.create_group("VTKHDF").attrs["Type"] = np.bytes_("UnstructuredGrid")
    refusal("incomplete VTKHDF file")
    VTKHDFWriter(broken, planar_mesh(), [Field("a")]).close()
    refusal("no time is complete")


def test_a_field_shorter_than_its_times_is_refused(planar_file: Path) -> None:
    with h5py.File(planar_file, "r+") as file:
        file["VTKHDF/PointData/velocity"].resize(12, axis=0)
    with pytest.raises(PhysgtError, match=r"'velocity' has 12 rows.*4 times.*need 20"):
        read_vtkhdf(planar_file)


def test_a_file_by_another_program_without_times_is_one_time(shared_data: Path) -> None:
    path = shared_data / "files/vtk/can-vtu.hdf"
    trajectory = read_vtkhdf(path)
    mesh, point_data, cell_data = from_pyvista(pv.read(path))
    assert trajectory.num_times == 1
    assert_same_mesh(trajectory.mesh, mesh)
    for name, values in {**point_data, **cell_data}.items():
        np.testing.assert_array_equal(trajectory.frame(0)[name], values, strict=True)


def write_by_vtk(path: Path, source: vtkPartitionedDataSet | str) -> None:
    writer = vtkHDFWriter()
    if isinstance(source, str):
        reader = vtkHDFReader()
        reader.SetFileName(source)
        writer.SetInputConnection(reader.GetOutputPort())
        writer.SetWriteAllTimeSteps(True)
    else:
        writer.SetInputData(source)
    writer.SetFileName(str(path))
    writer.Write()


def test_a_series_that_vtk_wrote_is_read_moving_or_not(sample: Trajectory, tmp_path: Path) -> None:
    write_vtkhdf(sample, tmp_path / "ours.vtkhdf")
    write_by_vtk(tmp_path / "theirs.vtkhdf", str(tmp_path / "ours.vtkhdf"))
    read = read_vtkhdf(tmp_path / "theirs.vtkhdf")
    assert read.num_times == sample.num_times
    assert read.moving == sample.moving
    assert read.mesh.dimension == sample.mesh.dimension
    for i in range(sample.num_times):
        np.testing.assert_array_equal(read.points_at(i), sample.points_at(i))
        for field in sample.declared():
            if field.name == "points":
                continue
            found, expected = read.frame(i)[field.name], sample.frame(i)[field.name]
            found = found[:, :2] if field.components == 2 else found
            np.testing.assert_array_equal(found, expected)


def test_a_grid_in_several_parts_is_refused(tmp_path: Path) -> None:
    parts = vtkPartitionedDataSet()
    parts.SetPartition(0, pv.Plane().cast_to_unstructured_grid())
    parts.SetPartition(1, pv.Sphere().cast_to_unstructured_grid())
    write_by_vtk(tmp_path / "parts.vtkhdf", parts)
    with pytest.raises(PhysgtError, match=r"2 parts; merge"):
        read_vtkhdf(tmp_path / "parts.vtkhdf")
