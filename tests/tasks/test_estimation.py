from __future__ import annotations

import numpy as np
import pytest

from lager_lite.errors import DataError
from lager_lite.tasks import prediction_powered
from lager_lite.tasks.labelling import design


def drawn(seed, told):
    """Labels and judgments of 40 items in 20 groups, and judgments of 400 more; people's mean is 3."""
    rng = np.random.default_rng(seed)
    group = np.arange(440) // 2
    quality = (rng.normal(size=220)[group] + rng.normal(size=440)) / np.sqrt(2)
    judged = 2.0 + 0.5 * (told * quality + np.sqrt(1 - told**2) * rng.normal(size=440))
    return (3.0 + quality)[:40], judged[:40], group[:40], judged[40:], group[40:]


def test_the_corrected_mean_is_right_where_judgments_are_biased_and_narrower_where_they_are_good():
    runs = [prediction_powered(*drawn(seed, 0.9)) for seed in range(300)]
    covered = np.mean([found.low <= 3.0 <= found.high for found, _, _ in runs])
    assert 0.92 <= covered <= 0.98  # three standard errors of 300 runs at 0.95
    lengths = [(found.high - found.low) / (alone.high - alone.low) for found, alone, _ in runs]
    assert np.mean(lengths) < 0.7
    assert abs(np.mean([found.value for found, _, _ in runs]) - 3.0) < 0.03  # the judge says 2


def test_judgments_that_know_nothing_hardly_count():
    weights = [prediction_powered(*drawn(seed, 0.0))[2] for seed in range(100)]
    assert np.mean(weights) < 0.3
    with pytest.raises(DataError, match="the labels are of one group"):
        prediction_powered(np.ones(3), np.ones(3), np.zeros(3), np.ones(3), np.arange(3))


def test_the_row_to_label_is_like_many_others_and_unlike_the_labelled():
    # Row 0 is labelled and like row 1; rows 2 to 4 are alike; row 5 is alone.
    ways = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1.0]])
    chosen, left = design(ways @ ways.T, 1, 3)
    assert chosen[0] in (1, 2, 3) and 4 in (chosen[1], chosen[2])  # counted without row 0
    assert list(left) == sorted(left, reverse=True) and left[0] < 0.7
