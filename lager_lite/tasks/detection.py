"""How well scores tell unanswerable questions: thresholds, precision and recall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..stats import Interval, Statistic, f1_score, f1_statistic, interval_of

RULE = 0.75


@dataclass(frozen=True)
class Detection:
    """How well scores at or below a threshold pick out the unanswerable questions.

    thresholds: the one of the rule, or one for each fold.
    found: how many questions are called unanswerable.
    f1, precision, recall: 0 to 1; None where undefined.
    interval: of F1, over groups, for fixed calls; None where undefined.
    """

    thresholds: tuple[float, ...]
    found: int
    f1: float | None
    precision: float | None
    recall: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Curve:
    """Precision and recall at every threshold.

    thresholds: ascending; ranks inside the folds, 0 to 1, of methods that were fitted in folds.
    precision, recall: at each threshold, 0 to 1.
    average: average precision, the sum of precision times gain in recall.
    interval: of `average`, over groups; None where undefined.
    """

    thresholds: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    average: float
    interval: Interval | None


@dataclass(frozen=True)
class Knower:
    """One method.

    method: its name.
    scores: one per question.
    rule: what it finds at the threshold of the paper's rule.
    best: what it finds at the cross-validated thresholds.
    curve: precision and recall at every threshold.
    """

    method: str
    scores: tuple[float, ...]
    rule: Detection
    best: Detection
    curve: Curve


def rule_threshold(scores: np.ndarray, share: float = RULE) -> float:
    """The threshold of the paper's rule: `share` of the way from the lowest to the highest of the scores (n,)."""
    low, high = float(np.min(scores)), float(np.max(scores))
    return low + share * (high - low)


def best_threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    """The threshold at which `scores <= threshold` has the highest F1 against truth, bool (n,).

    It lies halfway between two scores, or on the highest score; among equally good ones it is the lowest.
    """
    order = np.argsort(scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    f1 = 2.0 * hits / (np.arange(1, len(ranked) + 1) + truth.sum())
    last = np.flatnonzero(np.append(np.diff(ranked) > 0, True))
    best = int(last[np.argmax(f1[last])])
    return float(ranked[best] if best + 1 == len(ranked) else (ranked[best] + ranked[best + 1]) / 2.0)


def precision_recall(scores: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, ...]:
    """Thresholds (t,), precision (R, t), recall (R, t) and average precision (R,) of `scores <= threshold`.

    scores, truth (n,); weight (R, n): how often each row counts in each of R resamples. NaN where nothing is
    positive.
    """
    order = np.argsort(scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) > 0, True))
    called = np.cumsum(weight[:, order], axis=1)[:, last]
    hits = np.cumsum(weight[:, order] * truth[order], axis=1)[:, last]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(called > 0, hits / called, 1.0)
        recall = hits / hits[:, -1:]
    average = np.sum(np.diff(recall, axis=1, prepend=0.0) * precision, axis=1)
    return scores[order][last], precision, recall, average


def knower(
    name: str,
    called: np.ndarray,
    thresholds: Sequence[float],
    truth: np.ndarray,
    groups: np.ndarray,
    *,
    ranked: np.ndarray,
    seed: int,
    resamples: int,
) -> Knower:
    """How well one method tells the unanswerable questions, bool (n,) `truth`.

    called: its scores and the thresholds that hold for them, (2, n). thresholds: those of the folds. ranked: what may be
    pooled over the folds for the curve, (n,). groups (n,), seed and resamples: of the intervals.
    """
    scores, limits = called

    def span(statistic: Statistic) -> Interval | None:
        """The interval of a figure."""
        return interval_of(statistic, groups, rng=np.random.default_rng(seed), resamples=resamples)

    def detection(called: np.ndarray, thresholds: Sequence[float]) -> Detection:
        """The figures of one way of calling."""
        hits, calls = int(np.sum(called & truth)), int(np.sum(called))
        return Detection(
            thresholds=tuple(map(float, thresholds)),
            found=calls,
            f1=f1_score(called, truth),
            precision=hits / calls if calls else None,
            recall=hits / int(truth.sum()),
            interval=span(f1_statistic(called, truth)),
        )

    limit = rule_threshold(scores)
    steps, precision, recall, average = precision_recall(ranked, truth, np.ones((1, len(ranked))))
    curve = Curve(
        thresholds=tuple(map(float, steps)),
        precision=tuple(map(float, precision[0])),
        recall=tuple(map(float, recall[0])),
        average=float(average[0]),
        interval=span(lambda weight: precision_recall(ranked, truth, weight)[3]),
    )
    return Knower(
        name,
        tuple(map(float, scores)),
        detection(scores <= limit, [limit]),
        detection(scores <= limits, thresholds),
        curve,
    )
