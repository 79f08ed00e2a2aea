"""Memory of a checkpointed unroll, for a process in which nothing else was computed before."""

from __future__ import annotations

import torch

from physgt import Field, Simulator, Task
from physgt.bench import added_memory, random_graph
from physgt.loss import unrolled_loss
from physgt.samples import Window


def memory_of_checkpointed_unroll(num_steps: int) -> float:
    """Bytes that a loss and its gradients add at their peak, by MeshGraphNet on 300 nodes."""
    torch.set_num_threads(1)
    simulator = Simulator(Task((Field("velocity", 2),), dt=0.1), 2, "meshgraphnet")
    graph = random_graph(300, 2, simulator.model.masks)
    states = torch.zeros(num_steps + 1, 300, 2)
    window = Window(graph, states, torch.empty(num_steps, 300, 0))

    def work() -> None:
        unrolled_loss(simulator, window, states[0], checkpointing=True).backward()

    return added_memory(work, "cpu")
