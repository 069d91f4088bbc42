"""What stands between <think> and </think> is told from the answer, whatever the model wrote around it."""

from __future__ import annotations

import json

import pytest

from lager_lite.data import THOUGHTS, read_items, without_thoughts
from lager_lite.data.keys.thoughts import answer_of
from lager_lite.records import Item

ANSWERS = {
    "<think>\nAn oak?\n</think>\n\nOak.": "Oak.",
    "<THINK>a</Think>Oak.": "Oak.",
    "<thinking>a</thinking> Oak.": "Oak.",
    "[THINK]a[/THINK]Oak.": "Oak.",
    "<seed:think>a</seed:think>Oak.": "Oak.",
    "<think>a</think>Oak <think>b</think> or ash.": "Oak or ash.",
    "<think>a<think>b</think>c</think>Oak.": "Oak.",
    "<think>a <think> mark</think>Oak.": "Oak.",
    "the first mark stood in the prompt\n</think>\n\nOak.": "Oak.",
    "<think>cut off before": "",
    "Oak.\n<think>Is it? ": "Oak.",
    "<think></think>": "",
    " \n<think>a</think>\n": "",
    "<|think|>a<|/think|>Oak.": "Oak.",
    "◁think▷a◁/think▷Oak.": "Oak.",
    "<|begin_of_thought|>a<|end_of_thought|>\nOak.": "Oak.",
    "<|START_THINKING|>a<|END_THINKING|>Oak.": "Oak.",
    "<reasoning>a</reasoning>\n\nOak.": "Oak.",
    "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>Oak.<|return|>": "Oak.",
    "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>b<|call|>": "",
    "analysisA tree is asked for.assistantfinalOak.": "Oak.",
    "<|channel|>analysis<|message|>cut off": "",
    # Of these nothing is a thought, and not a blank is changed.
    " Oak.\n": " Oak.\n",
    "": "",
    "Write `<think>` before and `</think>` after it. ": "Write `<think>` before and `</think>` after it. ",
    "Analysis: the mark <|channel|>final<|message|> ends it.": "Analysis: the mark <|channel|>final<|message|> ends it.",
    "<answer>Oak.</answer><reasoning>a</reasoning>": "<answer>Oak.</answer><reasoning>a</reasoning>",
    "The mark <think> begins it.": "The mark <think> begins it.",
    "<thinker>Rodin</thinker>": "<thinker>Rodin</thinker>",
}


@pytest.mark.parametrize("text", ANSWERS)
def test_the_answer_is_what_is_left_without_the_thoughts(text):
    assert answer_of(text) == ANSWERS[text]


def test_an_item_is_flagged_once_and_its_other_fields_keep_what_they_say():
    item = Item("a", {"instruction": "<think>x</think>Why?", "response": "<think>a</think>Oak."})
    told = without_thoughts(item)
    assert told.fields == {"instruction": "<think>x</think>Why?", "response": "Oak."} and told.flags == (THOUGHTS,)
    assert without_thoughts(told) is told and without_thoughts(Item("b", {"response": "Oak."})).flags == ()


def test_every_layout_leaves_thoughts_out_unless_they_are_kept(tmp_path):
    said = '"<think>a</think>Oak."'
    rows = {
        "rows": f'{{"instruction": "Q", "response": {said}}}',
        "alpaca": f'{{"instruction": "Q", "input": "", "output": {said}}}',
        "messages": f'{{"messages": [{{"role": "user", "content": "Q"}}, {{"role": "assistant", "content": {said}}}]}}',
        "pairs": f'{{"prompt": "Q", "chosen": {said}, "rejected": {said}}}',
        "responses": f'{{"prompt": "Q", "responses": [{said}, {said}]}}',
    }
    path = tmp_path / "rows.jsonl"
    for name, row in rows.items():
        path.write_text(row + "\n")
        assert {item.fields["response"] for item in read_items(path).items} == {"Oak."}, name
        kept = read_items(path, keep_thoughts=True).items
        assert {item.fields["response"] for item in kept} == {"<think>a</think>Oak."}, name


def test_thoughts_beside_the_content_or_in_parts_are_left_out_and_said(tmp_path):
    ask = {"role": "user", "content": "Q"}
    parts = [{"type": "thinking", "thinking": "a"}, {"type": "text", "text": "Oak."}]
    said = [
        {"role": "assistant", "content": "Oak.", "reasoning_content": "a"},
        {"role": "assistant", "content": parts},
    ]
    rows = [{"messages": [ask, one, ask, one]} for one in said]
    rows += [{"prompt": "Q", "completion": [one]} for one in said]
    rows += [{"prompt": "Q", "response": said[1]}, {"messages": [ask], "choices": [{"index": 0, "message": said[0]}]}]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    items = read_items(path).items
    assert [item.fields["response"] for item in items] == ["Oak."] * 6
    assert all(item.flags == (THOUGHTS,) and "think" not in item.fields["instruction"] for item in items)
    kept = read_items(path, keep_thoughts=True).items
    assert {item.fields["response"] for item in kept} == {"<think>a</think>Oak."}
    assert all("think" not in item.fields["instruction"] for item in kept)
