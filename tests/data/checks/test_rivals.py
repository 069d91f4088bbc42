"""Names of keys are found in any spelling, and where two texts of a row may be the response, nobody guesses."""

from __future__ import annotations

import pytest

from lager_lite.data import check_file, item_of_row, read_items
from lager_lite.data.keys.names import said_by_model, spelled, suggests_response
from lager_lite.data.keys.rows import Row
from lager_lite.errors import DataError
from tests.data.in_files import error, write


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Model Response", "model_response"),
        ("modelOutput", "model_output"),
        ("ground-truth", "ground_truth"),
        ("GeneratedText", "generated_text"),
        ("Human Score:", "human_score"),
        ("Rating (1-5)", "rating"),
        ("WorkerId", "worker_id"),
        ("Responses", "responses"),
        ("Response (gold)", "response (gold)"),
        ("respon", "respon"),
    ],
)
def test_a_key_is_known_by_its_letters(written, meant):
    assert spelled(written) == meant


def test_the_words_of_a_key_say_what_stands_there():
    model = (
        "gpt4_answer",
        "Chatbot Reply",
        "llama-2-7b response",
        "studentAnswer",
        "system_output",
        "pred_text_output",
    )
    assert [key for key in model if not said_by_model(key)] == []
    about = ("answer_id", "output_tokens", "model", "generator", "summary_quality", "response time", "completion_model")
    right = (
        "gold_answer",
        "Correct Answers",
        "reference_output",
        "expected response",
        "human_summary",
        "previous_reply",
    )
    assert [key for key in (*about, *right) if suggests_response(key)] == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"Prompt": "Q", "Output": "gold", "Model Response": "R"}, "Model Response (not Output)"),
        ({"input": "Q", "output": "gold", "predicted": "R"}, "predicted (not output)"),
        ({"input": "Q", "output": "gold", "generatedText": "R"}, "generatedText (not output)"),
        ({"instruction": "Q", "input": "", "output": "gold", "prediction": "R"}, "prediction (not output)"),
        ({"question": "Q", "answer": "gold", "GPT4 answer": "Not R"}, None),
        ({"prompt": "Q", "GPT4 answer": "R", "GPT4 answer tokens": 3}, "GPT4 answer"),
        ({"prompt": "Q", "predict": "R", "label": "gold"}, "predict"),
        ({"document": "D", "summary": "gold", "pred_summary": "R"}, "pred_summary (not summary)"),
        ({"question": "Q", "choices": ["R", "S"], "answer": 1, "prediction": "R"}, "prediction (not answer)"),
        ({"inputs": "Q", "outputs": "R", "ground_truth": "G"}, "outputs"),
        ({"article": "A", "summary": "gold", "output": "R"}, "output (not summary)"),
        ({"prompt": "Q", "output": "R", "generator": "gpt 4", "output_format": "plain text"}, "output"),
    ],
)
def test_a_name_that_says_so_comes_before_a_weak_one_and_the_line_says_which(tmp_path, row, said):
    path = write(tmp_path / "in.jsonl", row)
    if said is None:
        assert "may be the response as well as" in error(path).message
        return
    data = read_items(path)
    assert data.items[0].fields["response"] == "R"
    assert f"response <- {said}" in data.understood.mapping_line().replace(";", ",").split(", ")


@pytest.mark.parametrize(
    ("row", "hint"),
    [
        (
            {"question": "Q", "answer": "A tree.", "student answer": "An elm."},
            "--map 'response=student answer' judges the one, --map response=answer the other",
        ),
        ({"prompt": "Q", "output": "An oak.", "completion": "An elm."}, "--map response=completion judges the one"),
        ({"text": "T", "summary": "It burnt.", "answer": "The mill."}, "--map response=answer judges the one"),
        (
            {"question": "Q", "student answer": "An oak.", "Model answer": "An elm."},
            "--map 'response=student answer' judges",
        ),
        ({"question": "Q", "answer": "An oak.", "gpt4": "An elm tree."}, "--map response=gpt4 judges the one"),
        ({"prompt": "Q", "response": "An oak.", "Response": "An elm."}, "--map response=Response judges the one"),
        ({"prompt": "Q", "response": "An oak.", "response.1": "An elm."}, "--map response=response.1 judges the one"),
        ({"prompt": "Q", "response": "An oak.", "gpt4_response": "An elm."}, "--map response=gpt4_response judges"),
        ({"question": "Q", "answer": "An oak.", "output": "Good. Score: 5"}, "--map response=answer judges the one"),
        ({"input": "Q", "output": "Let me see. It is B.", "prediction": "B"}, "--map response=output judges the one"),
    ],
)
def test_a_text_that_may_be_the_response_as_well_is_asked_about(tmp_path, row, hint):
    path = write(tmp_path / "in.jsonl", row, {**row, "id": "b"})
    found = error(path)
    assert "may be the response as well as" in found.message and ", in 2 rows" in found.message
    assert found.message.count("\n") == 0 and found.hint.startswith(hint)
    key = hint.partition("response=")[2].partition(" judges")[0].strip("'")
    assert read_items(path, {"response": key}).items[0].fields["response"] == row[key]
    with pytest.raises(DataError, match="may be the response as well as"):
        item_of_row(Row(row, "item 1"), 1, {})
    assert any("may be the response" in line for line in check_file(path).errors)


def test_other_columns_do_not_ask(tmp_path):
    row = {
        "question": "Q",
        "answer": "An oak.",
        "answer_source": "a book",
        "model": "gpt 4 turbo",
        "best answer": "B c",
    }
    more = {"output_tokens": "12", "summary_note": "a note", "same output": "An oak.", "system": "m 1"}
    assert read_items(write(tmp_path / "in.jsonl", {**row, **more})).items[0].fields["response"] == "An oak."


def test_a_key_is_not_judged_where_another_row_has_it_beside_the_response(tmp_path):
    path = write(
        tmp_path / "in.jsonl", {"input": "Q", "output": "gold", "prediction": "R"}, {"input": "P", "output": "O"}
    )
    found = error(path)
    assert found.message == (
        f"{path}:2: only 'output' is there to be judged, which at {path}:1 stands beside 'prediction'"
    )
    data = read_items(path, {"response": "prediction"})
    assert [item.fields.get("response") for item in data.items] == ["R", None]


def test_the_right_choice_is_no_response(tmp_path):
    rows = [{"question": "Q", "choices": ["a", "b"], "answer": 1}, {"question": "Q", "a": "x", "b": "y", "answer": "B"}]
    for row in rows:
        assert ": no response; " in error(write(tmp_path / "in.jsonl", row)).message
    assert (
        read_items(write(tmp_path / "in.jsonl", {"question": "Q", "a": "x", "answer": "B"})).items[0].fields["response"]
    )


def test_tokens_are_no_passages(tmp_path):
    row = {"prompt": "Q", "response": "R", "context": [1, 2, 3]}
    assert "source" not in read_items(write(tmp_path / "in.jsonl", row)).items[0].fields


@pytest.mark.parametrize(
    ("other", "hint"),
    [
        ({"generations": ["An oak.", "An elm."]}, "--map responses=generations judges each of its texts"),
        ({"samples": [{"text": "An oak."}]}, "--map responses=samples judges each of its texts"),
        ({"model_outputs": {"a": "An oak.", "b": "An elm."}}, "--map response=answer judges that; to judge the other"),
    ],
)
def test_texts_in_a_list_or_an_object_are_asked_about_beside_a_weak_name(tmp_path, other, hint):
    path = write(tmp_path / "in.jsonl", {"problem": "Q", "answer": "G", **other})
    assert error(path).hint.startswith(hint)
    if "generations" in other:
        data = read_items(path, {"responses": "generations"})
        assert [item.fields["response"] for item in data.items] == ["An oak.", "An elm."]


def test_several_responses_are_judged_and_the_answer_beside_them_is_the_reference(tmp_path):
    row = {"question": "Q", "answer": "G", "answers": ["G"], "responses": ["R", "S"]}
    items = read_items(write(tmp_path / "in.jsonl", row)).items
    assert [(item.fields["response"], item.fields["reference"]) for item in items] == [("R", "G"), ("S", "G")]


def test_a_response_without_what_it_answers_is_said(tmp_path):
    row = {"exercise": "Name a tree that grows here.", "response": "R", "note": "a b"}
    assert read_items(write(tmp_path / "in.jsonl", row)).understood.warnings == (
        "the responses are judged alone, without an instruction or a source; if exercise holds one, "
        "give --map instruction=exercise",
    )
    assert read_items(write(tmp_path / "in.jsonl", {**row, "prompt": "Q"})).understood.warnings == ()
