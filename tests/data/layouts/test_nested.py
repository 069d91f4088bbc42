"""Conversations beside explicit responses, answers as interfaces give them, and texts in objects inside a row."""

from __future__ import annotations

import pytest

from lager_lite.data import read_items
from tests.data.in_files import error, write

ASKED = [{"role": "user", "content": "Q1"}, {"role": "assistant", "content": "old"}, {"role": "user", "content": "Q2"}]
TOLD = "User: Q1\n\nAssistant: old\n\nUser: Q2"
SAID = {"role": "assistant", "content": "R"}
CHOICES = [{"index": 0, "message": SAID, "finish_reason": "stop"}]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": ASKED, "response": SAID},
        {"messages": ASKED, "choices": CHOICES},
        {"messages": ASKED, "response": {"body": {"choices": CHOICES}}},
        {"messages": ASKED, "model_response": "R"},
        {"messages": ASKED, "gpt4 reply": "R"},
        {"messages": ASKED, "responses": ["R", "S"]},
        {"messages": ASKED, "responses": [SAID, {"role": "assistant", "content": "S"}]},
        {"messages": ASKED, "chosen": SAID, "rejected": {"role": "assistant", "content": "S"}},
        {"messages": ASKED, "chosen": "R", "rejected": "S"},
        {"conversations": [{"from": "human", "value": "Q1"}, {"from": "gpt", "value": "old"}, {"from": "human", "value": "Q2"}],
         "chosen": {"from": "gpt", "value": "R"}, "rejected": {"from": "gpt", "value": "S"}},
    ],
)  # fmt: skip
def test_a_conversation_that_ends_with_the_user_is_the_context_of_the_explicit_response(tmp_path, row):
    data = read_items(write(tmp_path / "in.jsonl", row))
    assert [item.fields["response"] for item in data.items] == ["R", "S"][: len(data.items)]
    assert {item.fields["instruction"] for item in data.items} == {TOLD}
    assert "old" not in [item.fields["response"] for item in data.items] and data.understood.warnings == ()


def test_a_pair_beside_an_answered_conversation_is_refused(tmp_path):
    path = write(tmp_path / "in.jsonl", {"messages": [*ASKED, SAID], "chosen": "R", "rejected": "S"})
    assert (
        error(path).message
        == f"{path}:1: 'messages' ends with an answer beside 'chosen' and 'rejected', which answer it again"
    )
    assert error(path).hint.endswith("leave it out with --ignore messages")


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "R"},
        ["R"],
        {"message": SAID},
        {"choices": [{"text": "R"}]},
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "R"}]}}]},
        {"output": [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant",
                                                            "content": [{"type": "output_text", "text": "R"}]}]},
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "R"}]},
    ],
)  # fmt: skip
def test_an_answer_as_an_interface_gives_it_is_unwrapped(tmp_path, answer):
    assert (
        read_items(write(tmp_path / "in.jsonl", {"prompt": "Q", "response": answer})).items[0].fields["response"] == "R"
    )


@pytest.mark.parametrize(
    "answer", [["R", "S"], {"text": "R", "content": "S"}, {"choices": [{"text": "R"}, {"text": "S"}]}]
)
def test_several_answers_in_one_are_refused(tmp_path, answer):
    assert "expected text" in error(write(tmp_path / "in.jsonl", {"prompt": "Q", "response": answer})).message


@pytest.mark.parametrize(
    ("more", "instruction"),
    [
        ({"history": [["Q0", "A0"]]}, "User: Q0\n\nAssistant: A0\n\nUser: Q"),
        (
            {"history": [["Q0", "A0"]], "system": "Be brief."},
            "System: Be brief.\n\nUser: Q0\n\nAssistant: A0\n\nUser: Q",
        ),
        ({"system": "Be brief."}, "System: Be brief.\n\nUser: Q"),
        ({"system": "gpt-4"}, "Q"),
        ({"history": []}, "Q"),
    ],
)
def test_an_alpaca_row_is_read_with_what_was_said_before(tmp_path, more, instruction):
    row = {"instruction": "Q", "input": "", "output": "R", **more}
    assert read_items(write(tmp_path / "in.jsonl", row)).items[0].fields["instruction"] == instruction
    assert "key 'history' holds no pairs" in error(write(tmp_path / "in.jsonl", {**row, "history": {"a": 1}})).message


def test_a_history_of_our_rows_stands_before_the_request(tmp_path):
    data = read_items(write(tmp_path / "in.jsonl", {"prompt": "Q", "response": "R", "chat_history": ASKED[:2]}))
    assert data.items[0].fields == {"instruction": "User: Q1\n\nAssistant: old\n\nUser: Q", "response": "R"}
    assert data.understood.mapping_line() == "instruction <- chat_history + prompt, response <- response"


def test_the_label_of_a_completion_is_what_people_wanted(tmp_path):
    rows = [{"prompt": "Q", "completion": [SAID], "label": label} for label in (True, False, None)]
    data = read_items(write(tmp_path / "in.jsonl", *rows))
    assert [item.human for item in data.items] == [
        {"preferred": (1,)},
        {"preferred": (0,)},
        {},
    ] and data.layout == "kto"
    assert "score:preferred <- label (2 of 3)" in data.understood.mapping_line()


TEXTS = {"prompt": "Q", "response": "R"}
NESTED = {
    "argilla": (
        {
            "fields": TEXTS,
            "responses": {"quality": [{"value": 4}, {"value": 2}]},
            "suggestions": {"quality": {"value": 1}},
        },
        "instruction <- fields[part], response <- fields[part], score <- responses; ignored: suggestions",
    ),
    "label-studio": (
        {"data": TEXTS, "annotations": [{"result": [{"type": "rating", "value": {"rating": n}}]} for n in (4, 2)]},
        "instruction <- data[part], response <- data[part], score <- annotations",
    ),
    "nested": (
        {
            "inputs": {"question": "Q"},
            "outputs": {"answer": "R"},
            "reference_outputs": {"answer": "G"},
            "score": [4, 2],
        },
        "instruction <- inputs, reference <- reference_outputs, response <- outputs, score <- score",
    ),
}


@pytest.mark.parametrize("layout", NESTED)
def test_texts_in_objects_are_read_with_peoples_scores(tmp_path, layout):
    row, line = NESTED[layout]
    data = read_items(write(tmp_path / "in.jsonl", {"id": "a", **row}))
    (item,) = data.items
    assert (data.layout, item.id, item.human) == (layout, "a", {"": (4, 2)})
    assert (item.fields["instruction"], item.fields["response"]) == ("Q", "R")
    assert data.understood.mapping_line() == line


@pytest.mark.parametrize(
    ("row", "human"),
    [
        ({"inputs.question": "Q", "outputs.answer": "R", "feedback.correctness": 1}, {}),
        ({"input": {"messages": [{"role": "user", "content": "Q"}]}, "output": SAID}, {}),
        ({"input": {"question": "Q"}, "output": "R", "scores": [{"name": "a", "value": 0.9, "source": "EVAL"}]}, {}),
        ({"input": {"question": "Q"}, "output": "R", "scores": [{"value": 4, "source": "ANNOTATION"}]}, {"": (4,)}),
        ({"Input.question": "Q", "Input.response": "R", "WorkerId": "w", "Answer.rating": 4}, {"": (4,)}),
        ({"prompt": "Q", "response": "R", "_task_hash": 1, "answer": "accept"}, {"accepted": (1,)}),
        ({"prompt": "Q", "response": "R", "_input_hash": 1, "answer": "reject"}, {"accepted": (0,)}),
    ],
)
def test_scores_of_programs_are_no_peoples_and_decisions_no_answers(tmp_path, row, human):
    (item,) = read_items(write(tmp_path / "in.jsonl", row)).items
    assert item.fields == {**item.fields, "instruction": "Q", "response": "R"} and item.human == human
    assert "reference" not in item.fields


@pytest.mark.parametrize("right", [{"ref": "G"}, {"references": ["G"]}, {"reference": "G"}])
@pytest.mark.parametrize("said", ["mt", "hypothesis", "hyp"])
def test_translations_are_read_by_the_names_they_go_by(tmp_path, said, right):
    (item,) = read_items(
        write(tmp_path / "in.jsonl", {"src": "S", said: "R", "system": "m", "score": 70, **right})
    ).items
    assert item.fields == {"source": "S", "response": "R", "reference": "G", "system": "m"} and item.human == {
        "": (70,)
    }
    only = write(tmp_path / "in.jsonl", {"premise": "P", "hypothesis": "H", "label": 1})
    assert ": no response; " in error(only).message


def test_a_pair_may_be_two_texts_of_turns(tmp_path):
    both = [f"\n\nHuman: Q1\n\nAssistant: old\n\nHuman: Q2\n\nAssistant: {said}" for said in "RS"]
    items = read_items(write(tmp_path / "in.jsonl", {"chosen": both[0], "rejected": both[1]})).items
    assert [(item.fields["instruction"], item.fields["response"]) for item in items] == [(TOLD, "R"), (TOLD, "S")]


def test_an_old_record_of_argilla_has_its_scores_in_values(tmp_path):
    given = [{"user_id": n, "values": {"q": {"value": n}, "why": {"value": "good"}}} for n in (3, 5)]
    item = read_items(write(tmp_path / "in.jsonl", {"fields": TEXTS, "responses": given})).items[0]
    assert item.human == {"": (3, 5)}


def test_a_decision_of_prodigy_is_no_reference(tmp_path):
    row = {"text": "R", "prompt": "Q", "_input_hash": 1, "answer": "accept"}
    (item,) = read_items(write(tmp_path / "in.jsonl", row), {"response": "text"}).items
    assert (item.fields["instruction"], item.fields["response"]) == ("Q", "R") and "reference" not in item.fields


LEFT = [
    {"user_id": n, "value": n, "status": status} for n, status in ((2, "submitted"), (5, "discarded"), (4, "draft"))
]


@pytest.mark.parametrize(
    "row",
    [
        {"fields": TEXTS, "responses": [{"values": {"q": {"value": one["value"]}}, **one} for one in LEFT]},
        {"fields": TEXTS, "responses": {"q": LEFT}},
        {**TEXTS, "rating": LEFT},
        {**TEXTS, "rating": {key: [one[key] for one in LEFT] for key in LEFT[0]}},
        {**TEXTS, "q.responses": [2, 5, 4], "q.responses.status": [one["status"] for one in LEFT]},
    ],
)
def test_answers_that_were_withdrawn_are_no_scores(tmp_path, row):
    data = read_items(write(tmp_path / "in.jsonl", row))
    assert list(data.items[0].human.values()) == [(2,)]
    assert "2 answers of annotators were discarded or never submitted" in data.understood.warnings[0]
