"""Ranks are those of scipy.stats, which no command loads before it needs more of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, rankdata, t

from lager_lite.stats import half_width, mid_ranks


@pytest.mark.parametrize("count", [0, 1, 2, 7, 300])
@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_ranks_are_those_of_scipy(count, levels):
    scores = np.random.default_rng(count).integers(0, levels, count) / 7
    np.testing.assert_array_equal(mid_ranks(scores), rankdata(scores))


def test_a_score_that_is_no_number_leaves_no_ranks():
    assert np.isnan(mid_ranks(np.array([1.0, np.nan, 0.0]))).all()


@pytest.mark.parametrize("groups", [2, 3, 30])
def test_half_an_interval_is_that_of_students_t(groups):
    values = np.random.default_rng(groups).normal(size=groups)
    expected = t.ppf(0.975, groups - 1) * np.std(values, ddof=1) / np.sqrt(groups)
    assert half_width(values, np.arange(groups)) == pytest.approx(float(expected), rel=1e-12)
    assert half_width(values, np.arange(groups), 0.5) < expected < t.ppf(0.99, groups - 1) / norm.ppf(0.9) * expected
