"""Time: autoregressive rollouts and their scores."""

from physgt.quantities import history
from physgt.rollout.alignment import phase_aligned
from physgt.rollout.engine import integrate, rollout
from physgt.rollout.ensembles import ensemble
from physgt.rollout.guards import GUARDS, GuardSetting, GuardWarning
from physgt.rollout.histories import compare_histories, relative_differences
from physgt.rollout.members import Member, integrate_members, perturbed
from physgt.rollout.metrics import METRICS
from physgt.rollout.scores import over_all_times, score, summarize, valid_time
from physgt.rollout.spectrum import Oscillation, oscillation, phase_error, spectrum
from physgt.rollout.sweeps import read_sweep, sweep
from physgt.rollout.table import means_table, score_table, sweep_table

__all__ = [
    "GUARDS",
    "METRICS",
    "GuardSetting",
    "GuardWarning",
    "Member",
    "Oscillation",
    "compare_histories",
    "ensemble",
    "history",
    "integrate",
    "integrate_members",
    "means_table",
    "oscillation",
    "over_all_times",
    "perturbed",
    "phase_aligned",
    "phase_error",
    "read_sweep",
    "relative_differences",
    "rollout",
    "score",
    "score_table",
    "spectrum",
    "summarize",
    "sweep",
    "sweep_table",
    "valid_time",
]
