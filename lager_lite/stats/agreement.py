"""Agreement with people: correlations, errors, intervals resampled by group, the human ceiling.

A correlation that is undefined is None with a reason, never NaN. Intervals are percentile
bootstrap intervals over whole groups (Efron and Tibshirani, 1993, chapter 13), because items that
share a source text are not independent. Resamples are counts per group, so every statistic is a
weighted one on rows that were sorted once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kendalltau, rankdata

MEASURES = ("spearman", "pearson", "mae")
_CELLS = 4_000_000


@dataclass(frozen=True)
class Agreement:
    """How `n` predictions agree with human scores.

    spearman, pearson, kendall (tau-b): None where undefined, and `undefined` says why. mae in
    points of the scale, None without items. f1: of "at or above the threshold", None where no
    threshold was given or neither side has a positive.
    """

    n: int
    spearman: float | None
    pearson: float | None
    kendall: float | None
    mae: float | None
    f1: float | None = None
    undefined: str | None = None


@dataclass(frozen=True)
class Interval:
    """A percentile interval; `resamples` is how many had a defined value."""

    low: float
    high: float
    level: float
    resamples: int


@dataclass(frozen=True)
class Difference:
    """value = measure of A minus measure of B on the same items; share: of resamples where A is better.

    None where undefined. For "mae" better is smaller, elsewhere larger; ties count half.
    """

    measure: str
    value: float | None
    interval: Interval | None
    share: float | None


@dataclass(frozen=True)
class Ceiling:
    """Agreement among annotators: what a judge can hope for.

    Spearman correlations: leave_one_out, mean over annotators of one against the mean of the rest;
    pairwise, mean over pairs. perfect: Pearson correlation that a judge who knew the true grade
    would reach with the mean of all annotators, the root of its reliability (Spearman-Brown on the
    mean pairwise Pearson correlation); 0 where annotators do not agree at all. None where
    undefined, `undefined` says why. n: items with at least two scores.
    """

    annotators: int
    n: int
    leave_one_out: float | None
    pairwise: float | None
    perfect: float | None = None
    undefined: str | None = None


def agreement(predicted: np.ndarray, human: np.ndarray, *, threshold: float | None = None) -> Agreement:
    """Agreement of predictions (n,) with human scores (n,), both finite."""
    a, b = _pair(predicted, human)
    mae = float(np.mean(np.abs(a - b))) if a.size else None
    f1 = None if threshold is None else f1_score(a >= threshold, b >= threshold)
    reason = why_undefined(a, b)
    if reason:
        return Agreement(a.size, None, None, None, mae, f1, reason)
    tau = float(kendalltau(a, b).statistic)
    return Agreement(a.size, _correlation(rankdata(a), rankdata(b)), _correlation(a, b), tau, mae, f1)


def by_criterion(
    predicted: np.ndarray, human: np.ndarray, criterion: Sequence[str], *, threshold: float | None = None
) -> dict[str, Agreement]:
    """Agreement within each criterion, by name in order of first appearance."""
    names = [str(c) for c in criterion]
    codes, (a, b) = np.asarray(names), _pair(predicted, human)
    return {n: agreement(a[codes == n], b[codes == n], threshold=threshold) for n in dict.fromkeys(names)}


def why_undefined(a: np.ndarray, b: np.ndarray) -> str | None:
    """Why predictions a (n,) and human scores b (n,) have no correlation; None where they have one."""
    if len(a) < 3:
        return f"only {len(a)} items"
    if np.ptp(a) == 0:
        return "all predictions are equal"
    if np.ptp(b) == 0:
        return "all human scores are equal"
    return None


def f1_score(predicted: np.ndarray, human: np.ndarray) -> float | None:
    """F1 of boolean predictions (n,) against boolean truth (n,); None where nothing is positive."""
    hits = int(np.sum(predicted & human))
    positives = int(np.sum(predicted)) + int(np.sum(human))
    return 2.0 * hits / positives if positives else None


def intervals(
    predicted: Mapping[str, np.ndarray],
    human: np.ndarray,
    groups: Sequence[Any],
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
    measures: Sequence[str] = MEASURES,
) -> dict[str, dict[str, Interval | None]]:
    """Interval of each measure of each method's predictions (n,), same resamples for all; None where undefined."""
    draws = bootstrap(predicted, human, groups, rng=rng, resamples=resamples, measures=measures)
    return {name: {m: _interval(v, level) for m, v in by.items()} for name, by in draws.items()}


def paired_difference(
    a: np.ndarray,
    b: np.ndarray,
    human: np.ndarray,
    groups: Sequence[Any],
    *,
    rng: np.random.Generator,
    measure: str = "spearman",
    resamples: int = 1000,
    level: float = 0.95,
) -> Difference:
    """Method A minus method B, predictions (n,) of the same items, with an interval over groups."""
    pair = {"a": np.asarray(a), "b": np.asarray(b)}
    draws = bootstrap(pair, human, groups, rng=rng, resamples=resamples, measures=(measure,))
    gap = draws["a"][measure] - draws["b"][measure]
    whole = [getattr(agreement(p, human), measure) for p in pair.values()]
    value = None if None in whole else whole[0] - whole[1]
    defined = gap[np.isfinite(gap)] * (-1.0 if measure == "mae" else 1.0)
    if value is None or not defined.size:
        return Difference(measure, None, None, None)
    return Difference(measure, value, _interval(gap, level), float(np.mean((defined > 0) + 0.5 * (defined == 0))))


def bootstrap(
    predicted: Mapping[str, np.ndarray],
    human: np.ndarray,
    groups: Sequence[Any],
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    measures: Sequence[str] = MEASURES,
) -> dict[str, dict[str, np.ndarray]]:
    """Each measure (resamples,) of each method when whole groups are drawn with replacement.

    NaN marks a resample in which the measure is undefined. Measures: spearman, pearson, mae.
    """
    unknown = [m for m in measures if m not in MEASURES]
    if unknown:
        raise ValueError(f"no bootstrap of {unknown}, only of {MEASURES}")
    human = np.asarray(human, dtype=np.float64)
    draws = {name: {m: np.empty(resamples) for m in measures} for name in predicted}
    for rows, weight in _resampled(groups, rng, resamples):
        ranked = _weighted_ranks(human, weight) if "spearman" in measures else None
        for name, p in predicted.items():
            p = _pair(p, human)[0]
            for measure, out in draws[name].items():
                if measure == "mae":
                    out[rows] = weight @ np.abs(p - human) / weight.sum(axis=1)
                elif measure == "pearson":
                    out[rows] = _weighted_correlation(p, human, weight)
                else:
                    out[rows] = _weighted_correlation(_weighted_ranks(p, weight), ranked, weight)  # type: ignore[arg-type]
    return draws


def interval_of(
    statistic: Callable[[np.ndarray], np.ndarray],
    groups: Sequence[Any],
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval | None:
    """Interval of any statistic of n rows over whole groups (n,); None where it is never defined.

    statistic: from weights (R, n), how often each row is in each of R resamples, to its value (R,),
    NaN where undefined. Two statistics with equally seeded `rng` get the same resamples.
    """
    draws = np.empty(resamples)
    for rows, weight in _resampled(groups, rng, resamples):
        draws[rows] = statistic(weight)
    return _interval(draws, level)


def mean_statistic(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The mean of values (n,), for `interval_of`."""
    return lambda weight: weight @ values / weight.sum(axis=1)


def f1_statistic(predicted: np.ndarray, human: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """F1 of boolean predictions (n,) against boolean truth (n,), for `interval_of`."""

    def statistic(weight: np.ndarray) -> np.ndarray:
        positives = weight @ predicted + weight @ human
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(positives > 0, 2.0 * (weight @ (predicted & human)) / positives, np.nan)

    return statistic


def annotator_ceiling(scores: Sequence[Sequence[float]]) -> Ceiling:
    """Ceiling from individual scores: one sequence per item, annotators in the same order.

    Sequences may differ in length and hold NaN; items with fewer than two scores are left out.
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
    shared = max(0.0, float(np.mean([_correlation(*p.T) for p in pairs])))
    count = float(given.mean())
    perfect = float(np.sqrt(count * shared / (1.0 + (count - 1.0) * shared)))
    return Ceiling(width, len(table), left_out, pairwise, perfect)


def _resampled(groups: Sequence[Any], rng: np.random.Generator, resamples: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Chunks of resamples: which of them, and how often each row is drawn in each, float64 (R, n)."""
    _, code = np.unique(np.asarray(groups), return_inverse=True)
    code = code.reshape(-1)
    count = int(code.max()) + 1
    chunk = max(1, _CELLS // code.size)
    for start in range(0, resamples, chunk):
        rows = slice(start, min(start + chunk, resamples))
        weight = rng.multinomial(count, np.full(count, 1.0 / count), size=rows.stop - rows.start)[:, code]
        yield rows, weight.astype(np.float64)


def _pair(predicted: np.ndarray, human: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(predicted, dtype=np.float64), np.asarray(human, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"predictions have shape {a.shape}, human scores {b.shape}: both must be (n,)")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("predictions and human scores must be finite: leave items without a score out")
    return a, b


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def _spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    return None if why_undefined(a, b) else _correlation(rankdata(a), rankdata(b))


def _mean_defined(found: list[float | None]) -> float | None:
    defined = [f for f in found if f is not None]
    return float(np.mean(defined)) if defined else None


def _weighted_ranks(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mid-ranks (R, n) of x (n,) in resamples where row i occurs weight[r, i] times."""
    _, code = np.unique(x, return_inverse=True)
    code = code.reshape(-1)
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(code.max() + 1))
    size = np.add.reduceat(weight[:, order], starts, axis=1)
    return (np.cumsum(size, axis=1) - 0.5 * size + 0.5)[:, code]


def _weighted_correlation(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Pearson correlation (R,) of a and b, (n,) or (R, n), under each row of weights; NaN where undefined."""
    total = weight.sum(axis=1, keepdims=True)
    a = a - (weight * a).sum(axis=1, keepdims=True) / total
    b = b - (weight * b).sum(axis=1, keepdims=True) / total
    va, vb = (weight * a * a).sum(axis=1), (weight * b * b).sum(axis=1)
    # Rounding leaves a trace of variance where all drawn values are equal.
    defined = (va > 1e-18 * total[:, 0]) & (vb > 1e-18 * total[:, 0]) & ((weight > 0).sum(axis=1) >= 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (weight * a * b).sum(axis=1) / np.sqrt(va * vb)
    return np.where(defined, found, np.nan)


def _interval(values: np.ndarray, level: float) -> Interval | None:
    defined = values[np.isfinite(values)]
    if not defined.size:
        return None
    low, high = np.quantile(defined, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(low), float(high), level, int(defined.size))
