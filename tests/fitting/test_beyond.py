from __future__ import annotations

import numpy as np
import pytest

from lager_lite.fitting.beyond import nothing_beyond
from lager_lite.fitting.choosing import FitPlan
from lager_lite.fitting.fit_weights import _told
from lager_lite.fitting.labelled import Labelled

LABELS = np.random.default_rng(0).integers(1, 6, 120).astype(float)
NOISE = np.random.default_rng(3).permutation(120).astype(float)


def judgments():
    names = np.array([f"g{n // 2}" for n in range(120)])
    x = np.zeros((120, 2, 5), np.float32)
    one = tuple((float(label),) for label in LABELS)
    return Labelled(x, x, LABELS, one, np.full(120, "good"), names, names, np.arange(1.0, 6.0), ())


@pytest.mark.parametrize(("told", "said"), [(0.0, True), (0.8, False)])
def test_weights_that_show_nothing_beyond_the_control_are_said(told, said):
    ranks = told * np.argsort(np.argsort(LABELS)) + (1.0 - told) * NOISE
    found = nothing_beyond(judgments(), ("length",), ranks, 0)
    assert bool(found) is said
    assert not said or found[0].startswith("nothing is left beyond length: with it controlled for")
    assert _told(judgments(), FitPlan(kind="signed", control=("length",)), {"signed": ranks}) == found
    assert _told(judgments(), FitPlan(kind="signed"), {"signed": ranks}) == []


def test_scores_that_are_all_alike_show_nothing():
    found = nothing_beyond(judgments(), ("length", "words"), np.full(120, 60.5), 0)
    assert found[0].startswith("nothing is left beyond length and words") and "(Spearman undefined)" in found[0]
