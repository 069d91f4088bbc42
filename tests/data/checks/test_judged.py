"""What is no human score: the judge's own, one that cannot be read, and words of tables in place of a response."""

from __future__ import annotations

import pytest

from lager_lite.data import open_items, read_items
from lager_lite.errors import DataError
from lager_lite.fitting import check_human_scores
from lager_lite.prompts import load_rubric
from tests.data.in_files import write

OWN = {"id": 1, "prompt": "Q", "response": "R", "rubric": "clear", "score": 3.2, "raw_score": 3.1, "e_score": 3.3}


def test_the_judges_own_score_and_rubric_are_no_humans(tmp_path):
    data = read_items(write(tmp_path / "in.jsonl", OWN))
    assert data.items[0].human == {} and "rubric" not in data.items[0].fields
    assert data.understood.warnings == ("1 item with a score of the judge's own, which is not read as a human score",)
    with pytest.raises(DataError, match="none; `score` in these rows is the judge's own"):
        check_human_scores(data.items, [load_rubric("default")])


@pytest.mark.parametrize("key", ["human_score", "input_score"])
def test_a_human_score_beside_the_judges_is_taken(tmp_path, key):
    path = write(tmp_path / "in.jsonl", {**OWN, key: 5, "input_rubric": "Is it short?"})
    item = read_items(path).items[0]
    assert item.human == {"": (5.0,)} and item.fields["rubric"] == "Is it short?"
    assert read_items(path).understood.warnings == ()
    assert read_items(path, {"score": "score"}).items[0].human == {"": (3.2,)}


def test_a_score_that_cannot_be_read_is_left_out_where_none_is_needed(tmp_path):
    rows = ({"prompt": "Q", "response": "R", "score": score, "id": score} for score in ("good", "4"))
    path = write(tmp_path / "in.jsonl", *rows)
    with pytest.raises(DataError, match="holds 'good', expected a number"):
        read_items(path)
    found = open_items(path, need_scores=False)
    assert [item.human for item in found.items] == [{}, {"": (4.0,)}]
    said = "1 item with a human score that cannot be read, left out since none is needed"
    assert found.understood.warnings == (said,)


def test_responses_that_are_words_for_a_missing_value_are_counted(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("prompt,response\nWho?,None\nWhat?,NaN\nWhere?,nowhere\n")
    data = read_items(path)
    assert [item.fields["response"] for item in data.items] == ["None", "NaN", "nowhere"]
    (said,) = data.understood.warnings
    assert said.startswith("2 responses with nothing but a word for a missing value")


def test_judgments_under_several_rubrics_are_named_where_they_are_given_as_items(tmp_path):
    path = write(tmp_path / "out.jsonl", OWN, {**OWN, "rubric": "short"})
    with pytest.raises(DataError) as error:
        read_items(path)
    assert error.value.message == (
        f"{path}:2: these are judgments that `score` wrote under several rubrics, not items: item '1' stands under 'clear' "
        f"at {path}:1, and under 'short' here"
    )
