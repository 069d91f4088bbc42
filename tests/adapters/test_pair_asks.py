"""Pairs over HTTP: the rows of `pairs`, whoever else asks at the same time."""

from __future__ import annotations

import json

import pytest

from lager_lite.adapters.pair_asks import ask_pairs
from lager_lite.adapters.worker import Worker
from lager_lite.judging import Judge
from lager_lite.prompts import pairwise_rubric
from lager_lite.tasks import compare_pairs
from tests.adapters.served import OPTIONS, RUBRIC, served

PAIR = {"id": "p", "instruction": "Name a fruit.", "response_a": "Plum.", "response_b": "No."}
NAMED = {**PAIR, "system_a": "one", "system_b": "two", "preference": 1}


@pytest.fixture(scope="module")
def client(tiny_model):
    with served(tiny_model) as client:
        yield client


def compared(model, *pairs, ties=None):
    with Judge(model, rubric=pairwise_rubric(RUBRIC, ties=ties), options=OPTIONS) as judge:
        return json.loads(json.dumps(list(compare_pairs(judge, pairs).rows())))


def ask(client, body):
    return client.ask("POST", "/pairs", body)[:2]


def test_rows_are_those_of_the_command_pairs(client, tiny_model):
    assert ask(client, {"pairs": [PAIR, {**PAIR, "id": "r", "response_b": "Plum."}]}) == (
        200,
        {"rows": compared(tiny_model, PAIR, {**PAIR, "id": "r", "response_b": "Plum."}), "warnings": []},
    )
    found = {"rows": compared(tiny_model, NAMED, ties=True), "warnings": []}
    assert ask(client, {"pair": NAMED, "ties": True}) == (200, found)


def test_a_pair_that_cannot_be_judged_is_a_row_also_where_it_is_alone(client, tiny_model):
    rows = compared(tiny_model, PAIR, {**PAIR, "id": "q", "response_b": None})[1:]
    status, found = ask(client, {"pair": {**PAIR, "id": "q", "response_b": None}})
    assert (status, found["rows"]) == (200, rows)
    assert found["rows"][0]["error"] == "there is no response B: nothing stands under 'response_b'"


@pytest.mark.parametrize("order", [1, -1])
def test_a_missing_side_is_an_error_of_its_row_wherever_it_stands(client, order):
    lacking = {"id": "q", "instruction": "Name a fruit.", "response_a": "Plum.", "respones_b": "No."}
    for pairs in ([lacking], [lacking, PAIR][::order]):
        status, found = ask(client, {"pairs": pairs})
        (error,) = [row["error"] for row in found["rows"] if row["id"] == "q"]
        said = "there is no response B: nothing stands under 'response_b', but under 'respones_b': is it meant?"
        assert (status, error) == (200, said)


def test_a_misspelt_key_is_asked_about(client):
    status, found = ask(client, {"pair": {"response_a": "x", "response_b": "y", "instrution": "q"}})
    assert (status, found["warnings"]) == (
        200,
        ["the pairs: the key instrution is not read: is it meant as instruction?"],
    )


def test_who_asks_beside_changes_no_row(tiny_model, client):
    with Judge(tiny_model, rubric=RUBRIC, options=OPTIONS) as judge, Worker(judge) as worker:
        started = [ask_pairs(worker, {"pair": pair}) for pair in (PAIR, NAMED, PAIR)]
        found = [dict(one.document(one.future.result(60)))["rows"] for one in started]
    assert json.loads(json.dumps(found)) == [compared(tiny_model, pair) for pair in (PAIR, NAMED, PAIR)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "give either 'pair' or 'pairs'"),
        ({"pairs": []}, "pairs is empty"),
        ({"pair": {"response": "x"}}, "pair 1 has no two responses; its keys are response"),
        ({"pair": PAIR, "ties": "no"}, "ties is text, expected true or false"),
        ({"pair": PAIR, "rubric": "nice"}, "there is no rubric 'nice'"),
        (
            {"pair": PAIR, "rubric": ["good", "helpfulness"]},
            "pairs are compared by one rubric, not by good, helpfulness",
        ),
        ({"pairs": [PAIR, PAIR]}, "pair 2: the id 'p' was used before, at pair 1"),
        ({"pair": PAIR, "per_layer": True}, "unknown key 'per_layer'"),
    ],
)
def test_bad_pairs_are_refused_with_their_reason(client, body, message):
    status, found = ask(client, body)
    assert (status, found["error"]["message"][: len(message)]) == (422, message)
