"""Good files of each format that physgt reads, for hostile_files.py to damage."""

from __future__ import annotations

import contextlib
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import google_crc32c
import h5py
import numpy as np
import pyvista as pv
from vtkmodules.vtkCommonDataModel import (
    VTK_LAGRANGE_HEXAHEDRON,
    vtkDataObject,
    vtkPartitionedDataSet,
)
from vtkmodules.vtkFiltersSources import vtkCellTypeSource
from vtkmodules.vtkIOHDF import vtkHDFWriter

from physgt import Mesh, Trajectory
from physgt.datasets import write_trajectory
from physgt.datasets.vtk_bridge import to_pyvista

TIMES = 3


def block() -> Trajectory:
    """27 hexahedra with a vector, a number and a number on the cells, at three times."""
    axis = np.arange(4.0)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    corner = np.arange(64).reshape(4, 4, 4)[:3, :3, :3].ravel()
    cells = corner[:, None] + [0, 16, 20, 4, 1, 17, 21, 5]
    random = np.random.default_rng(0)
    mesh = Mesh.from_blocks(
        points, [("hexahedron", cells)], node_sets={"inlet": [0, 1]}, cell_sets={"a": [0]}
    )
    return Trajectory.from_arrays(
        mesh,
        0.5 * np.arange(TIMES),
        {"u": random.random((TIMES, 64, 3)), "p": random.random((TIMES, 64))},
        cell_fields={"heat": random.random((TIMES, 27))},
    )


def _with_physgt(suffix: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        write_trajectory(block(), folder / f"block{suffix}")
        return folder / f"block{suffix}"

    return write


def _with_vtk(name: str, **options: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        frame = block().frame(1)
        to_pyvista(block().mesh, {"u": frame["u"], "p": frame["p"]}, {"heat": frame["heat"]}).save(
            folder / name, **options
        )
        return folder / name

    return write


def _halves() -> list[pv.UnstructuredGrid]:
    frame = block().frame(1)
    grid = to_pyvista(block().mesh, {"u": frame["u"], "p": frame["p"]}, {"heat": frame["heat"]})
    left = grid.cell_centers().points[:, 0] < grid.center[0]
    return [grid.extract_cells(np.flatnonzero(chosen)) for chosen in (left, ~left)]


def _by_vtk(path: Path, data: vtkDataObject) -> Path:
    writer = vtkHDFWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(data)
    writer.Write()
    return path


def _vtkhdf_parts(folder: Path) -> Path:
    """VTKHDF of two parts, as VTK writes the results of two processes."""
    parts = vtkPartitionedDataSet()
    for i, half in enumerate(_halves()):
        parts.SetPartition(i, half)
    return _by_vtk(folder / "parts.vtkhdf", parts)


def _vtkhdf_group(folder: Path) -> Path:
    """VTKHDF of two named blocks."""
    blocks = pv.MultiBlock(dict(zip(("left", "right"), _halves(), strict=True)))
    return _by_vtk(folder / "group.vtkhdf", blocks)


def _cubic(folder: Path) -> Path:
    """Lagrange hexahedra of third order."""
    source = vtkCellTypeSource()
    source.SetCellType(VTK_LAGRANGE_HEXAHEDRON)
    source.SetCellOrder(3)
    source.SetBlocksDimensions(2, 1, 1)
    source.Update()
    pv.wrap(source.GetOutput()).save(folder / "cubic.vtu")
    return folder / "cubic.vtu"


def _with_meshio(name: str, **options: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        import meshio

        trajectory = block()
        frame = trajectory.frame(1)
        cells = [("hexahedron", trajectory.mesh.connectivity.reshape(-1, 8))]
        data = {"point_data": {"u": frame["u"], "p": frame["p"]}} if options.pop("data", 0) else {}
        meshio.write_points_cells(folder / name, trajectory.mesh.points, cells, **data, **options)  # type: ignore[arg-type]
        return folder / name

    return write


def _xdmf_series(folder: Path) -> Path:
    """As meshio writes it, whose writer puts the .h5 into the current directory."""
    import meshio

    trajectory = block()
    cells = [("hexahedron", trajectory.mesh.connectivity.reshape(-1, 8))]
    with contextlib.chdir(folder), meshio.xdmf.TimeSeriesWriter("block.xdmf") as writer:
        writer.write_points_cells(trajectory.mesh.points, cells)
        for i, t in enumerate(trajectory.times):
            writer.write_data(t, point_data={"u": trajectory.frame(i)["u"]})
    return folder / "block.xdmf"


def _series(folder: Path) -> Path:
    for i in range(TIMES):
        _with_vtk(f"block_{i}.vtu")(folder)
    return folder


def _committed(name: str) -> Callable[[Path], Path]:
    """A file that another program wrote, from the folder of test data."""

    def copy(folder: Path) -> Path:
        source = Path(__file__).resolve().parents[1] / "tests" / "data" / name
        shutil.copyfile(source, folder / source.name)
        return folder / source.name

    return copy


def _committed_folder(name: str, source: str = "") -> Callable[[Path], Path]:
    """A folder that another program wrote, and what of it is opened."""

    def copy(folder: Path) -> Path:
        good = Path(__file__).resolve().parents[1] / "tests" / "data" / name
        shutil.copytree(good, folder / "good", copy_function=shutil.copyfile)
        return folder / "good" / source

    return copy


def _own_npz(folder: Path) -> Path:
    trajectory = block()
    cells = trajectory.mesh.connectivity.reshape(-1, 8)
    fields = {name: trajectory.fields[name].values for name in ("u", "p")}
    np.savez_compressed(folder / "block.npz", x=trajectory.mesh.points, cells=cells, **fields)
    (folder / "block.toml").write_text(
        'files = "block.npz"\n[mesh]\npoints = "x"\n'
        'cells = { array = "cells", type = "hexahedron" }\n'
        '[time]\ndt = 0.5\n[fields]\nu = { array = "u" }\np = { array = "p" }\n'
    )
    return folder / "block.toml"


def _features() -> dict[str, np.ndarray]:
    trajectory = block()
    return {
        "cells": trajectory.mesh.connectivity.reshape(1, -1, 8).astype("<i4"),
        "mesh_pos": trajectory.mesh.points[None].astype("<f4"),
        "u": trajectory.fields["u"].values.astype("<f4"),
    }


def _meshgraphnets_hdf5(folder: Path) -> Path:
    with h5py.File(folder / "train.h5", "w") as file:
        for name, values in _features().items():
            file[f"0/{name}"] = values
    return folder / "train.h5#train" / "0000"


def _tfrecord(folder: Path) -> Path:
    """One tf.train.Example with its meta.json."""

    def field(content: bytes, number: int = 1) -> bytes:
        length, size = b"", len(content)
        while size >= 0x80:
            length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    def checked(content: bytes) -> bytes:
        crc = google_crc32c.value(content)
        masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
        return content + struct.pack("<I", masked)

    features = _features()
    entries = (
        field(field(name.encode()) + field(field(field(values.tobytes())), 2))
        for name, values in features.items()
    )
    record = field(b"".join(entries))
    data = checked(struct.pack("<Q", len(record))) + checked(record)
    (folder / "train.tfrecord").write_bytes(data)
    told = {
        name: {"type": "dynamic", "shape": [len(a), -1, a.shape[2]], "dtype": a.dtype.name}
        for name, a in features.items()
    }
    meta = {"dt": 0.5, "trajectory_length": TIMES, "features": told}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder / "train.tfrecord#train" / "0000"


EXAMPLES: dict[str, Callable[[Path], Path]] = {
    "vtkhdf": _with_physgt(".vtkhdf"),
    "vtkhdf parts": _vtkhdf_parts,
    "vtkhdf group": _vtkhdf_group,
    "pvd": _with_physgt(".pvd"),
    "vtu": _with_vtk("block.vtu"),
    "vtu cubic": _cubic,
    "vtu ascii": _with_vtk("block.vtu", binary=False),
    "vtk": _with_vtk("block.vtk"),
    "vtk ascii": _with_vtk("block.vtk", binary=False),
    "exodus": _committed("exodus/block.e"),
    "xdmf": _xdmf_series,
    "gmsh 4": _with_meshio("block.msh", file_format="gmsh"),
    "gmsh 2": _with_meshio("block.msh", file_format="gmsh22", data=1),
    "abaqus": _with_meshio("block.inp"),
    "nastran": _with_meshio("block.nas", file_format="nastran"),
    "med": _with_meshio("block.med", data=1),
    "su2": _with_meshio("block.su2"),
    "ucd": _with_meshio("block.avs", data=1),
    "series": _series,
    "frd": _committed("calculix/beam.frd"),
    "frd binary": _committed("calculix/beam_binary.frd"),
    "own npz": _own_npz,
    "mgn hdf5": _meshgraphnets_hdf5,
    "mgn tfrecord": _tfrecord,
    "openfoam": _committed_folder("openfoam/box"),
    "openfoam packed": _committed_folder("openfoam/box_binary"),
    "decomposed": _committed_folder("openfoam/box_decomposed"),
    "multi-block": _committed_folder("vtm", "box.vtm.series"),
    "ensight": _committed_folder("ensight/box_binary", "box.case"),
    "cgns": _committed("cgns/unsteady.cgns"),
    "fluent": _committed_folder("fluent", "cavity.cas"),
    "lsdyna": _committed_folder("lsdyna", "d3plot"),
}
"""Name -> a function that writes a good source into a folder; formats that physgt reads."""
