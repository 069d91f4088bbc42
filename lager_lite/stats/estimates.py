"""Rank correlations of cross-validated scores: their value, their interval, and that of the gain of one on another.

A cross-validated method is given as its scores in several splits into folds. The value of a figure is its mean over
the splits. Its interval comes from the bootstrap over whole groups, on the first split, and is widened by how much the
figure moves from split to split: the bootstrap holds the folds' fits fixed, and intervals from it alone cover 80 to 87
in 100 where they should cover 95 (`python -m tests.measure.intervals`).

A figure that is undefined in some of the splits is undefined: its mean over the others would be one over chosen splits.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import numpy as np
import scipy

from .bootstrap import ALIKE, UNDEFINED_SHARE, Difference, Groups, Interval, interval_over, resampled, weighted_ranks
from .few import LEAST_TOLD_APART
from .partial import correlation_of_ranks, rounded_ranks, weighted_partial
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


# What a method is called: its name, or a key that says more.
N = TypeVar("N", bound=Hashable)


@dataclass(frozen=True)
class Figures(Generic[N]):
    """One figure of several methods, such as the Spearman correlation with people, and all that its intervals need.

    splits: by method, the figure in every split, float64 (splits,); one entry for methods without folds. NaN where
        undefined.
    draws: by method, the figure of the first split in every resample, float64 (resamples,), NaN where undefined.
    groups: how many groups are drawn from.
    told_apart: by method that scores more than half of the rows alike, how many groups hold another score; the others
        are not in it. A figure rests on these groups alone.
    people: the same of the human scores; None where no score is that of more than half of the rows.
    least, most: between which the figure can lie.
    of_values: whether it is a mean of values between `least` and `most`, such as a share.
    """

    splits: Mapping[N, np.ndarray]
    draws: Mapping[N, np.ndarray]
    groups: int
    told_apart: Mapping[N, int] = field(default_factory=dict)
    people: int | None = None
    least: float = -1.0
    most: float = 1.0
    of_values: bool = False

    def estimate(self, name: N, *, level: float = 0.95) -> Estimate:
        """The figure of one method."""
        found = widened(
            self.splits[name], self.draws[name], self._groups(name), level=level, ends=self._ends(self.least)
        )
        if found.interval is None:
            return found
        low, high = max(found.interval.low, self.least), min(found.interval.high, self.most)
        return replace(found, interval=replace(found.interval, low=low, high=high))

    def gain(self, name: N, base: N, *, level: float = 0.95) -> Estimate:
        """The figure of one method minus that of another, in the same splits and resamples."""
        gap = self.draws[name] - self.draws[base]
        splits, groups = self.splits[name] - self.splits[base], self._groups(name, base)
        found = widened(splits, gap, groups, level=level, ends=self._ends(-self.most))
        return replace(found, interval=self._possible(found.interval))

    def _ends(self, least: float) -> tuple[float, float] | None:
        """Between which the single values lie of which the figure is a mean; None where it is none. least: the lowest."""
        return (least, self.most) if self.of_values else None

    def tells(self, name: N) -> bool:
        """Whether a method tells enough apart for its figure to be compared with others."""
        found, lost = self.draws[name], float(np.mean(~np.isfinite(self.draws[name])))
        return (
            bool(found.size)
            and bool(np.isfinite(self.splits[name]).all())
            and self._groups(name) > 0
            and lost <= UNDEFINED_SHARE
        )

    def no_interval(self, name: N) -> str | None:
        """Why a figure that is known has no interval, in words; None where it has one, and where it is undefined."""
        if self.estimate(name).value is None or self.estimate(name).interval is not None:
            return None
        lost = int(np.sum(~np.isfinite(self.draws[name])))
        for apart, by in ((self.people, "by people's scores "), (self.told_apart.get(name), "")):
            if apart is not None and apart < LEAST_TOLD_APART:
                some = "1 group is" if apart == 1 else f"{apart} groups are"
                return f"only {some} told apart {by}from all others, which is too few for an interval"
        if lost:
            return f"undefined in {lost} of {self.draws[name].size} resamples, which is too many for an interval"
        return "too few groups for an interval"

    def _groups(self, *names: N) -> int:
        """How many groups a figure of these methods rests on; 0 where too few are told apart from the others."""
        apart = min(self.told_apart.get(name, self.groups) for name in names)
        apart = apart if self.people is None else min(apart, self.people)
        if apart == self.groups:
            return apart
        return 0 if apart < LEAST_TOLD_APART else min(self.groups, apart + 1)

    def _possible(self, interval: Interval | None) -> Interval | None:
        """The interval of a difference of two figures, without what none of them can be."""
        most = self.most - self.least
        return interval and replace(interval, low=max(interval.low, -most), high=min(interval.high, most))

    def difference(self, name: N, base: N, *, level: float = 0.95) -> Difference:
        """The gain as a difference, with the share of the resamples in which the method is better."""
        found, gap = self.gain(name, base, level=level), self.draws[name] - self.draws[base]
        gap = gap[np.isfinite(gap)]
        share = None if found.interval is None else float(np.mean((gap > 0) + 0.5 * (gap == 0)))
        return Difference("spearman", found.value, found.interval, share)

    def best_estimate(self, names: Sequence[N], chosen: N, *, level: float = 0.95) -> Estimate:
        """The figure of the method that was chosen among `names` because its figure is the highest.

        The interval holds for all of them at once, see `best_gain`.
        """
        alone = self.estimate(chosen, level=level)
        known = [name for name in names if self.estimate(name).interval is not None]
        away = self._reach([self.draws[name] for name in known], level)
        if away is None or alone.interval is None or alone.value is None or _alike(self.draws[chosen]):
            return alone
        error = away * _error(self.splits[chosen], self.draws[chosen], self._groups(chosen))
        low, high = max(alone.value - error, self.least), min(alone.value + error, self.most)
        return Estimate(alone.value, replace(alone.interval, low=low, high=high))

    def best_gain(self, pairs: Sequence[tuple[N, N]], chosen: tuple[N, N], *, level: float = 0.95) -> Estimate:
        """The gain of the pair (method, base) that was chosen among `pairs` because its figure is the highest.

        The interval holds for all of them at once (the largest of their standardised deviations, Westfall and Young,
        Resampling-Based Multiple Testing, 1993), and so for whichever was chosen.
        """
        alone = self.gain(*chosen, level=level)
        known = [pair for pair in pairs if self.gain(*pair).interval is not None]
        away = self._reach([self.draws[name] - self.draws[base] for name, base in known], level)
        if away is None or alone.interval is None or alone.value is None:
            return alone
        splits, gap = (found[chosen[0]] - found[chosen[1]] for found in (self.splits, self.draws))
        if _alike(gap):
            return alone
        error = away * _error(splits, gap, self._groups(*chosen))
        return Estimate(
            alone.value,
            self._possible(replace(alone.interval, low=alone.value - error, high=alone.value + error)),
        )

    @staticmethod
    def _reach(draws: Sequence[np.ndarray], level: float) -> float | None:
        """How many standard errors hold all of several figures at once; None for fewer than two figures."""
        if len(draws) < 2:
            return None
        away = [np.abs(one - np.nanmean(one)) / max(float(np.nanstd(one)), 1e-12) for one in draws]
        return float(np.nanquantile(np.fmax.reduce(away), level))


def rank_figures(
    scores: Mapping[N, Sequence[np.ndarray]],
    human: np.ndarray,
    groups: Groups,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    given: Mapping[N, Sequence[np.ndarray]] | None = None,
    ranked: Collection[N] = (),
    fold: np.ndarray | None = None,
) -> Figures[N]:
    """Spearman correlations with human scores (n,) of several methods.

    scores: by method, scores (n,) of every split; all methods with folds have as many.
    groups: (n,), what is drawn as a whole.
    given: by name, scores (n,) of every split of other things, at equal values of which the correlations are partial ones.
    ranked: names of the methods and of what is given whose scores are mid-ranks inside folds; they are not ranked again,
        see `correlation_of_ranks`.
    fold: int (n,), the folds of the first split, in which scores were ranked; None: they were not.
    """
    human = np.asarray(human, dtype=np.float64)
    given = given or {}
    count = max(map(len, (*scores.values(), *given.values())))
    columns = {
        name: [np.asarray(one) if name in ranked else rounded_ranks(one) for one in found]
        for name, found in (*scores.items(), *given.items())
    }
    others = list(zip(*(_repeated(columns[name], count) for name in given))) if given else [()] * count
    people = mid_ranks(human)
    splits = {
        name: np.array(
            [
                correlation_of_ranks(a, people, *rest)
                for a, rest in zip(_repeated(columns[name], count) if given else columns[name], others)
            ],
            dtype=np.float64,
        )
        for name in scores
    }
    draws = {name: np.empty(resamples) for name in scores}
    for rows, weight in resampled(groups, rng, resamples):
        again = {name: one[0] if name in ranked else weighted_ranks(one[0], weight) for name, one in columns.items()}
        felt, equal = weighted_ranks(human, weight), [again[name] for name in given]
        for name in scores:
            draws[name][rows] = weighted_partial(again[name], felt, equal, weight)
    apart = {name: _told_apart(np.round(columns[0], 9), groups, fold) for name, columns in scores.items()}
    known = {name: number for name, number in apart.items() if number is not None}
    return Figures(splits, draws, int(np.unique(np.asarray(groups)).size), known, _told_apart(human, groups))


def _alike(draws: np.ndarray) -> bool:
    return float(np.nanmax(draws) - np.nanmin(draws)) <= ALIKE


def _told_apart(scores: np.ndarray, groups: Groups, ranked: np.ndarray | None = None) -> int | None:
    """How many groups hold a score (n,) that is not the one that most rows hold, of those that were ranked together,
    int (n,); None where no score is that of more than half of the rows."""
    _, code = np.unique(scores, return_inverse=True)
    place = np.zeros(code.size, dtype=int) if ranked is None else np.unique(ranked, return_inverse=True)[1]
    counts = np.zeros((int(place.max()) + 1, int(code.max()) + 1))
    np.add.at(counts, (place, code), 1)
    usual = code == counts.argmax(axis=1)[place]
    return int(np.unique(np.asarray(groups)[~usual]).size) if usual.mean() > 0.5 else None


def mean_figures(
    points: Mapping[N, Sequence[np.ndarray]], groups: Groups, *, rng: np.random.Generator, resamples: int = 1000
) -> Figures[N]:
    """Means of points (n,), 0 to 1, of several methods, given for every split, as for `rank_figures`; groups (n,)."""
    draws = {name: np.empty(resamples) for name in points}
    for rows, weight in resampled(groups, rng, resamples):
        for name, columns in points.items():
            draws[name][rows] = weight @ columns[0] / weight.sum(axis=1)
    splits = {name: np.array([float(np.mean(one)) for one in columns]) for name, columns in points.items()}
    return Figures(splits, draws, int(np.unique(np.asarray(groups)).size), least=0.0, of_values=True)


def widened(
    splits: np.ndarray,
    draws: np.ndarray,
    groups: int,
    *,
    level: float = 0.95,
    ends: tuple[float, float] | None = None,
) -> Estimate:
    """A figure from its values in every split and in resamples of the first split.

    splits (splits,), draws (resamples,): NaN where undefined. groups: how many groups the figure rests on.
    ends: between which single values lie, of which the figure is a mean; None: it is none.
    """
    splits = np.atleast_1d(splits)
    if not np.isfinite(splits).all():
        return Estimate(None, None)
    value = float(np.mean(splits))
    whole = interval_over(draws, groups, level, least=2, ends=ends)  # of few groups it is widened below
    if whole is None:
        return Estimate(value, None)
    factor = _widening(splits, draws, groups)
    low, high = (value + factor * (end - float(splits[0])) for end in (whole.low, whole.high))
    return Estimate(value, Interval(low, high, level, whole.resamples))


def _widening(splits: np.ndarray, draws: np.ndarray, groups: int) -> float:
    """How much longer the interval is than that of the bootstrap.

    From few groups the bootstrap's variance is too small by 1 in `groups`, and its quantiles are those of a normal
    distribution where Student's are wanted.
    """
    between = float(np.var(splits, ddof=1)) if np.size(splits) > 1 else 0.0
    drawn = float(np.nanvar(draws))
    if drawn <= ALIKE**2 or groups < 2:
        return 1.0
    student = float(scipy.special.stdtrit(groups - 1, 0.975) / scipy.special.ndtri(0.975))
    return student * float(np.sqrt(groups / (groups - 1.0) + _SPLIT_VARIANCES * between / drawn))


def _error(splits: np.ndarray, draws: np.ndarray, groups: int) -> float:
    """The standard error of a figure over groups and splits."""
    return float(np.nanstd(draws)) * _widening(splits, draws, groups)


def _repeated(columns: Sequence[np.ndarray], count: int) -> list[np.ndarray]:
    """`count` columns: those of every split, or the one of a method without folds in every split."""
    return list(columns) if len(columns) == count else [columns[0]] * count
