"""Rows with several responses to one request: pairs, and lists with a score for each."""

from __future__ import annotations

import pytest

from lager_lite.data import read_items
from tests.data.in_files import error, write

PAIR = {"chosen": "Wet.", "rejected": "Dry."}


def facts(path):
    return [(item.id, dict(item.fields), dict(item.human)) for item in read_items(path).items]


@pytest.mark.parametrize(
    ("asked", "instruction"),
    [
        ({"question": "Q?"}, "Q?"),
        ({"input": "Q?"}, "Q?"),
        ({"query": "Q?", "source": "flan"}, "Q?"),
        ({"instruction": "Q?", "input": "Text."}, "Q?\n\nText."),
        ({"system": "Be brief.", "question": "Q?"}, "System: Be brief.\n\nUser: Q?"),
        ({"system_prompt": "Brief", "prompt": "Q?"}, "System: Brief\n\nUser: Q?"),
        ({"system": "alpaca", "prompt": "Q?"}, "Q?"),
    ],
)
def test_a_pair_answers_the_request_beside_it_below_its_system_prompt(tmp_path, asked, instruction):
    found = read_items(write(tmp_path / "in.jsonl", {**asked, **PAIR}))
    assert found.layout == "pairs" and len({item.group for item in found.items}) == 1
    assert facts(tmp_path / "in.jsonl") == [
        ("1/chosen", {"instruction": instruction, "response": "Wet."}, {"preferred": (1.0,)}),
        ("1/rejected", {"instruction": instruction, "response": "Dry."}, {"preferred": (0.0,)}),
    ]


def test_a_response_of_its_own_beside_a_question_and_a_pair_is_judged(tmp_path):
    (item,) = read_items(write(tmp_path / "in.jsonl", {"question": "Q?", "response": "R", **PAIR})).items
    assert item.fields["response"] == "R"


@pytest.mark.parametrize(
    ("one", "two", "more"),
    [
        ("response_a", "response_b", {"winner": "a"}),
        ("response1", "response2", {"overall_preference": -2}),
        ("response_0", "response_1", {"better_response_id": 0}),
    ],
)
def test_two_responses_are_left_to_the_command_that_compares_them(tmp_path, one, two, more):
    path = write(tmp_path / "in.jsonl", {"prompt": "Q?", one: "Wet.", two: "Dry.", **more})
    found = error(path)
    assert found.message == f"{path}:1: no response, but a pair of them: {one} and {two}"
    assert found.hint == f"lager-lite pairs {path} compares the two; --map response={one} judges one"
