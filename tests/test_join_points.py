"""Cells that were written with nodes of their own, as deal.II does: told, refused, joined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heat_case import HEAT, SMALL_MODELS, square_mesh
from physgt import Mesh, PhysgtError, Simulator, Trajectory
from physgt.cli import main
from physgt.datasets import open_trajectory, write_trajectory
from physgt.datasets.join_points import join_points
from physgt.mesh import mesh_edges


def with_own_nodes(mesh: Mesh) -> tuple[Mesh, np.ndarray]:
    """Each triangle of `mesh` with three nodes of its own, and whose copies these are."""
    copies = mesh.connectivity
    cells = [("triangle", np.arange(len(copies)).reshape(-1, 3))]
    sets = {name: np.flatnonzero(np.isin(copies, ids)) for name, ids in mesh.node_sets.items()}
    types = mesh.node_type[copies]
    return Mesh.from_blocks(mesh.points[copies], cells, node_type=types, node_sets=sets), copies


@pytest.fixture
def whole() -> Mesh:
    return square_mesh(3)


@pytest.fixture
def apart(whole: Mesh) -> Trajectory:
    """u = x + t on nodes, and a number for each cell."""
    mesh, _ = with_own_nodes(whole)
    times = np.array([0.0, 1.0])
    return Trajectory.from_arrays(
        mesh,
        times,
        {"temperature": (mesh.points[:, 0] + times[:, None]).astype(np.float32)},
        cell_fields={"material": np.arange(mesh.num_cells)[None].repeat(2, axis=0)},
    )


def test_the_joined_mesh_is_the_one_that_was_taken_apart(whole: Mesh, apart: Trajectory) -> None:
    joined = join_points(apart)
    # The k-th new point is the first of its copies; by place, all is as it was.
    places = {tuple(point): i for i, point in enumerate(whole.points)}
    old = np.array([places[tuple(point)] for point in joined.mesh.points])
    assert sorted(old) == list(range(whole.num_points))
    np.testing.assert_array_equal(old[joined.mesh.connectivity], whole.connectivity)
    np.testing.assert_array_equal(joined.mesh.node_type, whole.node_type[old])
    assert set(old[joined.mesh.node_sets["rim"]]) == set(whole.node_sets["rim"])
    ours, theirs = ({tuple(e) for e in np.transpose(mesh_edges(m))} for m in (joined.mesh, whole))
    assert {(old[a], old[b]) for a, b in ours} == theirs
    for i, time in enumerate((0.0, 1.0)):
        frame = joined.frame(i)
        np.testing.assert_allclose(frame["temperature"], whole.points[old, 0] + time, rtol=1e-6)
        np.testing.assert_array_equal(frame["material"], np.arange(whole.num_cells))


def test_a_joined_point_has_the_mean_of_its_values(whole: Mesh) -> None:
    mesh, copies = with_own_nodes(whole)
    values = np.random.default_rng(0).uniform(size=(1, mesh.num_points, 2))
    numbers = np.arange(mesh.num_points)[None]
    fields = {"flux": values, "number": numbers}
    joined = join_points(Trajectory.from_arrays(mesh, np.zeros(1), fields))
    assert [f.dtype for f in joined.declared()] == ["float64", "float64"]
    for i, point in enumerate(joined.mesh.points):
        of = [k for k in range(len(copies)) if (whole.points[copies[k]] == point).all()]
        np.testing.assert_allclose(joined.frame(0)["flux"][i], values[0, of].mean(axis=0))
        np.testing.assert_allclose(joined.frame(0)["number"][i], np.mean(of))


def test_points_that_move_are_joined_where_they_were_at_first(whole: Mesh) -> None:
    mesh, copies = with_own_nodes(whole)
    moved = whole.points + np.array([[[0.0, 0.0]], [[0.5, 0.2]]])
    trajectory = Trajectory.from_arrays(mesh, np.arange(2.0), {"points": moved[:, copies]})
    joined = join_points(trajectory)
    assert joined.mesh.num_points == whole.num_points
    np.testing.assert_allclose(
        joined.points_at(1), joined.mesh.points + np.array([0.5, 0.2]), rtol=1e-6
    )


def test_info_tells_and_convert_joins(apart: Trajectory, whole: Mesh, tmp_path: Path, capsys):
    source, output = tmp_path / "apart.vtkhdf", tmp_path / "joined.vtkhdf"
    write_trajectory(apart, source)
    for words in (["info", source], ["convert", source, "-o", output, "--join-points"]):
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        assert not stop.value.code
    assert "no two share a node, though nodes coincide" in capsys.readouterr().out
    assert open_trajectory(output).mesh.num_points == whole.num_points


def test_a_model_refuses_cells_that_stand_alone(apart: Trajectory, whole: Mesh) -> None:
    simulator = Simulator(HEAT, 2, "meshgraphnet", SMALL_MODELS["meshgraphnet"])
    with pytest.raises(PhysgtError, match=r"18 cells share a node.*--join-points"):
        simulator.build_graph(apart.mesh)
    simulator.build_graph(join_points(apart).mesh)
    # Two bodies that don't touch are no such mesh.
    two = np.array([[0, 0], [1, 0], [0, 1], [5, 0], [6, 0], [5, 1]], dtype=float)
    cells = [("triangle", np.arange(6).reshape(2, 3))]
    simulator.build_graph(Mesh.from_blocks(two, cells, node_sets={"rim": np.arange(6)}))
