"""Time: autoregressive rollouts and their scores."""

from physgt.rollout.engine import integrate, rollout
from physgt.rollout.ensemble import ensemble
from physgt.rollout.guards import GUARDS, GuardSetting, GuardWarning
from physgt.rollout.members import Member, integrate_members, perturbed
from physgt.rollout.metrics import METRICS, score, summarize
from physgt.rollout.spectrum import Oscillation, oscillation
from physgt.rollout.sweep import read_sweep, sweep
from physgt.rollout.table import score_table, sweep_table

__all__ = [
    "GUARDS",
    "METRICS",
    "GuardSetting",
    "GuardWarning",
    "Member",
    "Oscillation",
    "ensemble",
    "integrate",
    "integrate_members",
    "oscillation",
    "perturbed",
    "read_sweep",
    "rollout",
    "score",
    "score_table",
    "summarize",
    "sweep",
    "sweep_table",
]
