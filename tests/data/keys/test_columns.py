"""Columns of models: beside the right answer, beside each other, and with scores of their own."""

from __future__ import annotations

import pytest

from lager_lite.data import check_file, read_items
from lager_lite.data.keys.names import suggests_response
from tests.data.in_files import error, write


@pytest.mark.parametrize(
    ("rows", "responses", "reference"),
    [
        ([{"question": "2+3?", "answer": 5, "pred": 6}, {"question": "1+1?", "answer": 2, "pred": 2}], "62", "5"),
        ([{"question": "2+3?", "answer": "#### 5", "pred": "five"}], ["five"], "#### 5"),
        ([{"question": "Q", "choices": ["a", "b"], "answer": 1, "pred": "b"}], "b", None),
    ],
)
def test_a_prediction_is_judged_and_not_the_right_answer_beside_it(tmp_path, rows, responses, reference):
    items = read_items(write(tmp_path / "in.jsonl", *rows)).items
    assert [item.fields["response"] for item in items] == list(responses)
    assert items[0].fields.get("reference") == reference


@pytest.mark.parametrize(
    "row",
    [
        {"question": "2+3?", "answer": 5, "model_a": 6},
        {"question": "2+3?", "answer": "#### 5", "gpt-4o-mini": 6},
        {"question": "Is it?", "answer": "yes", "model": "no"},
        {"query": "Q", "answer": "Wet land.", "result": "A boat"},
        {"query": "Q", "answer": "Paris", "result": "Lyon"},
        {"question": "Q", "answer": "Wet land.", "llm": "A boat."},
        {"question": "Q", "answer": "Wet land.", "chatbot": "A boat."},
        {"dialogue": "A: hi", "summary": "They greet.", "bart-large-cnn": "A greets."},
        {"dialogue": "A: hi", "summary": "They greet.", "T5": "A greets."},
        {"instruction": "Q", "output": "A fen is wet land.", "pred": 4},
    ],
)
def test_what_a_model_may_have_said_is_asked_about_beside_a_weak_name(tmp_path, row):
    path = write(tmp_path / "in.jsonl", row)
    one, other = list(row)[-1], list(row)[-2]
    assert "may be the response as well as" in error(path).message
    for key in (one, other):
        assert f"--map response={key}" in error(path).hint
        assert read_items(path, {"response": key}).items[0].fields["response"] == str(row[key])


def test_the_name_of_a_model_and_a_result_in_a_word_are_no_responses(tmp_path):
    row = {"question": "Q", "answer": "Paris"}
    more = {"model": "gpt 4 turbo", "llm": "vicuna", "result": "correct", "model_a": 0.5, "gpt4": 0.5, "ai": "Claude"}
    assert read_items(write(tmp_path / "in.jsonl", {**row, **more})).items[0].fields["response"] == "Paris"
    rows = [{**row, "question": f"Q{n}", "model": ("our system", "the baseline")[n % 2]} for n in range(8)]
    assert read_items(write(tmp_path / "in.jsonl", *rows)).items[0].fields["response"] == "Paris"
    assert suggests_response("llama-3-8b-instruct") and not suggests_response("desired_answer")


@pytest.mark.parametrize(
    "keys",
    [
        ("answer_gpt4", "answer_llama"),
        ("gpt4_response", "tuned_response"),
        ("gpt4_output", "answer_claude"),
        ("gpt4_answer", "llama-3"),
        ("response", "response_llama"),
    ],
)
def test_columns_of_several_models_are_asked_about(tmp_path, keys):
    path = write(tmp_path / "in.jsonl", {"question": "Q", keys[0]: "Wet land.", keys[1]: "A boat."})
    found = error(path)
    assert f"{keys[1]!r} may be the response as well as {keys[0]!r}" in found.message
    for key in keys:
        assert f"--map response={key}" in found.hint
        assert read_items(path, {"response": key}).items[0].fields["response"]
    if keys[0] in ("answer_gpt4", "gpt4_response"):
        assert f"`lager-lite pairs --map response_a={keys[0]} --map response_b={keys[1]}` compares two" in found.hint


@pytest.mark.parametrize(
    ("row", "response", "score"),
    [
        ({"response_gpt4": "Wet.", "response_llama": "A boat.", "score_gpt4": 5, "score_llama": 1}, "gpt4", 5),
        ({"gpt4_answer": "Wet.", "llama_answer": "A boat.", "llama_rating": 1, "gpt4_rating": 5}, "llama", 1),
    ],
)
def test_scores_of_several_responses_are_never_annotators_of_one(tmp_path, row, response, score):
    path = write(tmp_path / "in.jsonl", {"question": "Q", **row})
    key = next(key for key in row if response in key and isinstance(row[key], str))
    mark = next(key for key in row if response in key and row[key] == score)
    advice = f"each is of one response: give --map response={key} --map score={mark}, and so for the others"
    assert any(advice in line for line in check_file(path, {"response": key}).odd)
    assert read_items(path, {"response": key, "score": mark}).items[0].human == {"": (score,)}


def test_numbered_ratings_beside_numbered_responses_are_of_one_each(tmp_path):
    row = {"prompt": "Q", "response 1": "Wet.", "response 2": "A boat.", "rating 1": 5, "rating 2": 1}
    items = read_items(write(tmp_path / "in.jsonl", row), {"response": "response 2"}).items
    assert items[0].human == {"": (1.0,)}
    one = {"prompt": "Q", "response": "Wet.", "rating 1": 5, "rating 2": 1}
    assert read_items(write(tmp_path / "in.jsonl", one)).items[0].human == {"": (5.0, 1.0)}
