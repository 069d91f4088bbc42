"""Methods on an equal footing: two are compared by scores that were pooled in the same way.

Scores of fits are ranked inside their folds before they are pooled. What tells one fold from another is lost: of the
agreement of length with people, on 120 items in 24 groups, 0.01 in 5 folds, 0.04 in 12 and 0.18 in 20
(`python -m tests.measure.intervals --only words`). A method that needs no fit
does not pay it. So where only one of two methods was fitted in folds, both are ranked inside these folds. The length is
the exception, since its order needs no fit: beside a method that was not fitted it is taken as it is, in the direction
in which it agrees with these very people. That one choice is in favour of the length.

What gives one score to all items, or to all but a handful, agrees with nobody: a gain on it is the agreement itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

import numpy as np

from ..fitting import within_fold_ranks
from ..stats import Estimate, Figures, agreement, correlation_of_ranks, partial_spearman, rank_figures

COMPARED = (
    "gains compare like with like: where one of two methods was fitted in folds, both are ranked inside the folds, but the "
    "length stays as it is beside a method without a fit, in the direction that these labels have"
)
"""How gains are made, for people."""


class Way(Enum):
    """How the scores of a method, or what is given, are pooled over the folds.

    - `OWN`: ranked inside its folds where it was fitted in folds, and as they are where it was not.
    - `IN_FOLDS`: ranked inside the folds, of what was not fitted in them.
    - `AS_IT_IS`: of the length, which was fitted in folds, without them.
    - `GIVEN`: what correlations are partial at, as it is. `GIVEN_IN_FOLDS`: the same, ranked inside the folds.
    """

    OWN = 1
    IN_FOLDS = 2
    AS_IT_IS = 3
    GIVEN = 4
    GIVEN_IN_FOLDS = 5


class Column(NamedTuple):
    """Scores of one method, pooled in one way."""

    method: str
    way: Way = Way.OWN


NOTHING = Column("")
"""One score for all items: a gain on it is the agreement itself."""

_Columns = Mapping[Column, Sequence[np.ndarray]]


@dataclass(frozen=True)
class Footing:
    """Rank agreement with people of several methods, and their gains on each other.

    fitted: names of the methods whose scores were ranked inside folds.
    plain: agreement of the methods, pooled in every way in which they are compared.
    left: agreement at equal length and equal score of `surface`; None where that is not known.
    with_length: by method, Spearman correlation with the length; None where undefined or unknown.
    """

    fitted: frozenset[str]
    plain: Figures[Column]
    left: Figures[Column] | None = None
    with_length: Mapping[str, float | None] = field(default_factory=dict)

    def tells(self, name: str) -> bool:
        """Whether a method tells more than a handful of items apart."""
        return self.plain.tells(Column(name))

    def estimate(self, name: str) -> Estimate:
        """The agreement of one method, as its own scores were pooled."""
        return self.plain.estimate(Column(name))

    def no_interval(self, name: str) -> str | None:
        """Why this agreement has no interval, see `Figures.no_interval`."""
        return self.plain.no_interval(Column(name))

    def pair(self, name: str, base: str) -> tuple[Column, Column]:
        """The columns of `plain` by which a method and another are to be compared."""
        if not self.tells(base):
            return Column(name), NOTHING
        if (name in self.fitted) == (base in self.fitted):
            return Column(name), Column(base)
        if base == "length" and base in self.fitted:
            return Column(name), self._as_it_is(base)
        if name == "length" and name in self.fitted:
            return self._as_it_is(name), Column(base)
        return self._in_folds(name), self._in_folds(base)

    def gain(self, name: str, base: str, *, level: float = 0.95) -> Estimate:
        """The agreement of one method minus that of another, compared in the same way."""
        return self.plain.gain(*self.pair(name, base), level=level)

    def best_gain(self, names: Sequence[str], chosen: str, base: str, *, level: float = 0.95) -> Estimate:
        """The gain of a method that was chosen among `names`, see `Figures.best_gain`."""
        return self.plain.best_gain([self.pair(name, base) for name in names], self.pair(chosen, base), level=level)

    def best_estimate(self, names: Sequence[str], chosen: str) -> Estimate:
        """The agreement of a method that was chosen among `names`, see `Figures.best_estimate`."""
        return self.plain.best_estimate([Column(name) for name in names], Column(chosen))

    def best_at_equal_surface(self, names: Sequence[str], chosen: str) -> Estimate | None:
        """What is left of it at equal length and surface, in the same way; None where this is not known."""
        if self.left is None:
            return None
        return self.left.best_estimate([self._in_folds(name) for name in names], self._in_folds(chosen))

    def best(self, names: Sequence[str]) -> str:
        """The method that agrees best, all of them ranked inside folds; those that tell nothing apart come last."""
        keys = {name: self._in_folds(name) for name in names if Column(name) in self.plain.splits}
        values = {name: self.plain.estimate(key).value or 0.0 for name, key in keys.items()}
        return max(values, key=lambda name: (self.tells(name), values[name]))

    def at_equal_surface(self, name: str) -> Estimate | None:
        """What is left of the agreement at equal length and surface; None where this is not known."""
        return None if self.left is None else self.left.estimate(self._in_folds(name))

    def _in_folds(self, name: str) -> Column:
        return self._if_known(Column(name, Way.IN_FOLDS))

    def _as_it_is(self, name: str) -> Column:
        return self._if_known(Column(name, Way.AS_IT_IS))

    def _if_known(self, column: Column) -> Column:
        return column if column in self.plain.splits else Column(column.method)


def on_equal_footing(
    scores: Mapping[str, Sequence[np.ndarray]],
    human: np.ndarray,
    groups: np.ndarray,
    *,
    fitted: Collection[str],
    ways: Sequence[np.ndarray],
    length: np.ndarray | None,
    seed: int,
    resamples: int,
) -> Footing:
    """Set methods on an equal footing.

    scores: by method, scores (n,) of every split, ranked inside its folds; one entry for methods that were not fitted.
    fitted: the names of those that were. ways: their folds, from `split_folds`; empty where nothing was fitted.
    human, groups: (n,). length: of the responses, float64 (n,), in any unit; None: not known.
    seed, resamples: of the intervals. All figures are of the same resamples.
    """
    splits = [np.atleast_2d(way)[0] for way in ways]
    columns = {Column(name): list(parts) for name, parts in scores.items()}
    for name in scores:
        if splits and name not in fitted:
            columns[Column(name, Way.IN_FOLDS)] = [within_fold_ranks(scores[name][0], split) for split in splits]
    ranked = {one for one in columns if one.method in fitted or one.way is Way.IN_FOLDS}
    lengths: list[np.ndarray] = []
    if length is not None:
        lengths = [within_fold_ranks(length, split) for split in splits]
        if "length" in fitted:
            way = agreement(length, human).spearman or 0.0
            columns[Column("length", Way.AS_IT_IS)] = [length if way >= 0 else -length]

    def figures(of: _Columns, given: _Columns) -> Figures[Column]:
        """The figures of some methods over the judgments that all of them have."""
        inside = {*ranked, *(one for one in given if one.way is Way.GIVEN_IN_FOLDS)}
        first = splits[0] if splits else None
        rng = np.random.default_rng(seed)
        return rank_figures(of, human, groups, rng=rng, resamples=resamples, given=given, ranked=inside, fold=first)

    plain, left = figures(columns, {}), None
    nothing = {NOTHING: np.zeros(1)}, {NOTHING: np.zeros(resamples)}
    plain = replace(plain, splits={**plain.splits, **nothing[0]}, draws={**plain.draws, **nothing[1]})
    if "surface" in fitted and splits:
        given = {Column("surface", Way.GIVEN_IN_FOLDS): scores["surface"]}
        # The length is given both as it is and as the methods are ranked: what ranking changes would be left otherwise.
        if length is not None:
            given |= {Column("length", Way.GIVEN_IN_FOLDS): lengths, Column("length", Way.GIVEN): [length]}
        left = figures({one: found for one, found in columns.items() if one in ranked}, given)
    beside = {}
    for name, parts in scores.items():
        at = lengths if name in fitted else [] if length is None else [length]
        beside[name] = _mean([_alike(one, other, ranked=name in fitted) for one, other in zip(parts, at)])
    return Footing(frozenset(fitted), plain, left, beside)


def _alike(one: np.ndarray, other: np.ndarray, *, ranked: bool) -> float | None:
    """Spearman correlation of two columns (n,), of which both or none are ranks inside folds; None where undefined."""
    return correlation_of_ranks(one, other) if ranked else partial_spearman(one, other)


def _mean(found: Sequence[float | None]) -> float | None:
    known = [one for one in found if one is not None]
    return float(np.mean(known)) if known and len(known) == len(found) else None
