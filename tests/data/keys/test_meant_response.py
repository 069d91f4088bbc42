"""Whatever keys stand around it, the text that was meant as the response is what the judge reads as the response."""

from __future__ import annotations

import json
import random

import pytest

from lager_lite.data import read_items
from lager_lite.prompts import load_rubric, render
from lager_lite.prompts.chat import PLAIN

EXTRAS = {"lang": "en", "turns": 3, "ok": True, "weight": float("nan"), "tags": ["x"], "meta": {"a": 1}, "note": None}
RESPONSE_KEYS = ("response", "output", "actual_output", "prediction", "completion", "summary", "answer")
QUESTION_KEYS = ("instruction", "prompt", "question", "query", "user_input")


def turns(rng, question, response):
    role, said, me, you = rng.choice([("role", "content", "assistant", "user"), ("from", "value", "gpt", "human")])
    talk = [{role: you, said: question}, {role: me, said: response}]
    if rng.random() < 0.4:
        talk = [{role: you, said: "Hello."}, {role: me, said: "Hello, what is it?"}, *talk]
    if rng.random() < 0.3 and role == "role":
        talk = [{role: "system", said: "Be brief."}, *talk]
    if rng.random() < 0.3 and role == "role":
        talk = [{**turn, said: [{"type": "text", "text": turn[said]}]} for turn in talk]
    return talk


def plain(rng, question, response):
    row = {rng.choice(QUESTION_KEYS): question, rng.choice(RESPONSE_KEYS): response}
    row.update({rng.choice(("context", "contexts", "retrieved_contexts")): ["p", "q"]} if rng.random() < 0.3 else {})
    row.update({rng.choice(("human_score", "gpt4_score", "score")): 3} if rng.random() < 0.5 else {})
    return row


def alpaca(rng, question, response):
    row = {"instruction": question, "output": response}
    return {**row, **({"input": rng.choice(["", "some input"])} if rng.random() < 0.6 else {})}


def messages(rng, question, response):
    return {rng.choice(("messages", "conversations")): turns(rng, question, response)}


def beside(rng, question, response):
    return {**messages(rng, question, "an old answer"), rng.choice(RESPONSE_KEYS[:4]): response}


def gold(rng, question, response):
    return {"question": question, "answer": "what is right", rng.choice(RESPONSE_KEYS[:4]): response}


def trl(rng, question, response):
    talk = turns(rng, question, response)
    return {"prompt": talk[:-1], "completion": talk[-1:]}


def helpsteer(rng, question, response):
    names = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
    return {"prompt": question, "response": response, **dict.fromkeys(names, 2)}


def biggen(rng, question, response):
    return {"input": question, "response": response, "score_rubric": {"criteria": "Is it?", "score1_description": "no"}}


def pair(rng, question, response):
    if rng.random() < 0.5:
        return {"prompt": question, "chosen": response, "rejected": "the other one"}
    return {"chosen": turns(rng, question, response), "rejected": turns(rng, question, "the other one")}


def holds(value, text):
    """Whether a value of a row holds a text, also as a turn or a part of one."""
    if isinstance(value, (list, dict)):
        return any(holds(one, text) for one in (value.values() if isinstance(value, dict) else value))
    return value == text


def sourced(rng, question, response):
    keys = rng.sample(("context", "retrieval_context", "article", "passage"), rng.choice((1, 2)))
    row = {"input": question, "actual_output": response, **{key: f"What {key} says, at some length." for key in keys}}
    return {**row, **({"expected_output": "what is right"} if rng.random() < 0.5 else {})}


def check_line(understood, row, item, meant):
    """What is said about a file of one row is true of it."""
    for field, text in item.fields.items():
        whole = [row[key] for key in understood.taken[field] if isinstance(row.get(key), str)]
        assert not whole or text in whole, (field, understood.taken[field], row)
    said = [key.partition("[")[0] for key in understood.taken["response"]]
    assert all(key in row for key in said) and holds(row[said[0]], meant), (row, understood)
    line = understood.mapping_line()
    assert f"response <- {next(iter(understood.taken['response']))}" in line, line
    left = {*understood.kept, *understood.ignored, *(key for keys in understood.beside.values() for key in keys)}
    assert not any(holds(row[key], meant) for key in left), (row, line)
    used = {part.partition("[")[0] for keys in understood.taken.values() for key in keys for part in key.split(" + ")}
    empty = {key for key, value in row.items() if value is None or value != value or value in ("", [])}
    assert used | left | empty == {*row}, (row, line)


LAYOUTS = (plain, alpaca, messages, beside, gold, trl, helpsteer, biggen, pair, sourced)


@pytest.mark.parametrize("layout", LAYOUTS, ids=[f.__name__ for f in LAYOUTS])
def test_the_response_stands_in_the_prompt_once_and_as_the_response(tmp_path, layout):
    """300 rows of each layout, of which every fifth is read as a file of its own, the others in one file."""
    rng, rubric = random.Random(layout.__name__), load_rubric("helpfulness")
    rows, meant = [], []
    for n in range(300):
        response = f"<<answer {n} of {layout.__name__}>>"
        row = {**layout(rng, f"Question {n}?", response), **dict(rng.sample(sorted(EXTRAS.items(), key=str), 3))}
        keys = rng.sample(list(row), len(row))
        if rng.random() < 0.2:
            keys = [(key, rng.choice((key.upper(), key.title(), key))) for key in keys]
            rows.append({spelled: row[key] for key, spelled in keys})
        else:
            rows.append({key: row[key] for key in keys})
        meant.append(response)
    files = [[n] for n in range(0, 300, 5)] + [[n for n in range(300) if n % 5]]
    for numbers in files:
        path = tmp_path / "in.jsonl"
        path.write_text("".join(json.dumps(rows[n]) + "\n" for n in numbers))
        data = read_items(path)
        items = [i for i in data.items if not i.id.endswith("/rejected")]
        if len(numbers) == 1:
            check_line(data.understood, rows[numbers[0]], items[0], meant[numbers[0]])
        for n, item in zip(numbers, items, strict=True):
            (key,) = item.keys["response"]
            named = [value for written, value in rows[n].items() if key in (written, written.lower())]
            assert len(named) == 1 and holds(named[0], meant[n]), (rows[n], item.keys)
            text = render(rubric, item, PLAIN).text
            assert text.count(meant[n]) == 1 and f"### Response\n{meant[n]}\n" in text, (rows[n], text)
