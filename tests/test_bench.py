"""Measuring a step: what is counted and what is said, not how fast it is."""

import pytest
import torch

from physgt import PhysgtError
from physgt.bench import bench, random_graph
from physgt.cli import main


def test_each_model_is_measured_on_each_mesh_in_a_process_of_its_own():
    (found,) = bench(["meshgraphnet"], [300], threads=1)
    assert (found.model, found.num_nodes) == ("meshgraphnet", 300)
    assert found.num_edges == random_graph(300, 2).num_edges
    assert found.milliseconds > 0
    # Matrix products alone can't take longer than the step they are part of; the rate is measured
    # on a shared machine, hence the room.
    assert 0 < found.floor < 2


def test_a_random_mesh_of_triangles_obeys_eulers_formula():
    graph = random_graph(500, 2)
    # V - E + F = 1 with F triangles: every inner edge has two of them, every outer edge one.
    edges = graph.num_edges // 2
    assert 2 * 500 < edges < 3 * 500 - 3
    assert torch.equal(graph.order.sort().values, torch.arange(500))


def test_a_model_that_does_not_exist_is_named():
    with pytest.raises(PhysgtError, match=r"no model 'resnet'; the models are"):
        list(bench(["resnet"], [100]))


def test_the_command_prints_a_table_and_draws_a_plot(tmp_path, capsys):
    words = ["--model", "meshgraphnet", "--nodes", "100", "--threads", "1"]
    with pytest.raises(SystemExit) as ended:
        main(["bench", *words, "--output", str(tmp_path / "bench.png")])
    assert ended.value.code == 0
    assert "meshgraphnet" in capsys.readouterr().out
    assert (tmp_path / "bench.png").stat().st_size > 1000
