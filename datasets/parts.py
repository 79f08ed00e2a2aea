"""Parts of one mesh that were stored apart: zones, blocks, the pieces of several processors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from physgt.cells import CELL_TYPES
from physgt.coinciding import COINCIDE, coinciding_pairs, one_number_each
from physgt.datasets.main_cells import keep_main_cells
from physgt.datasets.remembered import Remembered
from physgt.datasets.snapshots import Snapshot
from physgt.errors import PhysgtError
from physgt.faces import cells_behind
from physgt.mesh import Mesh
from physgt.polyhedra import Polyhedra


@dataclass(frozen=True, eq=False)
class Parts:
    """How parts lie in the whole.

    points   for each part, the number in the whole of each of its points
    cells    (M,) the number in the whole of all cells, part after part
    """

    points: list[np.ndarray]
    cells: np.ndarray

    def __post_init__(self) -> None:
        order = np.empty_like(self.cells)
        order[self.cells] = np.arange(len(self.cells))
        object.__setattr__(self, "_order", order)
        whole = Remembered[Mesh, Mesh](lambda *parts: self._mesh(parts).take_cells(order))
        object.__setattr__(self, "_whole", whole)

    @classmethod
    def coinciding(cls, meshes: Sequence[Mesh]) -> Parts:
        """Points of different parts that coincide are one; cells keep their order."""
        cells = np.arange(sum(mesh.num_cells for mesh in meshes))
        sizes = [mesh.num_points for mesh in meshes]
        if len(meshes) == 1:
            return cls([np.arange(sizes[0])], cells)
        points = np.concatenate([mesh.points for mesh in meshes])
        part = np.repeat(np.arange(len(meshes)), sizes)
        pairs = coinciding_pairs(points)
        # Within a part they stay two: the sides of a thin wall, for example.
        pairs = pairs[part[pairs[:, 0]] != part[pairs[:, 1]]]
        whole = one_number_each(pairs, len(points))
        return cls(np.split(whole, np.cumsum(sizes)[:-1]), cells)

    def joined(self, parts: Sequence[Snapshot]) -> Snapshot:
        """One snapshot of the whole. Fields are taken where all parts have them.

        Sets of the same name are united. At a shared point the value is that of the last part.
        Raises PhysgtError where a part isn't as large as it was.
        """
        for i, (part, new) in enumerate(zip(parts, self.points, strict=True)):
            if part.mesh.num_points != len(new):
                raise PhysgtError(
                    f"part {i} has {part.mesh.num_points} points, but {len(new)} at the first "
                    "time; physgt needs one mesh for all times."
                )
        order: np.ndarray = self._order  # type: ignore[attr-defined]
        mesh: Mesh = self._whole(*(part.mesh for part in parts))  # type: ignore[attr-defined]
        node_names = [n for n in parts[0].node if all(n in part.node for part in parts)]
        cell_names = [n for n in parts[0].cell if all(n in part.cell for part in parts)]
        return Snapshot(
            mesh,
            {name: self._on_points([part.node[name] for part in parts]) for name in node_names},
            {name: np.concatenate([p.cell[name] for p in parts])[order] for name in cell_names},
            parts[0].constant,
        )

    def _mesh(self, meshes: Sequence[Mesh]) -> Mesh:
        """The cells of part after part."""
        first_cell = np.cumsum([0, *(mesh.num_cells for mesh in meshes)])
        first_entry = np.cumsum([0, *(len(mesh.connectivity) for mesh in meshes)])
        if first_cell[-1] != len(self.cells):
            raise PhysgtError(
                f"the parts have {first_cell[-1]} cells, but {len(self.cells)} at the first time; "
                "physgt needs one mesh for all times."
            )
        pairs = list(zip(meshes, self.points, strict=True))
        return Mesh(
            points=self._on_points([mesh.points for mesh in meshes]),
            connectivity=np.concatenate([new[mesh.connectivity] for mesh, new in pairs]),
            offsets=np.concatenate(
                [[0], *(m.offsets[1:] + s for m, s in zip(meshes, first_entry, strict=False))]
            ),
            cell_types=np.concatenate([mesh.cell_types for mesh in meshes]),
            node_type=self._on_points([mesh.node_type for mesh in meshes]),
            node_sets=_united([m.node_sets for m in meshes], self.points),
            cell_sets=_united(
                [m.cell_sets for m in meshes],
                [np.arange(m.num_cells) + s for m, s in zip(meshes, first_cell, strict=False)],
            ),
            polyhedra=Polyhedra.joined(
                [
                    m.polyhedra.renumbered(new) if m.polyhedra else Polyhedra.none(m.num_cells)
                    for m, new in pairs
                ]
            ),
        )

    def _on_points(self, values: Sequence[np.ndarray]) -> np.ndarray:
        num_points = max(int(new.max()) for new in self.points) + 1
        whole = np.zeros((num_points, *values[0].shape[1:]), np.result_type(*values))
        for new, part in zip(self.points, values, strict=True):
            if part.shape[1:] != whole.shape[1:]:
                raise PhysgtError(
                    f"a field has {part.shape[1:]} components in one part and {whole.shape[1:]} in "
                    "another; write it with the same components everywhere."
                )
            whole[new] = part
        return whole


@dataclass(frozen=True, eq=False)
class NamedParts:
    """The parts of a file that names them: those of cells are the mesh, lower ones mark it.

    main       names of the parts whose cells are the mesh
    parts      how these lie in the whole
    node_sets  the points of the parts of lower dimension, such as an inlet's
    cell_sets  the main parts, and the cells behind the faces of the lower ones
    left_out   names of lower parts that don't lie on the mesh, such as a cut through it
    """

    main: list[str]
    parts: Parts
    node_sets: Mapping[str, np.ndarray]
    cell_sets: Mapping[str, np.ndarray]
    left_out: list[str]

    @classmethod
    def of(cls, found: Mapping[str, Snapshot], marks: Mapping[str, Sequence[Mesh]]) -> NamedParts:
        """found: parts with fields. marks: more meshes that mark the boundary, several a name.

        Raises PhysgtError where there is no part at all.
        """
        if not found:
            raise PhysgtError("it has no part with cells; there is no mesh to compute on.")
        dimensions = {name: _dimension(part.mesh) for name, part in found.items()}
        main = [name for name in found if dimensions[name] == max(dimensions.values())]
        parts = Parts.coinciding([found[name].mesh for name in main])
        whole = parts.joined([_with_name(name, found[name]) for name in main]).mesh
        lower = {name: [part.mesh] for name, part in found.items() if name not in main}
        for name, meshes in marks.items():
            lower.setdefault(name, []).extend(meshes)
        node_sets, cell_sets = dict(whole.node_sets), dict(whole.cell_sets)
        tree, near = cKDTree(whole.points), COINCIDE * np.ptp(whole.points, axis=0).max()
        left_out = []
        for name, meshes in lower.items():
            surfaces = [_on_mesh(mesh, whole.points, tree, near) for mesh in meshes]
            placed = [surface for surface in surfaces if surface is not None]
            if len(placed) < len(surfaces):
                left_out.append(name)
                continue
            behind = np.concatenate([cells_behind(whole, surface) for surface in placed])
            nodes = np.concatenate([surface.connectivity for surface in placed])
            node_sets.setdefault(name, np.unique(nodes))
            cell_sets.setdefault(name, np.unique(behind))
        return cls(main, parts, node_sets, cell_sets, left_out)

    def joined(self, found: Mapping[str, Snapshot]) -> Snapshot:
        missing = [name for name in self.main if name not in found]
        if missing:
            raise PhysgtError(f"part '{missing[0]}' is missing, which the first time has.")
        whole = self.parts.joined([found[name] for name in self.main])
        mesh = replace(whole.mesh, node_sets=self.node_sets, cell_sets=self.cell_sets)
        mesh, cell = keep_main_cells(mesh, whole.cell)
        return Snapshot(mesh, whole.node, cell, whole.constant)


def _on_mesh(mesh: Mesh, points: np.ndarray, tree: cKDTree, near: float) -> Mesh | None:
    """The cells of `mesh` between the points of another that lie there; None where one doesn't."""
    distances, numbers = tree.query(mesh.points)
    if (distances[mesh.connectivity] > near).any():
        return None
    return Mesh(
        points, numbers[mesh.connectivity], mesh.offsets, mesh.cell_types, np.zeros(len(points))
    )


def _with_name(name: str, part: Snapshot) -> Snapshot:
    sets = {name: np.arange(part.mesh.num_cells), **part.mesh.cell_sets}
    return replace(part, mesh=replace(part.mesh, cell_sets=sets))


def _dimension(mesh: Mesh) -> int:
    return max(CELL_TYPES[number].dimension for number in np.unique(mesh.cell_types).tolist())


def _united(
    sets: Sequence[Mapping[str, np.ndarray]], numbers: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """Sets of parts in the numbers of the whole."""
    names = dict.fromkeys(name for of_part in sets for name in of_part)
    return {
        name: np.unique(
            np.concatenate(
                [new[part[name]] for part, new in zip(sets, numbers, strict=True) if name in part]
            )
        )
        for name in names
    }
