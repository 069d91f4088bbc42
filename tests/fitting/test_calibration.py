from __future__ import annotations

import numpy as np
import pytest

from lager_lite.errors import FitError
from lager_lite.fitting.calibration import MOST_KNOTS, fit_calibration
from lager_lite.scoring.aggregate import apply_calibration

VALUES = np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def noisy(n, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(1.0, 5.0, n)
    return 3.0 + 0.1 * (truth - 3.0), np.clip(np.round(truth + rng.normal(0, 0.7, n)), 1, 5)


def test_affine_undoes_a_squeeze_and_clips_at_the_ends_of_the_scale():
    raw = np.array([2.9, 3.0, 3.1])
    calibration = fit_calibration(raw, np.array([2.0, 3.0, 4.0]), VALUES)
    assert calibration.kind == "affine"
    # Rounding of 0.1 in the slope.
    assert apply_calibration(calibration, np.array([2.5, 2.9, 3.05, 9.0])) == pytest.approx([1, 2, 3.5, 5], abs=1e-9)


def test_scores_that_rank_backwards_become_the_mean_not_a_falling_map():
    calibration = fit_calibration(np.array([1.0, 2.0, 3.0]), np.array([4.0, 3.0, 2.0]), VALUES)
    assert apply_calibration(calibration, np.array([1.0, 5.0])).tolist() == [3.0, 3.0]


def test_isotonic_knots_by_hand():
    # Ten items per bin; bin means 1, 3, 2, 5: the second and third are pooled into 2.5.
    raw = np.repeat([1.0, 2.0, 3.0, 4.0], 10)
    human = np.repeat([1.0, 3.0, 2.0, 5.0], 10)
    calibration = fit_calibration(raw, human, VALUES, kind="isotonic")
    assert calibration.x.tolist() == [1.0, 2.5, 4.0]
    assert calibration.y.tolist() == [1.0, 2.5, 5.0]


@pytest.mark.parametrize("n", [30, 100, 1000, 20_000])
def test_map_never_decreases_and_stays_on_the_scale(n):
    raw, human = noisy(n)
    calibration = fit_calibration(raw, human, VALUES)
    assert calibration.kind == ("affine" if n < 100 else "isotonic")
    assert len(calibration.x) <= MOST_KNOTS
    assert np.all(np.diff(calibration.x) > 0)
    mapped = apply_calibration(calibration, np.linspace(0.0, 6.0, 5000))
    assert np.all(np.diff(mapped) >= 0)
    assert mapped.min() >= 1.0 and mapped.max() <= 5.0


def test_isotonic_map_keeps_neighbours_apart():
    raw, human = noisy(1000)
    mapped = apply_calibration(fit_calibration(raw, human, VALUES), raw)
    # Plain isotonic regression leaves some twenty distinct values; here only the ends may tie.
    assert np.unique(mapped).size > 900


def test_calibration_brings_squeezed_scores_closer_to_people_on_fresh_items():
    calibration = fit_calibration(*noisy(1000, seed=1), VALUES)
    raw, human = noisy(1000, seed=2)
    before, after = np.abs(raw - human).mean(), np.abs(apply_calibration(calibration, raw) - human).mean()
    assert after < 0.65 * before


def test_equal_raw_scores_give_a_constant():
    calibration = fit_calibration(np.full(200, 2.0), np.tile([1.0, 4.0], 100), VALUES)
    assert apply_calibration(calibration, np.array([1.0, 3.0])).tolist() == [2.5, 2.5]


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(FitError) as caught:
        fit_calibration(np.array([1.0, np.nan]), np.array([1.0, 2.0]), VALUES)
    assert caught.value.message == "calibration needs finite raw and human scores, at least one of each"
    with pytest.raises(FitError, match="unknown calibration 'cubic'"):
        fit_calibration(np.array([1.0]), np.array([1.0]), VALUES, kind="cubic")
