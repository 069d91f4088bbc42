"""Which way of scoring agrees with people.

Methods are cross-validated side by side, saved as runs, and compared in pairs.
"""

from __future__ import annotations

from .compare import Comparison, FigurePair, MethodPair, compare, cost
from .curve import CurvePoint, LearningCurve, learning_curve
from .evaluate import Plan, evaluate, evaluate_weights, run_evaluation
from .footing import COMPARED, Footing, on_equal_footing
from .grouping import regroup
from .panel import (
    MemberReading,
    PanelRow,
    PanelRun,
    compare_members,
    cross_validate_panel,
    evaluate_panel,
    panel_json,
    read_panel,
)
from .records import BASELINES, TRIVIAL, Evaluation, FittedKind, LayerResult, MethodResult, Verdict
from .results import EvaluationRun, Origin, load_run, origin_of, run_json, save_run

__all__ = [
    "BASELINES",
    "COMPARED",
    "Comparison",
    "CurvePoint",
    "Evaluation",
    "EvaluationRun",
    "FigurePair",
    "FittedKind",
    "Footing",
    "LayerResult",
    "LearningCurve",
    "MemberReading",
    "MethodPair",
    "MethodResult",
    "Origin",
    "PanelRow",
    "PanelRun",
    "Plan",
    "TRIVIAL",
    "Verdict",
    "compare",
    "compare_members",
    "cost",
    "cross_validate_panel",
    "evaluate",
    "evaluate_panel",
    "evaluate_weights",
    "learning_curve",
    "load_run",
    "on_equal_footing",
    "origin_of",
    "panel_json",
    "read_panel",
    "regroup",
    "run_evaluation",
    "run_json",
    "save_run",
]
