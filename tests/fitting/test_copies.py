from __future__ import annotations

import pytest

from lager_lite.evaluation.grouping import regroup
from lager_lite.fitting.copies import copies_apart, tells_of_copies, told_of_fit
from lager_lite.fitting.labelled import grouped
from lager_lite.fitting.writers import names_in_several
from lager_lite.records import Item

LONG = "We are sorry to hear that your parcel has not arrived yet, and we shall ask the carrier today where it is."


def asked(number, response, **more):
    return Item(str(number), {"instruction": f"Question number {number}?", "response": response, **more})


def said_of(items, groups=None, **how):
    return copies_apart(items, groups or [item.id for item in items], **how)


@pytest.mark.parametrize("copy", [LONG, LONG.upper(), LONG.replace(",", "").replace(" ", "") + "!"])
def test_a_long_response_in_two_groups_is_said_however_it_is_spelled(copy):
    items = [asked(1, LONG), asked(2, copy), asked(3, "Yes"), asked(4, "Yes")]
    (said,) = said_of(items)
    assert said.startswith("2 judgments have a long response that stands in another group as well")
    assert tells_of_copies(said) and "response" in said.split(": ")[-1]
    assert said_of(items, ["a", "a", "b", "c"]) == []


def test_short_responses_are_equal_by_nature():
    assert said_of([asked(number, "Yes, that is right.") for number in range(9)]) == []


def test_a_response_that_hardly_any_row_has_is_not_said():
    others = [asked(number, f"{number} {LONG}") for number in range(2, 120)]
    assert said_of([asked(0, LONG), asked(1, LONG), *others]) == []


def test_an_item_in_two_groups_is_said_once_as_an_item():
    items = [asked(1, LONG), asked(1, LONG)]
    (said,) = said_of(items, ["a", "b"], regroups=False)
    assert said.startswith("2 judgments are of texts that stand in another group") and said.endswith("copies out")


def test_groups_by_response_keep_its_copies_together():
    items = regroup([asked(1, LONG), asked(2, LONG.replace(",", " -")), asked(3, f"No. {LONG}")], "response")
    groups = grouped(items)
    assert groups[0] == groups[1] != groups[2] and said_of(items, groups) == []


def test_who_wrote_in_several_groups_is_said_with_the_way_to_hold_it_out():
    items = [asked(number, "Yes", model="AB"[number % 2]) for number in range(6)]
    (said,) = told_of_fit(items, [str(item.id) for item in items])
    assert said == (
        "2 values of the field 'model' stand in several groups, so weights can learn who wrote a response in place of how "
        "good it is: evaluate with hold_out='model' shows what they are worth for other systems"
    )
    assert told_of_fit(items, ["a", "b"] * 3) == [] and names_in_several(items[::2], "abc") is None
