from __future__ import annotations

import numpy as np
import pytest

from lager_lite.errors import FitError
from lager_lite.fitting.criteria import fit_by_criterion
from lager_lite.fitting.fit import fit, rank_agreement
from lager_lite.scoring import aggregate
from tests.fitting.fitting_data import layered


def per_criterion(flip):
    x, human, values, groups = layered(480, noise=0.2, seed=11)
    names = np.array(["fluency", "relevance"])[np.arange(480) % 2]
    if flip:
        human = np.where(names == "fluency", human, 6.0 - human)
    return x, human, values, names, groups


def test_criteria_that_differ_get_their_own_weights():
    x, human, values, names, groups = per_criterion(flip=True)
    found = fit_by_criterion(x, human, values, names, kind="signed", lens="raw", groups=groups)
    assert list(found.by_criterion) == ["fluency", "relevance"]
    agreement = dict(found.trials)[found.strength]
    assert agreement > max(a or -1 for _, a in found.pooled.trials) + 0.3
    for name, one in found.by_criterion.items():
        assert one.items == 240
        raw = aggregate.score(x[names == name], values, one.weights)[1]
        assert rank_agreement(raw, human[names == name]) > 0.6


def test_criteria_that_are_alike_stay_near_the_pooled_weights():
    x, human, values, names, groups = per_criterion(flip=False)
    found = fit_by_criterion(x, human, values, names, kind="signed", lens="raw", groups=groups)
    for one in found.by_criterion.values():
        raw = [aggregate.score(x, values, w)[1] for w in (one.weights, found.pooled.weights)]
        assert rank_agreement(*raw) > 0.97


def test_uniform_weights_per_criterion_and_short_lists_are_refused():
    x, human, values, _ = layered(30)
    with pytest.raises(FitError, match="uniform weights are the same for every criterion"):
        fit_by_criterion(x, human, values, ["a"] * 30, kind="uniform", lens="raw")
    with pytest.raises(FitError, match="3 criteria were given for 30 items"):
        fit_by_criterion(x, human, values, ["a"] * 3, kind="signed", lens="raw")


def test_a_pooled_fit_that_is_at_hand_is_not_made_again():
    x, human, values, names, groups = per_criterion(flip=False)
    options = {"kind": "signed", "lens": "raw", "groups": groups, "grid": (10.0, 1.0)}
    pooled = fit(x, human, values, **options)
    found = fit_by_criterion(x, human, values, names, pooled=pooled, **options)
    alone = fit_by_criterion(x, human, values, names, **options)
    assert found.pooled is pooled and found.strength == alone.strength
    for name in ("fluency", "relevance"):
        assert np.array_equal(found.by_criterion[name].weights.weights, alone.by_criterion[name].weights.weights)
