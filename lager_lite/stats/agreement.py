"""Agreement with people: correlations, errors and the human ceiling.

A correlation that is undefined is None with a reason, never NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .ranks import mid_ranks

# Scores that differ by less are equal: the rest is rounding.
CONSTANT = 1e-9


@dataclass(frozen=True)
class Agreement:
    """How n predictions agree with human scores.

    n: number of predictions.
    spearman, pearson: correlations; None where undefined.
    kendall: tau-b; None where undefined.
    mae: mean absolute error, in points of the scale; None without items.
    f1: F1 of "at or above the threshold"; None where no threshold was given or neither side has a positive.
    undefined: why there are no correlations; None where there are.
    """

    n: int
    spearman: float | None
    pearson: float | None
    kendall: float | None
    mae: float | None
    f1: float | None = None
    undefined: str | None = None


@dataclass(frozen=True)
class Ceiling:
    """How well annotators agree with each other: what a judge can hope for.

    annotators: the largest number of scores that an item has.
    n: items with at least two scores.
    leave_one_out: mean over annotators of the Spearman correlation of one with the mean of the others.
    pairwise: mean Spearman correlation over pairs of annotators.
    perfect: Pearson correlation that a judge who knew the true grade would reach with the mean of all
        annotators: the root of that mean's reliability, which is the Spearman-Brown formula on the mean
        pairwise Pearson correlation; 0 where annotators do not agree at all.
    undefined: why a figure is missing; None where all are there.

    Each correlation is None where it is undefined.
    """

    annotators: int
    n: int
    leave_one_out: float | None
    pairwise: float | None
    perfect: float | None = None
    undefined: str | None = None


def agreement(predicted: np.ndarray, human: np.ndarray, *, threshold: float | None = None) -> Agreement:
    """Agreement of predictions (n,) with human scores (n,).

    threshold: for F1 of "at or above the threshold"; None: no F1.
    Raises ValueError for arrays of different shapes and for scores that are not finite.
    """
    a, b = checked_pair(predicted, human)
    mae = float(np.mean(np.abs(a - b))) if a.size else None
    f1 = None if threshold is None else f1_score(a >= threshold, b >= threshold)
    reason = why_undefined(a, b)
    if reason:
        return Agreement(a.size, None, None, None, mae, f1, reason)
    ranked = correlation(mid_ranks(a), mid_ranks(b))
    return Agreement(a.size, ranked, correlation(a, b), _kendall(a, b), mae, f1)


def by_criterion(
    predicted: np.ndarray, human: np.ndarray, criterion: np.ndarray | Sequence[str], *, threshold: float | None = None
) -> dict[str, Agreement]:
    """Agreement within each criterion, by its name, in order of first appearance.

    criterion: names (n,); the other arguments are those of `agreement`.
    """
    names = [str(c) for c in criterion]
    codes, (a, b) = np.asarray(names), checked_pair(predicted, human)
    return {n: agreement(a[codes == n], b[codes == n], threshold=threshold) for n in dict.fromkeys(names)}


def why_undefined(a: np.ndarray, b: np.ndarray) -> str | None:
    """Why predictions a (n,) and human scores b (n,) have no correlation; None where they have one."""
    if len(a) < 3:
        return f"only {len(a)} item{'s' * (len(a) != 1)}"
    if np.ptp(a) < CONSTANT:
        return "all predictions are equal"
    if np.ptp(b) < CONSTANT:
        return "all human scores are equal"
    return None


def f1_score(predicted: np.ndarray, human: np.ndarray) -> float | None:
    """F1 of boolean predictions (n,) against boolean truth (n,); None where nothing is positive."""
    hits = int(np.sum(predicted & human))
    positives = int(np.sum(predicted)) + int(np.sum(human))
    return 2.0 * hits / positives if positives else None


def annotator_ceiling(scores: Sequence[Sequence[float]]) -> Ceiling:
    """How well annotators agree, from individual scores.

    scores: one sequence per item, with the annotators in the same order; sequences may differ in length and
    hold NaN. Items with fewer than two scores are left out.
    """
    width = max((len(s) for s in scores), default=0)
    table = np.full((len(scores), width), np.nan)
    for row, given in enumerate(scores):
        table[row, : len(given)] = given
    table = table[np.sum(np.isfinite(table), axis=1) >= 2]
    if width < 2 or not len(table):
        return Ceiling(width, len(table), None, None, None, "no item has two scores")
    known, filled = np.isfinite(table), np.nan_to_num(table)
    given = known.sum(axis=1)
    rest = [(filled.sum(axis=1) - filled[:, a]) / np.maximum(given - known[:, a], 1) for a in range(width)]
    single = [_spearman(table[known[:, a], a], rest[a][known[:, a]]) for a in range(width)]
    pairs = [table[known[:, a] & known[:, b]][:, [a, b]] for a in range(width) for b in range(a)]
    pairs = [p for p in pairs if not why_undefined(p[:, 0], p[:, 1])]
    left_out, pairwise = _mean_defined(single), _mean_defined([_spearman(*p.T) for p in pairs])
    if left_out is None or pairwise is None:
        return Ceiling(width, len(table), left_out, pairwise, None, "too few items, or scores that never differ")
    shared = max(0.0, float(np.mean([correlation(*p.T) for p in pairs])))
    count = float(given.mean())
    perfect = float(np.sqrt(count * shared / (1.0 + (count - 1.0) * shared)))
    return Ceiling(width, len(table), left_out, pairwise, perfect)


def checked_pair(predicted: np.ndarray, human: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 (n,). Raises ValueError for other shapes and for scores that are not finite."""
    a, b = np.asarray(predicted, dtype=np.float64), np.asarray(human, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"predictions have shape {a.shape}, human scores {b.shape}: both must be (n,)")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("predictions and human scores must be finite: leave items without a score out")
    return a, b


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of two arrays (n,) of which neither is constant."""
    # scipy's pearsonr and spearmanr differ from this in the last bits, which files of evaluations hold.
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def _kendall(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import kendalltau  # takes longer to load than a command takes to start

    return float(kendalltau(a, b).statistic)


def _spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    return None if why_undefined(a, b) else correlation(mid_ranks(a), mid_ranks(b))


def _mean_defined(found: list[float | None]) -> float | None:
    defined = [f for f in found if f is not None]
    return float(np.mean(defined)) if defined else None
