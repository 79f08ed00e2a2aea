"""LS-DYNA results: d3plot with the files of its family, d3plot01 and on.

Source: "LS-DYNA Database Binary Output Files", Livermore Software Technology.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyvista as pv
from vtkmodules.vtkIOLSDyna import vtkLSDynaReader

from physgt.datasets.blocks import named_snapshots
from physgt.datasets.parts import NamedParts
from physgt.datasets.snapshots import Arrays, Snapshot, trajectory_of
from physgt.datasets.vtk_files import vtk_errors
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory

HEAD, VERSION = 64, 14
"""Words of the head, and where the version is."""

END = -999999.0

WORDS_OF = {16: 3, 23: 9, 28: 6, 31: 5, 40: 9}
"""Where counts of nodes, solids, beams, shells and thick shells are, and the words of each."""

PLACES = ("Deflected Coordinates", "Deflection")
"""What VTK repeats of the points."""

NUMBERS = ("UserID", "UserIds")
"""Numbers of nodes and elements, which VTK reads wrongly in single precision."""


def is_lsdyna(path: Path) -> bool:
    named = path.name.lower() == "d3plot" or path.suffix.lower() == ".d3plot"
    return named and path.is_file()


def read_lsdyna(path: Path) -> Trajectory:
    """All states, on a mesh that moves. Parts become cell sets, those of lower dimension than the
    mesh's node sets and the cells behind them.

    Each part comes with nodes of its own; nodes at one place at the last time are one, and must
    be so at all times. Elements that failed stay.
    """
    with vtk_errors(path):
        _check_whole(path)
        reader = vtkLSDynaReader()
        reader.SetFileName(str(path))
        reader.UpdateInformation()
        reader.RemoveDeletedCellsOff()
        times = [reader.GetTimeValue(i) for i in range(reader.GetNumberOfTimeSteps())]
        if not times:
            raise PhysgtError("holds no state; is the file of the family beside it, as d3plot01?")
        named = NamedParts.of(_parts(reader, len(times) - 1), {})

    def read(i: int) -> Snapshot:
        with vtk_errors(path):
            found = _parts(reader, i)
            whole = named.joined(found)
            for name, numbers in zip(named.main, named.parts.points, strict=True):
                if not np.array_equal(whole.mesh.points[numbers], found[name].mesh.points):
                    raise PhysgtError(
                        f"part '{name}' has nodes at the places of another part's at the last "
                        f"time, but not at time number {i}; physgt can't tell which are one."
                    )
            return whole

    return trajectory_of(path, times, read)


def _check_whole(path: Path) -> None:
    """VTK reads on behind the end of a file that was cut off, what is there or for ever."""
    with path.open("rb") as file:
        head = file.read(8 * HEAD)
    for order, size in itertools.product("<>", (4, 8)):
        whole = head[: len(head) // size * size]
        words, numbers = (np.frombuffer(whole, f"{order}{kind}{size}") for kind in "if")
        # VTK tells size and order of the words by the version as well.
        if len(words) >= HEAD and 900 < numbers[VERSION] < 1000:
            needed = HEAD + sum(each * abs(int(words[at])) for at, each in WORDS_OF.items())
            if path.stat().st_size < needed * size:
                raise PhysgtError(
                    f"has {path.stat().st_size} bytes, but its mesh needs {needed * size}; "
                    "truncated or damaged. Copy it again."
                )
            return _check_end(path, np.dtype(f"{order}f{size}"))
    raise PhysgtError(
        "no d3plot file that VTK reads: its head is short, or has no version from 900."
    )


def _check_end(path: Path, kind: np.dtype) -> None:
    """Behind the last state, and so in the last file of the family, stands END."""
    family = sorted(path.parent.glob(f"{path.name}[0-9]*"), key=lambda p: (len(p.name), p.name))
    last = family[-1] if family else path
    numbers = np.memmap(last, kind, "r", shape=last.stat().st_size // kind.itemsize)
    if not (numbers == END).any():
        raise PhysgtError(
            f"the last file of the family, {last.name}, has no end mark ({END:g}); it is truncated "
            "or damaged. Copy it again, or remove it to read the states before."
        )


def _parts(reader: vtkLSDynaReader, i: int) -> dict[str, Snapshot]:
    reader.SetTimeStep(i)
    reader.Update()
    found = named_snapshots(pv.wrap(reader.GetOutputDataObject(0)))
    return {
        name: replace(part, node=_without(part.node), cell=_without(part.cell), constant={})
        for name, part in found.items()
    }


def _without(arrays: Arrays) -> Arrays:
    return {name: a for name, a in arrays.items() if name not in (*PLACES, *NUMBERS)}
