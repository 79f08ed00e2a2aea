"""The parts of a decomposed OpenFOAM case as one mesh, each shared point once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from physgt.datasets.openfoam_files import read_labels
from physgt.datasets.parts import Parts
from physgt.errors import PhysgtError
from physgt.mesh import Mesh


def parts_of_case(folders: Sequence[Path], meshes: Sequence[Mesh]) -> Parts:
    """By OpenFOAM's own record, the files *ProcAddressing in the polyMesh folders.

    Without it (a mesh made in parallel) points that coincide are one point, and cells keep their
    order.
    """
    points = _recorded(folders, "point", [mesh.num_points for mesh in meshes])
    cells = _recorded(folders, "cell", [mesh.num_cells for mesh in meshes])
    if points is None or cells is None:
        return Parts.coinciding(meshes)
    return Parts(points, np.concatenate(cells))


def _recorded(folders: Sequence[Path], what: str, sizes: list[int]) -> list[np.ndarray] | None:
    """The lists of one kind, if all parts have them; they number the whole without a gap."""
    name = f"{what}ProcAddressing"
    lists = [read_labels(folder / name) for folder in folders]
    found = [labels for labels in lists if labels is not None]
    if len(found) < len(folders):
        return None
    for folder, labels, size in zip(folders, found, sizes, strict=True):
        if len(labels) != size:
            raise PhysgtError(
                f"{folder / name}: has {len(labels)} labels, but the part has {size} {what}s; "
                "decompose the case again."
            )
    numbers = np.unique(np.concatenate(found))
    if numbers[0] != 0 or numbers[-1] != len(numbers) - 1:
        raise PhysgtError(
            f"{folders[0] / name}: the parts don't make up the whole mesh; they are of several "
            "decompositions. Decompose the case again."
        )
    return found
