"""How much faster and smaller a step is than plain torch, in one process on the same work.

    python benchmarks/speed.py [--threads N] [--nodes N]

Plain torch gathers what every edge needs into edge-sized tensors, concatenates them, and keeps all
of it for the gradient, as published implementations do; its memory comes from the C library as that
is set by itself. Times are medians of alternating runs, each after one that warms up: of the
processor with one thread, so that other programs count less, else of the clock. A variant's matrix
products are timed once more by themselves, one after the other with operands in cache: no step is
faster than its products. Memory is the peak of a process that does nothing else.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from statistics import median
from typing import Any, NamedTuple
from unittest import mock

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from physgt.bench import added_memory, random_graph
from physgt.graph import Graph
from physgt.models import MaskedTransformer, MeshGraphNet, PhysGTO
from physgt.models.layers import EdgeMLP
from physgt.ops import chunks, library, linear, memory
from physgt.ops.neighbour_attention import neighbour_attention
from physgt.ops.segment import segment_sum

MODELS: dict[str, Callable[[int], nn.Module]] = {
    "PhysGTO": lambda dimension: PhysGTO(2, 0, dimension),
    "masked transformer 10 x 128": lambda dimension: MaskedTransformer(
        2, 0, dimension, width=128, blocks=10
    ),
    "MeshGraphNet 15 x 128": lambda dimension: MeshGraphNet(2, 0, dimension),
}


@contextmanager
def plain_torch() -> Iterator[None]:
    """The same models and weights, evaluated edge-sized tensor by edge-sized tensor."""

    def joined(
        self: EdgeMLP,
        nodes: Tensor,
        edges: Tensor,
        senders: Tensor,
        receivers: Tensor,
        *,
        to_senders: int = 0,
        known: Tensor | None = None,
        edge_product: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        if known is not None:
            nodes = torch.cat([nodes, known], 1)
        weight = torch.cat([*self.from_node.chunk(2), self.per_edge.weight], 1)
        inputs = torch.cat([nodes[senders], nodes[receivers], edges], -1)
        messages = self.per_edge.layers(F.linear(inputs, weight, self.per_edge.bias))
        parts = zip(messages.tensor_split([to_senders], dim=1), (senders, receivers), strict=True)
        sums = [segment_sum(part, index, len(nodes)) for part, index in parts if part.shape[1]]
        return torch.cat(sums, 1), edges + messages

    with (
        mock.patch.object(EdgeMLP, "forward", joined),
        mock.patch.object(EdgeMLP, "contribution", lambda _, inputs: inputs),
        mock.patch.object(EdgeMLP, "product", return_value=None),
        mock.patch.object(chunks, "CHUNK_ROWS", 1 << 60),
        mock.patch.object(chunks, "RECOMPUTE_ROWS", 1 << 60),
        mock.patch.object(linear, "USE_ONEDNN", False),
        mock.patch.object(library, "LIBRARY", None),
        mock.patch.object(library, "_tell_why_not"),
    ):
        give_back_freed_memory()
        try:
            yield
        finally:
            memory.keep_free_memory()


def give_back_freed_memory() -> None:
    """What the GNU C library does by itself, once it has seen blocks of more than 32 MiB."""
    if (libc := memory.gnu_libc()) is not None:
        mmap_threshold = -3
        libc.mallopt(memory.TRIM_THRESHOLD, 64 << 20)
        libc.mallopt(memory.MMAP_MAX, 65536)
        libc.mallopt(mmap_threshold, 32 << 20)
        memory.return_free_memory()


class Work:
    """One step, or one training step, of a model on a mesh."""

    def __init__(self, name: str, nodes: int, dimension: int, train: bool) -> None:
        self.graph: Graph = random_graph(nodes, dimension)
        self.model = MODELS[name](dimension)
        self.state = torch.randn(nodes, 2)
        self.forcing = torch.empty(nodes, 0)
        self.train = train
        self.geometry = {half: self._embed_geometry(half) for half in (False, True)}

    @torch.inference_mode()
    def _embed_geometry(self, half: bool) -> NamedTuple:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            geometry: NamedTuple = self.model.embed_geometry(self.graph)
        return geometry

    @torch.inference_mode()
    def _roll(self) -> Tensor:
        geometry = self.geometry[torch.is_autocast_enabled("cpu")]
        result: Tensor = self.model(self.graph, self.state, self.forcing, geometry)
        return result

    def ours(self) -> Tensor:
        return self._train() if self.train else self._roll()

    def bfloat16(self) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.ours()

    def plain(self) -> Tensor:
        with plain_torch():
            if self.train:
                return self._train()
            with torch.inference_mode():
                result: Tensor = self.model(self.graph, self.state, self.forcing)
            return result

    def _train(self) -> Tensor:
        self.model.zero_grad()
        increment: Tensor = self.model(self.graph, self.state, self.forcing)
        increment.square().sum().backward()
        return increment.detach()


class AttentionWork:
    """Attention over neighbours alone, 4 heads of 32 channels; with `train` its gradients, too."""

    def __init__(self, nodes: int, dimension: int, train: bool) -> None:
        self.graph = random_graph(nodes, dimension)
        self.rows = torch.randn(3, nodes, 4, 32)
        self.train = train

    def ours(self) -> Tensor:
        rows = self.rows.detach().requires_grad_(self.train)
        out = neighbour_attention(*rows, self.graph.neighbours)
        if self.train:
            out.backward(rows.detach()[0])
        return out.detach()

    def bfloat16(self) -> Tensor:
        with mock.patch.object(self, "rows", self.rows.bfloat16()):
            return self.ours()

    def plain(self) -> Tensor:
        with plain_torch():
            return self.ours()


VARIANTS = "plain", "ours", "bfloat16"
ATTENTION = "attention"


def build(name: str, nodes: int, dimension: int, train: bool) -> Work | AttentionWork:
    if name == ATTENTION:
        return AttentionWork(nodes, dimension, train)
    return Work(name, nodes, dimension, train)


def seconds(
    work: Work | AttentionWork, repeats: int, clock: Callable[[], float]
) -> dict[str, float]:
    """The median time of each variant, its own memory and caches warm: plain torch's are others."""
    times: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    for _ in range(repeats):
        for variant in VARIANTS:
            run = getattr(work, variant)
            run()
            begin = clock()
            run()
            times[variant].append(clock() - begin)
    return {variant: median(found) for variant, found in times.items()}


class Products(TorchDispatchMode):
    """Counts the matrix products that run inside it, by operator, shapes and types."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[tuple[Any, ...]] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in PRODUCTS:
            self.counts[func, tuple(_described(argument) for argument in args)] += 1
        return func(*args, **(kwargs or {}))

    def seconds(self, clock: Callable[[], float], repeats: int = 5) -> float:
        """The median time of each, alone and with its operands in cache, times its number."""
        return sum(
            count * median(self._times(func, arguments, clock, repeats))
            for (func, arguments), count in self.counts.items()
        )

    @staticmethod
    @torch.inference_mode()
    def _times(
        func: Any, described: Any, clock: Callable[[], float], repeats: int
    ) -> Iterator[float]:
        arguments = [
            torch.empty_strided(*a[1:3], dtype=a[3]).normal_() if a[:1] == (Tensor,) else a[0]
            for a in described
        ]
        func(*arguments)
        for _ in range(repeats):
            begin = clock()
            func(*arguments)
            yield clock() - begin


aten = torch.ops.aten
PRODUCTS = {aten.mm.default, aten.addmm.default, aten.linear.default}
if linear.USE_ONEDNN:
    PRODUCTS.add(torch.ops.mkldnn._linear_pointwise.default)


def _described(argument: Any) -> tuple[Any, ...]:
    if isinstance(argument, Tensor):
        return Tensor, tuple(argument.shape), argument.stride(), argument.dtype
    return (tuple(argument) if isinstance(argument, list) else argument,)


def peak_memory(arguments: list[str], variant: str) -> float:
    """MiB that a step adds to a process that has already built model and graph."""
    command = [sys.executable, __file__, *arguments, "--only", variant]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", choices=[*MODELS, ATTENTION], default="masked transformer 10 x 128"
    )
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, choices=(2, 3), default=2)
    parser.add_argument("--train", action="store_true", help="a training step, not a rollout's")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=VARIANTS, help="print the memory of one variant")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    work = build(options.model, options.nodes, options.dimension, options.train)
    if options.only:
        print(added_memory(getattr(work, options.only), "cpu") / 2**20)
        return
    clock = time.process_time if options.threads == 1 else time.perf_counter
    # A rollout is one context of autocast, in which weights are converted once; training is not.
    rollout = nullcontext() if options.train else torch.autocast("cpu", enabled=False)
    with rollout:
        found = seconds(work, options.repeats, clock)
    kind = "training step" if options.train else "step"
    table = Table(
        "variant", "s", "times plain", "times its products", "MiB",
        title=f"{options.model}, one {kind}, {options.nodes} nodes in {options.dimension}-D, "
        f"{work.graph.num_edges} directed edges, {options.threads} threads",
    )  # fmt: skip
    for variant in VARIANTS:
        with Products() as products:
            getattr(work, variant)()
        alone = products.seconds(clock)
        table.add_row(
            variant,
            f"{found[variant]:.3f}",
            f"{found['plain'] / found[variant]:.2f}",
            f"{found[variant] / alone:.2f}" if alone else "",
            f"{peak_memory(sys.argv[1:], variant):.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
