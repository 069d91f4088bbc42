"""What the best method is worth against the best trivial one, both of them pooled over the folds in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..fitting import within_fold_ranks
from ..stats import interval_of, interval_text
from .detection import precision_recall

TRIVIAL_KNOWERS = ("e_score", "length", "words")
"""What anybody has without fitting weights; the best of them is what a method has to beat."""
_WHAT = {"length": "the length of the question", "words": "the words of the question"}


@dataclass(frozen=True)
class Pooled:
    """The scores of one method.

    raw: as they are, float64 (n,).
    fold: of each question, int (n,).
    fitted: whether the method was fitted in these folds, so that only ranks inside them may be pooled.
    """

    raw: np.ndarray
    fold: np.ndarray
    fitted: bool

    @property
    def ranks(self) -> np.ndarray:
        """Ranks inside the folds, 0 to 1, float64 (n,)."""
        return within_fold_ranks(self.raw, self.fold)

    @property
    def scores(self) -> np.ndarray:
        """What its figures are of, float64 (n,)."""
        return self.ranks if self.fitted else self.raw


def knowledge_verdict(
    methods: Mapping[str, Pooled],
    words: np.ndarray | None,
    truth: np.ndarray,
    groups: np.ndarray,
    *,
    seed: int,
    resamples: int,
) -> tuple[str, str]:
    """The best trivial method, and what the best other method is worth against it, in a sentence.

    words: the length of the questions (n,); None: not known. truth bool (n,), groups (n,); seed, resamples: of the interval.
    As in `evaluation`, where one of two methods was fitted both are ranked inside the folds, but beside a method that was
    not fitted the length stays as it is, in its better direction.
    """

    def average(scores: np.ndarray) -> float:
        """Average precision of scores."""
        return float(precision_recall(scores, truth, np.ones((1, truth.size)))[3][0])

    base = max((name for name in methods if name in TRIVIAL_KNOWERS), key=lambda name: average(methods[name].ranks))
    others = [name for name in methods if name not in TRIVIAL_KNOWERS]
    if not others:
        return base, ""
    best = max(others, key=lambda name: average(methods[name].scores))
    mine, other = methods[best], methods[base]
    if mine.fitted == other.fitted:
        pair = mine.scores, other.scores
    elif base == "length" and words is not None:
        pair = mine.raw, max((words, -words), key=average)
    else:
        pair = mine.ranks, other.ranks
    reached, level = map(average, pair)

    def gap(weight: np.ndarray) -> np.ndarray:
        """Difference of both average precisions under weights of the questions."""
        first, second = (precision_recall(scores, truth, weight)[3] for scores in pair)
        return np.asarray(first - second)

    interval = interval_of(gap, groups, rng=np.random.default_rng(seed), resamples=resamples)
    what, text = _WHAT.get(base, base), f"{best} tells unanswerable questions with average precision {reached:.3f}"
    if interval is None:
        return base, f"{text}; {what}: {level:.3f}."
    than = "better than" if interval.low > 0 else "less well than" if interval.high < 0 else "no better than"
    difference = f"{reached - level:+.3f} {interval_text(interval, sign=True)}"
    return base, f"{text}, {than} {what}, {level:.3f}: the difference is {difference}."
