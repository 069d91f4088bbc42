from __future__ import annotations

import time

import numpy as np
import pytest

from lager_lite.errors import FitError
from lager_lite.fitting import fit as fitting
from lager_lite.fitting.folds import group_folds
from lager_lite.fitting.objective import Loss
from lager_lite.scoring import aggregate
from tests.fitting.fitting_data import layered

SHORT = (100.0, 10.0, 1.0)


@pytest.mark.parametrize("kind", ["uniform", "simplex", "signed", "full"])
def test_weights_alone_reproduce_the_fit(kind):
    x, human, values, groups = layered()
    found = fitting.fit(x, human, values, kind=kind, lens="norm", groups=groups, grid=SHORT)
    assert (found.weights.kind, found.weights.lens, found.items, found.groups) == (kind, "norm", 300, 50)
    assert found.weights.weights.shape == ((6, 5) if kind == "full" else (6,))
    p, raw, calibrated = aggregate.score(x, values, found.weights)
    entropy = -np.mean(np.einsum("nk,kn->n", np.log(p), fitting_soft(human, values)))
    loss = Loss()
    expected = loss.mix * entropy + (1 - loss.mix) * np.mean((raw - human) ** 2)
    assert found.loss == pytest.approx(expected, rel=1e-6)  # float32 layer logits
    assert calibrated.min() >= 1 and calibrated.max() <= 5


def fitting_soft(human, values):
    soft = np.zeros((len(values), len(human)))
    for i, h in enumerate(human):
        k = min(int(h), 4)
        soft[k - 1, i], soft[k, i] = k + 1 - h, h - k
    return soft


def test_signed_and_full_learn_what_simplex_cannot():
    x, human, values, groups = layered(600, noise=0.3)
    best = {}
    for kind in ("simplex", "signed", "full"):
        found = fitting.fit(x, human, values, kind=kind, lens="raw", groups=groups, grid=SHORT)
        best[kind] = max(a for _, a in found.trials)
    assert best["signed"] > best["simplex"] + 0.05
    assert best["full"] > best["simplex"] + 0.05


def test_out_of_fold_scores_come_from_weights_that_have_not_seen_the_group():
    x, human, values, groups = layered(120)
    found = fitting.fit(x, human, values, kind="full", lens="raw", groups=groups, strength=5.0)
    fold = group_folds(groups, 5, 0, human)
    test = fold == 2
    other = fitting.fit(x[~test], human[~test], values, kind="full", lens="raw", strength=5.0, calibrate=False)
    assert found.out_of_fold[test] == pytest.approx(aggregate.score(x[test], values, other.weights)[1], abs=1e-9)
    assert found.trials == () and found.strength == 5.0


def test_labels_of_pure_noise_show_no_agreement_out_of_fold():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 10, 5))
    human = rng.integers(1, 6, 400).astype(float)
    found = fitting.fit(x, human, np.arange(1.0, 6), kind="full", lens="raw")
    # Standard error of a correlation of 400 unrelated pairs is 0.05; the best of nine was taken.
    assert max(a for _, a in found.trials if a is not None) < 0.15
    assert aggregate.score(x, np.arange(1.0, 6), found.weights)[1].std() < 0.5


def test_the_ridge_of_least_error_within_two_thousandths_of_the_best_is_chosen():
    trials, errors = [(100.0, 0.30), (10.0, 0.499), (1.0, 0.50), (0.1, 0.45)], np.array([0.1, 0.9, 0.8, 0.2])
    assert fitting.choose_strength(trials, errors) == 2
    assert fitting.choose_strength(trials, errors[::-1]) == 1
    assert fitting.choose_strength([(100.0, 0.30), (10.0, 0.497), (1.0, 0.50)], np.array([0.1, 0.2, 0.3])) == 2
    assert fitting.choose_strength([(1.0, None), (100.0, None)], np.array([0.2, 0.1])) == 1
    assert fitting.choose_strength([(100.0, None), (1.0, -0.2)], np.array([0.1, 0.2])) == 1


def test_simplex_weights_of_two_states_that_order_alike_keep_the_slope():
    """Both states order the items as people do, so that ranks alone would take the strongest ridge, equal weights."""
    rng = np.random.default_rng(0)
    human, values = rng.uniform(1, 5, 200), np.arange(1.0, 6)
    evidence = human - 3 + 0.2 * rng.normal(size=200)
    x = np.stack([0.01 * np.outer(evidence, values), np.outer(evidence, values)], axis=1)
    found = fitting.fit(x, human, values, kind="simplex", lens="raw")
    assert found.strength < 1000 and found.weights.weights[1] > 0.6  # the strongest: 30000 and 0.5


def test_fewer_groups_than_folds_is_an_error_that_says_what_would_work():
    x, human, values, _ = layered(30)
    with pytest.raises(FitError) as caught:
        fitting.fit(x, human, values, kind="signed", lens="raw", groups=np.arange(30) % 3)
    assert caught.value.message == "3 groups cannot be split into 5 folds"
    assert caught.value.hint == "label items of more groups, or ask for 3 folds"
    with pytest.raises(FitError) as caught:
        fitting.fit(x, human, values, kind="signed", lens="raw", groups=["one"] * 30)
    assert caught.value.hint == "label items of more groups"
    alone = fitting.fit(x, human, values, kind="signed", lens="raw", groups=["one"] * 30, strength=1.0, calibrate=False)
    assert alone.weights.calibration is None and alone.groups == 1


def test_max_states_uses_the_first_states_only():
    x, human, values, groups = layered()
    found = fitting.fit(x, human, values, kind="full", lens="raw", groups=groups, max_states=3, strength=1.0)
    assert found.weights.weights.shape == (3, 5)
    changed = x.copy()
    changed[:, 3:] = 99.0
    again = fitting.fit(changed, human, values, kind="full", lens="raw", groups=groups, max_states=3, strength=1.0)
    assert np.array_equal(found.weights.weights, again.weights.weights)
    assert aggregate.score(x[:, :3], values, found.weights)[1].shape == (300,)


def test_labels_equal_in_one_training_fold_do_not_stop_the_fit():
    x, human, values, _ = layered(20)
    human = np.full(20, 3.0)
    human[:4] = 5.0
    found = fitting.fit(x, human, values, kind="full", lens="raw", groups=np.arange(20) // 4, grid=SHORT)
    assert np.isfinite(found.weights.weights).all() and np.isfinite(found.out_of_fold).all()


def test_two_items_and_labels_nobody_gave_are_finite():
    x, _, values, _ = layered(2)
    for kind in ("simplex", "signed", "full"):
        found = fitting.fit(x, [3.0, 3.5], values, kind=kind, lens="raw", folds=2, grid=SHORT)
        assert np.isfinite(found.weights.weights).all() and np.isfinite(found.loss)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "best"}, "unknown kind of weights 'best'"),
        ({"lens": "tuned"}, "unknown lens 'tuned' for kind 'signed'"),
        ({"max_states": 0}, "max_states must be at least 1, got 0"),
        ({"grid": ()}, "ridge strengths must be given and not negative, got []"),
        ({"folds": 1}, "cross-validation needs at least 2 folds, got 1"),
    ],
)
def test_impossible_choices_are_named(change, message):
    x, human, values, _ = layered(30)
    with pytest.raises(FitError) as caught:
        fitting.fit(x, human, values, **({"kind": "signed", "lens": "raw"} | change))
    assert caught.value.message == message


def test_selection_keeps_whole_groups_and_about_as_many_items_as_asked():
    groups = np.repeat(np.arange(100), 7)
    rows = fitting.selection_rows(groups, 200, seed=0)
    assert 190 <= rows.size <= 200 and set(np.bincount(groups[rows])) <= {0, 7}
    assert np.array_equal(fitting.selection_rows(groups, 700, seed=0), np.arange(700))


def test_items_outside_the_selection_have_no_out_of_fold_score(monkeypatch):
    monkeypatch.setattr(fitting, "SELECTION_ITEMS", 120)
    x, human, values, groups = layered()
    found = fitting.fit(x, human, values, kind="signed", lens="raw", groups=groups, grid=SHORT)
    assert np.isfinite(found.out_of_fold).sum() == 120 and found.items == 300


@pytest.mark.parametrize("kind", ["uniform", "simplex", "signed", "full"])
def test_fit_of_newsroom_size_takes_under_a_second(kind):
    x, human, values, groups = layered(1680, states=31)
    start = time.perf_counter()
    fitting.fit(x, human, values, kind=kind, lens="raw", groups=groups, strength=10.0, calibrate=False)
    # Measured 0.02 s.
    assert time.perf_counter() - start < 1.0
