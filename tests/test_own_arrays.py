"""A user's own HDF5 or npz, through a mapping file."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from physgt.datasets import open_trajectory
from physgt.datasets.formats import trajectory_names
from physgt.errors import PhysgtError

POINTS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=float)
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])

SOLVER = """
files = "{files}"

[mesh]
points = "mesh/pos"
cells = {{ array = "mesh/cells", type = "{cells}" }}
node_type = "mesh/node_type"

[time]
array = "time"

[fields]
{fields}
"""


def test_a_family_of_the_solvers_own_files(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "solver" / "cylinder"
    for file in folder.glob("*.h5"):
        (tmp_path / file.name).symlink_to(file)
    fields = 'velocity = { array = "fields/velocity", units = "m/s" }'
    said = SOLVER.format(files="traj_*.h5", cells="triangle", fields=fields)
    (tmp_path / "mine.toml").write_text(said)
    assert trajectory_names(tmp_path / "mine.toml") == ["traj_020", "traj_021", "traj_120"]
    trajectory = open_trajectory(f"{tmp_path / 'mine.toml'}#traj_021")
    with h5py.File(folder / "traj_021.h5") as file:
        np.testing.assert_array_equal(trajectory.times, file["time"])
        np.testing.assert_array_equal(trajectory.mesh.node_type, file["mesh/node_type"])
        for i in (0, 150, 300):
            np.testing.assert_array_equal(
                trajectory.frame(i)["velocity"], file["fields/velocity"][i]
            )
        assert trajectory.attributes["nu"] == file.attrs["nu"]
    assert trajectory.declared()[0].units == "m/s"


def test_a_field_called_points_moves_the_mesh(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "solver" / "block3d" / "beam_1.h5"
    fields = 'points = { array = "fields/world_pos", units = "m" }'
    said = SOLVER.format(files=file, cells="tetra", fields=fields)
    (tmp_path / "beam.toml").write_text(said)
    trajectory = open_trajectory(tmp_path / "beam.toml")
    with h5py.File(file) as stored:
        np.testing.assert_array_equal(trajectory.mesh.points, stored["mesh/pos"])
        np.testing.assert_array_equal(trajectory.points_at(40), stored["fields/world_pos"][40])


def write_npz(folder: Path, fields: str, time: str = "dt = 0.5", **arrays: np.ndarray) -> Path:
    np.savez_compressed(folder / "a.npz", x=POINTS, tri=TRIANGLES + 1, **arrays)
    (folder / "mine.toml").write_text(
        f'files = "a.npz"\n[mesh]\npoints = "x"\nnode_sets = {{ left = "left" }}\n'
        f'cells = {{ array = "tri", type = "triangle", first = 1 }}\n'
        f"[time]\n{time}\n[fields]\n{fields}\n"
    )
    return folder / "mine.toml"


LEFT = np.array([True, False, False, True])


def test_npz_with_numbers_from_one_components_apart_and_axes_in_any_order(tmp_path: Path) -> None:
    u, v = np.arange(12.0).reshape(3, 4), -np.arange(12.0).reshape(3, 4)
    heat = np.arange(6.0).reshape(2, 3)
    stress = np.arange(36.0).reshape(3, 4, 3)
    path = write_npz(
        tmp_path,
        """
        velocity = { array = ["u", "v"], units = "m/s" }
        heat = { array = "heat", dims = ["cell", "time"] }
        stress = { array = "stress", dims = ["component", "node", "time"] }
        thickness = { array = "h", dims = ["node"] }
        load = { array = "load", dims = ["time"] }
        """,
        u=u, v=v, heat=heat, stress=stress, h=np.ones(4), load=np.arange(3.0), left=LEFT,
    )  # fmt: skip
    trajectory = open_trajectory(path)
    assert trajectory.times.tolist() == [0, 0.5, 1]
    assert trajectory.mesh.connectivity.tolist() == [0, 1, 2, 0, 2, 3]
    assert trajectory.mesh.node_sets["left"].tolist() == [0, 3]
    frame = trajectory.frame(2)
    np.testing.assert_array_equal(frame["velocity"], np.stack([u[2], v[2]], axis=1))
    np.testing.assert_array_equal(frame["heat"], heat[:, 2])
    np.testing.assert_array_equal(frame["stress"], stress[:, :, 2].T)
    assert frame["thickness"].tolist() == [1, 1, 1, 1]
    assert frame["load"] == 2
    assert {f.name: (f.location, f.components) for f in trajectory.declared()} == {
        "velocity": ("node", 2), "heat": ("cell", 1), "stress": ("node", 3),
        "thickness": ("node", 1), "load": ("global", 1),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ('p = { array = "q" }', r"a\.npz: no array 'q'; there are left, p, tri, x"),
        ('p = { array = "p", dims = ["time", "cell"] }', r"field 'p': .*\(3, 5\).*2 cells"),
        ('p = { array = "p" }', r"field 'p': .*\(3, 5\).* 3 times, 4 nodes"),
        ('p = { array = "p", unit = "Pa" }', r"mine\.toml: fields\.p\.unit: Extra inputs"),
        ('p = { array = "p", dims = ["node", "cell"] }', r"mine\.toml: fields\.p: .*one axis"),
    ],
)
def test_what_does_not_fit_is_named_and_not_reshaped(
    tmp_path: Path, fields: str, told: str
) -> None:
    path = write_npz(tmp_path, fields, p=np.zeros((3, 5)), left=LEFT)
    with pytest.raises(PhysgtError, match=told):
        open_trajectory(path)


def write_hdf5(folder: Path, heat: np.ndarray, left: np.ndarray) -> Path:
    """The mesh of write_npz as HDF5, with one field."""
    with h5py.File(folder / "a.h5", "w") as file:
        file["x"] = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=float)
        file["tri"], file["heat"], file["left"] = [[0, 1, 2], [0, 2, 3]], heat, left
    (folder / "mine.toml").write_text(
        'files = "a.h5"\n[mesh]\npoints = "x"\nnode_sets = { left = "left" }\n'
        'cells = { array = "tri", type = "triangle" }\n[time]\ndt = 1.0\n'
        '[fields]\nheat = { array = "heat", dims = ["time", "node"] }\n'
    )
    return folder / "mine.toml"


def test_truth_values_that_hdf5_has_as_bytes_are_a_mask(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path, np.zeros((2, 4)), np.array([1, 0, 0, 1], np.uint8))
    assert open_trajectory(path).mesh.node_sets["left"].tolist() == [0, 3]


def test_numbers_in_another_byte_order_come_in_this_machines(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path, np.arange(8.0).reshape(2, 4).astype(">f4"), LEFT)
    values = open_trajectory(path).frame(1)["heat"]
    assert values.dtype.isnative
    assert values.tolist() == [4, 5, 6, 7]


def test_packed_numbers_of_netcdf_are_refused_rather_than_taken_as_they_are(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path, np.zeros((2, 4), np.int16), LEFT)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["heat"].attrs["scale_factor"] = 0.1
    with pytest.raises(PhysgtError, match=r"a\.h5: array 'heat' is packed \(scale_factor\)"):
        open_trajectory(path)


def test_an_array_that_claims_more_than_its_file_can_hold_is_refused(tmp_path: Path) -> None:
    path = write_npz(tmp_path, 'p = { array = "p" }', p=np.zeros((3, 4)), left=LEFT)
    data = (tmp_path / "a.npz").read_bytes()
    place = data.rindex(b"PK\x01\x02", 0, data.rindex(b"p.npy"))
    lied = data[: place + 24] + (2**31).to_bytes(4, "little") + data[place + 28 :]
    (tmp_path / "a.npz").write_bytes(lied)
    with pytest.raises(PhysgtError, match=r"a\.npz: array 'p' claims 2 GiB"):
        open_trajectory(path)


def test_the_memory_of_a_long_source_is_that_of_a_few_frames(tmp_path: Path) -> None:
    """400 MB of fields; the reader may take 150 MB more than at the start."""
    from physgt.datasets import isolation

    with h5py.File(tmp_path / "long.h5", "w") as file:
        n, times = 50_000, 1000
        file["x"] = np.random.default_rng(0).random((n, 2))
        file["tri"] = np.arange(n - n % 3).reshape(-1, 3)
        file.create_dataset("p", (times, n), "f8", chunks=(1, n), fillvalue=1.0)
        file["p"][-1] = 2.0
    (tmp_path / "long.toml").write_text(
        'files = "long.h5"\n[mesh]\npoints = "x"\n'
        'cells = { array = "tri", type = "triangle" }\n'
        '[time]\ndt = 1.0\n[fields]\np = { array = "p", dims = ["time", "node"] }\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolation, "MEMORY", 150 * 2**20)
        patch.setattr(isolation, "MEMORY_PER_BYTE", 0)
        trajectory = open_trajectory(tmp_path / "long.toml")
        assert sum(float(trajectory.frame(i)["p"][0]) for i in range(1000)) == 1001
