"""Which human scores belong to which rubric, and what is said where none does."""

from __future__ import annotations

import pytest

from lager_lite.errors import DataError
from lager_lite.fitting import check_human_scores, labelled_items
from lager_lite.prompts import load_rubric
from lager_lite.records import Item

HELPFULNESS, FLUENCY = map(load_rubric, ("helpfulness", "fluency"))


def test_criteria_are_found_in_any_capitals():
    item = Item("a", {}, {"Helpfulness": (3.0,), "FLUENCY": (2.0,), "fluency": (1.0,)})
    assert labelled_items([item], ["helpfulness"]) == [item] and labelled_items([item], ["relevance"]) == []
    assert item.scores_for("helpfulness") == (3.0,) and item.scores_for("fluency") == (1.0,)
    check_human_scores([item], [HELPFULNESS, FLUENCY])


def test_columns_named_as_the_rubrics_are_named_in_the_hint():
    items = [Item("a", {"response": "R", "Helpfulness": "3", "fluency": "2"})]
    with pytest.raises(DataError, match="scores found: none") as caught:
        check_human_scores(items, [HELPFULNESS, FLUENCY])
    assert caught.value.hint == ('give mapping={"score:helpfulness": "Helpfulness", "score:fluency": "fluency"}')
    with pytest.raises(DataError, match="scores found: none") as caught:
        check_human_scores([Item("a", {"response": "R"})], [HELPFULNESS])
    assert caught.value.hint == 'name the key with mapping={"score": "KEY"}'
