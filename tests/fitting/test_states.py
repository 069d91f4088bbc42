from __future__ import annotations

import numpy as np
import pytest

from lager_lite.errors import FitError
from lager_lite.fitting import STATES, StatesMethod, fit_states, group_folds, out_of_fold
from lager_lite.fitting.choosing import best_kind
from lager_lite.fitting.states import leave_groups_out, moments_and_kernel
from lager_lite.scoring import states_score

VALUES = np.arange(1.0, 6.0)


def stated(items=120, states=4, width=30, *, seed=0):
    """States float16 (n, S, d) of which some directions carry the score, human scores (n,), groups (n,) of four."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=items)
    x = rng.normal(size=(items, states, width)) + quality[:, None, None] * rng.normal(size=(states, width)) * 0.4
    x[:, 0] = x[0, 0]  # state 0 is the same token's embedding everywhere
    human = np.clip(3.0 + quality + 0.3 * rng.normal(size=items), 1.0, 5.0)
    return x.astype(np.float16), human, np.arange(items) // 4


def test_leaving_groups_out_in_closed_form_is_leaving_them_out():
    x, human, groups = stated(40)
    _, products = moments_and_kernel(x)
    (unseen,) = leave_groups_out(products, human, groups, (0.5,)).unseen
    level = human.mean()
    for group in range(10):
        out = groups == group
        system = products[np.ix_(~out, ~out)] + 100.0 + 0.5 * np.eye((~out).sum())
        duals = np.linalg.solve(system, human[~out] - level)
        by_hand = level + (products[np.ix_(out, ~out)] + 100.0) @ duals
        assert unseen[out] == pytest.approx(by_hand, abs=1e-5)  # a level of 100 costs five of float64's digits


def test_weights_are_the_kernel_fit_and_see_what_is_new():
    x, human, groups = stated()
    found = fit_states(x[:80], human[:80], VALUES, groups=groups[:80], calibrate=False)
    moments, products = moments_and_kernel(x[:80])
    system = products + 100.0 + found.strength * np.eye(80)
    duals = np.linalg.solve(system, human[:80] - human[:80].mean())
    fitted = np.clip(human[:80].mean() + (products + 100.0) @ duals, 1.0, 5.0)
    assert states_score(x[:80], VALUES, found.weights)[1] == pytest.approx(fitted, abs=1e-3)  # float32 weights
    assert np.corrcoef(states_score(x[80:], VALUES, found.weights)[1], human[80:])[0, 1] > 0.8
    assert not found.weights.weights[0].any()


def test_labels_of_pure_noise_are_met_with_a_strong_ridge():
    x, human, groups = stated(seed=1)
    noise = np.random.default_rng(5).permutation(human)
    fold = group_folds(groups, 5, 0)
    (raw, _), fits = out_of_fold(StatesMethod(VALUES), {STATES: x}, noise, groups, fold)
    assert abs(np.corrcoef(raw, noise)[0, 1]) < 0.25  # two and a half standard errors of 120 items
    assert np.std(raw) < 0.5 * np.std(noise)
    assert min(one.found.strength for one in fits) >= 1.0


def test_states_that_are_missing_and_a_single_group_are_named():
    x, human, groups = stated(20)
    x[3, 1, 2] = np.inf
    with pytest.raises(FitError, match="20 items with finite states are needed for 20 labels"):
        fit_states(x, human, VALUES)
    with pytest.raises(FitError, match="all labelled items are of one group"):
        fit_states(stated(20)[0], human, VALUES, groups=np.zeros(20))


def test_a_kind_of_fewer_numbers_wins_where_it_agrees_nearly_as_well():
    assert best_kind({"uniform": 0.1, "signed": 0.495, "full": 0.5, "states": 0.504}) == "signed"
    assert best_kind({"uniform": 0.1, "signed": 0.4, "full": None, "states": 0.5}) == "states"
    assert best_kind({"signed": None}) == "signed"
