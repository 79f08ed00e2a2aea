"""The parts of a decomposed OpenFOAM case as one mesh, each shared point once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from physgt.datasets.openfoam_files import read_labels
from physgt.datasets.snapshots import Snapshot
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.polyhedra import Polyhedra

COINCIDE = 1e-9
"""Points of two parts this near, in extents of the mesh, are one point."""


@dataclass(frozen=True, eq=False)
class Parts:
    """How the parts lie in the whole.

    points   for each part, the number in the whole of each of its points
    cells    (M,) the number in the whole of all cells, part after part
    """

    points: list[np.ndarray]
    cells: np.ndarray

    @classmethod
    def of(cls, folders: list[Path], meshes: list[Mesh]) -> Parts:
        """By OpenFOAM's own record, the files *ProcAddressing in the polyMesh folders.

        Without it (a mesh made in parallel) points that coincide are one point, and cells keep
        their order.
        """
        points = _recorded(folders, "pointProcAddressing", [m.num_points for m in meshes])
        cells = _recorded(folders, "cellProcAddressing", [m.num_cells for m in meshes])
        if points is None or cells is None:
            cells = [np.arange(sum(mesh.num_cells for mesh in meshes))]
            points = _coinciding(meshes)
        return cls(points, np.concatenate(cells))

    def joined(self, parts: list[Snapshot]) -> Snapshot:
        """One snapshot of the whole. Fields are taken where all parts have them."""
        order = np.empty_like(self.cells)
        order[self.cells] = np.arange(len(self.cells))
        node_names = [n for n in parts[0].node if all(n in part.node for part in parts)]
        cell_names = [n for n in parts[0].cell if all(n in part.cell for part in parts)]
        return Snapshot(
            self._mesh([part.mesh for part in parts]).take_cells(order),
            {name: self._on_points([part.node[name] for part in parts]) for name in node_names},
            {name: np.concatenate([p.cell[name] for p in parts])[order] for name in cell_names},
        )

    def _mesh(self, meshes: list[Mesh]) -> Mesh:
        """The cells of part after part."""
        first_cell = np.cumsum([0, *(mesh.num_cells for mesh in meshes)])
        first_entry = np.cumsum([0, *(len(mesh.connectivity) for mesh in meshes)])
        pairs = list(zip(meshes, self.points, strict=True))
        node_names = dict.fromkeys(name for mesh in meshes for name in mesh.node_sets)
        cell_names = dict.fromkeys(name for mesh in meshes for name in mesh.cell_sets)
        none = np.empty(0, np.int64)
        return Mesh(
            points=self._on_points([mesh.points for mesh in meshes]),
            connectivity=np.concatenate([new[mesh.connectivity] for mesh, new in pairs]),
            offsets=np.concatenate(
                [[0], *(m.offsets[1:] + s for m, s in zip(meshes, first_entry, strict=False))]
            ),
            cell_types=np.concatenate([mesh.cell_types for mesh in meshes]),
            node_type=self._on_points([mesh.node_type for mesh in meshes]),
            node_sets={
                name: np.unique(
                    np.concatenate([new[mesh.node_sets.get(name, none)] for mesh, new in pairs])
                )
                for name in node_names
            },
            cell_sets={
                name: np.concatenate(
                    [
                        m.cell_sets.get(name, none) + s
                        for m, s in zip(meshes, first_cell, strict=False)
                    ]
                )
                for name in cell_names
            },
            polyhedra=Polyhedra.joined(
                [
                    mesh.polyhedra.renumbered(new)
                    if mesh.polyhedra
                    else Polyhedra.none(mesh.num_cells)
                    for mesh, new in pairs
                ]
            ),
        )

    def _on_points(self, values: list[np.ndarray]) -> np.ndarray:
        """Values at a shared point are those of the last part that has it; they are the same."""
        num_points = max(int(new.max()) for new in self.points) + 1
        whole = np.zeros((num_points, *values[0].shape[1:]), np.result_type(*values))
        for new, part in zip(self.points, values, strict=True):
            whole[new] = part
        return whole


def _recorded(folders: list[Path], name: str, sizes: list[int]) -> list[np.ndarray] | None:
    """The lists of one kind, if all parts have them and they number the whole without a gap."""
    lists = [read_labels(folder / name) for folder in folders]
    found = [labels for labels in lists if labels is not None]
    if len(found) < len(folders):
        return None
    for folder, labels, size in zip(folders, found, sizes, strict=True):
        if len(labels) != size:
            raise PhysgtError(
                f"{folder / name}: has {len(labels)} labels, but the part has {size} "
                f"{name.removesuffix('ProcAddressing')}s; decompose the case again."
            )
    numbers = np.unique(np.concatenate(found))
    if numbers[0] != 0 or numbers[-1] != len(numbers) - 1:
        raise PhysgtError(
            f"{folders[0] / name}: the parts don't make up the whole mesh; a processor's folder "
            "is missing, or they are of several decompositions."
        )
    return found


def _coinciding(meshes: list[Mesh]) -> list[np.ndarray]:
    points = np.concatenate([mesh.points for mesh in meshes])
    near = COINCIDE * np.ptp(points, axis=0).max()
    pairs = cKDTree(points).query_pairs(near, output_type="ndarray")
    one = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(points), len(points)))
    whole = connected_components(one, directed=False)[1]
    return np.split(whole, np.cumsum([mesh.num_points for mesh in meshes])[:-1])
