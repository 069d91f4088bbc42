"""Speed, numerical drift, and smaller or faster files."""

from __future__ import annotations

from .bench import TapCost, WritingCost, tap_cost, writing_cost
from .drift import METHODS, Drift, measure_drift
from .peers import PeerTimes, measure_peer
from .pruning import prune_for
from .tuning import KINDS, Tuning, tune
from .workload import Workload, apart, measure_workload

__all__ = [
    "Drift",
    "KINDS",
    "METHODS",
    "PeerTimes",
    "TapCost",
    "Tuning",
    "Workload",
    "WritingCost",
    "apart",
    "measure_drift",
    "measure_peer",
    "measure_workload",
    "prune_for",
    "tap_cost",
    "tune",
    "writing_cost",
]
