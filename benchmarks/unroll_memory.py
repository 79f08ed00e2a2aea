"""Memory and time of a training step that is unrolled over eight time steps, with checkpointing.

    python benchmarks/unroll_memory.py [--nodes N] [--dimension 3] [--unroll K] [--model NAME ...]

Models in their default, published size, float32, one thread; each in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import torch
from rich.console import Console
from rich.table import Table

from physgt import Field, Simulator, Task
from physgt.bench import added_memory, random_graph
from physgt.loss import unrolled_loss
from physgt.models import MODELS
from physgt.samples import Window


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, choices=(2, 3), default=2)
    parser.add_argument("--unroll", type=int, default=8)
    parser.add_argument("--model", nargs="+", choices=MODELS, default=list(MODELS))
    options = parser.parse_args()
    title = f"unroll of {options.unroll} on {options.nodes} nodes in {options.dimension}-D"
    table = Table("model", "checkpointing", "GiB", "CPU-s", title=title)
    spawn = multiprocessing.get_context("spawn")
    for name in options.model:
        for checkpointing in (True, False):
            arguments = name, options.nodes, options.dimension, options.unroll, checkpointing
            with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                memory, seconds = pool.submit(measure, *arguments).result()
            told = "yes" if checkpointing else "no"
            table.add_row(name, told, f"{memory / 2**30:.2f}", f"{seconds:.1f}")
    Console().print(table)


def measure(
    name: str, num_nodes: int, dimension: int, unroll: int, checkpointing: bool
) -> tuple[float, float]:
    """(bytes at the peak beyond weights, mesh and window; CPU-seconds)."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    simulator = Simulator(Task((Field("velocity", 2),), dt=0.1), dimension, name)
    graph = random_graph(num_nodes, dimension, simulator.model.masks)
    states = torch.randn(unroll + 1, num_nodes, 2)
    window = Window(graph, states, torch.empty(unroll, num_nodes, 0))

    def work() -> None:
        still = torch.zeros_like(states[0])
        unrolled_loss(simulator, window, still, checkpointing=checkpointing).backward()

    began = time.process_time()
    memory = added_memory(work, "cpu")
    return memory, time.process_time() - began


if __name__ == "__main__":
    main()
