"""Sources read by a process of their own."""

import pickle
import threading
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
import pytest
import pyvista as pv
import xarray as xr

from physgt import Trajectory
from physgt.datasets import isolation, open_trajectory
from physgt.errors import PhysgtError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A series of three times."""
    for i in range(3):
        save_flow(tmp_path, i)
    return tmp_path


def save_flow(folder: Path, i: int, dimensions: tuple[int, int, int] = (3, 3, 2)) -> None:
    grid = pv.ImageData(dimensions=dimensions).cast_to_unstructured_grid()
    grid["p"] = np.arange(grid.n_points, dtype=float) + 100 * i
    grid["u"] = np.ones((grid.n_points, 3), dtype=np.float32) * i
    grid.cell_data["material"] = np.arange(grid.n_cells)
    grid.field_data["load"] = [0.5 * i]
    grid.save(folder / f"flow_{i}.vtu")


def readers() -> list[psutil.Process]:
    """The last is the latest."""
    found = [child for server in psutil.Process().children() for child in server.children()]
    return sorted(found, key=psutil.Process.create_time)


def kill_readers() -> None:
    found = readers()
    assert found
    for reader in found:
        reader.kill()
    psutil.wait_procs(found)


def test_a_process_of_its_own_gives_what_this_one_would(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = open_trajectory(folder)
    monkeypatch.setenv(isolation.IN_PROCESS, "1")
    here = open_trajectory(folder)
    xr.testing.assert_identical(apart.to_xarray().load(), here.to_xarray().load())
    assert apart.declared() == here.declared()
    np.testing.assert_array_equal(apart.mesh.connectivity, here.mesh.connectivity)


def test_a_reader_that_dies_is_an_error_that_names_the_source_and_the_next_request_starts_another(
    folder: Path,
) -> None:
    trajectory = open_trajectory(folder)
    kill_readers()
    with pytest.raises(PhysgtError, match=rf"{folder.name}: can't be read.*the reader crashed"):
        trajectory.frame(2)
    assert trajectory.frame(2)["p"][0] == 200


def test_a_reader_that_computes_for_too_long_is_ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "SECONDS", 1e-3)
    with pytest.raises(PhysgtError, match=r"can't be read.* of computing"):
        open_trajectory(folder)


def test_a_reader_that_sleeps_is_ended_though_it_computes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trajectory = open_trajectory(folder)
    reader = readers()[-1]
    reader.suspend()
    monkeypatch.setattr(isolation, "ASLEEP", 1)
    begin = time.perf_counter()
    with pytest.raises(PhysgtError, match=rf"{folder.name}: can't be read.* or slept for 1 s"):
        trajectory.frame(2)
    assert 1 <= time.perf_counter() - begin < isolation.SECONDS
    reader.wait(10)
    assert trajectory.frame(2)["p"][0] == 200


def test_a_reader_that_sleeps_for_less_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trajectory = open_trajectory(folder)
    monkeypatch.setattr(isolation, "ASLEEP", 2)
    reader = readers()[-1]
    reader.suspend()
    again = threading.Timer(1.2, reader.resume)
    again.start()
    assert trajectory.frame(2)["p"][0] == 200
    again.join()


def test_a_reader_that_wants_too_much_memory_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "MEMORY", 10_000)
    monkeypatch.setattr(isolation, "MEMORY_PER_BYTE", 0)
    with pytest.raises(PhysgtError, match=rf"{folder.name}.*can't be read"):
        open_trajectory(folder)


def test_what_is_read_ahead_is_given_to_who_asks_for_it_and_to_no_one_else(folder: Path) -> None:
    trajectory = open_trajectory(folder)
    in_order = [trajectory.frame(i)["p"][0] for i in range(3)]
    back_and_forth = [trajectory.frame(i)["p"][0] for i in (0, 1, 0, 1, 2, 1)]
    assert in_order == [0, 100, 200]
    assert back_and_forth == [0, 100, 0, 100, 200, 100]


def test_an_error_of_what_is_read_ahead_comes_when_it_is_asked_for(folder: Path) -> None:
    save_flow(folder, 3)
    trajectory = open_trajectory(folder)
    damaged = (folder / "flow_2.vtu").read_bytes()[:300]
    (folder / "flow_2.vtu").write_bytes(damaged)
    values = [trajectory.frame(i)["p"][0] for i in (0, 1, 0, 1)]
    assert values == [0, 100, 0, 100]
    with pytest.raises(PhysgtError, match=r"flow_2\.vtu"):
        trajectory.frame(2)
    assert trajectory.frame(3)["p"][0] == 300


def test_a_reader_that_died_of_what_it_read_ahead_is_replaced(tmp_path: Path) -> None:
    larger_than_the_buffer_between_processes = (61, 61, 21)
    for i in range(3):
        save_flow(tmp_path, i, larger_than_the_buffer_between_processes)
    trajectory = open_trajectory(tmp_path)
    for i in range(2):
        trajectory.frame(i)
    kill_readers()
    assert trajectory.frame(0)["p"][0] == 0


def test_more_sources_may_be_open_than_processes(folder: Path) -> None:
    with xr.set_options(file_cache_maxsize=2):
        opened = [open_trajectory(folder / f"flow_{i % 3}.vtu") for i in range(5)]
        for _ in range(2):
            for i, trajectory in enumerate(opened):
                assert trajectory.frame(0)["p"][0] == 100 * (i % 3)


def test_a_trajectory_goes_to_other_processes_by_pickle_and_by_fork(folder: Path) -> None:
    trajectory = open_trajectory(folder)
    again: Trajectory = pickle.loads(pickle.dumps(trajectory))
    assert again.frame(1)["p"][0] == 100
    queue = get_context("fork").SimpleQueue()
    child = get_context("fork").Process(target=lambda: queue.put(trajectory.frame(2)["p"]))
    child.start()
    np.testing.assert_array_equal(queue.get(), trajectory.frame(2)["p"])
    child.join()


def test_errors_of_the_reader_come_as_they_are(folder: Path) -> None:
    whole = (folder / "flow_1.vtu").read_bytes()
    (folder / "flow_1.vtu").write_bytes(whole[:300])
    with pytest.raises(PhysgtError, match=r"flow_1\.vtu: VTK can't read it, truncated or damaged"):
        open_trajectory(folder)
