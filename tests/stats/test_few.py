from __future__ import annotations

from lager_lite.stats import warnings_of_few, warnings_of_few_rows


def test_few_things_and_few_groups_are_said_and_enough_of_both_are_not():
    assert warnings_of_few(100, 10, "pair") == ()
    assert warnings_of_few(99, 9, "pair") == (
        "there are only 99 pairs, so intervals are wide: use 200 or more",
        "there are only 9 groups, and intervals that are resampled from so few cannot be trusted",
    )


def test_figures_without_an_interval_are_warned_about_too():
    assert warnings_of_few_rows(100, "judged row") == ()
    assert warnings_of_few_rows(10, "judged row") == (
        "there are only 10 judged rows, so means and correlations may be chance: use 200 or more",
    )
