"""Measuring a step: what is counted and what is said, not how fast it is."""

from pathlib import Path

import pytest
import torch

from physgt import PhysgtError
from physgt.bench import added_memory, bench, random_graph
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


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="asks Linux for the peak")
def test_added_memory_is_the_peak_above_what_was_held_before():
    size = 64 * 2**20
    torch.ones(2 * size // 4)  # an earlier, higher peak doesn't count
    added = added_memory(lambda: torch.ones(size // 4).sum(), "cpu")
    assert 0.9 * size < added < 1.2 * size  # Linux counts pages roughly
