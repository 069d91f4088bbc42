"""What judging costs on this machine, and how to make it cheaper.

Here speed is measured, alone and beside other programs; scores are compared under settings that should not change them; and
model files are made smaller or faster.
"""

from __future__ import annotations

from .bench import TapCost, WritingCost, tap_cost, writing_cost
from .drift import DRIFT_METHODS, Drift, measure_drift
from .peers import PeerTimes, check_peer, measure_peer
from .pruning import Pruned, prune_for
from .tuning import QUANTIZATIONS, Tuning, tune
from .workload import Workload, apart, measure_workload

__all__ = [
    "DRIFT_METHODS",
    "Drift",
    "PeerTimes",
    "Pruned",
    "QUANTIZATIONS",
    "TapCost",
    "Tuning",
    "Workload",
    "WritingCost",
    "apart",
    "check_peer",
    "measure_drift",
    "measure_peer",
    "measure_workload",
    "prune_for",
    "tap_cost",
    "tune",
    "writing_cost",
]
