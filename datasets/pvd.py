"""ParaView's collections: one .vtu file (or more, its parts) a time and a .pvd that lists them.

Source: "ParaView/Data formats", section "PVD File Format", in Kitware's public wiki.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from xml.etree import ElementTree

from physgt.datasets.blocks import JoinParts
from physgt.datasets.mesh_files import read_snapshot, snapshot_reader
from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.datasets.vtk_bridge import to_pyvista
from physgt.errors import PhysgtError
from physgt.trajectory import Frame, Trajectory

AGAIN = " again"
"""Behind the name of a part whose name another has as well."""


def read_pvd(path: Path) -> Trajectory:
    """All times of a collection, of files of any kind; parts are joined where they share points.

    Parts become cell sets under their names; those of a lower dimension node sets, and cell sets
    of the cells behind them.
    """
    try:
        listed = ElementTree.parse(path).getroot().findall("Collection/DataSet")
        parts: dict[float, dict[str, Path]] = {}
        for entry in listed:
            at_time = parts.setdefault(float(entry.get("timestep", "0")), {})
            name = entry.get("name") or f"part {entry.get('part', '0')}"
            while name in at_time:
                name += AGAIN
            at_time[name] = path.parent / entry.attrib["file"]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise PhysgtError(f"{path}: truncated or damaged collection, {error}.") from error
    if not parts:
        raise PhysgtError(f"{path}: lists no files; export the collection again.")
    _check_listed_once(path, parts)
    times, read, join = list(parts.values()), snapshot_reader(), JoinParts()

    def read_time(i: int) -> Snapshot:
        if len(times[i]) == 1:
            return read(*times[i].values())
        return join({name: read_snapshot(file) for name, file in times[i].items()})

    return trajectory_of(path, list(parts), read_time)


def _check_listed_once(path: Path, parts: dict[float, dict[str, Path]]) -> None:
    """Raise PhysgtError where a part is there twice at some times alone: results of a restart."""
    most, fewest = (pick(parts, key=lambda time: len(parts[time])) for pick in (max, min))
    again = [name for name in parts[most] if name.endswith(AGAIN)]
    if again and len(parts[most]) > len(parts[fewest]):
        first = parts[most][again[0].removesuffix(AGAIN)]
        raise PhysgtError(
            f"{path}: lists {first.name} and {parts[most][again[0]].name} for one part at "
            f"{most:g} s, but one file at {fewest:g} s; after a restart, remove the older entry."
        )


def write_pvd(trajectory: Trajectory, path: str | PathLike[str]) -> None:
    """Write NAME.pvd and, in the folder NAME_vtu beside it, a file for each time.

    Node types and static fields go into every file, global values into its field data. The .pvd
    is written last: while it is there, all that it names is there.
    """
    path = Path(path)
    folder = path.with_name(f"{path.stem}_vtu")
    folder.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    root = ElementTree.Element("VTKFile", type="Collection", version="0.1")
    collection = ElementTree.SubElement(root, "Collection")
    digits = len(str(trajectory.num_steps))
    for i, time in enumerate(trajectory.times.tolist()):
        file = folder / f"{i:0{digits}d}.vtu"
        _write_time(trajectory, i, file)
        ElementTree.SubElement(
            collection, "DataSet", timestep=repr(time), part="0", file=f"{folder.name}/{file.name}"
        )
    ElementTree.indent(root)
    partial = path.with_name(path.name + ".partial")
    ElementTree.ElementTree(root).write(partial, encoding="utf-8", xml_declaration=True)
    partial.replace(path)


def _write_time(trajectory: Trajectory, index: int, file: Path) -> None:
    frame = trajectory.frame(index)
    data: dict[str, Frame] = {"node": {"node_type": trajectory.mesh.node_type}}
    for field in trajectory.declared():
        if field.name != "points":
            data.setdefault(field.location, {})[field.name] = frame[field.name]
    grid = to_pyvista(
        trajectory.mesh, data["node"], data.get("cell"), points=trajectory.points_at(index)
    )
    for name, value in data.get("global", {}).items():
        grid.field_data[name] = value.reshape(1, -1)
    grid.save(file)
