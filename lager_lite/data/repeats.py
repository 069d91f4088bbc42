"""Rows about one item: the scores of several annotators, or of several criteria, each in a row of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ..errors import DataError
from ..records import Item
from .files import TableFile
from .keys import (
    ANNOTATORS,
    ASPECTS,
    RESPONSE_LISTS,
    Row,
    RowSource,
    by_people,
    id_key,
    id_of,
    is_blank,
    spelled,
    without_missing,
    word_set,
    words_of_key,
)
from .layouts import without

# Rows that differ in one of these hold scores for different things.
_TEXTS = frozenset(("source", "instruction", "reference", "response", "rubric", *ASPECTS))
_NUMBERED = word_set("id ids uid uuid idx no nr hash")
_NAMED = word_set(
    "model models system systems generator policy method checkpoint engine llm seed bot agent item example sample doc "
    "document conversation dialogue dialog thread topic task segment seg turn sentence split dataset domain condition "
    "variant version temperature step epoch run language lang"
)
_OF_THE_SCORE = word_set(
    "assignment annotation judgment judgement rating score session submission user hit record row worker batch"
)
_LONGEST_ASPECT = 40


class ReadRows(Protocol):
    """Rows, and how their keys are read, as of an `ItemReader`."""

    @property
    def rows(self) -> RowSource: ...

    @property
    def mapping(self) -> Mapping[str, str]: ...

    @property
    def ignore(self) -> tuple[str, ...]: ...


class RowReader(ReadRows, Protocol):
    """What is used of an `ItemReader` here."""

    @property
    def layout(self) -> object: ...

    @property
    def mixed(self) -> bool: ...

    @property
    def several(self) -> Mapping[str, Sequence[str]]: ...

    @property
    def aspect(self) -> str | None: ...

    def items_of(self, row: Row, number: int) -> Any: ...


def aspect_of(reader: RowReader) -> str | None:
    """The key of what a row's score is for, where items have a row for each criterion; None where they have not.

    Such a key alone may be a tag of the item. It says what the score is for where two rows differ in it, and agree in
    the item's id or texts.
    """
    first = without(reader.rows[0], reader.ignore).values if len(reader.rows) else {}
    usual = (*ASPECTS, "criteria")
    key = next((k for k in first if spelled(k) in usual and k not in reader.mapping.values()), None)
    if key is None or any(field.startswith("score:") for field in reader.mapping):
        return None
    seen: dict[int, Any] = {}
    for number, whole in enumerate(reader.rows, 1):
        row = without(whole, reader.ignore)
        value = row.values.get(key)
        if is_blank(value):
            continue
        if not isinstance(value, str) or len(value) > _LONGEST_ASPECT or "\n" in value:
            return None
        item = _only_item(reader, without(row, (key,)), number)
        if item is not None and seen.setdefault(_name(reader, item, row), value) != value:
            return key
    return None


def for_aspect(item: Item, row: Row, key: str) -> Item:
    """The item with its unnamed score named by what stands under the key of the aspect."""
    aspect = row.values.get(key)
    if is_blank(aspect) or set(item.human) != {""}:
        return item
    name = str(aspect).strip().lower()
    keys = {k: v for k, v in item.keys.items() if k not in (key, "score")}
    keys[f"score:{name}"] = (*item.keys.get("score", ()), key)
    fields = {k: v for k, v in item.fields.items() if item.keys.get(k) not in ((key,), (spelled(key),))}
    return replace(item, human={name: item.human[""]}, fields=fields, keys=keys)


def repeated(reader: RowReader) -> dict[int, tuple[int, ...]]:
    """The rows whose scores belong to an earlier row: by its number, the numbers of the later ones, from 1.

    They have its id, or no id and an annotator or an aspect, and its texts, and agree in every key that names what is
    scored, such as `model` or `turn_id`; without an annotator and an aspect they agree in everything but the score.
    Only rows of one item count. Raises DataError where an annotator scored an item twice.
    """
    firsts: dict[int, int] = {}
    found: dict[int, list[int]] = {}
    if not _may_repeat(reader) or _all_apart(reader):
        return {}
    for number, whole in enumerate(reader.rows, 1):
        row = without(whole, reader.ignore)
        item = _only_item(reader, row, number)
        who = _annotator(row)
        if item is None or not (has_id(item, row) or who or reader.aspect):
            continue
        first = firsts.setdefault(_name(reader, item, row), number)
        if first == number:
            continue
        before = reader.rows[first - 1]
        other = _only_item(reader, before, first)
        if other is not None and _belong(reader, item, other, who):
            later = found.setdefault(first, [])
            _check_annotator(reader, row, (first, *later), has_id(item, row))
            later.append(number)
    return {first: tuple(later) for first, later in found.items()}


def _name(reader: RowReader, item: Item, row: Row) -> int:
    """What tells an item from the others, as a hash: its id, else its texts; and every key that names what is scored."""
    own = (True, str(item.id)) if has_id(item, row) else (False, *sorted(_texts(item, reader.mapping).items()))
    named = sorted((spelled(k), str(v)) for k, v in row.values.items() if _is_name(k) and not is_blank(v))
    return hash((own, *named))


def _is_name(key: str) -> bool:
    """Whether a key names what is scored, such as `model` or `turn_id`, and not who scored or the score itself."""
    words = words_of_key(key)
    if not words or spelled(key) in ANNOTATORS or by_people(key) or words[0] in _OF_THE_SCORE:
        return False
    return len(words) > 1 and words[-1] in _NUMBERED or words[-1] in _NAMED or words[0] in _NAMED and len(words) < 3


def with_scores_of(item: Item, others: Sequence[Item]) -> Item:
    """The item with the human scores of the others behind its own, without the fields in which they differ."""
    human = dict(item.human)
    for other in others:
        for name, scores in other.human.items():
            human[name] = (*human.get(name, ()), *scores)
    fields = {k: v for k, v in item.fields.items() if all(other.fields.get(k) == v for other in others)}
    named = {k: keys for other in others for k, keys in other.keys.items() if k.startswith("score:")}
    return replace(item, human=human, fields=fields, keys={**named, **item.keys})


def has_id(item: Item, row: Row) -> bool:
    """Whether the item's id is the row's own, and not made of its number."""
    key = next(iter(item.keys.get("id", ())), None)
    own = (name for name, value in row.values.items() if not (is_blank(value) or isinstance(value, list)))
    return any(key in (name, spelled(name)) for name in own)


def numbers_taken(rows: RowSource, names: Collection[str]) -> frozenset[int]:
    """The numbers of rows, from 1, that are ids of others, where some rows have an id under one of these names and
    some do not; the names are in small letters and found in any capitals."""
    if isinstance(rows, TableFile) and not any(column in names or spelled(column) in names for column in rows.columns):
        return frozenset()
    taken: set[int] = set()
    lacking = False
    for row in rows:
        own = (v for k, v in row.values.items() if (k in names or spelled(k) in names) and not is_blank(v))
        text = str(next(own, ""))
        lacking = lacking or not text
        if text.isascii() and text.isdecimal() and text[0] != "0" and len(text) < 12:
            taken.add(int(text))
    return frozenset(taken) if lacking else frozenset()


def _may_repeat(reader: RowReader) -> bool:
    """Whether the first row has human scores or an annotator; without either, rows are not looked at."""
    if not len(reader.rows):
        return False
    first = without(reader.rows[0], reader.ignore)
    item = _only_item(reader, first, 1)
    return bool(_annotator(first) or reader.aspect or item is not None and item.human)


def _all_apart(reader: RowReader) -> bool:
    """Whether the ids alone show that no row is about another's item, so that no row must be read as one.

    Only of rows of ours, whose ids are what stands under a key. A row without an id is about no other row's item unless
    it names an annotator.
    """
    if reader.layout is not None or reader.mixed or reader.several or reader.aspect:
        return False
    lists = {reader.mapping.get("responses"), *RESPONSE_LISTS}
    seen: set[int] = set()
    for whole in reader.rows:
        row = without_missing(without(whole, reader.ignore))
        if any(isinstance(value, list) and (key in lists or key.lower() in lists) for key, value in row.values.items()):
            return False  # such an id is that of the row and the place in the list
        key = id_key(row, reader.mapping)
        if key is None:
            if _annotator(row):
                return False
            continue
        try:
            identity = hash(str(id_of(row.values[key], key, row.where)))
        except DataError:
            continue  # said where the rows are checked
        if identity in seen:
            return False
        seen.add(identity)
    return True


def _only_item(reader: RowReader, row: Row, number: int) -> Item | None:
    try:
        items = list(reader.items_of(row, number))
    except DataError:
        return None  # said where the rows are checked
    return items[0] if len(items) == 1 else None


def _texts(item: Item, mapping: Mapping[str, str]) -> dict[str, str]:
    texts = {name: text for name, text in item.fields.items() if spelled(name) in _TEXTS or name in mapping}
    return texts if item.rendered is None else {**texts, "rendered": item.rendered}


def _belong(reader: RowReader, item: Item, other: Item, who: str | None) -> bool:
    if who is None and reader.aspect is None and not (item.human and other.human and item.fields == other.fields):
        return False
    return _texts(item, reader.mapping) == _texts(other, reader.mapping)


def _annotator(row: Row) -> str | None:
    values = row.values.items()
    return next((str(value) for key, value in values if spelled(key) in ANNOTATORS and not is_blank(value)), None)


def _check_annotator(reader: RowReader, row: Row, before: Sequence[int], named: bool) -> None:
    """Raise DataError where one of the rows before is by the same annotator, or by nobody and without an id."""
    who, aspect = _annotator(row), row.values.get(reader.aspect or "")
    for number in before:
        other = reader.rows[number - 1]
        if other.values.get(reader.aspect or "") != aspect or _annotator(other) != who:
            continue
        if who is not None or reader.aspect is not None and not named:
            by = "an annotator" if who is None else f"the annotator {who!r}"
            raise DataError(
                f"{row.where}: {by} scored this item before, at {other.where}",
                "leave one of the rows out, or give the items different ids",
            )
