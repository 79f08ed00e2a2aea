"""Time: autoregressive rollouts and their scores."""

from physgt.rollout.engine import integrate, rollout
from physgt.rollout.ensembles import ensemble
from physgt.rollout.guards import GUARDS, GuardSetting, GuardWarning
from physgt.rollout.members import Member, integrate_members, perturbed
from physgt.rollout.metrics import METRICS
from physgt.rollout.scores import score, summarize, valid_time
from physgt.rollout.spectrum import Oscillation, oscillation
from physgt.rollout.sweeps import read_sweep, sweep
from physgt.rollout.table import means_table, score_table, sweep_table

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
    "means_table",
    "oscillation",
    "perturbed",
    "read_sweep",
    "rollout",
    "score",
    "score_table",
    "summarize",
    "sweep",
    "sweep_table",
    "valid_time",
]
