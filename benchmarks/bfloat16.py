"""What bfloat16's products do to an increment: its relative error.

    python benchmarks/bfloat16.py                                     # untrained published sizes
    python benchmarks/bfloat16.py --model best.physgt cases/*.vtkhdf  # a trained model on its cases

The error is |increment in bfloat16 - increment in float32| / |increment in float32|, both in the
normalised units in which the network computes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from physgt.bench import random_graph
from physgt.datasets import open_trajectory
from physgt.models import MaskedTransformer, MeshGraphNet, PhysGTO
from physgt.samples import Samples
from physgt.simulator import Simulator

UNTRAINED = {
    "PhysGTO": lambda: PhysGTO(2, 0, 2),
    "masked transformer 10 x 64": lambda: MaskedTransformer(2, 0, 2, width=64, blocks=10),
    "masked transformer 15 x 128": lambda: MaskedTransformer(2, 0, 2, width=128, blocks=15),
    "MeshGraphNet 15 x 128": lambda: MeshGraphNet(2, 0, 2),
}


def relative(found: Tensor, expected: Tensor) -> float:
    return ((found.float() - expected).norm() / expected.norm()).item()


@torch.inference_mode()
def untrained(num_nodes: int) -> list[tuple[str, list[float]]]:
    rows = []
    for name, build in UNTRAINED.items():
        errors = []
        for seed in range(3):
            torch.manual_seed(seed)
            model = build()
            graph = random_graph(num_nodes, 2, model.masks)
            inputs = graph, torch.randn(num_nodes, 2), torch.empty(num_nodes, 0)
            exact = model(*inputs)
            with torch.autocast("cpu", torch.bfloat16):
                errors.append(relative(model(*inputs), exact))
        rows.append((f"{name}, untrained", errors))
    return rows


@torch.inference_mode()
def trained(checkpoint: Path, cases: list[Path]) -> list[tuple[str, list[float]]]:
    simulator = Simulator.load(checkpoint)
    trajectories = {str(path): open_trajectory(path) for path in cases}
    samples = Samples(trajectories, simulator.task, simulator.build_graph)
    errors = []
    for graph, state, _, forcing in samples.steps():
        inputs = graph, graph.from_mesh(state), graph.from_mesh(forcing)
        exact = simulator.predict(*inputs)
        with torch.autocast("cpu", torch.bfloat16):
            errors.append(relative(simulator.predict(*inputs), exact))
    return [(f"{checkpoint}, {len(errors)} steps", errors)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--nodes", type=int, default=1900)
    parser.add_argument("cases", type=Path, nargs="*")
    options = parser.parse_args()
    table = Table("model", "least", "mean", "most", title="error of an increment in bfloat16")
    found = trained(options.model, options.cases) if options.model else untrained(options.nodes)
    for name, errors in found:
        least, mean, most = min(errors), sum(errors) / len(errors), max(errors)
        table.add_row(name, f"{least:.2e}", f"{mean:.2e}", f"{most:.2e}")
    Console().print(table)


if __name__ == "__main__":
    main()
