"""Conversations scored turn by turn: rows, what is evaluated, and conversations that cannot be judged."""

from __future__ import annotations

import json
import re

import pytest

from lager_lite.judging import TURN_NAMES, by_conversation
from lager_lite.records import Item, Judgment


def judged(conversation, turn, score, rubric="r"):
    item = Item(f"{conversation}#{turn}", {}, conversation=conversation, turn=turn)
    return item, Judgment(item.id, rubric, score)


def test_the_scores_of_a_conversation_are_those_of_its_turns_under_each_rubric():
    pairs = [judged("a", 1, 4.0), judged("a", 1, 1.0, "s"), judged("a", 2, None), judged("a", 2, 2.0, "s")]
    pairs += [(Item("x", {}), Judgment("x", "r", 3.0)), judged("b", 1, 5.0)]
    found = [scores and (scores.mean, scores.lowest, scores.last) for *_, scores in by_conversation(pairs)]
    one, other = (4.0, 4.0, None), (1.5, 1.0, 2.0)
    assert found == [one, other, one, other, None, (5.0, 5.0, 5.0)]


@pytest.fixture
def talks(tmp_path):
    def said(*texts):
        return [{"role": role, "content": text} for role, text in zip(("user", "assistant") * 9, texts)]

    rows = [
        {
            "id": "a",
            "messages": said(
                *[f"{word} word" for word in ["one", "two", "three", "four", "five", "six", "seven", "eight"]]
            ),
        },
        {"id": "q", "messages": said("alone")},
        {"id": 7, "turn": "theirs", "messages": said("short", "talk")},
    ]
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def scored(run, tiny_model, *words):
    return run("score", "talks.jsonl", "-m", tiny_model, "-r", "good.toml", "-t", 1, "--no-guard", *words)


def test_rows_of_turns_carry_the_mean_the_lowest_and_the_last_turn(run, tiny_model, talks):
    done = scored(run, tiny_model, "--unit", "turn", "--keep", "-o", "out.jsonl")
    rows = [json.loads(line) for line in (talks.parent / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["a#1", "a#2", "a#3", "a#4", "q", "7#1"]
    scores = [row["score"] for row in rows[:4]]
    for turn, row in enumerate(rows[:4], 1):
        assert (row["conversation"], row["turn"]) == ("a", turn)
        assert row["turns_mean"] == pytest.approx(sum(scores) / 4, abs=2e-6)
        assert (row["turns_lowest"], row["turns_last"]) == (min(scores), scores[-1])
    assert rows[4]["error"] == "the conversation has no answer of the assistant"
    assert [rows[4][name] for name in TURN_NAMES] == ["q", None, None, None, None]
    assert list(rows[4]) == list(rows[3]), "rows with an error have the keys of the others"
    assert (rows[5]["conversation"], rows[5]["turn"], rows[5]["input_turn"]) == (7, 1, "theirs")
    assert "Error: talks.jsonl:2: item q (good): the conversation has no answer of the assistant" in done.stderr
    found = re.search(r"(\d+) of (\d+) prompt tokens evaluated", done.stderr)
    assert found and int(found[1]) < 0.75 * int(found[2]), "what turns share is evaluated once"


def test_a_whole_conversation_gives_one_row(run, tiny_model, talks):
    scored(run, tiny_model, "--unit", "conversation", "-o", "out.jsonl")
    rows = [json.loads(line) for line in (talks.parent / "out.jsonl").read_text().splitlines()]
    assert [(row["id"], row["error"] is None, "turn" in row) for row in rows] == [
        ("a", True, False),
        ("q", False, False),
        (7, True, False),
    ]
