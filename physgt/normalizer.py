"""Scaling of inputs and outputs to mean 0 and standard deviation 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class Moments:
    """Mean, standard deviation and range of each column of a stream of batches, in float64.

    Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979: batches are merged by their means and squared deviations, since
    E[x^2] - E[x]^2 loses all digits where the mean is large.
    """

    def __init__(self, size: int) -> None:
        self.count = np.zeros(size)
        self.mean = np.zeros(size)
        self.lowest = np.full(size, np.inf)
        self.highest = np.full(size, -np.inf)
        self._squares = np.zeros(size)

    def update(self, batch: np.ndarray) -> None:
        """Take in a batch (n, size). NaN marks what doesn't count."""
        values = np.asarray(batch, dtype=np.float64)
        counted = ~np.isnan(values)
        count = counted.sum(axis=0)
        mean = np.where(counted, values, 0.0).sum(axis=0) / np.maximum(count, 1)
        total = np.maximum(self.count + count, 1)
        difference = np.where(count > 0, mean - self.mean, 0.0)
        self._squares += np.square(np.where(counted, values - mean, 0.0)).sum(axis=0)
        self._squares += difference**2 * self.count * count / total
        self.mean = self.mean + difference * count / total
        self.count = self.count + count
        lowest = np.where(counted, values, np.inf).min(axis=0, initial=np.inf)
        highest = np.where(counted, values, -np.inf).max(axis=0, initial=-np.inf)
        self.lowest = np.minimum(self.lowest, lowest)
        self.highest = np.maximum(self.highest, highest)

    @property
    def std(self) -> np.ndarray:
        return np.sqrt(self._squares / np.maximum(self.count, 1))


class Normalizer(nn.Module):
    """Mean and standard deviation of each column, as buffers that move and save with a model.

    lowest, highest: the range of the training set, for those who ask how far outside they are;
    infinite where it isn't known.
    """

    mean: Tensor
    std: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))
        self.register_buffer("lowest", torch.full((size,), -torch.inf))
        self.register_buffer("highest", torch.full((size,), torch.inf))

    def set(self, moments: Moments) -> None:
        """Take over the moments of the training set.

        A column that never changed is only centred (its std becomes 1): dividing by its rounding
        noise would turn a value not seen in training into a huge number.
        """
        constant = moments.std <= 1e-6 * np.abs(moments.mean)
        self.mean.copy_(torch.as_tensor(moments.mean))
        self.lowest.copy_(torch.as_tensor(moments.lowest))
        self.highest.copy_(torch.as_tensor(moments.highest))
        self.std.copy_(torch.as_tensor(np.where(constant, 1.0, moments.std)))

    def normalize(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.std

    def denormalize(self, values: Tensor) -> Tensor:
        return values * self.std + self.mean

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *arguments: Any
    ) -> None:
        # Files from before there were ranges have none.
        for name in ("lowest", "highest"):
            state_dict.setdefault(prefix + name, getattr(self, name))
        super()._load_from_state_dict(state_dict, prefix, *arguments)
