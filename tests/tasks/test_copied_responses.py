"""Long responses that stand in several groups are said wherever weights are fitted to an order or to preferences."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from lager_lite.data import Pair
from lager_lite.fitting import FitPlan
from lager_lite.records import Item
from lager_lite.scoring import unlabelled_weights
from lager_lite.tasks import pair_weights
from lager_lite.tasks.comparing import Compared, Evidence
from lager_lite.tasks.pair_figures import pair_figures
from lager_lite.tasks.pairs import preferences
from lager_lite.tasks.ranking import Responses
from lager_lite.tasks.tournament import tournament

LONG = "We are sorry to hear that your parcel has not arrived yet, and we shall ask the carrier today where it is."
SAID = "a long response that stands in another group as well"
COPIED = [("Yes", False), (LONG, True)]


def ranked(text, grade, **more):
    contest, logits = np.repeat(np.arange(12), 2), np.zeros((24, 1, 2, 5), np.float32)
    answers = [{"response": answer, **{k: v[n] for k, v in more.items()}} for n, answer in enumerate([text, "No"] * 12)]
    return Responses(
        items=tuple(Item(str(n), {"instruction": f"q{n // 2}", **own}) for n, own in enumerate(answers)),
        contest=contest,
        group=np.array([f"g{n}" for n in contest]),
        grade=grade,
        grades=grade[:, None],
        scores={"e_score": grade},
        raw=logits,
        norm=logits,
        values=np.arange(1.0, 6.0),
        failed=(),
    )


@pytest.mark.parametrize(("text", "told"), COPIED)
def test_rank_says_so_where_it_fits_in_folds(text, told):
    data = ranked(text, np.tile([1.0, 0.0], 12))
    said = preferences(data, folds=3, kinds=(), resamples=50).warnings
    assert any(SAID in one and one.startswith("12 responses have") for one in said) is told
    assert not any(SAID in one for one in preferences(data, resamples=50).warnings)


def test_rank_says_that_weights_can_learn_the_system():
    grade = np.tile([1.0, 0.0], 12)
    said = "2 values of the field 'system' stand in several groups, so weights can learn who wrote a response"
    data = ranked("Yes", grade, system=["A", "B"] * 12)
    assert any(one.startswith(said) for one in preferences(data, folds=3, kinds=(), resamples=50).warnings)
    assert not any(one.startswith(said) for one in preferences(data, resamples=50).warnings)


def test_rank_says_which_pairs_have_no_order_of_people():
    grade = np.array([1.0, 0.0] * 9 + [1.0, 1.0] * 2 + [1.0, np.nan])
    found = preferences(ranked("Yes", grade), resamples=50)
    assert found.pairs == 9 and found.warnings[:2] == (
        "the figures leave out 2 pairs of responses that people graded alike",
        "the figures leave out 1 pair with a response that nobody graded",
    )


def test_the_json_of_pairs_has_the_name_that_all_commands_use():
    found = pair_figures(compared(LONG), resamples=50)
    assert found.to_dict()["warnings"] == list(found.notes) != []
    named = tournament(compared(LONG), resamples=50)
    assert named.to_dict()["warnings"] == list(named.notes) != []


def compared(text):
    pairs = tuple(
        Pair(
            f"p{n}",
            {"instruction": f"q{n}"},
            (text, f"No {n}")[:: 1 if n % 2 else -1],
            preference=float(n % 2),
            systems=("s", "t"),
        )
        for n in range(24)
    )
    x = Evidence(*[np.zeros((24, 2, 2), np.float32)] * 2)
    weights, mass = unlabelled_weights(2), np.ones((24, 2))
    return Compared(pairs, np.arange(24), {}, (x, x), mass, np.array([0.0, 1.0]), weights, "good", False, 2)


@pytest.mark.parametrize(("text", "told"), COPIED)
def test_pairs_says_so_where_it_fits_in_folds(text, told):
    found = compared(text)
    assert any(SAID in one for one in pair_figures(found, folds=3, kinds=(), resamples=50).notes) is told
    assert not any(SAID in one for one in pair_figures(found, resamples=50).notes)


def test_pairs_says_that_weights_can_learn_the_system():
    said = "2 systems stand in several groups, so weights can learn who wrote a response in place of how good it is"
    assert any(one.startswith(said) for one in pair_figures(compared("Yes"), folds=3, kinds=(), resamples=50).notes)
    assert not any(one.startswith(said) for one in pair_figures(compared("Yes"), resamples=50).notes)


@pytest.mark.parametrize(("text", "told"), COPIED)
def test_weights_of_pairs_say_so(text, told, monkeypatch):
    monkeypatch.setattr(pair_weights, "fit_weights", lambda judge, data, plan: FOUND)
    monkeypatch.setattr(pair_weights, "replace", lambda found, **new: SimpleNamespace(**{**vars(found), **new}))
    monkeypatch.setattr(pair_weights, "unlearned", lambda *_: ())
    data = pair_weights.labelled_pairs
    monkeypatch.setattr(pair_weights, "labelled_pairs", lambda found: SimpleNamespace(**vars(data(found))))
    found = pair_weights.fit_pair_weights(None, compared(text), FitPlan())
    assert any(SAID in one and one.startswith("24 pairs have") for one in found.warnings) is told
    assert any(one.startswith("2 systems stand in several groups, so weights can learn") for one in found.warnings)


FOUND = SimpleNamespace(
    file=SimpleNamespace(provenance=SimpleNamespace(fit={}), weights=SimpleNamespace(margin=None)), warnings=()
)
