from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, rankdata

from lager_lite.fitting import within_fold_ranks
from lager_lite.stats import (
    agreement,
    alike_needed,
    ends_of_alike,
    mean_figures,
    pairs_at_equal,
    partial_spearman,
    rank_figures,
)
from lager_lite.stats.estimates import widened


def drawn(n=200, seed=0):
    rng = np.random.default_rng(seed)
    length = rng.normal(size=n)
    human = length + 0.5 * rng.normal(size=n)
    return rng, length, human


def test_nothing_is_left_at_equal_length_of_a_score_that_is_length():
    rng, length, human = drawn(2000)
    score = length + 0.3 * rng.normal(size=2000)
    assert agreement(score, human).spearman > 0.8
    assert abs(partial_spearman(score, human, length)) < 0.06  # one standard error is 0.022
    # The residuals of ranks after a regression on ranks say the same.
    a, b, c = (rankdata(x) for x in (score, human, length + rng.normal(size=2000)))
    rest = [x - np.polyval(np.polyfit(c, x, 1), c) for x in (a, b)]
    assert partial_spearman(a, b, c) == pytest.approx(np.corrcoef(*rest)[0, 1])


def test_a_figure_is_the_mean_over_splits_and_its_interval_grows_with_their_spread():
    rng, length, human = drawn()
    one, other = length + rng.normal(size=200), length + rng.normal(size=200)

    def of(columns):
        rng = np.random.default_rng(0)
        return rank_figures({"a": columns}, human, np.arange(200), rng=rng, resamples=300).estimate("a")

    both, single = of([one, other]), of([one])
    values = [agreement(x, human).spearman for x in (one, other)]
    assert both.value == pytest.approx(np.mean(values)) and single.value == pytest.approx(values[0])
    draws = np.random.default_rng(1).normal(0.5, 0.1, 100_000)
    plain, wide = (widened(np.array(s), draws, 50).interval for s in ([0.5], [0.4, 0.6]))  # t of 49: 2.01
    assert plain.high - plain.low == pytest.approx(2 * 2.01 * 0.1 * np.sqrt(50 / 49), rel=0.02)
    # The variance of 0.4 and 0.6 is 0.02, and it counts 2.5 times beside the 0.01 of the draws.
    assert wide.high - wide.low == pytest.approx(2 * 2.01 * 0.1 * np.sqrt(50 / 49 + 5), rel=0.02)


def test_the_gain_of_the_best_of_several_has_the_longer_interval():
    rng, length, human = drawn()
    scores = {name: [length + rng.normal(size=200)] for name in "abc"}
    scores["base"] = [rng.normal(size=200)]
    found = rank_figures(scores, human, np.arange(200), rng=rng, resamples=500)
    alone, best = found.gain("a", "base"), found.best_gain([(name, "base") for name in "abc"], ("a", "base"))
    assert best.value == pytest.approx(alone.value)
    assert 1.05 < (best.interval.high - best.interval.low) / (alone.interval.high - alone.interval.low) < 1.6
    assert found.best_gain([("a", "base")], ("a", "base")) == alone


def test_undefined_figures_have_neither_value_nor_interval():
    human = np.arange(20.0)
    found = rank_figures({"a": [np.full(20, 3.0)]}, human, np.arange(20), rng=np.random.default_rng(0), resamples=20)
    assert (found.estimate("a").value, found.estimate("a").interval) == (None, None)
    even = mean_figures({"a": [np.ones(20)]}, np.arange(20), rng=np.random.default_rng(0), resamples=20).estimate("a")
    assert (even.value, even.interval.high) == (1.0, 1.0)
    assert even.interval.low == pytest.approx(binomtest(20, 20).proportion_ci().low)


def test_shares_of_one_kind_and_equal_methods_have_intervals_of_some_length():
    right, rng = {"a": [np.ones(12)], "b": [np.zeros(12)], "c": [np.ones(12)]}, np.random.default_rng(0)
    found = mean_figures(right, np.arange(12), rng=rng, resamples=50)
    none = found.estimate("b").interval
    assert (none.low, none.high) == pytest.approx((0.0, binomtest(0, 12).proportion_ci().high))
    for gain in (found.gain("a", "c"), found.best_gain([("a", "c"), ("b", "c")], ("a", "c"))):
        assert (gain.interval.low, gain.interval.high) == pytest.approx((-none.high, none.high))
    clustered = mean_figures({"a": [np.ones(48)]}, np.arange(48) // 4, rng=rng, resamples=50).estimate("a").interval
    assert clustered.low == pytest.approx(1.0 - none.high)


@pytest.mark.parametrize(("differ", "groups"), [(0.01, 30), (0.1, 12), (0.3, 10)])
def test_the_interval_of_alike_values_holds_the_mean(differ, groups):
    # It fails only where no group differs although more than `share_unseen` do, 2.5 in 100.
    low, high = ends_of_alike(4.0, (1.0, 5.0), groups)
    hardest = 4.0 - 3.0 * differ
    assert low <= hardest or (1.0 - differ) ** groups <= 0.025
    assert alike_needed(4.0 - low, 3.0) == groups and 4.0 < high < 5.0 and alike_needed(0.0, 3.0) is None


def test_pairs_of_equal_length_by_hand():
    human, at = np.array([1.0, 2.0, 3.0, 3.0, 5.0]), np.array([0.0, 0.05, 0.08, 0.5, 0.55])
    scores, blocks = np.array([1.0, 1.0, 0.0, 2.0, 3.0]), np.array(["x"] * 5)
    # Near pairs: 0-1 tied, 0-2 wrong, 1-2 wrong, 3-4 right.
    assert pairs_at_equal(scores, human, at, within=0.1, blocks=blocks) == (4, 1.5 / 4)
    apart = np.array(["x", "y", "x", "x", "y"])
    assert pairs_at_equal(scores, human, at, within=0.1, blocks=apart) == (1, 0.0)
    assert pairs_at_equal(scores, human, at, within=0.0, blocks=apart) == (0, None)


def test_a_difference_lies_in_what_is_possible_and_needs_groups():
    right = {"a": [np.array([0.0, 1, 0, 1, 0, 0])], "b": [np.array([1.0, 0, 1, 0.5, 1, 1])]}
    rng = np.random.default_rng(0)
    found = mean_figures(right, np.arange(6), rng=rng, resamples=200)
    for gain in (found.gain("a", "b"), found.best_gain([("a", "b"), ("b", "b")], ("a", "b"))):
        assert gain.interval.low == -1.0
    assert mean_figures(right, np.zeros(6), rng=rng, resamples=200).gain("a", "b").interval is None


@pytest.mark.parametrize("odd", [1, 3, 4, 6])
def test_a_few_odd_items_seldom_look_like_agreement_by_chance(odd):
    """Of intervals from the resamples that hold an odd item, 78, 15, 10 and 10 in 100 excluded 0."""
    rng, excluded = np.random.default_rng(odd), 0
    for _ in range(100):
        human, scores = rng.integers(1, 6, 60).astype(float), np.zeros(60)
        scores[rng.permutation(60)[:odd]] = 1.0
        figures = rank_figures({"a": [scores]}, human, np.arange(60), rng=rng, resamples=200)
        interval = figures.estimate("a").interval
        excluded += interval is not None and not interval.low <= 0 <= interval.high
    assert excluded <= (5 if odd == 6 else 0)
    assert (figures.no_interval("a") is None) == (interval is not None)


def test_scores_that_were_ranked_inside_folds_are_not_ranked_again():
    """One score for nearly all items: its ranks in two folds differ by a hair, which a second ranking blows up."""
    rng = np.random.default_rng(4)
    human, fold = rng.integers(1, 6, 300).astype(float), rng.integers(0, 5, 300)
    most = np.where((human == 5) & (rng.random(300) < 0.5), 5.0, 3.0)
    fine = human + rng.normal(size=300)
    scores = {"most": [within_fold_ranks(most, fold)], "fine": [within_fold_ranks(fine, fold)]}

    def values(**ranked):
        found = rank_figures(scores, human, np.arange(300), rng=np.random.default_rng(0), resamples=300, **ranked)
        return {name: found.estimate(name) for name in scores}

    once, twice = values(ranked=("most", "fine")), values()
    whole = agreement(most, human).spearman
    assert once["most"].value == pytest.approx(whole, abs=0.02) and twice["most"].value < 0.8 * whole
    assert once["most"].interval.low < whole < once["most"].interval.high
    assert once["fine"].value == pytest.approx(twice["fine"].value, abs=0.005)
    assert once["fine"].interval.low == pytest.approx(twice["fine"].interval.low, abs=0.005)


def test_the_figure_of_the_best_of_several_has_the_longer_interval():
    rng, length, human = drawn()
    scores = {name: [length + rng.normal(size=200)] for name in "abc"}
    found = rank_figures(scores, human, np.arange(200), rng=rng, resamples=500)
    alone, best = found.estimate("a"), found.best_estimate("abc", "a")
    assert best.value == alone.value and found.best_estimate("a", "a") == alone
    assert 1.05 < (best.interval.high - best.interval.low) / (alone.interval.high - alone.interval.low) < 1.6
