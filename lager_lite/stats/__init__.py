"""Agreement with people and how uncertain it is.

Pure numpy and scipy: arrays of scores in, measures and intervals out. Nothing here knows of models,
files or prompts.
"""

from __future__ import annotations

from .agreement import (
    Agreement,
    Ceiling,
    Difference,
    Interval,
    agreement,
    annotator_ceiling,
    by_criterion,
    f1_score,
    f1_statistic,
    interval_of,
    intervals,
    mean_statistic,
    paired_difference,
)

__all__ = [
    "Agreement",
    "Ceiling",
    "Difference",
    "Interval",
    "agreement",
    "annotator_ceiling",
    "by_criterion",
    "f1_score",
    "f1_statistic",
    "interval_of",
    "intervals",
    "mean_statistic",
    "paired_difference",
]
