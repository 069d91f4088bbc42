from __future__ import annotations

import numpy as np
import pytest

from lager_lite.fitting import (
    FEATURES,
    SURFACE_FEATURES,
    WORDS,
    FeatureMethod,
    Labelled,
    WordsMethod,
    surface_features,
    surface_of,
    word_sets,
)
from lager_lite.fitting.baselines import trivial_agreement
from lager_lite.fitting.folds import group_folds, out_of_fold
from lager_lite.records import Item
from lager_lite.stats import agreement

SOURCE = "The old bridge was closed on Monday. It carries 4,000 cars a day."


def marks(response, **fields):
    found = surface_features(Item("a", {"response": response, **fields}))
    return dict(zip(SURFACE_FEATURES, found.tolist(), strict=True))


def test_marks_are_what_a_reader_counts():
    found = marks("The old bridge was shut. A day. A day a day", source=SOURCE, instruction="Say what was shut")
    assert np.expm1([found["length"], found["sentences"], found["longest_copy"]]) == pytest.approx([11, 2, 4])
    assert found["distinct"] == pytest.approx(7 / 11)
    assert found["asked"] == pytest.approx(2 / 11)  # "was" and "shut"
    assert found["copied"] == pytest.approx(10 / 11)  # all but "shut"
    assert found["covered"] == pytest.approx(6 / 13)
    assert found["repeated"] == pytest.approx(2 / 9)  # "day a day" and "a day a" a second time
    assert (found["finished"], found["has_source"], found["digits"]) == (0.0, 1.0, 0.0)


def test_without_a_source_its_marks_are_zero_and_an_empty_response_has_marks():
    found = marks("- one 2\n- two", instruction="List")
    assert [found[name] for name in SURFACE_FEATURES[-6:]] == [0.0] * 6
    assert (np.expm1(found["list_marks"]), found["digits"]) == (pytest.approx(2), pytest.approx(1 / 3))
    assert np.isfinite(list(marks("").values())).all()
    assert np.expm1(marks("東京は雨 rain")["length"]) == pytest.approx(5)


def test_length_alone_is_learned_in_folds_by_the_ordinal_model():
    rng = np.random.default_rng(0)
    count = rng.integers(1, 60, 120)
    items = [Item(str(i), {"response": " ".join(["word"] * n)}) for i, n in enumerate(count)]
    x = {FEATURES: surface_of(items)[:, :1]}
    human = np.clip(np.round(1 + 4 * count / 60), 1, 5)
    scorer = FeatureMethod(np.arange(1.0, 6.0)).fit(x, human, np.arange(120))
    assert np.corrcoef(scorer.predict(x)[0], human)[0, 1] > 0.9


def test_length_keeps_its_slope_in_every_fold():
    """Every ridge orders one feature alike, so that ranks alone would take the strongest, which predicts the mean."""
    rng = np.random.default_rng(3)
    count = np.exp(rng.uniform(1, 5, 48)).astype(int)
    items = [Item(str(i), {"response": " ".join(["word"] * n)}) for i, n in enumerate(count)]
    length = surface_of(items)[:, :1]
    human = np.clip(np.round(0.2 + np.log(count) + rng.normal(0, 0.4, 48)), 1, 5)
    groups = np.arange(48) // 4
    fold = group_folds(groups, 5, 0, human)
    (raw, calibrated), _ = out_of_fold(FeatureMethod(np.arange(1.0, 6.0)), {FEATURES: length}, human, groups, fold)
    line = np.polynomial.Polynomial.fit(length[:, 0], human, 1)(length[:, 0])
    least = np.mean(np.abs(line - human))
    assert np.mean(np.abs(raw - human)) < least + 0.1
    assert np.mean(np.abs(calibrated - human)) < least + 0.1
    assert np.corrcoef(calibrated, human)[0, 1] > 0.8


def test_the_vocabulary_is_that_of_the_training_part():
    texts = ["what is red", "what is blue", "who can know red", "who can know blue"] * 6
    x = {WORDS: word_sets([Item(str(i), {"instruction": text}) for i, text in enumerate(texts)])}
    human = np.array([5.0, 5.0, 1.0, 1.0] * 6)
    scorer = WordsMethod(folds=3).fit(x, human, np.arange(24))
    assert "red" in scorer.places and "green" not in scorer.places
    fresh = {
        WORDS: word_sets(
            [Item("x", {"instruction": "what is green"}), Item("y", {"instruction": "who can know green"})]
        )
    }
    high, low = scorer.predict(fresh)
    assert high > low
    assert np.corrcoef(scorer.unseen, human)[0, 1] > 0.9


def test_ties_of_the_length_cost_no_agreement_between_folds():
    """Two lengths, one of them rare; ranked again over the folds, 0.31 of 0.47 was left."""
    human = np.tile(np.arange(1.0, 6.0), 24)
    words = np.where((human == 5) & (np.arange(120) % 2 == 0), 30, 10)
    items = tuple(Item(str(i), {"response": " ".join(["word"] * n)}) for i, n in enumerate(words))
    none = np.zeros((120, 1, 5))
    data = Labelled(
        raw=none,
        norm=none,
        human=human,
        individual=tuple((h,) for h in human),
        criterion=np.full(120, "a"),
        group=np.arange(120).astype(str),
        item=np.arange(120).astype(str),
        values=np.arange(1.0, 6.0),
        failed=(),
        items=items,
    )
    whole = agreement(words.astype(float), human).spearman
    assert trivial_agreement(data, 5, 0)["length"] == pytest.approx(whole, abs=0.02)
