"""What every format of the table must do."""

import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvista as pv
from vtkmodules.vtkCommonDataModel import vtkPartitionedDataSet
from vtkmodules.vtkIOHDF import vtkHDFWriter

from physgt.datasets import FORMATS, GENERATORS, open_trajectory, write_trajectory
from physgt.datasets.formats import format_name
from physgt.errors import PhysgtError
from sample_trajectories import solid


def written(suffix: str) -> Callable[[Path, Path], Path]:
    def write(_: Path, folder: Path) -> Path:
        write_trajectory(solid(), folder / f"solid{suffix}")
        return folder / f"solid{suffix}"

    return write


def own_arrays(shared_data: Path, folder: Path) -> Path:
    source = shared_data / "solver" / "heat" / "traj_100.h5"
    text = (Path(__file__).resolve().parents[1] / "examples" / "own_hdf5.toml").read_text()
    text = "\n".join(line for line in text.splitlines() if not line.startswith("velocity"))
    (folder / "heat.toml").write_text(text.replace("traj_*.h5", str(source)))
    return folder / "heat.toml"


def openfoam(shared_data: Path, folder: Path) -> Path:
    with tarfile.open(shared_data / "files" / "openfoam_cases.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "elbow"


def two_parts(folder: Path) -> Path:
    """VTKHDF of two parts, as a parallel run leaves it, by VTK itself."""
    grid = pv.ImageData(dimensions=(3, 2, 2)).cast_to_unstructured_grid()
    grid["height"] = grid.points[:, 2]
    parts = vtkPartitionedDataSet()
    parts.SetNumberOfPartitions(2)
    for i in range(2):
        parts.SetPartition(i, grid.extract_cells([i]))
    writer = vtkHDFWriter()
    writer.SetFileName(str(folder / "parts.vtkhdf"))
    writer.SetInputData(parts)
    writer.Write()
    return folder / "parts.vtkhdf"


EXAMPLES: dict[str, Callable[[Path, Path], Path]] = {
    "meshgraphnets": lambda shared_data, _: (
        shared_data / "deepmind_tfrecord" / "test.tfrecord#test/0000"
    ),
    "own_arrays": own_arrays,
    "vtkhdf_groups": lambda _, folder: two_parts(folder),
    "vtkhdf": written(".vtkhdf"),
    "pvd": written(".pvd"),
    "openfoam": openfoam,
    "vtk_series": lambda *_: Path(__file__).parent / "data" / "vtm" / "box.vtm.series",
    "ensight": lambda shared_data, _: shared_data / "files" / "ensight" / "blow2_bin.case",
    "cgns": lambda shared_data, _: shared_data / "files" / "cgns" / "sqnz_s.adf.cgns",
    "fluent": lambda shared_data, _: shared_data / "files" / "fluent_cff" / "room.cas.h5",
    "fluent_legacy": lambda *_: Path(__file__).parent / "data" / "fluent" / "cavity.cas",
    "frd": lambda _, __: Path(__file__).parent / "data" / "calculix" / "beam.frd",
    "lsdyna": lambda *_: Path(__file__).parent / "data" / "lsdyna" / "d3plot",
    "exodus": lambda shared_data, _: shared_data / "files" / "exodus" / "mug.e",
    "xdmf": lambda shared_data, _: shared_data / "files" / "cylinder_flow" / "mock.xdmf",
    "mesh": lambda shared_data, _: shared_data / "files" / "vtk" / "can.vtu",
    "series": lambda shared_data, _: shared_data / "files" / "cylinder_flow",
}


@pytest.fixture(params=FORMATS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_an_example_is_recognised_and_read_with_increasing_times_and_finite_values(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    path = EXAMPLES[name](shared_data, tmp_path)
    assert format_name(path) == FORMATS[name].description
    trajectory = open_trajectory(path)
    assert trajectory.declared()
    for values in trajectory.frame(trajectory.num_steps).values():
        assert np.isfinite(values).all()
    later = open_trajectory(str(path), time_unit=0.01)
    np.testing.assert_allclose(later.times, 0.01 * trajectory.times)


@pytest.mark.parametrize("name", [n for n, entry in FORMATS.items() if entry.write])
def test_what_is_written_is_what_is_read(name: str, tmp_path: Path) -> None:
    trajectory = solid()
    for suffix in FORMATS[name].write_suffixes:
        path = tmp_path / "new folder" / f"out{suffix}"
        write_trajectory(trajectory, path)
        found = open_trajectory(path)
        np.testing.assert_array_equal(found.times, trajectory.times)
        np.testing.assert_array_equal(found.mesh.points, trajectory.mesh.points)
        np.testing.assert_array_equal(found.mesh.connectivity, trajectory.mesh.connectivity)
        for i in range(trajectory.num_times):
            for field, values in trajectory.frame(i).items():
                np.testing.assert_array_equal(found.frame(i)[field], values)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(PhysgtError, match=r"nowhere\.vtu: there is no such file"):
        open_trajectory("nowhere.vtu")


def test_an_unknown_format_is_told_all_known_ones(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(PhysgtError, match=r"notes\.txt: of no format .* VTKHDF .* OpenFOAM .* Exo"):
        open_trajectory(tmp_path / "notes.txt")
    with pytest.raises(
        PhysgtError, match=r"out\.vtu: can't write '\.vtu' files.*\.vtkhdf, .*\.pvd"
    ):
        write_trajectory(solid(), tmp_path / "out.vtu")


def test_hdf5_of_another_program_says_what_it_lacks(shared_data: Path) -> None:
    with pytest.raises(PhysgtError, match=r"traj_020\.h5: .* without the group /VTKHDF"):
        open_trajectory(shared_data / "solver" / "cylinder" / "traj_020.h5")


def test_endings_in_capitals_mean_the_same(tmp_path: Path) -> None:
    pv.ImageData(dimensions=(2, 2, 2)).cast_to_unstructured_grid().save(tmp_path / "a.vtu")
    (tmp_path / "a.vtu").rename(tmp_path / "A.VTU")
    assert open_trajectory(tmp_path / "A.VTU").mesh.num_cells == 1


def test_importing_the_package_imports_neither_vtk_nor_meshio_nor_torch() -> None:
    code = (
        "import physgt.datasets, sys; "
        "print(sorted({'vtkmodules', 'pyvista', 'meshio', 'torch', 'skfem'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
    assert "cylinder" in GENERATORS
