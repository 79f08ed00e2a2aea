"""Run by test_triton.py in a process of its own, where Triton interprets its kernels on the CPU."""

import torch

from physgt.ops.neighbour_attention import plain_neighbour_attention
from physgt.ops.neighbours import Neighbours
from physgt.ops.triton_attention import triton_neighbour_attention


def directed_graph(num_nodes: int, most: int) -> Neighbours:
    """Node i sees up to `most` others, the first none, not in both directions."""
    generator = torch.Generator().manual_seed(num_nodes)
    seen = torch.rand(num_nodes, num_nodes, generator=generator)
    wanted = torch.linspace(0, most / num_nodes, num_nodes)[:, None]
    receivers, senders = (seen < wanted).nonzero().T
    return Neighbours.directed(torch.stack([senders, receivers]), num_nodes)


def results(function, tensors, neighbours, weights):
    tensors = [tensor.clone().requires_grad_() for tensor in tensors]
    out = function(*tensors, neighbours)
    return [out.detach(), *torch.autograd.grad(out, tensors, weights)]


def check(num_nodes: int, most: int, heads: int, channels: int, dtype: torch.dtype) -> None:
    neighbours = directed_graph(num_nodes, most)
    fused = torch.randn(num_nodes, 3, heads, channels, dtype=torch.float64)
    weights = torch.randn(num_nodes, heads, channels, dtype=torch.float64)
    expected = results(plain_neighbour_attention, fused.unbind(1), neighbours, weights)
    found = results(
        triton_neighbour_attention, fused.to(dtype).unbind(1), neighbours, weights.to(dtype)
    )
    tolerance = {torch.float64: 1e-10, torch.float32: 1e-5, torch.bfloat16: 4e-2}[dtype]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=tolerance, atol=tolerance)


def strided() -> None:
    """Queries, keys and values may be parts of one tensor, their rows apart."""
    neighbours = directed_graph(12, 5)
    parts = torch.randn(12, 3, 2, 8).unbind(1)
    torch.testing.assert_close(
        triton_neighbour_attention(*parts, neighbours),
        triton_neighbour_attention(*(part.contiguous() for part in parts), neighbours),
    )


if __name__ == "__main__":
    torch.manual_seed(0)
    check(20, 8, 2, 8, torch.float64)
    check(20, 8, 3, 5, torch.float32)  # channels that aren't a power of two
    check(70, 70, 1, 4, torch.float32)  # degrees over 64
    check(20, 8, 2, 16, torch.bfloat16)
    strided()
