"""Cells of tables: messages as JSON are read as in JSON Lines, and an error of a spreadsheet is an empty cell."""

from __future__ import annotations

import csv
import json

import pytest

from lager_lite.data import check_file, read_items
from tests.data.in_files import write

TALK = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "It's R."}]


def table(path, **cells):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([cells.keys(), cells.values()])
    return path


@pytest.mark.parametrize(
    "cells",
    [
        {"input": json.dumps({"messages": TALK[:1]}), "output": json.dumps(TALK[1])},
        {"input": '"Q?"', "output": '"It\'s R."'},
        {"messages": json.dumps(TALK)},
        {"messages": repr(TALK)},
        {"question": "Q?", "output": json.dumps([TALK[1]])},
    ],
    ids=["message", "quoted", "conversation", "conversation of Python", "list of one"],
)
def test_messages_in_cells_are_read_as_in_json_lines(tmp_path, cells):
    (item,) = read_items(table(tmp_path / "in.csv", **cells)).items
    assert item.fields == {"instruction": "Q?", "response": "It's R."}


@pytest.mark.parametrize(
    "text", ['{"answer": "Oak.", "sure": 0.9}', '"Oak"', "[1, 2]", '{"type": "circle", "value": "3"}']
)
def test_other_json_stays_the_text_that_it_is(tmp_path, text):
    data = read_items(table(tmp_path / "in.csv", question="Reply in JSON.", response=text))
    assert data.items[0].fields["response"] == text and not data.understood.warnings


def test_json_around_one_text_is_said(tmp_path):
    path = write(tmp_path / "in.jsonl", {"id": "t", "question": "Q?", "output": '{"answer": "Boat."}'})
    (said,) = read_items(path).understood.warnings
    assert said.startswith("1 response written as JSON around one text, first in item t: the JSON is judged")


@pytest.mark.parametrize("word", ["#NAME?", "#REF!", "#N/A", "#WERT!"])
def test_an_error_of_a_spreadsheet_is_an_empty_cell(tmp_path, word):
    path = tmp_path / "in.csv"
    path.write_text(f"question,answer,rating\nQ,R,{word}\nP,{word},3\n")
    assert check_file(path).errors == (f"1 row without a response cannot be judged, first {path}:3",)


@pytest.mark.parametrize(
    ("key", "values"), [("source", "12"), ("prompt", ("17", "18")), ("prompt", ("https://x.y/z", "doc_18.pdf"))]
)
def test_numbers_and_addresses_are_said_however_few_there_are(tmp_path, key, values):
    path = write(tmp_path / "in.jsonl", *({key: value, "response": f"R{value}"} for value in values))
    assert sum(f" <- {key} holds " in line for line in read_items(path).understood.warnings) == 1
