"""A judgment follows from a reading and weights alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lager_lite.judging.judgments import judgment_of
from lager_lite.judging.score_file import JudgmentRows, Ordering, ordering
from lager_lite.prompts import make_rubric
from lager_lite.records import Item, Judgment, LayerWeights, Reading

RUBRIC = make_rubric("two", "Good?", scale="1-2")
ITEM = Item("a", {"response": "R"})
# Raw: both states say 1 and 2 alike; under the norm lens all say 2.
READING = Reading(raw=np.zeros((2, 2), np.float32), norm=np.array([[0, 50], [0, 50]], np.float32), mass=0.5, tokens=7)


def test_uniform_is_the_raw_baseline_whatever_lens_the_weights_have():
    weights = LayerWeights("signed", "norm", np.array([0.5, 0.5]))
    found = judgment_of(ITEM, RUBRIC, READING, weights, 2)
    assert found.score == pytest.approx(2.0) and found.uniform == pytest.approx(1.5)
    assert judgment_of(ITEM, RUBRIC, READING, None, 2).score == pytest.approx(found.e_score)


def test_a_reading_of_some_states_has_no_baselines_and_without_weights_no_score():
    weights = LayerWeights("signed", "norm", np.array([1.0, 0.0]))
    part = judgment_of(ITEM, RUBRIC, READING, weights, 3)
    assert part.score == pytest.approx(2.0) and (part.direct, part.e_score, part.uniform) == (None, None, None)
    none = judgment_of(ITEM, RUBRIC, READING, None, 3)
    assert none.score is None and none.error == "states 0 to 1 of 2 were read: no score without weights for them"


def test_a_judgment_says_what_is_odd_about_it():
    def flags(item: Item, **changes: object) -> list[str]:
        judgment = judgment_of(item, RUBRIC, replace(READING, **changes), None, 2)
        return JudgmentRows()(item, judgment)["flags"]

    sure = np.log(np.array([[0.0005, 0.9995], [0.0005, 0.9995]], np.float32))
    assert flags(ITEM) == flags(Item("c", {"instruction": "Q"})) == flags(ITEM, mass=None) == []
    assert flags(Item("b", {"response": " \n"}, flags=("odd",))) == ["odd", "empty response"]
    assert flags(Item("b", {"response": "\u200b\u3164"})) == ["empty response"]
    assert flags(ITEM, mass=0.49) == ["low mass"]
    assert flags(ITEM, raw=sure) == ["saturated"] and flags(ITEM, raw=sure / 2) == []


def test_pairs_are_counted_for_the_judge_and_for_what_reads_no_model():
    graded = (("a", 5.0, "x"), ("b", 2.0, "x"), ("c", 1.0, "x"), ("d", 4.0, "y"), ("e", 1.0, "y"), ("f", 1.0, "y"))
    items = [Item(name, {}, {"": (grade,)}, group) for name, grade, group in graded]
    scored = [
        Judgment(item.id, "good", score, direct=3.0, e_score=score, uniform=-score)
        for item, score in zip(items, (4.0, 2.0, 9.0, 3.0, 1.0, 1.0))
    ]
    scored[2] = replace(scored[2], error="too long")
    found = ordering(items, scored, False, baselines={"length": [5, 4, 9, 9, 2, 8]})
    # Pairs a-b, d-e and d-f: c has failed, and e and f have one grade. A tie is half right.
    assert found == Ordering({"length": 1.0, "direct": 0.5, "e_score": 1.0, "uniform": 0.0}, 3)
