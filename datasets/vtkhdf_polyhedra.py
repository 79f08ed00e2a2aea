"""The faces of polyhedra in VTKHDF.

Source: Kitware, "VTKHDF File Format", UnstructuredGrid of version 2.5.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from physgt.datasets.hdf5_file import take_rows
from physgt.polyhedra import Polyhedra

POLYHEDRA_VERSION = (2, 5)
"""The first version of the format with polyhedra; other meshes are written for older readers."""

FACE_STEPS = ("FaceConnectivityOffsets", "FaceOffsetsOffsets", "PolyhedronToFaceIdOffsets")
"""The tables of /VTKHDF/Steps that say where the faces of each time begin."""


def write_polyhedra(root: h5py.Group, polyhedra: Polyhedra, **compression: Any) -> None:
    root["NumberOfFaces"] = [polyhedra.num_faces]
    root["NumberOfFaceConnectivityIds"] = [len(polyhedra.connectivity)]
    root["NumberOfPolyhedronToFaceIds"] = [len(polyhedra.cell_faces)]
    for name, values in (
        ("FaceConnectivity", polyhedra.connectivity), ("FaceOffsets", polyhedra.offsets),
        ("PolyhedronToFaces", polyhedra.cell_faces), ("PolyhedronOffsets", polyhedra.cell_offsets),
    ):  # fmt: skip
        root.create_dataset(name, data=values, **compression)


def read_polyhedra(root: h5py.Group, num_times: int, time: int) -> Polyhedra | None:
    """The faces of the polyhedra at a time; a file of none may leave all of this out."""
    if not len(root.get("FaceConnectivity", ())):
        return None
    part = row_table(root, "PartOffsets", num_times)[time]
    # Arrays of offsets have one entry more than what they count, in each part before.
    cell = row_table(root, "CellOffsets", num_times)[time] + part
    entry, face, named = (row_table(root, name, num_times)[time] for name in FACE_STEPS)
    face += part
    counts = "NumberOfFaceConnectivityIds", "NumberOfFaces", "NumberOfPolyhedronToFaceIds"
    entries, faces, names = (root[count][part] for count in counts)
    return Polyhedra(
        take_rows(root["FaceConnectivity"], entry, entry + entries),
        take_rows(root["FaceOffsets"], face, face + faces + 1),
        take_rows(root["PolyhedronToFaces"], named, named + names),
        take_rows(root["PolyhedronOffsets"], cell, cell + root["NumberOfCells"][part] + 1),
    )


def row_table(root: h5py.Group, name: str, num_times: int) -> np.ndarray:
    """The row at which each time begins: (T,) int64, 0 where the file has no such table."""
    if f"Steps/{name}" not in root:
        return np.zeros(num_times, dtype=np.int64)
    return take_rows(root[f"Steps/{name}"], 0, num_times).reshape(num_times).astype(np.int64)
