from __future__ import annotations

import pytest

from lager_lite.fitting.seen import item_mark
from lager_lite.records import Item

FRUIT = Item("a", {"instruction": "Name a fruit.", "response": "Pear"})


@pytest.mark.parametrize("instruction", ["Name a fruit.", "  NAME a  fruit. \n", "name\ta fruit."])
@pytest.mark.parametrize("response", ["Pear", " pear", "PEAR\n"])
def test_a_new_id_spacing_and_case_do_not_hide_an_item(instruction, response):
    assert item_mark(Item("b", {"response": response, "instruction": instruction})) == item_mark(FRUIT)


@pytest.mark.parametrize("fields", [{"instruction": "Name a fruit.", "response": "Pears"}, {"response": "Pear"}])
def test_another_text_is_another_item(fields):
    assert item_mark(Item("a", fields)) != item_mark(FRUIT)
