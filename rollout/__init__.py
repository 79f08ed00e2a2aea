"""Time: autoregressive rollouts and their scores."""

from physgt.rollout.engine import integrate, rollout
from physgt.rollout.guards import GUARDS, GuardSetting, GuardWarning
from physgt.rollout.metrics import METRICS, score, summarize
from physgt.rollout.spectrum import Oscillation, oscillation
from physgt.rollout.table import score_table

__all__ = [
    "GUARDS",
    "METRICS",
    "GuardSetting",
    "GuardWarning",
    "Oscillation",
    "integrate",
    "oscillation",
    "rollout",
    "score",
    "score_table",
    "summarize",
]
