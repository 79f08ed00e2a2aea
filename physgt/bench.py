"""How long a step takes on this machine, how much memory, and how far that is from the floor.

The floor is the time of the model's matrix products alone, at the rate that this machine multiplies
matrices of such sizes: no way of computing the same step in the same precision is faster.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial import Delaunay
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, register_flop_formula

from physgt.attention_masks import Mask
from physgt.errors import PhysgtError
from physgt.graph import Graph, build_graph
from physgt.mesh import Mesh
from physgt.models import MODELS
from physgt.ops.linear import USE_ONEDNN, linear
from physgt.ops.memory import return_free_memory
from physgt.ordering import hilbert_order

REPEATS = 5
STATE_SIZE = 3


@dataclass(frozen=True)
class Measurement:
    """One model on one mesh. `floor`: the share of the time that its matrix products need alone."""

    model: str
    num_nodes: int
    num_edges: int
    milliseconds: float
    memory: float  # MiB above what the process held before, at its peak; nan where unknown
    floor: float


def bench(
    models: Sequence[str],
    nodes: Sequence[int],
    *,
    dimension: int = 2,
    threads: int | None = None,
    device: str = "cpu",
    bfloat16: bool = False,
) -> Iterator[Measurement]:
    """Measure a step of every model, in its default size, on triangles or tetrahedra.

    Each in a process of its own, so that one's memory isn't another's. Raises PhysgtError for a
    model that doesn't exist, and where a mesh doesn't fit in memory.
    """
    for name in models:
        if name not in MODELS:
            raise PhysgtError(f"no model '{name}'; the models are {sorted(MODELS)}.")
    spawn = multiprocessing.get_context("spawn")
    for num_nodes in nodes:
        for name in models:
            arguments = name, num_nodes, dimension, threads, device, bfloat16
            with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                try:
                    yield pool.submit(measure, *arguments).result()
                except BrokenProcessPool as error:
                    raise PhysgtError(
                        f"{name} on {num_nodes} nodes: the process was killed, most likely "
                        "for want of memory; measure fewer nodes."
                    ) from error


@torch.inference_mode()
def measure(
    name: str,
    num_nodes: int,
    dimension: int,
    threads: int | None,
    device: str,
    bfloat16: bool,
) -> Measurement:
    """One step of a rollout on a fixed mesh: the median of several."""
    if threads is not None:
        torch.set_num_threads(threads)
    model: Any = MODELS[name](STATE_SIZE, 0, dimension).to(device).eval()
    graph = random_graph(num_nodes, dimension, model.masks).to(device)
    state = torch.randn(num_nodes, STATE_SIZE, device=device)
    forcing = state.new_empty(num_nodes, 0)
    precision = torch.bfloat16 if bfloat16 else torch.float32
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bfloat16):
        geometry = model.embed_geometry(graph)

        def step() -> Tensor:
            increment: Tensor = model(graph, state, forcing, geometry)
            return increment

        memory = added_memory(step, device)
        seconds = median_seconds(step, device)
        with FlopCounterMode(display=False) as counter:
            step()
    floor = counter.get_total_flops() / product_rate(device, precision)
    return Measurement(
        name, num_nodes, graph.num_edges, 1e3 * seconds, memory / 2**20, floor / seconds
    )


if USE_ONEDNN:

    @register_flop_formula(torch.ops.mkldnn._linear_pointwise)
    def _operations(x: Sequence[int], weight: Sequence[int], *_: Any, **__: Any) -> int:
        return 2 * x[0] * x[1] * weight[0]


@register_flop_formula(torch.ops.physgt.full_attention)
def _operations_of_attention(query: Sequence[int], key: Sequence[int], *_: Any, **__: Any) -> int:
    queries, heads, channels = query
    return 4 * queries * key[0] * heads * channels


@register_flop_formula(torch.ops.physgt.full_attention_backward)
def _operations_of_its_gradient(
    gradient: Sequence[int],
    out: Any,
    log_sum: Any,
    query: Any,
    key: Sequence[int],
    *_: Any,
    **__: Any,
) -> int:
    queries, heads, channels = gradient
    return 10 * queries * key[0] * heads * channels


def random_graph(num_nodes: int, dimension: int, masks: Sequence[Mask] = ()) -> Graph:
    """Triangles or tetrahedra between random points, in Hilbert order."""
    points = np.random.default_rng(0).random((num_nodes, dimension))
    cells = Delaunay(points).simplices
    mesh = Mesh.from_blocks(points, [("triangle" if dimension == 2 else "tetra", cells)])
    return build_graph(mesh, order=hilbert_order(points), masks=masks)


def product_rate(device: str, dtype: torch.dtype, rows: int = 2048, width: int = 256) -> float:
    """Floating-point operations per second of a linear map of a few thousand rows."""
    x = torch.randn(rows, width, device=device, dtype=dtype)
    weight = torch.randn(width, width, device=device, dtype=dtype)
    bias = torch.randn(width, device=device, dtype=dtype)
    return 2 * rows * width**2 / median_seconds(lambda: linear(x, weight, bias), device, 50)


def median_seconds(work: Callable[[], object], device: str, repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def added_memory(work: Callable[[], object], device: str) -> float:
    """Bytes that `work` adds at its peak to what is held before; nan where nothing tells."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    return_free_memory()  # or `work` would take what is free already
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        before = _status_bytes("VmRSS")
        work()
        return _status_bytes("VmHWM") - before
    except OSError:
        return float("nan")


def _status_bytes(key: str) -> int:
    """A number of /proc/self/status, which Linux gives in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))
