"""Rows that offer several texts: which one is the response, and what becomes of the others."""

from __future__ import annotations

import pytest

from lager_lite.data.items import read_items
from tests.data.in_files import error, write

TALK = [{"role": "user", "content": "Q1"}, {"role": "assistant", "content": "A1"}, {"role": "user", "content": "Q2"}]


def read_one(tmp_path, *rows):
    return read_items(write(tmp_path / "in.jsonl", *rows))


@pytest.mark.parametrize("score", ["human_score", "gpt4_score"])
def test_no_rendered_layout_swallows_a_row_with_a_response(tmp_path, score):
    marked = "###Task Description:\nx\n\n###Response to evaluate:\nR"
    for key in ("response", "output", "answer"):
        for text in ("Name a tree.", marked):
            item = read_one(tmp_path, {"instruction": text, key: "Oak.", score: 5}).items[0]
            assert (item.rendered, item.fields["response"], item.fields["instruction"]) == (None, "Oak.", text)
    assert read_one(tmp_path, {"instruction": marked, score: 5}).layout == "prometheus"
    item = read_one(tmp_path, {"user_prompt": "Name a tree.", "response": "Oak."}).items[0]
    assert (item.rendered, item.fields) == (None, {"instruction": "Name a tree.", "response": "Oak."})


def test_an_alpaca_file_is_one_whatever_its_first_row_lacks(tmp_path):
    rows = [{"instruction": "I", "output": "O"}, {"Instruction": "J", "Input": "X", "Output": "P", "rating": "4"}]
    for order in (rows, rows[::-1]):
        data = read_one(tmp_path, *order)
        assert data.layout == "alpaca"
        found = {i.fields["response"]: (i.fields["instruction"], dict(i.human)) for i in data.items}
        assert found == {"O": ("I", {}), "P": ("J\n\nX", {"": (4.0,)})}
    item = read_one(tmp_path, {"instruction": "J", "input": "X", "output": "P", "response": "R"}).items[0]
    assert (item.fields["instruction"], item.fields["response"]) == ("J\n\nX", "R")


def test_rows_of_free_layouts_are_read_one_by_one_and_others_refused_with_both_places(tmp_path):
    rows = [{"messages": TALK[:2], "score": 2}, {"prompt": "Q", "response": "R"}]
    data = read_one(tmp_path, *rows, {"instruction": "I", "input": "X", "output": "O"})
    assert [(i.fields["instruction"], i.fields["response"], dict(i.human)) for i in data.items] == [
        ("Q1", "A1", {"": (2.0,)}),
        ("Q", "R", {}),
        ("I\n\nX", "O", {}),
    ]
    assert data.message.endswith("rows of several layouts, each read as what it is")
    path = write(tmp_path / "in.jsonl", {"prompt": "P", "chosen": "C", "rejected": "D"}, rows[1])
    assert error(path).message == (
        f"{path}:2: looks like a row of lager-lite's own keys, "
        f"but {path}:1 like pairs of a chosen and a rejected response"
    )


@pytest.mark.parametrize(
    ("row", "instruction", "response"),
    [
        ({"messages": TALK, "response": "R"}, "User: Q1\n\nAssistant: A1\n\nUser: Q2", "R"),
        ({"messages": TALK[:2], "response": "R"}, "User: Q1\n\nAssistant: A1", "R"),
        ({"messages": TALK[:2], "response": "A1 "}, "Q1", "A1 "),
        ({"messages": TALK[:2], "answer": "gold"}, "Q1", "A1"),
        ({"messages": TALK[:1], "answer": "A"}, "Q1", "A"),
        ({"Conversations": TALK[:2], "system": "S"}, "System: S\n\nUser: Q1", "A1"),
        ({"messages": [{"role": "system", "content": "S"}, *TALK[:2]]}, "System: S\n\nUser: Q1", "A1"),
        ({"prompt": TALK, "completion": [{"role": "assistant", "content": "C"}]}, None, "C"),
        ({"prompt": "Q1", "response": [*TALK, {"role": "assistant", "content": "C"}]}, None, "C"),
        ({"user_input": "Q", "retrieved_contexts": ["s"], "response": "R"}, "Q", "R"),
        ({"user_input": ["Q", "P"], "response": "R"}, "[1]\nQ\n\n[2]\nP", "R"),
        ({"Question": "Q", "Answer": "gold", "Prediction": "R"}, "Q", "R"),
    ],
)
def test_the_text_that_was_meant_is_the_response(tmp_path, row, instruction, response):
    item = read_one(tmp_path, row).items[0]
    assert item.fields["response"] == response
    assert instruction is None or item.fields["instruction"] == instruction


def test_the_answer_beside_a_prediction_is_the_reference(tmp_path):
    item = read_one(tmp_path, {"question": "Q", "answer": "gold", "prediction": "R"}).items[0]
    assert item.fields == {"instruction": "Q", "reference": "gold", "response": "R"}
    item = read_one(tmp_path, {"question": "Q", "answer": "A", "reference": "F"}).items[0]
    assert item.fields == {"instruction": "Q", "reference": "F", "response": "A"}


def test_passages_are_numbered_where_there_are_several(tmp_path):
    rows = [{"question": "Q", "contexts": c, "answer": "A"} for c in (["s"], ["s", None, "t"], [{"text": "s"}], [])]
    sources = [i.fields.get("source") for i in read_one(tmp_path, *rows).items]
    assert sources == ["s", "[1]\ns\n\n[2]\nt", "s", None]


def test_pairs_may_be_conversations_with_or_without_a_prompt(tmp_path):
    last = [{"role": "assistant", "content": text} for text in ("good", "bad")]
    rows = [
        {"prompt": "Q1", "chosen": [TALK[0], last[0]], "rejected": [TALK[0], last[1]]},
        {"prompt": TALK, "chosen": last[:1], "rejected": last[1:]},
        {"chosen": [*TALK, last[0]], "rejected": [*TALK, last[1]]},
    ]
    data = read_one(tmp_path, *rows)
    talk = "User: Q1\n\nAssistant: A1\n\nUser: Q2"
    assert [i.fields["instruction"] for i in data.items] == ["Q1", "Q1", talk, talk, talk, talk]
    assert [i.fields["response"] for i in data.items] == ["good", "bad"] * 3
    assert len({i.group for i in data.items}) == 2 and data.layout == "pairs"


def test_parts_are_joined_calls_are_written_and_pictures_refused(tmp_path):
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": "look", "arguments": '{"x": 1}'}}],
    }
    talk = [
        {"role": "user", "content": parts},
        call,
        {"role": "tool", "content": "7"},
        {"role": "assistant", "content": parts},
    ]
    first, second = read_one(tmp_path, {"messages": talk}, {"messages": talk[:2]}).items
    assert first.fields["instruction"] == 'User: a\nb\n\nAssistant: [calls look({"x": 1})]\n\nTool: 7'
    assert (first.fields["response"], second.fields["response"]) == ("a\nb", '[calls look({"x": 1})]')
    picture = [{"role": "user", "content": [*parts, {"type": "image_url", "image_url": {}}]}, TALK[1]]
    path = write(tmp_path / "in.jsonl", {"messages": picture})
    assert error(path).message == f"{path}:1: key 'messages' holds a part of type 'image_url', expected text"


def test_a_conversation_of_unknown_roles_has_no_response(tmp_path):
    rows = [{"conversations": [{"from": "user", "value": "Q"}, {"from": who, "value": "A"}]} for who in ("gpt", "bing")]
    assert [i.fields.get("response") for i in read_one(tmp_path, *rows).items] == ["A", None]
