"""Agreement with people and how uncertain it is.

Pure numpy and scipy: arrays of scores go in, measures and intervals come out. Nothing here knows of models,
files or prompts.
"""

from __future__ import annotations

from .agreement import Agreement, Ceiling, agreement, annotator_ceiling, by_criterion, f1_score
from .alike import alike_needed, ends_of_alike
from .bootstrap import (
    Difference,
    Interval,
    Statistic,
    f1_statistic,
    interval_of,
    interval_over,
    interval_text,
    intervals,
    mean_statistic,
    paired_difference,
    percentile_interval,
    resampled,
)
from .bradley_terry import bradley_terry, compared_parts
from .estimates import Estimate, Figures, mean_figures, rank_figures, widened
from .few import TOO_FEW_GROUPS, warnings_of_few, warnings_of_few_rows
from .grades import AnnotatorGrades, BinaryAgreement, GradeAgreement, annotator_grades, grade_agreement
from .means import groups_needed, half_width, variance_of_mean
from .partial import correlation_of_ranks, pairs_at_equal, partial_spearman
from .ranks import mid_ranks

__all__ = [
    "Agreement",
    "AnnotatorGrades",
    "BinaryAgreement",
    "Ceiling",
    "Difference",
    "Estimate",
    "Figures",
    "GradeAgreement",
    "Interval",
    "Statistic",
    "TOO_FEW_GROUPS",
    "agreement",
    "alike_needed",
    "annotator_ceiling",
    "annotator_grades",
    "bradley_terry",
    "by_criterion",
    "compared_parts",
    "correlation_of_ranks",
    "ends_of_alike",
    "f1_score",
    "f1_statistic",
    "grade_agreement",
    "groups_needed",
    "half_width",
    "interval_of",
    "interval_over",
    "interval_text",
    "intervals",
    "mean_figures",
    "mean_statistic",
    "mid_ranks",
    "paired_difference",
    "pairs_at_equal",
    "partial_spearman",
    "percentile_interval",
    "rank_figures",
    "resampled",
    "variance_of_mean",
    "warnings_of_few",
    "warnings_of_few_rows",
    "widened",
]
