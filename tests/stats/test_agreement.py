from __future__ import annotations

import importlib
import time

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


def naive(predicted, human, groups, rng, resamples):
    """The same bootstrap with the drawn rows written out, from the same counts of groups."""
    names = np.unique(groups)
    out = []
    for counts in rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples):
        rows = np.concatenate([np.tile(np.flatnonzero(groups == n), c) for n, c in zip(names, counts)]).astype(int)
        p, h = predicted[rows], human[rows]
        out.append((stats.spearmanr(p, h).statistic, stats.pearsonr(p, h).statistic, np.abs(p - h).mean()))
    return np.array(out)


def test_weighted_bootstrap_equals_rows_written_out():
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 12, 60)
    human = rng.integers(1, 6, 60).astype(float)
    predicted = np.round(human + rng.normal(0, 2, 60))
    draws = metrics.bootstrap({"m": predicted}, human, groups, rng=np.random.default_rng(7), resamples=40)["m"]
    expected = naive(predicted, human, groups, np.random.default_rng(7), 40)
    for column, measure in enumerate(("spearman", "pearson", "mae")):
        assert draws[measure] == pytest.approx(expected[:, column], abs=1e-12)  # float64 rounding


def test_chunks_do_not_change_the_draws(monkeypatch):
    human, groups = np.arange(20.0), np.arange(20) // 2
    args = ({"m": np.sin(human)}, human, groups)
    whole = metrics.bootstrap(*args, rng=np.random.default_rng(1), resamples=50)["m"]["spearman"]
    monkeypatch.setattr(metrics, "_CELLS", 60)
    assert np.array_equal(whole, metrics.bootstrap(*args, rng=np.random.default_rng(1), resamples=50)["m"]["spearman"])


def test_intervals_are_wider_when_items_hang_together():
    rng = np.random.default_rng(0)
    level = np.repeat(rng.normal(size=20), 20)  # the same offset for the 20 items of a group
    human, predicted = level + 0.3 * rng.normal(size=400), level + 0.3 * rng.normal(size=400)
    widths = []
    for groups in (np.arange(400), np.repeat(np.arange(20), 20)):
        found = metrics.intervals({"m": predicted}, human, groups, rng=np.random.default_rng(0))["m"]["spearman"]
        assert found.resamples == 1000 and found.low < metrics.agreement(predicted, human).spearman < found.high
        widths.append(found.high - found.low)
    assert widths[1] > 1.5 * widths[0]


def test_interval_of_a_constant_method_is_none_and_its_mae_is_not():
    rng = np.random.default_rng(0)
    found = metrics.intervals({"m": np.full(30, 2.0)}, np.arange(30.0), np.arange(30), rng=rng)["m"]
    assert found["spearman"] is None and found["pearson"] is None
    assert found["mae"].low > 0


def test_paired_difference_sees_what_two_intervals_hide():
    rng = np.random.default_rng(1)
    human = rng.normal(size=300)
    base = human + 2.0 * rng.normal(size=300)
    better = base + 0.4 * human
    groups = np.arange(300) // 3
    each = metrics.intervals({"a": better, "b": base}, human, groups, rng=np.random.default_rng(0))
    assert each["a"]["spearman"].low < each["b"]["spearman"].high  # the single intervals overlap
    found = metrics.paired_difference(better, base, human, groups, rng=np.random.default_rng(0))
    assert found.interval.low > 0 and found.share == 1.0
    gap = metrics.agreement(better, human).spearman - metrics.agreement(base, human).spearman
    assert found.value == pytest.approx(gap)


def test_smaller_error_is_better_and_equal_methods_share():
    human, rng = np.arange(40.0), np.random.default_rng(0)
    found = metrics.paired_difference(human + 1, human + 2, human, np.arange(40), rng=rng, measure="mae")
    assert (found.value, found.share) == (pytest.approx(-1.0), 1.0)
    same = metrics.paired_difference(human, human, human, np.arange(40), rng=np.random.default_rng(0))
    assert (same.value, same.share) == (0.0, 0.5)


def test_difference_with_a_constant_method_is_undefined():
    line = np.arange(9.0)
    found = metrics.paired_difference(np.ones(9), line, line, np.arange(9), rng=np.random.default_rng(0))
    assert (found.value, found.interval, found.share) == (None, None, None)


def test_thousand_resamples_of_six_methods_are_quick():
    rng = np.random.default_rng(0)
    human, groups = rng.integers(3, 16, 1680) / 3, np.arange(1680) // 28
    predicted = {str(i): human + rng.normal(size=1680) for i in range(6)}
    start = time.perf_counter()
    metrics.intervals(predicted, human, groups, rng=rng)
    assert time.perf_counter() - start < 10.0  # about 1 s; ten leaves room for a busy machine


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


def test_an_interval_of_a_mean_and_of_f1_draws_whole_groups():
    """Two groups of equal rows: a resample holds one, the other or both, and nothing in between."""
    groups = np.repeat(["a", "b"], 50)
    right = np.repeat([1.0, 0.0], 50)
    seen: set = set()

    def spy(weight):
        found = metrics.mean_statistic(right)(weight)
        seen.update(found.tolist())
        return found

    found = metrics.interval_of(spy, groups, rng=np.random.default_rng(0), resamples=400)
    assert seen == {0.0, 0.5, 1.0} and (found.low, found.high) == (0.0, 1.0)
    # Group a alone is all hits (F1 1), group b alone has nothing positive (undefined).
    positive = right > 0
    only = metrics.interval_of(
        metrics.f1_statistic(positive, positive), groups, rng=np.random.default_rng(0), resamples=400
    )
    assert (only.low, only.high) == (1.0, 1.0) and 250 < only.resamples < 350


def test_the_f1_of_a_resample_is_that_of_its_rows():
    rng = np.random.default_rng(1)
    predicted, truth = rng.random(30) < 0.4, rng.random(30) < 0.5
    weight = rng.integers(0, 3, (5, 30)).astype(float)
    expected = [metrics.f1_score(np.repeat(predicted, w.astype(int)), np.repeat(truth, w.astype(int))) for w in weight]
    np.testing.assert_allclose(metrics.f1_statistic(predicted, truth)(weight), expected, rtol=1e-12)
