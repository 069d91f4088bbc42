"""How uncertain an agreement is: percentile bootstrap intervals over whole groups.

Whole groups are drawn (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13), because
items that share a source text are not independent. A resample is stored as counts per group, so every
statistic is a weighted one on rows that were sorted once. `scipy.stats.bootstrap` cannot do this: it draws
single items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .agreement import agreement, checked_pair
from .alike import ends_of_alike
from .few import LEAST_FOR_INTERVAL, TOO_FEW_GROUPS

# Names or numbers of the groups (n,) that rows belong to.
Groups = np.ndarray | Sequence[Any]
MEASURES = ("spearman", "pearson", "mae")
# With more resamples than this without a value there is no interval: those that have one were chosen by what was drawn.
# Of null predictors with one odd item in 60, intervals from the others excluded 0 in 80 of 100, with four in 12.
UNDEFINED_SHARE = 0.005
ALIKE = 1e-9
"""Values that lie no further apart differ by rounding alone."""

# Numbers in one chunk of resamples: 32 MB, whatever the number of rows.
_CELLS = 4_000_000

# A statistic of n rows: from weights float64 (R, n), how often each row is in each of R resamples, to its
# values (R,), NaN where undefined.
Statistic = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Interval:
    """A percentile interval.

    low, high: its ends, in the units of the statistic.
    level: its coverage, 0.95 for instance.
    resamples: how many of the resamples had a defined value, at least 199 in 200.
    """

    low: float
    high: float
    level: float
    resamples: int


@dataclass(frozen=True)
class Difference:
    """A measure of method A minus the same measure of method B, on the same items.

    measure: one of MEASURES.
    value: the difference; None where undefined.
    interval: its interval; None where undefined.
    share: share of the resamples in which A is better, ties counted as half; None where undefined. Better is
        smaller for "mae" and larger for the correlations.
    """

    measure: str
    value: float | None
    interval: Interval | None
    share: float | None


def interval_text(interval: Interval | None, *, sign: bool = False) -> str:
    """An interval for people: "[0.123, 0.456]", with sign=True "[+0.123, +0.456]", and "-" for None."""
    if interval is None:
        return "-"
    return f"[{interval.low:+.3f}, {interval.high:+.3f}]" if sign else f"[{interval.low:.3f}, {interval.high:.3f}]"


def intervals(
    predicted: Mapping[str, np.ndarray],
    human: np.ndarray,
    groups: Groups,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
    measures: Sequence[str] = MEASURES,
) -> dict[str, dict[str, Interval | None]]:
    """By method and measure, the interval over groups; None where it is undefined, see `percentile_interval`.

    predicted: by method, predictions (n,). human: (n,). groups: (n,), what is drawn as a whole.
    measures: of MEASURES. All methods see the same resamples. Raises ValueError for an unknown measure,
    and as `agreement` does.
    """
    draws = bootstrap(predicted, human, groups, rng=rng, resamples=resamples, measures=measures)
    return {name: {m: percentile_interval(v, level) for m, v in by.items()} for name, by in draws.items()}


def paired_difference(
    a: np.ndarray,
    b: np.ndarray,
    human: np.ndarray,
    groups: Groups,
    *,
    rng: np.random.Generator,
    measure: str = "spearman",
    resamples: int = 1000,
    level: float = 0.95,
) -> Difference:
    """Method A minus method B, with an interval over groups.

    a, b: predictions (n,) of the same items; the other arguments are those of `intervals`.
    Raises ValueError as `intervals` does.
    """
    pair = {"a": np.asarray(a), "b": np.asarray(b)}
    draws = bootstrap(pair, human, groups, rng=rng, resamples=resamples, measures=(measure,))
    gap = draws["a"][measure] - draws["b"][measure]
    whole = [getattr(agreement(p, human), measure) for p in pair.values()]
    value = None if None in whole else whole[0] - whole[1]
    interval = percentile_interval(gap, level)
    if value is None or interval is None:
        return Difference(measure, value, None, None)
    better = gap[np.isfinite(gap)] * (-1.0 if measure == "mae" else 1.0)
    return Difference(measure, value, interval, float(np.mean((better > 0) + 0.5 * (better == 0))))


def bootstrap(
    predicted: Mapping[str, np.ndarray],
    human: np.ndarray,
    groups: Groups,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    measures: Sequence[str] = MEASURES,
) -> dict[str, dict[str, np.ndarray]]:
    """By method and measure, the values (resamples,) when whole groups are drawn with replacement.

    NaN marks a resample in which the measure is undefined. The arguments are those of `intervals`.
    """
    unknown = [m for m in measures if m not in MEASURES]
    if unknown:
        raise ValueError(f"no bootstrap of {unknown}, only of {MEASURES}")
    human = np.asarray(human, dtype=np.float64)
    draws = {name: {m: np.empty(resamples) for m in measures} for name in predicted}
    for rows, weight in resampled(groups, rng, resamples):
        ranked = weighted_ranks(human, weight) if "spearman" in measures else None
        for name, p in predicted.items():
            p = checked_pair(p, human)[0]
            for measure, out in draws[name].items():
                if measure == "mae":
                    out[rows] = weight @ np.abs(p - human) / weight.sum(axis=1)
                elif measure == "pearson":
                    out[rows] = weighted_correlation(p, human, weight)
                else:
                    out[rows] = weighted_correlation(weighted_ranks(p, weight), ranked, weight)  # type: ignore[arg-type]
    return draws


def interval_of(
    statistic: Statistic,
    groups: Groups,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
    few: bool = False,
    ends: tuple[float, float] | None = None,
) -> Interval | None:
    """Interval of any statistic of n rows over whole groups (n,); None where `percentile_interval` has none.

    statistic: see `Statistic`. Two statistics get the same resamples from generators with the same seed.
    few: also None where `interval_over` has none, from few groups. ends: as there.
    """
    draws = np.empty(resamples)
    for rows, weight in resampled(groups, rng, resamples):
        draws[rows] = statistic(weight)
    count = np.unique(np.asarray(groups)).size
    return interval_over(draws, count, level, ends=ends) if few else percentile_interval(draws, level)


def mean_statistic(values: np.ndarray) -> Statistic:
    """The mean of values (n,) as a statistic for `interval_of`."""
    return lambda weight: weight @ values / weight.sum(axis=1)


def f1_statistic(predicted: np.ndarray, human: np.ndarray) -> Statistic:
    """F1 of boolean predictions (n,) against boolean truth (n,) as a statistic for `interval_of`."""

    def statistic(weight: np.ndarray) -> np.ndarray:
        positives = weight @ predicted + weight @ human
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(positives > 0, 2.0 * (weight @ (predicted & human)) / positives, np.nan)

    return statistic


def resampled(groups: Groups, rng: np.random.Generator, resamples: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield chunks of resamples: their places, and how often each row is drawn in each of them, float64 (R, n)."""
    _, code = np.unique(np.asarray(groups), return_inverse=True)
    code = code.reshape(-1)
    count = int(code.max()) + 1
    chunk = max(1, _CELLS // code.size)
    for start in range(0, resamples, chunk):
        rows = slice(start, min(start + chunk, resamples))
        weight = rng.multinomial(count, np.full(count, 1.0 / count), size=rows.stop - rows.start)[:, code]
        yield rows, weight.astype(np.float64)


def weighted_ranks(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mid-ranks (R, n) of x (n,) in resamples where row i occurs weight[r, i] times."""
    _, code = np.unique(x, return_inverse=True)
    code = code.reshape(-1)
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(code.max() + 1))
    size = np.add.reduceat(weight[:, order], starts, axis=1)
    return (np.cumsum(size, axis=1) - 0.5 * size + 0.5)[:, code]


def weighted_correlation(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
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


def percentile_interval(values: np.ndarray, level: float) -> Interval | None:
    """The interval that holds `level` of the values (resamples,); None where more than 1 in 200 of them are NaN."""
    defined = values[np.isfinite(values)]
    if not defined.size or defined.size < (1.0 - UNDEFINED_SHARE) * values.size:
        return None
    low, high = np.quantile(defined, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(low), float(high), level, int(defined.size))


def interval_over(
    values: np.ndarray,
    groups: int,
    level: float = 0.95,
    *,
    least: int = LEAST_FOR_INTERVAL,
    ends: tuple[float, float] | None = None,
) -> Interval | None:
    """The percentile interval of values (resamples,) that were drawn from so many groups.

    None where more than 1 in 200 are NaN, where there are fewer groups than `least`, and where all resamples of few groups
    (`TOO_FEW_GROUPS`) agree: that nothing else was seen there says little of what is possible. Of a mean whose values lie
    between `ends`, the interval of more groups that agree is that of `ends_of_alike`.
    """
    found = percentile_interval(values, level) if groups >= least else None
    if found is None or found.high - found.low > ALIKE:
        return found
    if groups < TOO_FEW_GROUPS:
        return None
    return found if ends is None else Interval(*ends_of_alike(found.low, ends, groups, level), level, found.resamples)
