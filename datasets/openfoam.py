"""OpenFOAM case directories: serial and decomposed, of one region or several.

Source: OpenFOAM User Guide, sections "File structure of OpenFOAM cases" and "Mesh description".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from physgt.datasets.openfoam_files import unit_of
from physgt.datasets.openfoam_parts import parts_of_case
from physgt.datasets.openfoam_piece import FoamPiece
from physgt.datasets.parts import Parts
from physgt.datasets.planar_case import PlanarCase
from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.datasets.vtk_files import vtk_errors
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory

PROCESSOR = re.compile(r"processor(\d+)")
COLLATED = re.compile(r"processors\d+(_\d+-\d+)?")
NUMBER = re.compile(r"\d+(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE)
UNEXPANDED = re.compile(r"Error reading.*(?:Unsupported directive|for uniform entry, found).*")
FOAM_FILE = re.compile(r"[^{}]*\{(?P<region>[^{}]+)\}")
"""As paraFoam names the file of a region: CASE{REGION}.foam."""


def is_openfoam(path: Path) -> bool:
    if not path.is_dir():
        return path.suffix.lower() in (".foam", ".openfoam")
    case, region = _case_and_region(path)
    return bool(region) or bool(_regions(case)) or any(map(_collated, path.glob("processors*")))


def read_openfoam(path: Path) -> Trajectory:
    """All times of a case, the 0 directory among them, where fields of cells stay on cells.

    Patches become node sets (all points of their faces) and cell sets (the cells behind these);
    cell zones become cell sets, face and point zones node sets. A case of one cell's thickness
    between patches of type `empty` becomes the planar mesh of its front faces; the `empty` patches
    are no sets then. Units come from the files' `dimensions`.

    Of several regions one is read: CASE/constant/REGION names it, or a file CASE/NAME{REGION}.foam.
    A decomposed case is read from its processors' folders where these have times that the case's
    own folder lacks.

    Raises PhysgtError for what VTK reports while reading, for parts that don't fit together and
    where a region must be named.
    """
    case, region = _case_and_region(path)
    with _foam_errors(path):
        roots = _roots(case, region)
        pieces = [FoamPiece(root, region) for root in roots]
        times = pieces[0].times or [0.0]
        _check_parts(pieces)
        first = [piece.snapshot(0) for piece in pieces]
        parts = None
        if len(pieces) > 1:
            parts = parts_of_case([piece.polymesh for piece in pieces], [s.mesh for s in first])
        planar = _planar(pieces[0], _whole(parts, first))

    def read(i: int) -> Snapshot:
        with _foam_errors(path):
            snapshot = _whole(parts, [piece.snapshot(i) for piece in pieces])
            return planar.front(snapshot) if planar else snapshot

    return trajectory_of(path, times, read, units=_units(roots[0], pieces[0]))


@contextmanager
def _foam_errors(path: Path) -> Iterator[None]:
    """vtk_errors, with what to do where VTK can't expand an entry that OpenFOAM can."""
    try:
        with vtk_errors(path):
            yield
    except PhysgtError as error:
        found = UNEXPANDED.search(str(error))
        if found is None:
            raise
        raise PhysgtError(
            f"{path}: VTK can't expand an entry: {found[0]}. Write the file expanded "
            "(foamDictionary FILE -expand), or rename the folder, as 0 to 0.orig, to pass over it."
        ) from error


def _whole(parts: Parts | None, snapshots: list[Snapshot]) -> Snapshot:
    return snapshots[0] if parts is None else parts.joined(snapshots)


def _case_and_region(path: Path) -> tuple[Path, str]:
    if not path.is_dir():
        named = FOAM_FILE.fullmatch(path.stem)
        return path.parent, named["region"] if named else ""
    folder = path.resolve()
    if folder.parent.name == "constant" and (folder / "polyMesh").is_dir():
        return path.parent.parent, folder.name
    return path, ""


def _roots(case: Path, region: str) -> list[Path]:
    """The folders that together hold the mesh: the case itself, or those of its processors."""
    numbered = {int(found[1]): folder for folder, found in _matching(case, PROCESSOR)}
    roots = [numbered[number] for number in sorted(numbered)]
    roots = [root for root in roots if (root / "constant" / region / "polyMesh").is_dir()]
    whole = (case / "constant" / region / "polyMesh").is_dir()
    collated = [folder for folder in case.iterdir() if _collated(folder)]
    if not roots and any(not whole or _times(folder) - _times(case) for folder in collated):
        raise PhysgtError(
            f"the results are in collated files ({collated[0].name}), which can't be read; run "
            "reconstructPar, or foamFormatConvert -fileHandler uncollated."
        )
    if whole and not (roots and _times(roots[0]) - _times(case)):
        return [case]
    if roots:
        if len(roots) < len(numbered) or sorted(numbered) != list(range(len(numbered))):
            raise PhysgtError(
                f"the folders {', '.join(root.name for root in roots)} have a mesh; the case was "
                "cut into more parts. Copy all of them."
            )
        return roots
    regions = sorted(_regions(case))
    if regions:
        raise PhysgtError(
            f"no {f'region {region!r}' if region else 'mesh in constant/polyMesh'}; the case has "
            f"the regions {', '.join(regions)}. Name one, as in {case / 'constant' / regions[0]}."
        )
    raise PhysgtError("no mesh: neither constant/polyMesh nor processor0/constant/polyMesh.")


def _check_parts(pieces: list[FoamPiece]) -> None:
    """Raises PhysgtError where a part is missing, or hasn't come as far as the others."""
    first = pieces[0]
    for piece in pieces:
        for other in (patch.neighbour for patch in piece.patches):
            if other is not None and other >= len(pieces):
                raise PhysgtError(
                    f"{piece.root.name} has a boundary to processor{other}, whose folder is "
                    "missing. Copy all parts of the case."
                )
        if piece.times != first.times:
            raise PhysgtError(
                f"{piece.root.name} has {len(piece.times)} times, but {first.root.name} "
                f"{len(first.times)}; the run was cut off. Remove the times that not all "
                "processors have."
            )


def _times(root: Path) -> set[str]:
    names = {folder.name for folder in root.glob("[0-9]*") if folder.is_dir()}
    return {name for name in names if NUMBER.fullmatch(name)}


def _regions(case: Path) -> set[str]:
    """The names of the regions with a mesh, "" for the main one."""
    folders = [case, *(folder for folder, _ in _matching(case, PROCESSOR))]
    meshes = [m for f in folders for m in (f / "constant").glob("polyMesh") if m.is_dir()]
    meshes += [m for f in folders for m in (f / "constant").glob("*/polyMesh") if m.is_dir()]
    return {"" if m.parent.name == "constant" else m.parent.name for m in meshes}


def _matching(case: Path, pattern: re.Pattern[str]) -> Iterator[tuple[Path, re.Match[str]]]:
    for folder in case.iterdir():
        found = pattern.fullmatch(folder.name)
        if found and folder.is_dir():
            yield folder, found


def _collated(folder: Path) -> bool:
    return COLLATED.fullmatch(folder.name) is not None and folder.is_dir()


def _planar(piece: FoamPiece, layer: Snapshot) -> PlanarCase | None:
    """What a 2-D case keeps of its layer of cells; None for a case in space."""
    empty = [patch.name for patch in piece.patches if patch.kind == "empty"]
    empty = [name for name in empty if name in layer.mesh.node_sets]
    if not empty:
        return None
    sides = [layer.mesh.node_sets[name] for name in empty]
    return PlanarCase.of(layer.mesh, sides, empty)


def _units(root: Path, piece: FoamPiece) -> Mapping[str, str]:
    """The unit of each field, from any of its files."""
    times = [folder for folder in root.glob("[0-9]*") if folder.is_dir()]
    return {
        name: unit_of(folder / piece.region / name for folder in times)
        for name in piece.field_names
    }
