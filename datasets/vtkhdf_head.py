"""What a VTKHDF file says before its fields: version, mesh, sets and attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from physgt import __version__
from physgt.datasets.vtkhdf_polyhedra import POLYHEDRA_VERSION, write_polyhedra
from physgt.datasets.vtkhdf_rows import COMPRESSION, with_three_components
from physgt.mesh import Mesh

FORMAT_VERSION = (2, 0)


def write_head(file: h5py.File, mesh: Mesh, attributes: Mapping[str, Any], *, moving: bool) -> None:
    """All of /VTKHDF and /physgt that isn't a field; the points too, unless they move."""
    root = file["VTKHDF"]
    version = FORMAT_VERSION if mesh.polyhedra is None else POLYHEDRA_VERSION
    root.attrs["Version"] = np.array(version)
    root.attrs["Type"] = np.bytes_("UnstructuredGrid")
    root["NumberOfPoints"] = [mesh.num_points]
    root["NumberOfCells"] = [mesh.num_cells]
    root["NumberOfConnectivityIds"] = [len(mesh.connectivity)]
    root.create_dataset("Connectivity", data=mesh.connectivity, **COMPRESSION)
    root.create_dataset("Offsets", data=mesh.offsets, **COMPRESSION)
    root.create_dataset("Types", data=mesh.cell_types, **COMPRESSION)
    if mesh.polyhedra is not None:
        write_polyhedra(root, mesh.polyhedra, **COMPRESSION)
    own = file.create_group("physgt")
    own.attrs["version"] = __version__
    own.attrs["dimension"] = mesh.dimension
    own["attributes"] = json.dumps(dict(attributes), default=_plain)
    if moving:
        own.create_dataset("reference_points", data=mesh.points, **COMPRESSION)
    else:
        points = with_three_components(mesh.points)
        root.create_dataset("Points", data=points, **COMPRESSION)
    for kind, sets in (("node_sets", mesh.node_sets), ("cell_sets", mesh.cell_sets)):
        for number, (name, ids) in enumerate(sets.items()):
            # A set may be called "walls/upper", which HDF5 would take for a group and a member.
            own.create_dataset(f"{kind}/{number}", data=ids).attrs["name"] = name


def _plain(value: Any) -> Any:
    """numpy's numbers and arrays, and paths, as JSON can hold them."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)
