"""What is the same group: texts and names in other spellings, numbers in other types, and their first spelling."""

from __future__ import annotations

import json
import pickle

import pytest

from lager_lite.data import convert, group_key, group_names, group_of, read_items
from lager_lite.records import Item


@pytest.mark.parametrize(
    "other",
    ["doc1 ", "DOC1", "\tDoc1\n", "Ｄoc１", "\ufeffdoc1", "do\u00adc1", "d\u200boc1"],
)
def test_names_that_look_alike_are_one_group(other):
    assert group_key(other) == group_key("Doc1")


@pytest.mark.parametrize("pair", [("e\u0301t\u00e9", "\u00c9TE\u0301"), ("STRASSE", "straße"), ("a b", "A \u00a0 b")])
def test_letters_of_more_than_ascii_are_folded(pair):
    assert group_key(pair[0]) == group_key(pair[1])


@pytest.mark.parametrize("pair", [("Doc1", "Doc2"), ("Doc1", "Doc 1"), ("1", "01"), ("1.1", "1.10"), ("1.5", "1"), ("été", "ete")])  # fmt: skip
def test_other_names_stay_apart(pair):
    assert group_key(pair[0]) != group_key(pair[1])


def test_a_text_and_the_same_name_are_one_group_and_the_digest_of_a_text_is_as_it_stands():
    text, shouted = group_of("Name a  fruit."), group_of("NAME A FRUIT.")
    assert text == group_of("Name a fruit.") != shouted  # folds are dealt by these names, which never change
    assert group_key(text) == group_key(shouted) == group_key("name a fruit.")
    assert group_key(pickle.loads(pickle.dumps(text))) == group_key(text)
    assert group_of(" \n") is None


def test_groups_keep_their_first_spelling():
    names = group_names(["Doc1", None, "doc1 ", "b", "DOC1", None], ["1", "2", "3", "4", "5", "6"])
    assert names == ["Doc1", "2", "Doc1", "b", "Doc1", "6"]


@pytest.mark.parametrize("values", [[1, "1", 1.0, " 1 "], ["Doc1", "doc1", "DOC1 ", "ｄoc1"]])
def test_rows_give_one_group_in_whatever_spelling_or_type(tmp_path, values):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"response": "x", "group": value}) + "\n" for value in [*values, "other"]))
    data = read_items(str(path))
    assert len({group_key(item.group) for item in data.items}) == 2 == data.understood.groups


def test_a_converted_file_has_the_groups_of_its_texts(tmp_path):
    path, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    rows = [{"instruction": text, "response": "x"} for text in ("Name a fruit.", "NAME a fruit.", "Name a tree.")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    convert(read_items(str(path)), out)
    keys = [[group_key(item.group) for item in read_items(str(one)).items] for one in (path, out)]
    assert keys[0] == keys[1] and len(set(keys[0])) == 2


def test_the_groups_of_equal_items_are_equal():
    assert Item("1", {}, group=group_of("a")) == Item("1", {}, group=str(group_of("a")))
