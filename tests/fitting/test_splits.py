from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from lager_lite.errors import FitError
from lager_lite.fitting.splits import over_splits, split_folds
from lager_lite.stats import rank_figures


@dataclass(frozen=True)
class Line:
    weights: np.ndarray

    def predict(self, x):
        return x["x"] @ self.weights[:-1] + self.weights[-1]


class LeastSquares:
    """Ordinary least squares: fits of noise that differ much from fold to fold, in microseconds."""

    def fit(self, x, human, groups):
        return Line(np.linalg.lstsq(np.column_stack([x["x"], np.ones(len(human))]), human, rcond=None)[0])


def test_every_split_is_another_one_and_keeps_names_apart():
    groups, human = np.repeat(np.arange(30), 2), np.tile([1.0, 5.0, 3.0], 20)
    ways = split_folds(groups, human, folds=5, seed=0, splits=3)
    assert len({way.tobytes() for way in ways}) == 3
    both = split_folds(groups, human, folds=5, seed=0, splits=1, held_out=np.tile(["a", "b"], 30))[0]
    assert both.shape == (2, 60) and np.unique(both[1]).size == 2
    with pytest.raises(FitError, match="1 name to hold out leaves nothing to fit"):
        split_folds(groups, human, folds=5, seed=0, held_out=["a"] * 60)


def test_intervals_of_nulls_hold_the_truth_and_are_seldom_above_zero():
    """A small version of tests.measure.intervals; without the spread of the splits 131 of 150 hold zero."""
    rng, held, above = np.random.default_rng(0), 0, 0
    for _ in range(150):
        x, human = {"x": rng.normal(size=(40, 8))}, rng.normal(size=40)
        ways = split_folds(np.arange(40), human, folds=5, seed=int(rng.integers(1 << 30)))
        ranks = over_splits(LeastSquares(), x, human, np.arange(40), ways).ranks
        found = rank_figures({"a": ranks}, human, np.arange(40), rng=rng, resamples=100).estimate("a")
        held += found.interval.low <= 0.0 <= found.interval.high
        above += found.interval.low > 0.0
    assert held >= 138 and above <= 8


def test_a_fit_that_knows_nothing_but_the_mean_has_no_correlation():
    rng = np.random.default_rng(0)
    human, nothing = rng.normal(size=40), {"x": np.zeros((40, 0))}
    ways = split_folds(np.arange(40), human, folds=5, seed=0)
    found = over_splits(LeastSquares(), nothing, human, np.arange(40), ways)
    assert np.ptp(found.scores) > 0, "the means of the folds differ"
    assert all(np.array_equal(ranks, np.full(40, 0.5)) for ranks in found.ranks)
