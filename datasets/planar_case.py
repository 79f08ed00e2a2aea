"""A 2-D case stored as one layer of prisms: the planar mesh of the layer's front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from physgt.cells import VTK_NUMBERS
from physgt.datasets.remembered import Remembered
from physgt.datasets.snapshots import Snapshot
from physgt.errors import PhysgtError
from physgt.mesh import Mesh

SYMMETRIC = [(0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2)]
"""The axes of a symmetric tensor's components, in VTK's order."""


@dataclass(frozen=True, eq=False)
class PlanarCase:
    """What of the layer is kept.

    axes   the two axes of the plane, then its normal
    nodes  (n,) the layer's nodes that lie on the front
    faces  the front as a mesh of these nodes; face i belongs to cell i of the layer
    sides  names of the sets that are not kept: the patches in front and behind
    """

    axes: tuple[int, int, int]
    nodes: np.ndarray
    faces: Mesh
    sides: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_front", Remembered[Mesh, Mesh](self._front_of))

    @classmethod
    def of(cls, layer: Mesh, sides: list[np.ndarray], names: Sequence[str] = ()) -> PlanarCase:
        """`sides` are the nodes of the patches in front of and behind the layer, with their names.

        Raises PhysgtError where they are not two parallel planes with one cell between.
        """
        points = layer.points
        on_sides = points[np.concatenate(sides)]
        extent = np.ptp(points, axis=0).max()
        to_planes = np.minimum(on_sides - on_sides.min(axis=0), on_sides.max(axis=0) - on_sides)
        normals = np.flatnonzero(to_planes.max(axis=0) < 1e-6 * extent)
        if not normals.size:
            raise PhysgtError(
                "the patches of type empty are not two planes across x, y or z; turn the case."
            )
        normal = int(normals[-1])
        height = points[:, normal]
        front = height > height.min() + np.ptp(height) / 2
        nodes = np.flatnonzero(front)
        a, b = (axis for axis in range(3) if axis != normal)
        axes = (a, b, normal)
        return cls(axes, nodes, _front_faces(layer, points[:, axes], front), names)

    def front(self, layer: Snapshot) -> Snapshot:
        """The layer's front: nodes and vectors in the plane's axes, cell data face by face."""
        mesh: Mesh = self._front(layer.mesh)  # type: ignore[attr-defined]
        return Snapshot(
            mesh=mesh,
            node={name: self._turned(v[self.nodes]) for name, v in layer.node.items()},
            cell={name: self._turned(v) for name, v in layer.cell.items()},
        )

    def _front_of(self, mesh: Mesh) -> Mesh:
        new_number = np.full(mesh.num_points, -1)
        new_number[self.nodes] = np.arange(len(self.nodes))
        points = mesh.points[self.nodes][:, self.axes]
        # The plane has one height, even where the file's digits differ in the last place.
        points[:, 2] = points[0, 2]
        kept = [name for name in mesh.node_sets if name not in self.sides]
        node_sets = {name: new_number[mesh.node_sets[name]] for name in kept}
        return replace(
            self.faces,
            points=points,
            node_sets={name: ids[ids >= 0] for name, ids in node_sets.items()},
            cell_sets={n: ids for n, ids in mesh.cell_sets.items() if n not in self.sides},
        )

    def _turned(self, values: np.ndarray) -> np.ndarray:
        """Vectors and tensors (n, 3), (n, 6) and (n, 9) in the plane's axes."""
        axes = list(self.axes)
        if values.shape[1:] == (6,):
            places = {frozenset(pair): place for place, pair in enumerate(SYMMETRIC)}
            return values[:, [places[frozenset((axes[i], axes[j]))] for i, j in SYMMETRIC]]
        if values.shape[1:] == (9,):
            return values.reshape(-1, 3, 3)[:, axes][:, :, axes].reshape(-1, 9)
        if values.shape[1:] != (3,):
            return values
        turned = values[:, self.axes]
        # Solvers don't compute the component across `empty` patches: what is there is rounding.
        turned[:, 2] = 0
        return turned


def _front_faces(layer: Mesh, points: np.ndarray, front: np.ndarray) -> Mesh:
    """One polygon a cell: the face whose nodes are the cell's nodes in front."""
    new_number = np.cumsum(front) - 1
    sizes = np.diff(layer.offsets) // 2
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    connectivity = np.empty(offsets[-1], dtype=np.int64)
    cell_types = np.empty(layer.num_cells, dtype=np.uint8)
    for _, cells, nodes in layer.blocks():
        in_front, size = front[nodes], nodes.shape[1] // 2
        if (in_front.sum(axis=1) != size).any() or nodes.shape[1] % 2:
            raise PhysgtError(
                "the patches of type empty have more than one cell between them, or cells that "
                "are not prisms; a 2-D case has one layer of prisms."
            )
        rings = _around(points, nodes[in_front].reshape(-1, size))
        connectivity[offsets[cells][:, None] + np.arange(size)] = new_number[rings]
        cell_types[cells] = VTK_NUMBERS[{3: "triangle", 4: "quad"}.get(size, "polygon")]
    return Mesh(points[front], connectivity, offsets, cell_types, np.zeros(front.sum()))


def _around(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The nodes of convex faces (m, k) in order around them, counterclockwise in the plane."""
    corners = points[faces][..., :2]
    x, y = np.moveaxis(corners - corners.mean(axis=1, keepdims=True), -1, 0)
    return np.take_along_axis(faces, np.argsort(np.arctan2(y, x), axis=1), axis=1)
