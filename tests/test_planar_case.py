"""One layer of prisms as a planar mesh."""

import numpy as np
import pytest

from physgt.datasets.planar_case import PlanarCase
from physgt.datasets.snapshots import Snapshot
from physgt.errors import PhysgtError
from physgt.mesh import Mesh

# A unit square and a triangle on its right, then the same moved along the normal.
OUTLINE = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [2, 0.5]])
QUAD, TRIANGLE = [0, 1, 2, 3], [1, 4, 2]


def layer(normal: int) -> tuple[Mesh, list[np.ndarray]]:
    """The prisms, and the nodes of their two sides across axis `normal`."""
    plane = [axis for axis in range(3) if axis != normal]
    points = np.zeros((10, 3))
    points[:5, plane] = points[5:, plane] = OUTLINE
    points[5:, normal] = 0.1
    # The hexahedron counts its nodes along another direction than the normal.
    behind, front = np.array(QUAD), np.array(QUAD) + 5
    hexahedron = [
        behind[0],
        behind[1],
        front[1],
        front[0],
        behind[3],
        behind[2],
        front[2],
        front[3],
    ]
    wedge = [*TRIANGLE, *(5 + i for i in TRIANGLE)]
    mesh = Mesh.from_blocks(
        points,
        [("hexahedron", np.array([hexahedron])), ("wedge", np.array([wedge]))],
        node_sets={"left": [0, 3, 5, 8]},
    )
    return mesh, [np.arange(5), np.arange(5, 10)]


@pytest.mark.parametrize("normal", [0, 1, 2])
def test_the_front_holds_each_cell_once_with_its_values_and_its_nodes_counterclockwise(
    normal: int,
) -> None:
    mesh, sides = layer(normal)
    vectors = np.zeros((2, 3))
    vectors[:, [axis for axis in range(3) if axis != normal]] = [[1, 2], [3, 4]]
    vectors[:, normal] = 1e-20
    snapshot = Snapshot(mesh, {"p": np.arange(10.0)}, {"u": vectors, "heat": np.array([5.0, 6.0])})
    front = PlanarCase.of(mesh, sides).front(snapshot)
    assert front.mesh.cell_types.tolist() == [9, 5]
    np.testing.assert_array_equal(front.mesh.points[:, :2], OUTLINE)
    assert len(set(front.mesh.points[:, 2])) == 1
    assert sorted(front.mesh.connectivity[:4].tolist()) == QUAD
    assert sorted(front.mesh.connectivity[4:].tolist()) == sorted(TRIANGLE)
    for cell, area in ((front.mesh.connectivity[:4], 1.0), (front.mesh.connectivity[4:], 0.5)):
        (x, y), (next_x, next_y) = OUTLINE[cell].T, OUTLINE[np.roll(cell, -1)].T
        assert (x * next_y - next_x * y).sum() / 2 == pytest.approx(area)
    assert front.mesh.node_sets["left"].tolist() == [0, 3]
    assert front.node["p"].tolist() == [5, 6, 7, 8, 9]
    assert front.cell["heat"].tolist() == [5, 6]
    assert front.cell["u"].tolist() == [[1, 2, 0], [3, 4, 0]]


@pytest.mark.parametrize("normal", [0, 1, 2])
def test_tensors_are_turned_into_the_plane_as_vectors_are(normal: int) -> None:
    mesh, sides = layer(normal)
    a, b = (axis for axis in range(3) if axis != normal)
    full = np.arange(9.0).reshape(3, 3)
    xx, yy, zz, xy, yz, xz = 1.0, 2.0, 3.0, 4.0, 5.0, 6.0
    symmetric = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    fields = {"G": full.reshape(1, 9), "R": np.array([[xx, yy, zz, xy, yz, xz]])}
    fields = {name: np.repeat(values, 2, axis=0) for name, values in fields.items()}
    front = PlanarCase.of(mesh, sides).front(Snapshot(mesh, cell=fields))
    turned = front.cell["G"][0].reshape(3, 3)
    np.testing.assert_array_equal(turned[:2, :2], full[np.ix_((a, b), (a, b))])
    assert turned[2, 2] == full[normal, normal]
    in_plane = [symmetric[a, a], symmetric[b, b], symmetric[normal, normal], symmetric[a, b]]
    assert front.cell["R"][0, :4].tolist() == in_plane


def test_two_layers_are_refused() -> None:
    points = np.array([[x, y, z] for z in (0, 1, 2) for x, y in OUTLINE[:4]], dtype=float)
    hexahedra = np.array([[0, 1, 2, 3, 4, 5, 6, 7], [4, 5, 6, 7, 8, 9, 10, 11]])
    mesh = Mesh.from_blocks(points, [("hexahedron", hexahedra)])
    with pytest.raises(PhysgtError, match="more than one cell between them"):
        PlanarCase.of(mesh, [np.arange(4), np.arange(8, 12)])


def test_sides_that_are_not_planes_are_refused() -> None:
    mesh, _ = layer(2)
    with pytest.raises(PhysgtError, match="not two planes across x, y or z"):
        PlanarCase.of(Mesh.from_blocks(mesh.points @ rotation(), wedges(mesh)), [np.arange(10)])


def rotation() -> np.ndarray:
    """By half a radian around x, then around y."""
    c, s = np.cos(0.5), np.sin(0.5)
    return np.array([[1, 0, 0], [0, c, s], [0, -s, c]]) @ [[c, 0, s], [0, 1, 0], [-s, 0, c]]


def wedges(mesh: Mesh) -> list[tuple[str, np.ndarray]]:
    return [("wedge", mesh.connectivity[8:].reshape(1, 6))]
