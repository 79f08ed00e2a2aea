"""Rules that give nodes their types."""

import numpy as np
import pytest

from physgt.datasets.node_types import node_types
from physgt.errors import PhysgtError
from physgt.mesh import Mesh, NodeType
from physgt.trajectory import Trajectory

X, Y = (axis.ravel() for axis in np.meshgrid(np.arange(5) / 4, np.arange(3) / 2, indexing="ij"))
CELLS = np.array([[0, 3, 4, 1], [3, 6, 7, 4]])


@pytest.fixture
def plate() -> Trajectory:
    """Nodes at x = 0, 0.25 ... 1 and y = 0, 0.5, 1; node 3 i + j is in column i and row j."""
    mesh = Mesh.from_blocks(
        np.stack([X, Y], axis=1),
        [("quad", CELLS)],
        node_sets={"inlet": [0, 1, 2], "x<1": [5]},
        cell_sets={"heater": [1]},
    )
    marks = np.arange(15)[None] % 7
    return Trajectory.from_arrays(
        mesh,
        np.zeros(1),
        {"mark": marks.astype(np.float32), "height": X[None], "u": np.zeros((1, 15, 2))},
        static={"kind": (X < 0.3).astype(np.int32) * NodeType.INFLOW},
    )


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("x<0.25", X < 0.25),
        ("x <= 0.25", X <= 0.25),
        ("y >= 1", Y >= 1),
        ("0.2 < x < 0.8", (X > 0.2) & (X < 0.8)),
        ("x<0.1 or x>0.9", (X < 0.1) | (X > 0.9)),
        ("x>0 and not y<1", (X > 0) & ~(Y < 1)),
        ("(x-0.5)**2 + (y-0.5)**2 < 0.3**2", (X - 0.5) ** 2 + (Y - 0.5) ** 2 < 0.09),
        ("y > 1 - 2*x/3", Y > 1 - 2 * X / 3),
        ("-x > -0.1", X < 0.1),
    ],
)
def test_a_condition_holds_where_numpy_says_so(
    plate: Trajectory, condition: str, expected: np.ndarray
) -> None:
    types = node_types(plate, [f"{condition}=WALL_BOUNDARY"])
    np.testing.assert_array_equal(types == NodeType.WALL_BOUNDARY, expected)
    assert set(types[~expected]) == {0}


def test_sets_of_nodes_and_of_cells_give_types_by_name_in_any_case_or_by_number(
    plate: Trajectory,
) -> None:
    types = node_types(plate, ["set:inlet=inflow", "set:heater=7"])
    assert np.flatnonzero(types == NodeType.INFLOW).tolist() == [0, 1, 2]
    assert np.flatnonzero(types == 7).tolist() == [3, 4, 6, 7]


def test_a_set_may_have_any_name(plate: Trajectory) -> None:
    types = node_types(plate, ["set:x<1=OUTFLOW"])
    assert np.flatnonzero(types).tolist() == [5]


def test_of_rules_that_overlap_the_later_wins(plate: Trajectory) -> None:
    types = node_types(plate, ["x>=0=WALL_BOUNDARY", "set:inlet=INFLOW", "y>0.9=OUTFLOW"])
    assert types[:3].tolist() == [NodeType.INFLOW, NodeType.INFLOW, NodeType.OUTFLOW]
    assert set(types[3:]) == {NodeType.WALL_BOUNDARY, NodeType.OUTFLOW}


def test_an_array_of_whole_numbers_gives_types_whether_it_changes_or_stays(
    plate: Trajectory,
) -> None:
    np.testing.assert_array_equal(node_types(plate, ["field:mark"]), np.arange(15) % 7)
    by_kind = node_types(plate, ["field:kind"])
    np.testing.assert_array_equal(by_kind == NodeType.INFLOW, X < 0.3)


def test_without_rules_the_types_stay(plate: Trajectory) -> None:
    assert node_types(plate, []).tolist() == [0] * 15


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("x<0.1", "no '='"),
        ("x<0.1=INLET", r"unknown type 'INLET'; known are NORMAL, .* INFLOW.* and the numbers 0"),
        ("x<0.1=9", "unknown type '9'"),
        (
            "set:inflow=INFLOW",
            r"no node set 'inflow'. .*\['inlet', 'x<1'\], its cell sets \['heater'\]",
        ),
        ("x<-1=INFLOW", r"no node obeys it; the mesh reaches from \(0, 0\) to \(1, 1\)"),
        ("z<1=INFLOW", "can't understand 'z<1'.* of x, y and numbers"),
        ("x+1=INFLOW", "isn't a condition"),
        ("1<2=INFLOW", "isn't a condition"),
        ("x<=INFLOW", "can't understand"),
        ("field:pressure", r"no such field .* there are \['height', 'kind', 'mark'\]"),
        ("field:u", "no such field of one number a node"),
        ("field:height", "node 3 has 0.25, expected a whole number from 0 to 8"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_quoted_with_the_way_out(
    plate: Trajectory, rule: str, message: str
) -> None:
    with pytest.raises(PhysgtError, match=message):
        node_types(plate, [rule])


@pytest.mark.parametrize(
    "code",
    [
        "__import__('os').getcwd() < 1",
        "x.__class__ < 1",
        "[i for i in (1,)] < x",
        "(lambda: 1)() < x",
        "x[0] < 1",
        "'a' * 3 < x",
    ],
)
def test_a_rule_never_runs_code(plate: Trajectory, code: str) -> None:
    with pytest.raises(PhysgtError, match="can't understand"):
        node_types(plate, [f"{code}=INFLOW"])


def test_enormous_powers_are_infinite_rather_than_endless(plate: Trajectory) -> None:
    assert (node_types(plate, ["x < 9**9**9**9 = INFLOW"]) == NodeType.INFLOW).all()
