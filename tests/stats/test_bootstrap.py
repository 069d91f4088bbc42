from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from lager_lite.stats import agreement, bootstrap, f1_score, interval_text
from lager_lite.stats.bootstrap import Interval


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
    draws = bootstrap.bootstrap({"m": predicted}, human, groups, rng=np.random.default_rng(7), resamples=40)["m"]
    expected = naive(predicted, human, groups, np.random.default_rng(7), 40)
    for column, measure in enumerate(("spearman", "pearson", "mae")):
        assert draws[measure] == pytest.approx(expected[:, column], abs=1e-12)  # float64 rounding


def test_chunks_do_not_change_the_draws(monkeypatch):
    human, groups = np.arange(20.0), np.arange(20) // 2
    args = ({"m": np.sin(human)}, human, groups)
    whole = bootstrap.bootstrap(*args, rng=np.random.default_rng(1), resamples=50)["m"]["spearman"]
    monkeypatch.setattr(bootstrap, "_CELLS", 60)
    assert np.array_equal(
        whole, bootstrap.bootstrap(*args, rng=np.random.default_rng(1), resamples=50)["m"]["spearman"]
    )


def test_intervals_are_wider_when_items_hang_together():
    rng = np.random.default_rng(0)
    level = np.repeat(rng.normal(size=20), 20)  # the same offset for the 20 items of a group
    human, predicted = level + 0.3 * rng.normal(size=400), level + 0.3 * rng.normal(size=400)
    widths = []
    for groups in (np.arange(400), np.repeat(np.arange(20), 20)):
        found = bootstrap.intervals({"m": predicted}, human, groups, rng=np.random.default_rng(0))["m"]["spearman"]
        assert found.resamples == 1000 and found.low < agreement(predicted, human).spearman < found.high
        widths.append(found.high - found.low)
    assert widths[1] > 1.5 * widths[0]


def test_interval_of_a_constant_method_is_none_and_its_mae_is_not():
    rng = np.random.default_rng(0)
    found = bootstrap.intervals({"m": np.full(30, 2.0)}, np.arange(30.0), np.arange(30), rng=rng)["m"]
    assert found["spearman"] is None and found["pearson"] is None
    assert found["mae"].low > 0


def test_paired_difference_sees_what_two_intervals_hide():
    rng = np.random.default_rng(1)
    human = rng.normal(size=300)
    base = human + 2.0 * rng.normal(size=300)
    better = base + 0.4 * human
    groups = np.arange(300) // 3
    each = bootstrap.intervals({"a": better, "b": base}, human, groups, rng=np.random.default_rng(0))
    assert each["a"]["spearman"].low < each["b"]["spearman"].high  # the single intervals overlap
    found = bootstrap.paired_difference(better, base, human, groups, rng=np.random.default_rng(0))
    assert found.interval.low > 0 and found.share == 1.0
    gap = agreement(better, human).spearman - agreement(base, human).spearman
    assert found.value == pytest.approx(gap)


def test_smaller_error_is_better_and_equal_methods_share():
    human, rng = np.arange(40.0), np.random.default_rng(0)
    found = bootstrap.paired_difference(human + 1, human + 2, human, np.arange(40), rng=rng, measure="mae")
    assert (found.value, found.share) == (pytest.approx(-1.0), 1.0)
    same = bootstrap.paired_difference(human, human, human, np.arange(40), rng=np.random.default_rng(0))
    assert (same.value, same.share) == (0.0, 0.5)


def test_difference_with_a_constant_method_is_undefined():
    line = np.arange(9.0)
    found = bootstrap.paired_difference(np.ones(9), line, line, np.arange(9), rng=np.random.default_rng(0))
    assert (found.value, found.interval, found.share) == (None, None, None)


def test_an_interval_is_not_made_of_the_resamples_that_happen_to_be_defined():
    values = np.linspace(0, 1, 1000)
    values[:5] = np.nan
    assert bootstrap.percentile_interval(values, 0.95).resamples == 995
    values[5] = np.nan
    assert bootstrap.percentile_interval(values, 0.95) is None
    odd = np.zeros(60)
    odd[7] = 1.0
    rng = np.random.default_rng(0)
    found = bootstrap.paired_difference(odd, np.arange(60.0), np.arange(60.0), np.arange(60), rng=rng)
    assert found.value is not None and (found.interval, found.share) == (None, None)


def test_thousand_resamples_of_six_methods_are_quick():
    rng = np.random.default_rng(0)
    human, groups = rng.integers(3, 16, 1680) / 3, np.arange(1680) // 28
    predicted = {str(i): human + rng.normal(size=1680) for i in range(6)}
    start = time.perf_counter()
    bootstrap.intervals(predicted, human, groups, rng=rng)
    assert time.perf_counter() - start < 10.0  # about 1 s; ten leaves room for a busy machine


def test_an_interval_of_a_mean_and_of_f1_draws_whole_groups():
    """Two groups of equal rows: a resample holds one, the other or both, and nothing in between."""
    groups = np.repeat(["a", "b"], 50)
    right = np.repeat([1.0, 0.0], 50)
    seen: set = set()

    def spy(weight):
        found = bootstrap.mean_statistic(right)(weight)
        seen.update(found.tolist())
        return found

    found = bootstrap.interval_of(spy, groups, rng=np.random.default_rng(0), resamples=400)
    assert seen == {0.0, 0.5, 1.0} and (found.low, found.high) == (0.0, 1.0)
    # Group a alone is all hits (F1 1), group b alone has nothing positive (undefined).
    positive = right > 0
    f1 = bootstrap.f1_statistic(positive, positive)
    assert bootstrap.interval_of(f1, groups, rng=np.random.default_rng(0), resamples=400) is None


def test_the_f1_of_a_resample_is_that_of_its_rows():
    rng = np.random.default_rng(1)
    predicted, truth = rng.random(30) < 0.4, rng.random(30) < 0.5
    weight = rng.integers(0, 3, (5, 30)).astype(float)
    expected = [f1_score(np.repeat(predicted, w.astype(int)), np.repeat(truth, w.astype(int))) for w in weight]
    np.testing.assert_allclose(bootstrap.f1_statistic(predicted, truth)(weight), expected, rtol=1e-12)


def test_an_interval_as_text_has_three_decimals_and_a_sign_where_one_is_wanted():
    span = Interval(-0.12345, 0.5, 0.95, 100)
    assert interval_text(span) == "[-0.123, 0.500]"
    assert interval_text(span, sign=True) == "[-0.123, +0.500]"
    assert interval_text(None) == interval_text(None, sign=True) == "-"
