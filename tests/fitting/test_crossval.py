from __future__ import annotations

import numpy as np
import pytest

from lager_lite.errors import FitError
from lager_lite.fitting import crossval as validation
from lager_lite.fitting.fit import fit, rank_agreement
from lager_lite.fitting.folds import group_folds, out_of_fold
from lager_lite.fitting.recipes import fit_recipe, preset
from lager_lite.scoring.aggregate import direct, e_score, score
from tests.fitting.fitting_data import layered

SHORT = (100.0, 10.0, 1.0)


def lenses(items=300, **more):
    x, human, values, groups = layered(items, **more)
    return {"raw": x, "norm": x / np.abs(x).max(axis=(0, 2), keepdims=True)}, human, values, groups


def test_every_method_has_scores_and_tuning_pays():
    x, human, values, groups = lenses(noise=0.3)
    found = validation.cross_validate(x, human, values, groups=groups, grid=SHORT, folds=4, inner_folds=3)
    assert list(found.methods) == ["direct", "e_score", "uniform", "simplex", "signed", "full"]
    rank = {name: rank_agreement(scores.raw, human) for name, scores in found.methods.items()}
    assert min(rank["signed"], rank["full"]) > rank["e_score"] + 0.02
    assert np.array_equal(found.methods["direct"].raw, direct(x["raw"][:, -1], values))
    assert np.array_equal(found.methods["e_score"].raw, e_score(x["raw"][:, -1], values))
    for scores in found.methods.values():
        assert np.isfinite(scores.raw).all() and scores.calibrated.min() >= 1 and scores.calibrated.max() <= 5
    error = {name: np.abs(scores.calibrated - human).mean() for name, scores in found.methods.items()}
    assert error["full"] < np.abs(found.methods["direct"].raw - human).mean()
    assert found.methods["simplex"].lenses == ("raw",) * 4 and len(found.methods["full"].strengths) == 4


def test_a_fold_is_scored_without_its_own_labels(monkeypatch):
    x, human, values, groups = lenses(120)
    options = {"groups": groups, "grid": SHORT, "folds": 3, "inner_folds": 3}
    before = validation.cross_validate(x, human, values, **options)
    changed = human.copy()
    held_out = before.ways[0] == 1
    changed[held_out] = np.roll(human[held_out], 7)
    monkeypatch.setattr(validation, "split_folds", lambda *_, **__: before.ways)  # or other labels make other folds
    after = validation.cross_validate(x, changed, values, **options)
    for name, scores in before.methods.items():
        assert np.array_equal(scores.raw[held_out], after.methods[name].raw[held_out])
        assert np.array_equal(scores.calibrated[held_out], after.methods[name].calibrated[held_out])
    assert not np.array_equal(before.methods["full"].raw[~held_out], after.methods["full"].raw[~held_out])


def test_the_lens_that_agrees_better_is_taken_and_a_wish_is_kept():
    x, human, values, groups = lenses(240, noise=0.3)
    x["norm"] = np.random.default_rng(0).normal(size=x["norm"].shape)
    options = {"kinds": ["full"], "groups": groups, "grid": SHORT, "folds": 3, "inner_folds": 3}
    assert validation.cross_validate(x, human, values, **options).methods["full"].lenses == ("both",) * 3
    chosen = validation.cross_validate(x, human, values, lenses={"full": None}, **options)
    assert chosen.methods["full"].lenses == ("raw",) * 3
    forced = validation.cross_validate(x, human, values, lenses={"full": "norm"}, **options)
    assert forced.methods["full"].lenses == ("norm",) * 3
    with pytest.raises(FitError, match="kind 'full' wants the lens 'norm', given are raw"):
        validation.cross_validate({"raw": x["raw"]}, human, values, lenses={"full": "norm"}, **options)


def test_weights_per_criterion_are_a_method_of_their_own():
    x, human, values, groups = lenses(360, noise=0.2)
    names = np.array(["a", "b"])[np.arange(360) % 2]
    human = np.where(names == "a", human, 6.0 - human)
    found = validation.cross_validate(
        x,
        human,
        values,
        kinds=["signed"],
        groups=groups,
        criterion=names,
        grid=SHORT,
        lenses={"signed": "raw"},
        folds=3,
        inner_folds=3,
    )
    own, pooled = found.methods["signed by criterion"], found.methods["signed"]
    assert rank_agreement(own.raw, human) > (rank_agreement(pooled.raw, human) or 0.0) + 0.3
    assert np.isfinite(own.calibrated).all()


def test_a_criterion_seen_in_one_fold_only_falls_back_to_the_pooled_weights():
    x, human, values, groups = lenses(120)
    names = np.where(groups == 0, "rare", "common")
    found = validation.cross_validate(
        x,
        human,
        values,
        kinds=["full"],
        groups=groups,
        criterion=names,
        grid=SHORT,
        lenses={"full": "raw"},
        folds=3,
        inner_folds=3,
    )
    assert np.isfinite(found.methods["full by criterion"].raw).all()


def test_a_recipe_is_fitted_again_for_every_fold_without_the_states_it_leaves_out():
    x, human, values, groups = lenses(120)
    recipe = preset("authors-code")
    found = validation.cross_validate(
        x, human, values, kinds=["uniform"], groups=groups, recipes=[recipe], folds=3, inner_folds=3
    )
    assert list(found.methods) == ["direct", "e_score", "uniform", "like authors-code"]
    train, scores = found.ways[0] != 1, found.methods["like authors-code"]
    alone = fit_recipe(recipe, x["raw"][train], human[train], values, groups=groups[train], folds=3)
    assert alone.weights.weights.shape == (5,)
    _, raw, calibrated = score(x["raw"][~train], values, alone.weights)
    assert np.array_equal(scores.raw[~train], raw) and np.array_equal(scores.calibrated[~train], calibrated)
    assert scores.lenses == ("raw",) * 3


def test_agreement_grows_with_the_states_that_matter():
    x, human, values, groups = layered(300, noise=0.2)
    fold = group_folds(groups, 5, 0, human)
    one, two, all_states = (
        rank_agreement(
            out_of_fold(
                validation.KindMethod("full", values, grid=(10.0,), max_states=count), {"raw": x}, human, groups, fold
            )[0][0],
            human,
        )
        for count in (1, 2, 6)
    )
    # State 0 never varies: it can only tell folds apart.
    assert (one or 0.0) < 0.1 < two < all_states


def test_bad_labels_are_named_before_any_fold_is_fitted():
    x, human, values, groups = lenses(30)
    with pytest.raises(FitError, match="all 30 labels are 2: there is nothing to learn from"):
        validation.cross_validate(x, np.full(30, 2.0), values, groups=groups)
    with pytest.raises(FitError, match="5 groups cannot be split into 9 folds"):
        validation.cross_validate(x, human, values, groups=groups, folds=9)


def test_a_training_part_of_few_groups_is_split_into_as_many():
    x, human, values, _ = lenses(90)
    options = {"kinds": ["signed"], "grid": SHORT, "folds": 5, "inner_folds": 5}
    few = validation.cross_validate(x, human, values, groups=np.arange(90) % 6, **options)
    assert np.isfinite(few.methods["signed"].raw).all()
    with pytest.raises(FitError, match="2 groups leave a training part with one"):
        validation.cross_validate(x, human, values, groups=np.arange(90) % 2, **{**options, "folds": 2})


def test_best_lens_of_uniform_is_the_first_given():
    x, human, values, _ = lenses(30)
    found = validation.best_lens(x, human, values, kind="uniform")
    assert found.weights.lens == "raw"
    assert found.loss == fit(x["raw"], human, values, kind="uniform", lens="raw").loss
