"""Panels fitted: members alone, shares by scores of unseen groups, and nothing that a training part has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lager_lite.errors import FitError
from lager_lite.evaluation.evaluate import Plan
from lager_lite.evaluation.panel import cross_validate_panel
from lager_lite.fitting import FitPlan, KindMethod, Labelled, PanelMethod, fit_panel, out_of_fold, panel_columns
from lager_lite.fitting.folds import group_folds
from lager_lite.fitting.panel import fit_shares, same_judgments
from lager_lite.records import Item, Scale
from lager_lite.scoring import Provenance
from lager_lite.stats import agreement
from tests.fitting.fitting_data import layered

ABOUT = [
    Provenance(f"sha256:{n}", "llama", "F32", 4, Scale(tuple("12345"), (1.0, 2.0, 3.0, 4.0, 5.0)), {}) for n in "ab"
]


def labelled(x, human, values, groups, names=None):
    names = np.array([str(n) for n in range(len(human))]) if names is None else names
    alone = tuple((float(one),) for one in human)
    return Labelled(x, x, human, alone, np.full(len(human), "r"), groups.astype(str), names, values, ())


def member(seed, noise, *, items=120, states=4):
    """What one model makes of the items of `layered`, more or less well."""
    x, human, values, groups = layered(items, states)
    return labelled(
        x + np.random.default_rng(seed).normal(size=x.shape).astype(np.float32) * noise, human, values, groups
    )


def test_shares_go_to_the_member_that_agrees_and_stay_equal_where_nothing_tells():
    rng = np.random.default_rng(0)
    human = rng.normal(size=500)
    noise = rng.normal(size=500)
    np.testing.assert_allclose(fit_shares(np.stack([human, noise]), human), [1.0, 0.0], atol=0.03)
    np.testing.assert_allclose(fit_shares(np.stack([human, human + 7]), human), [0.5, 0.5], atol=1e-6)
    parts = [slice(start, start + 4) for start in range(0, 200, 4)]
    few = [fit_shares(np.stack([human, noise])[:, part], human[part]) for part in parts]
    assert 0.2 < np.mean([shares[1] for shares in few]) < 0.5, "four labels move the shares half of the way"
    squeezed = fit_shares(np.stack([human + noise, 0.1 * (human + rng.normal(size=500))]), human)
    assert squeezed[1] > 0.8, "a member with squeezed scores keeps its weight, by a larger share"
    for shares in (*few, fit_shares(np.stack([-human, noise]), human), fit_shares(np.zeros((3, 9)), human[:9])):
        assert shares.min() >= 0 and shares.sum() == pytest.approx(1.0)


def test_a_panel_of_two_noisy_members_agrees_better_than_either():
    one, other = member(1, 3.0), member(2, 3.0)
    method = KindMethod("full", one.values)
    fold = group_folds(one.group, 5, 0, one.human)
    alone = [out_of_fold(method, {"raw": m.raw}, m.human, m.group, fold)[0][0] for m in (one, other)]
    x = panel_columns([{"raw": one.raw}, {"raw": other.raw}])
    scores, fits = out_of_fold(PanelMethod((method, method), one.values), x, one.human, one.group, fold)
    reached = [agreement(scores, one.human).spearman for scores in (*alone, scores[0])]
    assert reached[2] > max(reached[:2]) + 0.02, reached
    assert all(np.isfinite(one.unseen).all() for one in fits)


def test_what_is_predicted_of_a_fold_does_not_change_with_its_labels():
    one, other = member(1, 3.0), member(2, 3.0)
    method = PanelMethod((KindMethod("signed", one.values),) * 2, one.values)
    x = panel_columns([{"raw": one.raw}, {"raw": other.raw}])
    fold = group_folds(one.group, 4, 0)
    changed = np.where(fold == 2, one.values[0] + one.values[-1] - one.human, one.human)
    first, _ = out_of_fold(method, x, one.human, one.group, fold)
    again, _ = out_of_fold(method, x, changed, one.group, fold)
    np.testing.assert_array_equal(first[:, fold == 2], again[:, fold == 2])
    assert not np.array_equal(first[:, fold != 2], again[:, fold != 2])


def test_members_may_differ_in_kind_and_states_and_the_settled_panel_predicts_the_same_way():
    one, other = member(1, 1.0), member(2, 1.0, states=7)
    methods = (KindMethod("uniform", one.values), KindMethod("full", one.values))
    x = panel_columns([{"raw": one.raw}, {"raw": other.raw}])
    panel = PanelMethod(methods, one.values)
    found = panel.fit(x, one.human, one.group)
    settled = panel.settled([found]).fit(x, one.human, one.group)
    np.testing.assert_allclose(settled.predict(x)[0], found.predict(x)[0], rtol=1e-9)


def test_only_judgments_that_all_members_read_count():
    one = member(1, 1.0)
    rows = np.array([5, 3, 7])
    less = labelled(one.raw[rows], one.human[rows], one.values, one.group[rows], one.item[rows])
    first, second = same_judgments([one, less])
    assert first.item.tolist() == ["3", "5", "7"]
    np.testing.assert_array_equal(first.human, second.human[[1, 0, 2]] if second.item[0] == "5" else second.human)
    other = labelled(one.raw[:1], one.human[:1], one.values, one.group[:1], np.array(["x"]))
    with pytest.raises(FitError, match="no judgment that every member"):
        same_judgments([one, other])


def test_the_fit_says_what_each_member_and_the_panel_reach_and_refuses_a_plan_for_one_model():
    read = [member(1, 3.0), member(2, 3.0)]
    found = fit_panel(read, ABOUT, FitPlan(kind="signed"))
    assert [one.kind for one in found.members] == ["signed", "signed"] and found.groups == 20
    assert sum(one.share for one in found.members) == pytest.approx(1.0)
    assert found.agreement > max(one.agreement for one in found.members)
    assert [file.provenance.fingerprint for file in found.weights.members] == ["sha256:a", "sha256:b"]
    assert found.weights.margin is not None and not found.warnings
    with pytest.raises(FitError, match="a panel is fitted with kind, lens, folds and seed alone"):
        fit_panel(read, ABOUT, FitPlan(budget=0.5))


def test_folds_of_a_panel_hold_enough_judgments_to_be_ranked_in():
    found = fit_panel([member(1, 3.0), member(2, 3.0)], ABOUT, FitPlan(kind="uniform", folds=20))
    assert found.weights.fit["folds"] == 12 and "20 folds of 120 judgments would hold" in found.warnings[0]


def test_copies_that_folds_part_are_said_of_a_panel():
    text = "We are sorry to hear that your parcel has not arrived yet, and we shall ask the carrier today where it is."
    texts = [{"instruction": f"q{n}", "response": text, "system": "AB"[n % 2]} for n in range(120)]
    items = tuple(Item(str(n), fields) for n, fields in enumerate(texts))
    read = [replace(member(seed, 1.0), items=items) for seed in (1, 2)]
    said = "a long response that stands in another group as well"
    told = fit_panel(read, ABOUT, FitPlan(kind="uniform")).warnings
    assert any(said in one for one in told) and any("can learn who wrote a response" in one for one in told)
    found = cross_validate_panel(read, Plan(kinds=("uniform",), splits=1))[1]
    assert any(said in one for one in found.warnings)
