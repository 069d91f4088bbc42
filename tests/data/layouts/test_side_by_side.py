"""Rows with several responses to one request: pairs, and lists with a score for each."""

from __future__ import annotations

import pytest

from lager_lite.data import convert, read_items
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


LISTS = [
    (
        {"completions": [{"model": "x", "response": "A.", "critique": "C"}, {"model": "y", "response": "B."}]},
        (None, None),
    ),
    ({"answers": [{"answer": "A.", "rank": 1}, {"answer": "B.", "rank": 7}]}, (None, None)),
    ({"generations": ["A.", "B."], "ratings": [5, None]}, (5.0, None)),
    ({"answers": ["A.", "B."], "human_ratings": [5, 1]}, (5.0, 1.0)),
    ({"outputs": ["A.", "B."], "human_scores": [5, 1]}, (5.0, 1.0)),
]


@pytest.mark.parametrize(("row", "scores"), LISTS)
def test_a_list_with_something_about_each_text_holds_responses(tmp_path, row, scores):
    found = facts(write(tmp_path / "in.jsonl", {"instruction": "Q?", **row}))
    assert [(name, fields["instruction"], fields["response"]) for name, fields, _ in found] == [
        ("1/1", "Q?", "A."),
        ("1/2", "Q?", "B."),
    ]
    assert [human for _, _, human in found] == [{} if score is None else {"": (score,)} for score in scores]


@pytest.mark.parametrize("key", ["completions", "answers", "outputs", "generations"])
def test_a_bare_list_is_refused_with_the_mapping_that_reads_it(tmp_path, key):
    path = write(tmp_path / "in.jsonl", {"prompt": "Q?", key: ["A.", "B."], "labels": [True, False]})
    assert error(path).hint == f"--map responses={key} judges each of its texts"
    found = read_items(path, {"responses": key, "instruction": "prompt"}).items
    assert [item.fields["response"] for item in found] == ["A.", "B."]


def test_responses_answer_their_turns(tmp_path):
    path = write(tmp_path / "in.jsonl", {"turns": ["P?", "Q?"], "responses": ["A.", "B."]})
    assert [fields for _, fields, _ in facts(path)] == [
        {"instruction": "P?", "response": "A."},
        {"instruction": "User: P?\n\nAssistant: A.\n\nUser: Q?", "response": "B."},
    ]
    path = write(tmp_path / "in.jsonl", {"turns": ["P?"], "responses": ["A.", "B."]})
    assert [fields["instruction"] for _, fields, _ in facts(path)] == ["P?", "P?"]
    path = write(tmp_path / "in.jsonl", {"turns": ["P?", "Q?"], "responses": ["A.", "B.", "C."]})
    assert error(path).message == f"{path}:1: 2 `turns` beside 3 responses"


@pytest.mark.parametrize(
    ("row", "instruction"),
    [
        ({"system": "Be brief.", "prompt": "Q?"}, "System: Be brief.\n\nUser: Q?"),
        ({"System Prompt": "Brief", "User Prompt": "Q?"}, "System: Brief\n\nUser: Q?"),
        ({"system": "Be brief.", "prompt": "Q?", "history": [["P?", "A."]]}, "System: Be brief.\n\nUser: P?\n\nAssistant: A.\n\nUser: Q?"),
        ({"system_prompt": "Brief", "messages": [{"role": "user", "content": "Q?"}]}, "System: Brief\n\nUser: Q?"),
        ({"system": "Llama 2 7B", "prompt": "Q?"}, "Q?"),
    ],
)  # fmt: skip
def test_a_system_prompt_stands_above_the_request(tmp_path, row, instruction):
    found = read_items(write(tmp_path / "in.jsonl", {**row, "response": "R"}))
    convert(found, tmp_path / "again.jsonl")
    for (item,) in (found.items, read_items(tmp_path / "again.jsonl").items):
        assert item.fields["instruction"] == instruction
