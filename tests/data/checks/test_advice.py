"""What is advised where no human score was found, and of numbers that are no scores."""

from __future__ import annotations

import pytest

from lager_lite.data import check_file, read_items
from lager_lite.data.checks.advice import advice_on
from lager_lite.errors import DataError
from lager_lite.fitting import check_human_scores
from lager_lite.prompts import load_rubric
from tests.data.in_files import write


@pytest.mark.parametrize(
    ("keys", "advised"),
    [
        (
            ["rater1_fluency", "accuracy_rater1"],
            "--map score:fluency=rater1_fluency --map score:accuracy=accuracy_rater1",
        ),
        (
            ["human_rating_fluency", "score_accuracy"],
            "--map score:fluency=human_rating_fluency --map score:accuracy=score_accuracy",
        ),
        (["Score1", "Score 2", "score_avg"], "--map score=Score1 --map 'score=Score 2'"),
        (
            ["rating_A", "rating_B", "labels"],
            "the response that is judged, --map score=rating_A or --map score=rating_B",
        ),
        (["gpt4_rating", "llama_rating"], "--map score=gpt4_rating or --map score=llama_rating"),
        (["CSAT Score", "conversation_id", "score_ratio", "num_correct", "rater"], "--map 'score=CSAT Score'"),
        (["faithfulness"], "--map score:faithfulness=faithfulness"),
    ],
)
def test_the_advice_tells_criteria_annotators_and_versions_apart(keys, advised):
    said = advice_on(dict.fromkeys(keys, True))
    assert said is not None and said.endswith(advised)


def test_nothing_is_advised_of_what_is_no_score():
    assert (
        advice_on(
            {"rater": True, "session_id": True, "pred_label": False, "quality-suggestion": True, "annotator_1": False}
        )
        is None
    )
    assert "label" not in advice_on({"eval.label": False, "eval.score": True})


@pytest.mark.parametrize(
    ("row", "advised"),
    [
        (
            {"responses": [{"text": "R", "Natural": [3, 2], "Overall": [5, 4]}, {"text": "S", "Natural": [1, 1]}]},
            "--map score:natural=Natural --map score:overall=Overall",
        ),
        ({"response": "R", "quality": [{"user_id": "u", "value": 2}]}, "--map score=quality"),
    ],
)
def test_lists_of_marks_that_are_not_read_are_offered(tmp_path, row, advised):
    path = write(tmp_path / "in.jsonl", {"prompt": "Q", **row})
    assert check_file(path).odd[-1].endswith(f"give {advised}")
    mapping = dict(pair.split("=") for pair in advised.split()[1::2])
    assert read_items(path, mapping).items[0].human and not check_file(path, mapping).odd


def test_codes_for_missing_scores_are_no_reason_for_another_scale(tmp_path):
    path = write(tmp_path / "in.jsonl", *({"prompt": f"Q{n}", "response": "R", "score": n} for n in (2, -99, 999, 4)))
    rubric = load_rubric("default")
    said = "-99 and 999 look like codes for a missing score, since the others lie on the scale from 1 to 5"
    assert any(line.startswith(said) for line in check_file(path, rubrics=[rubric]).odd)
    with pytest.raises(DataError) as caught:
        check_human_scores(read_items(path).items, [rubric])
    assert caught.value.hint.startswith(said)


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("a.csv", "prompt,response,response\nQ,R,S\n", "give every column a name of its own"),
        ("a.jsonl", '{"prompt": "Q", "response": "R", "score": false}\n', "such as --scale no,yes"),
        ("a.jsonl", '{"prompt": "Q", "response": "R", "score": [{"a": 1}]}\n', "with --map score=KEY"),
    ],
)
def test_what_cannot_be_read_comes_with_advice(tmp_path, name, text, hint):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_items(path)
    assert hint in caught.value.hint
