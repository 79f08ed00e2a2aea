"""Attention of all nodes to all nodes through a few tokens, PhysGTO's far field.

Liu et al., arXiv 2512.10227. Letters: N nodes, C width, H heads of c channels, M tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from physgt.models.layers import channels_per_head
from physgt.ops.full_attention import full_attention
from physgt.ops.linear import Linear


class ProjectionAttention(nn.Module):
    """Nodes to M tokens and back: every node sees every other at a cost linear in N.

    Graphs of a batch share the learned queries and nothing else: each has its own tokens, the
    softmax over its own nodes.
    """

    def __init__(self, width: int, heads: int, tokens: int, token_self_attention: bool) -> None:
        super().__init__()
        channels = channels_per_head(width, heads)
        self.heads = heads
        self.token_self_attention = token_self_attention
        self.token_query = nn.Parameter(torch.randn(heads, tokens, channels))
        self.key_value = Linear(width, width)
        self.query = Linear(width, width)
        # Shared by the heads: tokens to (key, value), or to (query, key, value).
        projections = 3 if token_self_attention else 2
        self.token_map = Linear(channels, projections * channels, bias=False)
        self.out = Linear(width, width)

    def forward(self, x: Tensor, graph_sizes: list[int]) -> Tensor:
        """(N, C) -> (N, C); graph_sizes: the numbers of nodes of the graphs that lie end to end."""
        keys = self.key_value(x).unflatten(1, (self.heads, -1)).split(graph_sizes)
        queries = self.query(x).unflatten(1, (self.heads, -1)).split(graph_sizes)
        parts = [self._attend(query, key) for query, key in zip(queries, keys, strict=True)]
        return self.out(torch.cat(parts).flatten(1))

    def _attend(self, query: Tensor, key: Tensor) -> Tensor:
        """One graph: query, key (N, H, c) -> (N, H, c)."""
        token_query = self.token_query.transpose(0, 1).to(key.dtype)  # (M, H, c)
        tokens = full_attention(token_query, key, key)  # (M, H, c); key is value too
        if self.token_self_attention:
            tokens = full_attention(*self.token_map(tokens).chunk(3, dim=-1))
            return full_attention(query, tokens, tokens)
        return full_attention(query, *self.token_map(tokens).chunk(2, dim=-1))
