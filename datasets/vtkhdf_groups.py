"""VTKHDF that other programs write: grids in several parts or with other cells at other times,
surfaces, images and groups of these.

physgt's own files, and all unstructured grids of one part that stays, are read by vtkhdf.py
without VTK.
Source: Kitware, "VTKHDF File Format".
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pyvista as pv
from vtkmodules.vtkIOHDF import vtkHDFReader

from physgt.datasets.blocks import JoinParts, named_snapshots
from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.datasets.vtk_files import vtk_errors
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory

SUFFIXES = (".vtkhdf", ".hdf", ".h5", ".hdf5")


def is_vtkhdf_group(path: Path) -> bool:
    """Whether a file is VTKHDF, and no unstructured grid of one part that stays."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file() or not h5py.is_hdf5(path):
        return False
    try:
        with h5py.File(path, locking=False) as file:
            root = file.get("VTKHDF")
            if root is None:
                return False
            kind = root.attrs.get("Type", b"")
            name = kind.decode() if isinstance(kind, bytes) else str(kind)
            return name != "UnstructuredGrid" or _num_parts(root) > 1 or _is_written_again(root)
    except (OSError, KeyError, ValueError, RuntimeError):
        return False  # a damaged file: the other reader says so


def read_vtkhdf_group(path: Path) -> Trajectory:
    """All times, parts and blocks joined where their points coincide; see JoinParts."""
    reader = vtkHDFReader()
    reader.SetFileName(str(path))
    join = JoinParts()

    def read_time(i: int) -> Snapshot:
        with vtk_errors(path):
            reader.SetStep(i)
            reader.Update()
            found = named_snapshots(pv.wrap(reader.GetOutputDataObject(0)))
        if not found:
            raise PhysgtError(f"{path}: VTK finds no grid with cells in it at time number {i}.")
        return join(found)

    return trajectory_of(path, _times(path), read_time)


def _times(path: Path) -> np.ndarray:
    with h5py.File(path, locking=False) as file:
        steps = file["VTKHDF"].get("Steps")
        if steps is None:
            return np.zeros(1)
        times: np.ndarray = np.asarray(steps["Values"][:], dtype=np.float64)
        return times


def _num_parts(root: h5py.Group) -> int:
    if "Steps/NumberOfParts" in root:
        return int(root["Steps/NumberOfParts"][:].max(initial=1))
    return len(root["NumberOfPoints"])


def _is_written_again(root: h5py.Group) -> bool:
    """Whether the cells of some time lie elsewhere than those of the first; they may differ."""
    starts = root.get("Steps/PartOffsets")
    return starts is not None and bool(
        np.ptp(starts[: root["Steps"].attrs["NSteps"]], axis=0).any()
    )
