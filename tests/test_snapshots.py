"""From single times to a trajectory: order, what is checked at each time, planar vectors."""

from pathlib import Path

import numpy as np
import pytest

from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.trajectory import Trajectory

SOURCE = Path("flow")
TRIANGLES = [("triangle", np.array([[0, 1, 2], [0, 2, 3]]))]
SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=float)


def square(points: np.ndarray = SQUARE) -> Mesh:
    return Mesh.from_blocks(points, TRIANGLES)


def shifted(x: float, z: float = 0.0) -> np.ndarray:
    return SQUARE + np.array([x, 0, z])


def of(snapshots: list[Snapshot], times: list[float] | None = None) -> Trajectory:
    return trajectory_of(SOURCE, times or list(range(len(snapshots))), snapshots.__getitem__)


def vector(z: float) -> np.ndarray:
    """Four vectors (3, 4, z)."""
    return np.array([3, 4, z]) * np.ones((4, 1))


def test_times_in_any_order_come_out_sorted_each_with_its_own_values() -> None:
    snapshots = [Snapshot(square(), {"p": np.full(4, value)}) for value in (30.0, 10.0, 20.0)]
    trajectory = of(snapshots, [3, 1, 2])
    assert trajectory.times.tolist() == [1, 2, 3]
    assert trajectory.fields["p"][:, 0].values.tolist() == [10, 20, 30]


def test_a_time_is_read_once_for_all_of_its_fields() -> None:
    reads = []

    def read(i: int) -> Snapshot:
        reads.append(i)
        return Snapshot(square(), {"p": np.zeros(4), "q": np.zeros(4)}, {"r": np.zeros(2)})

    trajectory = trajectory_of(SOURCE, np.arange(6), read)
    assert sorted(reads) == [0, 1, 5]
    reads.clear()
    trajectory.frame(3)
    assert reads == [3]


def test_a_planar_mesh_stored_in_space_has_two_coordinates_and_vectors_of_two_components() -> None:
    points = shifted(0, z=7)
    snapshot = Snapshot(square(points), {"u": vector(0)}, {"flux": vector(0)[:2]})
    trajectory = of([snapshot, snapshot])
    np.testing.assert_array_equal(trajectory.mesh.points, SQUARE[:, :2])
    frame = trajectory.frame(1)
    assert frame["u"].tolist() == [[3, 4]] * 4
    assert frame["flux"].tolist() == [[3, 4]] * 2


@pytest.mark.parametrize("when", [0, 1, 4])
def test_a_vector_that_leaves_the_plane_keeps_three_components(when: int) -> None:
    snapshots = [Snapshot(square(), {"u": vector(z=0.5 * (i == when))}) for i in range(5)]
    trajectory = of(snapshots)
    assert trajectory.declared()[0].components == 3
    np.testing.assert_array_equal(trajectory.frame(when)["u"], vector(0.5))


def test_a_vector_that_leaves_the_plane_in_between_is_an_error_not_a_loss() -> None:
    snapshots = [Snapshot(square(), {"u": vector(z=0.5 * (i == 2))}) for i in range(5)]
    with pytest.raises(PhysgtError, match=r"flow: at time number 2 \(2 s\) 'u' leaves the plane"):
        of(snapshots).frame(2)


def test_points_that_move_are_the_field_points() -> None:
    snapshots = [Snapshot(square(shifted(0.1 * i))) for i in range(4)]
    trajectory = of(snapshots)
    assert trajectory.moving
    np.testing.assert_allclose(trajectory.points_at(2), shifted(0.2)[:, :2])
    np.testing.assert_array_equal(trajectory.mesh.points, SQUARE[:, :2])


def test_a_sheet_that_bends_out_of_its_plane_is_not_planar() -> None:
    bent = SQUARE + np.array([[0, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0]])
    trajectory = of([Snapshot(square()), Snapshot(square(bent))])
    assert trajectory.mesh.dimension == 3
    np.testing.assert_array_equal(trajectory.points_at(1), bent)


def test_points_that_move_in_between_alone_are_an_error_not_a_loss() -> None:
    snapshots = [Snapshot(square(shifted(0.1 * (i == 2))), {"p": np.zeros(4)}) for i in range(5)]
    trajectory = of(snapshots)
    with pytest.raises(PhysgtError, match=r"time number 2 .* the points have moved"):
        trajectory.frame(2)


@pytest.mark.parametrize("when", [1, 2, 4])
def test_a_mesh_that_changes_is_refused_with_the_step_and_the_counts(when: int) -> None:
    other = Mesh.from_blocks(SQUARE, [("triangle", np.array([[0, 1, 2]]))])
    snapshots = [Snapshot(square(), {"p": np.zeros(4)}) for _ in range(5)]
    snapshots[when] = Snapshot(other, {"p": np.zeros(4)})
    with pytest.raises(PhysgtError, match=rf"time number {when} \({when} s\) has 4 points and 1 c"):
        of(snapshots).frame(when)


def test_as_many_cells_between_other_nodes_are_another_mesh() -> None:
    other = Mesh.from_blocks(SQUARE, [("triangle", np.array([[0, 1, 3], [1, 2, 3]]))])
    with pytest.raises(PhysgtError, match="is not that of the first time"):
        of([Snapshot(square()), Snapshot(other)])


def test_fields_that_the_last_time_lacks_are_left_out_by_name() -> None:
    both = {"p": np.zeros(4), "k": np.zeros(4)}
    trajectory = of([Snapshot(square(), both), Snapshot(square(), {"p": np.zeros(4)})])
    assert [f.name for f in trajectory.declared()] == ["p"]
    assert trajectory.attributes["fields_not_at_all_times"] == ["k"]


def test_a_field_that_is_not_there_in_between_is_named_when_it_is_asked_for_and_only_then() -> None:
    both = {"p": np.zeros(4), "k": np.ones(4)}
    snapshots = [Snapshot(square(), both) for _ in range(5)]
    snapshots[2] = Snapshot(square(), {"p": np.zeros(4)})
    trajectory = of(snapshots)
    assert trajectory.frame(2, ["p"])["p"].tolist() == [0, 0, 0, 0]
    with pytest.raises(PhysgtError, match=r"flow: at time number 2 \(2 s\) there is no field 'k'"):
        trajectory.frame(2)


def test_other_numbers_of_components_in_between_are_an_error() -> None:
    snapshots = [Snapshot(square(), {"s": np.zeros((4, 6))}) for _ in range(4)]
    snapshots[2] = Snapshot(square(), {"s": np.zeros((4, 9))})
    with pytest.raises(PhysgtError, match=r"field 's' has shape \(4, 9\), but \(4, 6\) at the"):
        of(snapshots).frame(2)


def test_names_that_files_or_trajectories_need_for_themselves_are_changed() -> None:
    node = {"S/Mises": np.zeros(4), "time": np.ones(4), "p": np.zeros(4)}
    trajectory = of([Snapshot(square(), node, {"p": np.ones(2)})])
    assert {f.name for f in trajectory.declared()} == {"S_Mises", "time_node", "p", "p_cell"}
    assert trajectory.frame(0)["p_cell"].tolist() == [1, 1]


def test_fields_called_as_the_axes_of_a_trajectory_are_kept() -> None:
    trajectory = of([Snapshot(square(), {"node": np.arange(4.0)}, {"cell": np.ones(2)})])
    assert [field.name for field in trajectory.declared()] == ["node_node", "cell_cell"]
    assert trajectory.frame(0)["node_node"].tolist() == [0, 1, 2, 3]


def test_a_global_vector_is_one_value_with_components() -> None:
    trajectory = of([Snapshot(square(), constant={"force": np.array([1.0, 2.0, 3.0])})])
    assert [(f.location, f.components) for f in trajectory.declared()] == [("global", 3)]
    assert trajectory.frame(0)["force"].tolist() == [1, 2, 3]


def test_whole_numbers_called_node_type_are_the_node_types() -> None:
    trajectory = of([Snapshot(square(), {"node_type": np.array([4, 0, 5, 6])})])
    assert trajectory.mesh.node_type.tolist() == [4, 0, 5, 6]
    assert trajectory.declared() == []


def test_a_node_type_out_of_range_is_refused_with_the_source() -> None:
    with pytest.raises(PhysgtError, match="flow: node_type of node 3 is 12, expected 0 to 8"):
        of([Snapshot(square(), {"node_type": np.array([0, 0, 0, 12])})])


def test_a_time_that_comes_twice_is_refused_with_the_source() -> None:
    with pytest.raises(PhysgtError, match="flow: times must increase"):
        of([Snapshot(square()), Snapshot(square())], [1, 1])
