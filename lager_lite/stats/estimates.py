"""Rank correlations of cross-validated scores: their value, their interval, and what is left of them at equal surface.

A cross-validated method is given as its scores in several splits into folds. The value of a figure is its mean over
the splits. Its interval comes from the bootstrap over whole groups, on the first split, and is widened by how much the
figure moves from split to split: the bootstrap holds the folds' fits fixed, and intervals from it alone cover 80 to 87
in 100 where they should cover 95 (`python -m tests.measure.intervals`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri, stdtrit

from .agreement import correlation, why_undefined
from .bootstrap import (
    Difference,
    Groups,
    Interval,
    interval_over,
    resampled,
    weighted_correlation,
    weighted_ranks,
)
from .ranks import mid_ranks

# The variance between splits of one set of labels counts this many times: once for the split, and more than once for
# the fits, which another set of labels would make differently. With 2 intervals of 30 groups covered 0.92 to 0.94.
_SPLIT_VARIANCES = 2.5


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval.

    value: the figure, a mean over splits; None where it is undefined.
    interval: over groups and splits; None where it is undefined.
    """

    value: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Figures:
    """One figure of several methods, such as the Spearman correlation with people, and all that its intervals need.

    splits: by method, the figure in every split, float64 (splits,); one entry for methods without folds. NaN where
        undefined.
    draws: by method, the figure of the first split in every resample, float64 (resamples,), NaN where undefined.
    groups: how many groups are drawn from.
    least, most: between which the figure can lie.
    """

    splits: Mapping[str, np.ndarray]
    draws: Mapping[str, np.ndarray]
    groups: int
    least: float = -1.0
    most: float = 1.0

    def estimate(self, name: str, *, level: float = 0.95) -> Estimate:
        """The figure of one method."""
        found = widened(self.splits[name], self.draws[name], self.groups, level=level)
        if found.interval is None:
            return found
        low, high = max(found.interval.low, self.least), min(found.interval.high, self.most)
        return replace(found, interval=replace(found.interval, low=low, high=high))

    def gain(self, name: str, base: str, *, level: float = 0.95) -> Estimate:
        """The figure of one method minus that of another, in the same splits and resamples."""
        gap = self.draws[name] - self.draws[base]
        found = widened(self.splits[name] - self.splits[base], gap, self.groups, level=level)
        return replace(found, interval=self._possible(found.interval))

    def _possible(self, interval: Interval | None) -> Interval | None:
        """The interval of a difference of two figures, without what none of them can be."""
        most = self.most - self.least
        return interval and replace(interval, low=max(interval.low, -most), high=min(interval.high, most))

    def difference(self, name: str, base: str, *, level: float = 0.95) -> Difference:
        """The gain as a difference, with the share of the resamples in which the method is better."""
        found, gap = self.gain(name, base, level=level), self.draws[name] - self.draws[base]
        gap = gap[np.isfinite(gap)]
        share = float(np.mean((gap > 0) + 0.5 * (gap == 0))) if found.value is not None and gap.size else None
        return Difference("spearman", found.value, found.interval, share)

    def best_gain(self, names: Sequence[str], chosen: str, base: str, *, level: float = 0.95) -> Estimate:
        """The gain of the method that was chosen among `names` because its figure is the highest.

        The interval holds for all of them at once (the largest of their standardised deviations, Westfall and Young,
        Resampling-Based Multiple Testing, 1993), and so for whichever was chosen.
        """
        if len(names) < 2:
            return self.gain(chosen, base, level=level)
        gaps = {name: self.draws[name] - self.draws[base] for name in names}
        away = [np.abs(gap - np.nanmean(gap)) / max(float(np.nanstd(gap)), 1e-12) for gap in gaps.values()]
        reach = float(np.nanquantile(np.fmax.reduce(away), level))
        splits, gap = self.splits[chosen] - self.splits[base], gaps[chosen]
        if not np.isfinite(splits[0]):
            return Estimate(None, None)
        value = float(np.nanmean(splits))
        if interval_over(gap, self.groups, level, least=2) is None:
            return Estimate(value, None)
        error = reach * float(np.nanstd(gap)) * _widening(splits, gap, self.groups)
        return Estimate(
            value, self._possible(Interval(value - error, value + error, level, int(np.isfinite(gap).sum())))
        )


def rank_figures(
    scores: Mapping[str, Sequence[np.ndarray]],
    human: np.ndarray,
    groups: Groups,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    given: Sequence[np.ndarray] | None = None,
) -> Figures:
    """Spearman correlations with human scores (n,) of several methods.

    scores: by method, scores (n,) of every split; all methods with folds have as many.
    groups: (n,), what is drawn as a whole.
    given: scores (n,) of every split of something else, at equal values of which the correlations are partial ones.
        None: plain correlations.
    """
    human = np.asarray(human, dtype=np.float64)
    splits = {}
    for name, columns in scores.items():
        count = len(columns) if given is None else max(len(columns), len(given))
        parts, others = _repeated(columns, count), [None] * count if given is None else _repeated(given, count)
        splits[name] = np.array([_spearman(a, human, c) for a, c in zip(parts, others, strict=True)])
    draws = {name: np.empty(resamples) for name in scores}
    for rows, weight in resampled(groups, rng, resamples):
        people = weighted_ranks(human, weight)
        base = None if given is None else weighted_ranks(np.round(given[0], 9), weight)
        pull = None if base is None else weighted_correlation(people, base, weight)
        for name, columns in scores.items():
            ranks = weighted_ranks(np.round(columns[0], 9), weight)
            found = weighted_correlation(ranks, people, weight)
            if base is not None and pull is not None:
                left = _partial(found, weighted_correlation(ranks, base, weight), pull)
                found = np.where(np.isfinite(pull), left, found)  # nothing can be explained by what is constant
            draws[name][rows] = found
    return Figures(splits, draws, int(np.unique(np.asarray(groups)).size))


def mean_figures(
    points: Mapping[str, Sequence[np.ndarray]], groups: Groups, *, rng: np.random.Generator, resamples: int = 1000
) -> Figures:
    """Means of points (n,), 0 to 1, of several methods, given for every split, as for `rank_figures`; groups (n,)."""
    draws = {name: np.empty(resamples) for name in points}
    for rows, weight in resampled(groups, rng, resamples):
        for name, columns in points.items():
            draws[name][rows] = weight @ columns[0] / weight.sum(axis=1)
    splits = {name: np.array([float(np.mean(one)) for one in columns]) for name, columns in points.items()}
    return Figures(splits, draws, int(np.unique(np.asarray(groups)).size), least=0.0)


def widened(splits: np.ndarray, draws: np.ndarray, groups: int, *, level: float = 0.95) -> Estimate:
    """A figure from its values in every split and in resamples of the first split.

    splits (splits,), draws (resamples,): NaN where undefined. groups: how many groups were drawn from.
    """
    splits = np.atleast_1d(splits)
    if not np.isfinite(splits[0]):
        return Estimate(None, None)
    value = float(np.nanmean(splits))
    whole = interval_over(draws, groups, level, least=2)  # of few groups it is widened below
    if whole is None:
        return Estimate(value, None)
    factor = _widening(splits, draws, groups)
    low, high = (value + factor * (end - float(splits[0])) for end in (whole.low, whole.high))
    return Estimate(value, Interval(low, high, level, whole.resamples))


def partial_spearman(a: np.ndarray, b: np.ndarray, given: np.ndarray) -> float | None:
    """Spearman correlation of a and b at equal values of `given`, (n,) each; None where it is undefined."""
    found = _spearman(np.asarray(a), np.asarray(b), np.asarray(given))
    return float(found) if np.isfinite(found) else None


def pairs_at_equal(
    scores: np.ndarray, human: np.ndarray, at: np.ndarray, *, within: float, blocks: np.ndarray
) -> tuple[int, float | None]:
    """How many pairs have different human scores and nearly equal `at`, and how often the higher human score has the
    higher score, ties counted as half; None without pairs.

    scores, human, at (n,); within: how far apart `at` may be. blocks: names (n,), for instance of criteria; pairs are
    made inside them.
    """
    pairs, points = 0, 0.0
    for name in np.unique(blocks):
        rows = np.flatnonzero(blocks == name)
        rows = rows[np.argsort(at[rows], kind="stable")]
        reach = np.searchsorted(at[rows], at[rows] + within, side="right")
        for place, row in enumerate(rows):
            near = rows[place + 1 : reach[place]]
            order = np.sign(human[near] - human[row])
            found = np.sign(np.round(scores[near] - scores[row], 9))
            differ = order != 0
            pairs += int(differ.sum())
            points += float(np.sum((order * found)[differ] + 1.0) / 2.0)
    return pairs, points / pairs if pairs else None


def _widening(splits: np.ndarray, draws: np.ndarray, groups: int) -> float:
    """How much longer the interval is than that of the bootstrap.

    From few groups the bootstrap's variance is too small by 1 in `groups`, and its quantiles are those of a normal
    distribution where Student's are wanted.
    """
    between = float(np.nanvar(splits, ddof=1)) if np.isfinite(splits).sum() > 1 else 0.0
    drawn = float(np.nanvar(draws))
    if drawn <= 0 or groups < 2:
        return 1.0
    student = float(stdtrit(groups - 1, 0.975) / ndtri(0.975))
    return student * float(np.sqrt(groups / (groups - 1.0) + _SPLIT_VARIANCES * between / drawn))


def _repeated(columns: Sequence[np.ndarray], count: int) -> list[np.ndarray]:
    """`count` columns: those of every split, or the one of a method without folds in every split."""
    return list(columns) if len(columns) == count else [columns[0]] * count


def _spearman(a: np.ndarray, b: np.ndarray, given: np.ndarray | None) -> float:
    if why_undefined(a, b):
        return float("nan")
    x, y = mid_ranks(np.round(a, 9)), mid_ranks(b)
    plain = correlation(x, y)
    if given is None or why_undefined(given, b):
        return plain
    z = mid_ranks(np.round(given, 9))
    return float(_partial(np.array(plain), np.array(correlation(x, z)), np.array(correlation(y, z))))


def _partial(ab: np.ndarray, ac: np.ndarray, bc: np.ndarray) -> np.ndarray:
    """Partial correlation of a and b given c from the three correlations; NaN where c explains one of them wholly."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.sqrt((1.0 - ac**2) * (1.0 - bc**2))
        return np.where(rest > 1e-6, (ab - ac * bc) / rest, np.nan)
