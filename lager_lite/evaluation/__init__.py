"""Which way of scoring agrees with people.

Methods are cross-validated side by side, saved as runs, and compared in pairs.
"""

from __future__ import annotations

from .compare import Comparison, MethodPair, Pair, compare, cost
from .evaluate import Plan, regroup, run_evaluation
from .results import (
    Evaluation,
    FittedKind,
    LayerResult,
    MethodResult,
    Origin,
    Run,
    load_run,
    origin_of,
    run_json,
    save_run,
)

__all__ = [
    "Comparison",
    "Evaluation",
    "FittedKind",
    "LayerResult",
    "MethodPair",
    "MethodResult",
    "Origin",
    "Pair",
    "Plan",
    "Run",
    "compare",
    "cost",
    "load_run",
    "origin_of",
    "regroup",
    "run_evaluation",
    "run_json",
    "save_run",
]
