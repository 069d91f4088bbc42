from __future__ import annotations

import importlib

import numpy as np
import pytest
from scipy import stats

metrics = importlib.import_module("lager_lite.stats.agreement")  # the function of that name hides the module


def test_four_items_by_hand():
    found = metrics.agreement(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0]))
    assert found.n == 4
    assert found.spearman == pytest.approx(0.8)  # 1 - 6 * 2 / (4 * 15)
    assert found.pearson == pytest.approx(0.8)
    assert found.kendall == pytest.approx(4 / 6)  # five pairs in order, one not
    assert found.mae == 0.5
    assert found.undefined is None and found.f1 is None


def test_ties_are_treated_as_scipy_treats_them():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4, 200).astype(float), rng.integers(0, 5, 200).astype(float)
    found = metrics.agreement(a, b)
    assert found.spearman == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)  # float64 rounding
    assert found.kendall == pytest.approx(stats.kendalltau(a, b).statistic, abs=1e-12)


@pytest.mark.parametrize(
    ("predicted", "human", "reason"),
    [
        ([1.0, 2.0], [1.0, 2.0], "only 2 items"),
        ([2.0, 2.0, 2.0], [1.0, 2.0, 3.0], "all predictions are equal"),
        ([1.0, 2.0, 3.0], [4.0, 4.0, 4.0], "all human scores are equal"),
        ([], [], "only 0 items"),
    ],
)
def test_undefined_correlations_are_none_with_a_reason(predicted, human, reason):
    found = metrics.agreement(np.array(predicted), np.array(human))
    assert (found.spearman, found.pearson, found.kendall, found.undefined) == (None, None, None, reason)
    assert (found.mae is None) == (not predicted)


def test_f1_counts_scores_at_or_above_the_threshold():
    found = metrics.agreement(np.array([5.0, 4.0, 1.0, 4.0]), np.array([5.0, 1.0, 4.0, 4.5]), threshold=4.0)
    assert found.f1 == pytest.approx(2 * 2 / (3 + 3))
    assert metrics.f1_score(np.array([False]), np.array([False])) is None


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="leave items without a score out"):
        metrics.agreement(np.array([1.0, np.nan, 2.0]), np.array([1.0, 2.0, 3.0]))


def test_criteria_are_kept_apart_in_order():
    found = metrics.by_criterion([1, 2, 3, 3, 2, 1], [1, 2, 3, 1, 2, 3], ["b", "b", "b", "a", "a", "a"])
    assert [(k, v.spearman) for k, v in found.items()] == [("b", pytest.approx(1.0)), ("a", pytest.approx(-1.0))]


def test_ceiling_by_hand():
    # Annotators 1 and 2 agree fully, 3 ranks backwards.
    scores = [(1, 1, 4), (2, 2, 3), (3, 3, 2), (4, 4, 1)]
    found = metrics.annotator_ceiling(scores)
    assert (found.annotators, found.n) == (3, 4)
    assert found.pairwise == pytest.approx((1 - 1 - 1) / 3)
    assert found.perfect == 0.0
    # The mean of annotators 1 and 3 (2 and 3) is constant, so only the third has a rest to compare with.
    assert found.leave_one_out == pytest.approx(-1.0)


def test_perfect_judge_is_bounded_by_the_annotators_noise():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=4000)
    scores = truth[:, None] + rng.normal(size=(4000, 3)) * np.sqrt(3.0)  # reliability of the mean: 1 / (1 + 3/3)
    found = metrics.annotator_ceiling(scores)
    # Standard error of a correlation of 4,000 items is about 0.016.
    assert found.perfect == pytest.approx(np.sqrt(0.5), abs=0.04)
    assert np.corrcoef(truth, scores.mean(axis=1))[0, 1] == pytest.approx(found.perfect, abs=0.04)


def test_ceiling_takes_ragged_scores_and_says_when_there_is_none():
    found = metrics.annotator_ceiling([(1, 1), (2, 2, 5), (3, 3), (9,), (4, float("nan"), 4)])
    assert (found.n, found.pairwise) == (4, pytest.approx(1.0))
    assert metrics.annotator_ceiling([(1,), (2,)]).undefined == "no item has two scores"
    assert metrics.annotator_ceiling([(1, 1), (1, 1)]).undefined == "too few items, or scores that never differ"
