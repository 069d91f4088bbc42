from __future__ import annotations

import numpy as np
import pytest

from lager_lite.errors import DataError
from lager_lite.tasks import prediction_powered
from lager_lite.tasks.estimation import doubts_of_labels
from lager_lite.tasks.labelling import design


def drawn(seed, told):
    """Labels and judgments of 40 items in 20 groups, and judgments of 400 more; people's mean is 3."""
    rng = np.random.default_rng(seed)
    group = np.arange(440) // 2
    quality = (rng.normal(size=220)[group] + rng.normal(size=440)) / np.sqrt(2)
    judged = 2.0 + 0.5 * (told * quality + np.sqrt(1 - told**2) * rng.normal(size=440))
    return (3.0 + quality)[:40], judged[:40], group[:40], judged[40:], group[40:]


def test_the_corrected_mean_is_right_where_judgments_are_biased_and_narrower_where_they_are_good():
    runs = [prediction_powered(*drawn(seed, 0.9), ends=(-9.0, 9.0)) for seed in range(300)]
    covered = np.mean([found.low <= 3.0 <= found.high for found, _, _ in runs])
    assert 0.92 <= covered <= 0.98  # three standard errors of 300 runs at 0.95
    lengths = [(found.high - found.low) / (alone.high - alone.low) for found, alone, _ in runs]
    assert np.mean(lengths) < 0.7
    assert abs(np.mean([found.value for found, _, _ in runs]) - 3.0) < 0.03  # the judge says 2


def test_judgments_that_know_nothing_hardly_count():
    weights = [prediction_powered(*drawn(seed, 0.0), ends=(-9.0, 9.0))[2] for seed in range(100)]
    assert np.mean(weights) < 0.3
    with pytest.raises(DataError, match="the labels are of one group"):
        prediction_powered(np.ones(3), np.ones(3), np.zeros(3), np.ones(3), np.arange(3), ends=(1.0, 5.0))


def piled(seed, count, middle):
    """Labels of `count` items that lie at the upper end of the scale, and judgments of 200 more."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=count + 200)
    judged = 3.0 + 0.6 * quality + 0.8 * rng.normal(size=quality.size)
    human, group = np.clip(np.round(middle + quality), 1, 5), np.arange(quality.size)
    return human[:count], judged[:count], group[:count], judged[count:], group[count:]


@pytest.mark.parametrize("middle", [5.0, 5.5, 6.0])
def test_intervals_of_six_labels_cover_where_most_are_alike(middle):
    truth = np.clip(np.round(middle + np.random.default_rng(1).normal(size=200_000)), 1, 5).mean()
    runs = [prediction_powered(*piled(seed, 6, middle), ends=(1.0, 5.0))[0] for seed in range(300)]
    assert np.mean([found.low <= truth <= found.high for found in runs]) >= 0.92  # 0.84, 0.62 and 0.33 without


def test_labels_that_are_all_alike_and_labels_at_one_end_are_said():
    found, alone, weight = prediction_powered(np.full(6, 5.0), *piled(0, 6, 6.0)[1:], ends=(1.0, 5.0))
    assert found == alone and weight == 0.0 and (found.value, found.high) == (5.0, 5.0)
    assert found.low == pytest.approx(5 - 4 * (1 - 0.025 ** (1 / 6)))
    all_alike = doubts_of_labels(np.full(6, 5.0), 6, (1.0, 5.0))
    assert "there are only 6 labels" in all_alike[0] and "there are only 6 groups" in all_alike[1]
    assert all_alike[2].startswith("all 6 labels are 5, so the interval is what 6 groups")
    assert doubts_of_labels(np.array([5.0] * 80 + [4.0] * 40), 30, (1.0, 5.0)) == [
        "67% of the labels lie at one end of the scale: from so few of them, 95% intervals hold the mean in only about "
        "90 of 100 cases"
    ]
    assert doubts_of_labels(np.arange(120) % 5 + 1.0, 30, (1.0, 5.0)) == []


def test_the_row_to_label_is_like_many_others_and_unlike_the_labelled():
    # Row 0 is labelled and like row 1; rows 2 to 4 are alike; row 5 is alone.
    ways = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1.0]])
    chosen, left = design(ways @ ways.T, 1, 3)
    assert chosen[0] in (1, 2, 3) and 4 in (chosen[1], chosen[2])  # counted without row 0
    assert list(left) == sorted(left, reverse=True) and left[0] < 0.7
