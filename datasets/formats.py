"""Every format by name: how it is recognised, who reads it and who writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

from physgt.datasets.isolation import can_isolate, read_isolated
from physgt.datasets.naming import errors_name
from physgt.datasets.snapshots import interpolated_onto
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.trajectory import Trajectory

Reader = Callable[..., Trajectory]
"""Of a path and, for sources that hold several trajectories, of the name of one."""


@dataclass(frozen=True)
class Format:
    """recognises: whether a path, which exists, is of this format, by its name or its first lines.

    read: raises PhysgtError that names the file. write: None where physgt only reads.
    members: for sources that may hold several trajectories, their names; `read` takes one as well.
    write_suffixes: the endings that choose it for writing.
    isolated: whether a source is read in a process of its own: its reader takes no care of damaged
    files, or calls a library that doesn't. See isolation.py.
    one_mesh: whether all times of a source are on one mesh, so that its reader needs no other.
    """

    description: str
    recognises: Callable[[Path], bool]
    read: Reader
    write: Callable[[Trajectory, Path], None] | None = None
    write_suffixes: tuple[str, ...] = ()
    isolated: bool = True
    members: Callable[[Path], list[str]] | None = None
    one_mesh: bool = False


def open_trajectory(
    path: str | PathLike[str], *, time_unit: float = 1.0, onto: Mesh | str | None = None
) -> Trajectory:
    """Open any file, case directory or numbered series that physgt reads; fields are read lazily.

    path: a file, a directory (an OpenFOAM case, or numbered files) or a pattern of numbered files
    such as "out/flow_*.vtu". A numbered file by its own name is that one file. One trajectory of a
    source that holds several is SOURCE#NAME, see trajectory_names.
    time_unit: seconds that one unit of time in the source stands for: the time step where numbers
    of files are all there is, 1e-3 for milliseconds.
    onto: a mesh on which all times are interpolated, or "first" for that of the first time.

    Raises PhysgtError for a missing, unknown, damaged or empty file, an unknown cell type, and a
    mesh that changes from time to time.
    """
    path, member = _address(Path(path))
    name = _name_of(path)
    entry = FORMATS[name]
    there = [] if entry.members is None else entry.members(path)
    if there or member is not None:
        _check_member(path, member, there)
    if entry.isolated and can_isolate():
        trajectory = read_isolated(name, path, member, onto)
    else:
        with interpolated_onto(onto):
            trajectory = entry.read(path) if member is None else entry.read(path, member)
    if entry.one_mesh and isinstance(onto, Mesh):
        with errors_name(path):
            trajectory = _later("remap", "interpolated")(trajectory, onto)
    if time_unit == 1.0:
        return trajectory
    if not time_unit > 0:
        raise PhysgtError(f"time_unit = {time_unit:g}, expected seconds greater than 0.")
    seconds = ("time", trajectory.times * time_unit, {"units": "s"})
    return Trajectory(
        trajectory.mesh, trajectory.fields.assign_coords(time=seconds), trajectory.attributes
    )


def write_trajectory(trajectory: Trajectory, path: str | PathLike[str]) -> None:
    """Write in the format that the ending of `path` names; the file appears when it is whole."""
    path = Path(path)
    for entry in FORMATS.values():
        if entry.write is not None and path.suffix in entry.write_suffixes:
            path.parent.mkdir(parents=True, exist_ok=True)
            return entry.write(trajectory, path)
    known = [suffix for entry in FORMATS.values() for suffix in entry.write_suffixes]
    raise PhysgtError(
        f"{path}: can't write '{path.suffix}' files; name the output with one of "
        f"{', '.join(known)}."
    )


def trajectory_names(path: str | PathLike[str]) -> list[str]:
    """Names of the trajectories in a source that holds several; none for all other sources."""
    path, member = _address(Path(path))
    members = FORMATS[_name_of(path)].members
    return [] if members is None or member is not None else members(path)


def format_name(path: str | PathLike[str]) -> str:
    """What `path` is, in words."""
    return FORMATS[_name_of(_address(Path(path))[0])].description


def _address(path: Path) -> tuple[Path, str | None]:
    """The source, and the name of the trajectory in it that `path` asks for."""
    source, _, member = str(path).partition("#")
    if path.exists() or any(sign in path.name for sign in "*?["):
        return path, None
    if member and Path(source).exists():
        return Path(source), member
    raise PhysgtError(f"{path}: there is no such file; check the path.")


def _check_member(path: Path, member: str | None, there: list[str]) -> None:
    if member not in there:
        raise PhysgtError(
            f"{path}: holds {len(there)} trajectories; take one, such as '{path}#{there[0]}', or "
            "convert them all to a folder."
            if member is None
            else f"{path}: holds no trajectory '{member}'; it has "
            f"{f'{there[0]} to {there[-1]}' if there else 'one, without a name'}."
        )


def _name_of(path: Path) -> str:
    for name, entry in FORMATS.items():
        if entry.recognises(path):
            return name
    raise PhysgtError(
        f"{path}: of no format that physgt reads. It reads "
        f"{'; '.join(entry.description for entry in FORMATS.values())}."
    )


def _named(*suffixes: str) -> Callable[[Path], bool]:
    return lambda path: path.is_file() and path.suffix.lower() in suffixes


def _later(module: str, name: str) -> Callable[..., Any]:
    """A function that imports its module when it is called: VTK and meshio are heavy."""
    return partial(_call, module, name)


def _call(module: str, name: str, *arguments: Any) -> Any:
    return getattr(import_module(f"physgt.datasets.{module}"), name)(*arguments)


def import_readers() -> None:
    """Import the modules of all readers now."""
    for entry in FORMATS.values():
        if isinstance(entry.read, partial):
            import_module(f"physgt.datasets.{entry.read.args[0]}")


FORMATS: dict[str, Format] = {
    "meshgraphnets": Format(
        "MeshGraphNets data sets (meta.json with .tfrecord, or their .h5)",
        _later("meshgraphnets", "is_meshgraphnets"),
        _later("meshgraphnets", "read_member"),
        members=_later("meshgraphnets", "members"),
        one_mesh=True,
    ),
    "fluent_legacy": Format(
        "Fluent's older cases and meshes (.cas with .dat, .msh)",
        _later("fluent_legacy", "is_fluent_legacy"),
        _later("fluent_legacy", "read_fluent_legacy"),
    ),
    "fluent": Format(
        "Fluent cases with their data (.cas.h5, .dat.h5)",
        _later("fluent", "is_fluent"),
        _later("fluent", "read_fluent"),
    ),
    "own_arrays": Format(
        "HDF5 and npz of your own layout, through a mapping file (.toml)",
        _later("array_map", "is_array_map"),
        _later("own_arrays", "read_own_arrays"),
        members=_later("own_arrays", "members"),
        one_mesh=True,
    ),
    "vtkhdf_groups": Format(
        "VTKHDF of other programs: several parts, surfaces, images, groups",
        _later("vtkhdf_groups", "is_vtkhdf_group"),
        _later("vtkhdf_groups", "read_vtkhdf_group"),
    ),
    "vtkhdf": Format(
        "VTKHDF (.vtkhdf)",
        _named(".vtkhdf", ".hdf", ".h5", ".hdf5"),
        _later("vtkhdf", "read_vtkhdf"),
        _later("vtkhdf", "write_vtkhdf"),
        (".vtkhdf", ".hdf"),
        isolated=False,
        one_mesh=True,
    ),
    "pvd": Format(
        "ParaView collections (.pvd with .vtu)",
        _named(".pvd"),
        _later("pvd", "read_pvd"),
        _later("pvd", "write_pvd"),
        (".pvd",),
    ),
    "vtk_series": Format(
        "file series of ParaView (.vtm.series, .vtu.series, ...)",
        _named(".series"),
        _later("vtk_series", "read_vtk_series"),
    ),
    "openfoam": Format(
        "OpenFOAM case directories (also named by a .foam file in them)",
        _later("openfoam", "is_openfoam"),
        _later("openfoam", "read_openfoam"),
    ),
    "ensight": Format(
        "EnSight Gold and 6 (.case)",
        _later("ensight", "is_ensight"),
        _later("ensight", "read_ensight"),
    ),
    "cgns": Format(
        "CGNS, also over time (.cgns)",
        _named(".cgns"),
        _later("cgns", "read_cgns"),
    ),
    "exodus": Format(
        "Exodus II (.e, .exo, .ex2)",
        _named(".e", ".exo", ".ex2", ".exii"),
        _later("exodus", "read_exodus"),
    ),
    "frd": Format(
        "CalculiX results (.frd)",
        _named(".frd"),
        _later("frd", "read_frd"),
    ),
    "lsdyna": Format(
        "LS-DYNA results (d3plot)",
        _later("lsdyna", "is_lsdyna"),
        _later("lsdyna", "read_lsdyna"),
    ),
    "xdmf": Format(
        "XDMF, also over time (.xdmf, .xmf)",
        _named(".xdmf", ".xmf"),
        _later("xdmf", "read_xdmf"),
    ),
    "mesh": Format(
        "single meshes of VTK (.vtu, .vtk, .pvtu, .vtm, ...), AVS UCD, Gmsh, Abaqus, Nastran, MED, "
        "SU2 and what else meshio reads",
        _later("mesh_files", "is_mesh_file"),
        _later("mesh_files", "read_single"),
    ),
    "series": Format(
        "numbered series of meshes (a directory, or a pattern like 'flow_*.vtu')",
        _later("series", "is_series"),
        _later("series", "read_series"),
    ),
}
"""Name -> format, in the order in which they are tried."""
