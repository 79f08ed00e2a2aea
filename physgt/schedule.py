"""How the learning rate, the horizon and the averaged weights change over a training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from physgt.case import TrainingSettings


def learning_rate(settings: TrainingSettings, step: int) -> float:
    """Linear warm-up, then a cosine from the peak to its final share."""
    warmup = min(1.0, (step + 1) / max(settings.warmup_steps, 1))
    progress = step / max(settings.steps - 1, 1)
    final = settings.final_learning_rate
    cosine = final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))
    return settings.learning_rate * warmup * cosine


def horizon(settings: TrainingSettings, step: int) -> int:
    """Time steps that the samples of optimiser step `step` are rolled out over."""
    return settings.unroll[max(start for start in settings.unroll if start <= step)]


Parameters = Sequence[Tensor]


def moving_average(decay: float) -> Callable[[Parameters, Parameters, Tensor | int], None]:
    """An exponential moving average whose memory grows with the steps taken, up to `decay`.

    With the full decay from the start, the average would long remember the random weights.
    """

    def average(averaged: Parameters, current: Parameters, count: Tensor | int) -> None:
        share = min(decay, (1 + int(count)) / (10 + int(count)))
        get_ema_multi_avg_fn(share)(averaged, current, count)

    return average
