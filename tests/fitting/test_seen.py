from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lager_lite.data import group_of
from lager_lite.evaluation.grouping import regroup
from lager_lite.fitting.labelled import Labelled, grouped
from lager_lite.fitting.seen import item_mark, left_out, overlap, seen_marks
from lager_lite.prompts import RESPONSE_A, RESPONSE_B
from lager_lite.records import Item

FRUIT = Item("a", {"instruction": "Name a fruit.", "response": "Pear"})


@pytest.mark.parametrize("instruction", ["Name a fruit.", "  NAME a  fruit. \n", "name\ta fruit."])
@pytest.mark.parametrize("response", ["Pear", " pear", "PEAR\n"])
def test_a_new_id_spacing_and_case_do_not_hide_an_item(instruction, response):
    assert item_mark(Item("b", {"response": response, "instruction": instruction})) == item_mark(FRUIT)


@pytest.mark.parametrize("fields", [{"instruction": "Name a fruit.", "response": "Pears"}, {"response": "Pear"}])
def test_another_text_is_another_item(fields):
    assert item_mark(Item("a", fields)) != item_mark(FRUIT)


LONG = " ".join(f"word{n}" for n in range(20))


def data_of(*items):
    n = len(items)
    return Labelled(
        raw=np.zeros((n, 1, 2), np.float32),
        norm=np.zeros((n, 1, 2), np.float32),
        human=np.arange(n) % 2 + 1.0,
        individual=((1.0,),) * n,
        criterion=np.array(["good"] * n),
        group=np.array(grouped(items)),
        item=np.array([item.id for item in items]),
        values=np.array([1.0, 2.0]),
        failed=(),
        items=items,
    )


def asked(name, instruction="", response="r", group=None, **more):
    fields = {"instruction": instruction, "response": response} if instruction else {"response": response}
    return Item(name, {**fields, **more}, group=group or group_of(instruction))


def known(fitted, *items):
    return overlap(data_of(*items), seen_marks(data_of(*fitted))).tolist()


@pytest.mark.parametrize("group", ["doc1", " DOC1", "Ｄoc1"])
def test_a_group_is_known_in_any_spelling(group):
    fitted = [asked("1", response="a", group="Doc1"), asked("2", response="b", group="Doc2")]
    assert known(fitted, asked("3", response="c", group=group), asked("4", response="d", group="x")) == [True, False]


def test_a_text_is_known_in_capitals():
    fitted = [asked("1", "Name a fruit."), asked("2", "Name a tree.")]
    assert known(fitted, asked("3", "NAME A FRUIT.", "other"), asked("4", "Name a bird.", "other")) == [True, False]


def test_the_instruction_is_known_where_another_field_made_the_groups():
    fitted = regroup([asked(str(n), f"Question {n}?", topic=f"t{n // 2}") for n in range(4)], "topic")
    assert known(fitted, asked("7", "Question 3?", "other"), asked("8", "Question 8?", "other")) == [True, False]
    new = regroup([asked("7", "Question 3?", "other", topic="t9"), asked("8", "Question 8?", topic="T1")], "topic")
    assert known(fitted, *new) == [True, True]


def test_the_group_of_the_rows_is_known_where_another_field_made_the_groups():
    fitted = regroup([asked(str(n), response=f"r{n}", group=f"g{n}", topic="t") for n in range(4)], "topic")
    assert known(fitted, asked("7", response="other", group="G3"), asked("8", response="x", group="g8")) == [
        True,
        False,
    ]


def test_an_instruction_that_all_items_share_is_no_group_of_its_own():
    fitted = regroup([asked(str(n), "Write a story.", f"r{n}", topic=f"t{n}") for n in range(4)], "topic")
    new = regroup([asked("7", "Write a story.", "other", topic="t9")], "topic")
    assert known(fitted, *new) == [False]


def test_a_copy_is_known_by_its_texts_and_a_long_response_by_itself():
    fitted = [asked("1", "Name a fruit.", "Pear", row="1"), asked("2", "Describe it.", LONG), asked("3", "Why?", "Yes")]
    copies = [
        replace(asked("9", "Name a fruit.", "pear", row="17"), group="other"),
        asked("9", "Say what it is like.", LONG.upper()),
        asked("9", "Really?", "Yes"),
    ]
    assert known(fitted, *copies) == [True, True, False]


def test_marks_of_version_1_still_protect_and_say_what_they_cannot_find():
    item = asked("1", "Name a fruit.", "Pear", row="1")
    # As the version before wrote them, of `instruction=... response=... row=...` and of the digest of the instruction.
    old = {"seen_items": ["83a44245498b"], "seen_groups": ["6a25f9d18105"]}
    new = asked("2", "Name a  fruit.", "Plum")
    assert overlap(data_of(item, new, asked("3", "Name a bird.", "Emu")), old).tolist() == [True, True, False]
    kept, said = left_out(data_of(item, asked("3", "Name a bird.", "Emu")), old, include=False)
    assert len(kept.human) == 1 and len(said) == 2 and said[1].startswith("the weights are of an earlier version")


EDITS = [
    lambda text: text.replace(".", "") + "!",
    lambda text: text.replace("'", "\u2019"),
    lambda text: "".join(text.split()),
    lambda text: text.replace(" ", " - "),
]


@pytest.mark.parametrize("edit", EDITS)
def test_punctuation_does_not_hide_an_item_its_instruction_or_a_long_response(edit):
    fitted = [
        asked("1", "Say where it is.", "It's in the second drawer.", group="a"),
        asked("2", "Tell me what's usual there in the evenings.", "Tea.", group="b"),
        asked("3", "What?", LONG, group="c"),
        asked("4", "Why?", "Yes", group="d"),
    ]
    copies = [
        asked("5", edit("Say where it is."), edit("It's in the second drawer."), group="e"),
        asked("6", edit("Tell me what's usual there in the evenings."), "Coffee.", group="f"),
        asked("7", "Which?", edit(LONG), group="g"),
        asked("8", "Whether?", "No", group="h"),
    ]
    assert known(fitted, *copies) == [True, True, True, False]


def test_a_sign_tells_short_texts_apart():
    fitted = [asked("1", "Is x - 1 = 3?", "Yes", group="a"), asked("2", "Is y > 1?", "Yes", group="b")]
    assert known(fitted, asked("3", "Is x + 1 = 3?", "Yes", group="c")) == [False]


def test_a_response_of_a_known_pair_is_known():
    pair = Item("1", {"instruction": "Which?", RESPONSE_A: LONG, RESPONSE_B: "No"}, group="a")
    other = Item("2", {"instruction": "What else?", RESPONSE_A: "Yes", RESPONSE_B: LONG}, group="b")
    assert known([pair, asked("9", "Why?", group="c")], other) == [True]


def test_marks_of_version_2_still_protect_and_say_what_they_cannot_find():
    # As the version before wrote them, of the item "1" below, its instruction and its response, spelled as they are.
    old = {
        "seen_items": ["1373baf10a2e"],
        "seen_groups": ["524ec097cbd2"],
        "seen_responses": ["4f3236098844"],
        "seen_version": 2,
    }
    text = LONG.replace(" ", ", ")
    new = [asked("1", "Describe it.", text, group="x"), asked("2", "Describe it.", "r"), asked("3", "What?", text)]
    for mark in ("seen_items", "seen_groups", "seen_responses"):
        alone = {**old, "seen_items": [], "seen_groups": [], "seen_responses": [], mark: old[mark]}
        assert overlap(data_of(*new), alone).any(), mark
    kept, said = left_out(data_of(*new, asked("4", "Why?", "Yes")), old, include=False)
    assert len(kept.human) == 1 and "whose punctuation has changed" in said[1]
