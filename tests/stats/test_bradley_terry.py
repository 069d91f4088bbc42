"""Strengths from wins: by hand, at the edges, and apart where nothing connects."""

from __future__ import annotations

import numpy as np
import pytest

from lager_lite.stats import bradley_terry, compared_parts


def test_two_systems_stand_where_their_wins_say():
    """With many games the added ties do not matter: 3 of 4 wins are a difference of log 3."""
    strength = bradley_terry(np.array([[0, 3e6], [1e6, 0]]))
    assert strength[0] - strength[1] == pytest.approx(np.log(3), abs=1e-4)
    assert strength.sum() == pytest.approx(0, abs=1e-6)  # the added ties put zero in the middle


def test_the_gradient_is_zero_at_the_end_also_for_one_who_never_lost():
    wins = np.array([[0, 5, 7], [0, 0, 2.5], [0, 1.5, 0]])
    strength = bradley_terry(wins)
    chance = 1 / (1 + np.exp(strength[None, :] - strength[:, None]))
    slope = wins.sum(axis=1) - ((wins + wins.T) * chance).sum(axis=1) + 0.5 - 1 / (1 + np.exp(-strength))
    assert np.abs(slope).max() < 1e-8 and strength[0] < 5
    assert list(np.argsort(-strength)) == [0, 1, 2]


def test_strengths_of_many_tables_are_those_of_each():
    rng = np.random.default_rng(0)
    tables = rng.integers(0, 9, size=(20, 4, 4)).astype(float)
    tables[0] = 0  # nobody played: all stand in the middle
    together = bradley_terry(tables)
    assert together == pytest.approx(np.stack([bradley_terry(one) for one in tables]), abs=1e-9)
    assert together[0].tolist() == [0, 0, 0, 0]


def test_known_strengths_are_found_again():
    rng = np.random.default_rng(1)
    truth = np.array([1.2, 0.3, -0.4, -1.1])
    chance = 1 / (1 + np.exp(truth[None, :] - truth[:, None]))
    wins = np.triu(rng.binomial(4000, chance), 1).astype(float)
    wins += np.tril((4000 - wins.T), -1)
    assert bradley_terry(wins) == pytest.approx(truth, abs=0.1)


def test_systems_without_a_way_between_them_are_in_two_parts():
    played = np.zeros((5, 5))
    played[0, 1] = played[1, 0] = played[2, 3] = played[3, 4] = 1
    part = compared_parts(played)
    assert part[0] == part[1] != part[2] == part[3] == part[4]


def test_wins_that_are_none_are_refused():
    with pytest.raises(ValueError, match="finite and not negative"):
        bradley_terry(np.array([[0, -1], [1, 0]]))
