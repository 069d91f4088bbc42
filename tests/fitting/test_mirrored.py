"""What is fitted to comparisons turns around with them."""

from __future__ import annotations

import numpy as np
import pytest

from lager_lite.fitting import FEATURES, FeatureMethod, KindMethod, MirroredMethod
from lager_lite.fitting.mirrored import mirrored
from lager_lite.records import BOTH_LENSES

VALUES = np.array([0.0, 1.0])


def comparisons(n=120, states=4, seed=0):
    """State 2 knows the better one; all states lean to the first label by a constant."""
    rng = np.random.default_rng(seed)
    human = rng.integers(0, 2, n).astype(float)
    x = rng.normal(size=(n, states, 2))
    x[:, 2, 1] += 5 * (human - 0.5)
    x[:, :, 0] += 3
    return x, human, np.array([f"g{n // 2}" for n in range(n)])


@pytest.mark.parametrize("kind", ["simplex", "signed", "full"])
def test_a_fit_gives_the_mirror_image_the_opposite(kind):
    x, human, groups = comparisons()
    scorer = MirroredMethod(KindMethod(kind, VALUES, 3)).fit({"raw": x}, human, groups)
    here, there = scorer.predict({"raw": x}), scorer.predict({"raw": x[..., ::-1]})
    assert here + there == pytest.approx(np.ones_like(here), abs=1e-12)
    fresh, truth, _ = comparisons(seed=1)
    if kind != "simplex":
        assert np.mean((scorer.predict({"raw": fresh})[0] > 0.5) == (truth > 0.5)) > 0.75


def test_only_one_side_ever_preferred_can_be_fitted():
    """As in files of chosen and rejected responses, where the first one is always the better one."""
    x, human, groups = comparisons()
    x[human == 0] = x[human == 0][..., ::-1]
    x[:, :, 0] -= 3 * (human > 0)[:, None]
    scorer = MirroredMethod(KindMethod("signed", VALUES, 3)).fit({"raw": x}, np.ones(len(x)), groups)
    assert scorer.predict({"raw": x}).shape == (2, len(x))


def test_columns_are_mirrored_lens_by_lens():
    both = np.array([[[1.0, 2.0, 3.0, 4.0]]])
    assert mirrored(both, BOTH_LENSES).tolist() == [[[2.0, 1.0, 4.0, 3.0]]]
    assert mirrored(both, "raw").tolist() == [[[4.0, 3.0, 2.0, 1.0]]]
    assert mirrored(np.array([[1.0, -2.0]]), FEATURES).tolist() == [[-1.0, 2.0]]


def test_differences_of_features_are_fitted_the_same_way():
    rng = np.random.default_rng(0)
    gap = rng.normal(size=(100, 3))
    human = (gap[:, 1] + rng.normal(size=100) / 2 > 0).astype(float)
    scorer = MirroredMethod(FeatureMethod(VALUES, 3)).fit({FEATURES: gap}, human, np.arange(100))
    assert np.mean((scorer.predict({FEATURES: gap})[0] > 0.5) == (human > 0.5)) > 0.8
    assert scorer.predict({FEATURES: np.zeros((1, 3))})[0] == pytest.approx(0.5)
