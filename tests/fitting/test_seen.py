from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lager_lite.data import group_of
from lager_lite.evaluation.grouping import regroup
from lager_lite.fitting.labelled import Labelled, grouped
from lager_lite.fitting.seen import item_mark, left_out, overlap, seen_marks
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
