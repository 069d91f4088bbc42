from __future__ import annotations

import numpy as np
import pytest

from lager_lite.fitting.margins import conformal_margin, held_share
from tests.measure.coverage import SETTINGS, covered

VALUES = np.arange(1.0, 6.0)


def test_the_margin_is_the_quantile_of_errors_in_which_every_group_counts_as_one():
    # A constant score: the calibration is flat at the mean of the other folds, whatever the groups.
    human = np.concatenate([np.full(90, 3.0), np.tile([2.0, 4.0], 5)])
    groups = np.concatenate([np.zeros(90), np.arange(1, 11)])
    # One group of 90 exact items, ten groups of one item that is a point away: nine in ten groups reach a point.
    assert conformal_margin(np.full(100, 3.0), human, groups, VALUES) == pytest.approx(1.0, abs=0.05)
    # As 100 items of their own, nine in ten are exact; the hundredth and first may err, so it is not nine in ten.
    assert conformal_margin(np.full(100, 3.0), human, np.arange(100), VALUES) == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize(("groups", "known"), [(9, False), (10, True)])
def test_ten_groups_make_a_margin_and_nine_promise_nothing(groups, known):
    code = np.repeat(np.arange(groups), 5)
    margin = conformal_margin(np.arange(5.0 * groups), np.tile([1.0, 2, 3, 4, 5], groups), code, VALUES)
    assert (margin is not None) is known


@pytest.mark.parametrize(("groups", "known"), [(12, False), (13, True)])
def test_with_five_folds_thirteen_groups_leave_ten(groups, known):
    code = np.arange(2 * groups) % groups
    human = np.tile([1.0, 5.0], groups)
    assert (held_share(human, human, human, code, code % 5, values=VALUES) is not None) is known


@pytest.mark.parametrize("name", ["100 items", "30 groups of 7"])
def test_the_interval_holds_nine_times_in_ten(name):
    found = np.mean([covered(*SETTINGS[name], seed)[0] for seed in range(40)])
    assert found == pytest.approx(0.9, abs=0.03)  # two and a half standard errors of 40 runs, and a little


def test_a_fold_whose_items_err_more_than_the_others_is_not_held():
    # Folds 0 to 3 err by half a point, fold 4 by two points: margins come from other folds, so it is not held.
    fold = np.repeat(np.arange(5), 20)
    human = np.tile([2.0, 4.0], 50)
    calibrated = human + np.where(fold == 4, 2.0, 0.5) * np.where(human > 3, -1, 1)
    found = held_share(human, calibrated, human, np.arange(100), fold, values=VALUES)
    # Raw scores that are exact have a margin of next to nothing; only the given errors count for what is held.
    assert found.share == 0.0 and found.margin < 0.1
    noisy = human + np.tile([0.5, -0.5, -0.5, 0.5], 25)
    found = held_share(noisy, calibrated, human, np.arange(100), fold, values=VALUES)
    assert found.share == pytest.approx(0.8) and 0.5 <= found.margin < 2.0


def test_nothing_is_said_of_intervals_that_too_few_groups_cannot_promise():
    human = np.tile([1.0, 2, 3, 4, 5], 10)
    assert held_share(human, human, human, np.arange(50) // 5, np.arange(50) // 10, values=VALUES) is None
