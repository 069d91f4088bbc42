"""Rows about one item: the scores of several annotators, each in a row of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ..errors import DataError
from ..records import Item
from .detection import without
from .rowfile import TableFile
from .rows import Row, RowSource
from .values import is_blank

_PEOPLE = ("annotator", "rater", "worker", "assessor", "evaluator", "labeler", "labeller", "coder")
ANNOTATORS = frozenset(f"{person}{end}" for person in _PEOPLE for end in ("", "_id", "_name"))
"""Keys, in small letters, of who gave the scores of a row."""
# Rows that differ in one of these hold scores for different things.
_ASPECTS = frozenset(("criterion", "aspect", "dimension", "metric", "attribute"))
_TEXTS = frozenset(("source", "instruction", "reference", "response", "rubric", *_ASPECTS))


class RowReader(Protocol):
    """What is used of an `ItemReader`."""

    @property
    def rows(self) -> RowSource: ...

    @property
    def mapping(self) -> Mapping[str, str]: ...

    @property
    def ignore(self) -> tuple[str, ...]: ...

    def items_of(self, row: Row, number: int) -> Any: ...


def repeated(reader: RowReader) -> dict[int, tuple[int, ...]]:
    """The rows whose scores belong to an earlier row: by its number, the numbers of the later ones, from 1.

    They have its id, or no id and an annotator, and its texts; without an annotator they agree in everything but the
    score. Only rows of one item count. Raises DataError where an annotator scored an item twice.
    """
    firsts: dict[int, int] = {}
    found: dict[int, list[int]] = {}
    if not _may_repeat(reader):
        return {}
    for number, whole in enumerate(reader.rows, 1):
        row = without(whole, reader.ignore)
        item = _only_item(reader, row, number)
        who = _annotator(row)
        if item is None or not (has_id(item, row) or who):
            continue
        key = hash(
            (True, str(item.id)) if has_id(item, row) else (False, *sorted(_texts(item, reader.mapping).items()))
        )
        first = firsts.setdefault(key, number)
        if first == number:
            continue
        before = reader.rows[first - 1]
        other = _only_item(reader, before, first)
        if other is not None and _belong(item, other, who, reader.mapping):
            later = found.setdefault(first, [])
            _check_annotator(reader, who, row, (first, *later))
            later.append(number)
    return {first: tuple(later) for first, later in found.items()}


def with_scores_of(item: Item, others: Sequence[Item]) -> Item:
    """The item with the human scores of the others behind its own, without the fields in which they differ."""
    human = dict(item.human)
    for other in others:
        for name, scores in other.human.items():
            human[name] = (*human.get(name, ()), *scores)
    fields = {k: v for k, v in item.fields.items() if all(other.fields.get(k) == v for other in others)}
    return replace(item, human=human, fields=fields)


def has_id(item: Item, row: Row) -> bool:
    """Whether the item's id is the row's own, and not made of its number."""
    key = next(iter(item.keys.get("id", ())), None)
    own = (name for name, value in row.values.items() if not (is_blank(value) or isinstance(value, list)))
    return any(key in (name, name.lower()) for name in own)


def numbers_taken(rows: RowSource, names: Collection[str]) -> frozenset[int]:
    """The numbers of rows, from 1, that are ids of others, where some rows have an id under one of these names and
    some do not; the names are in small letters and found in any capitals."""
    if isinstance(rows, TableFile) and not any(column in names or column.lower() in names for column in rows.columns):
        return frozenset()
    taken: set[int] = set()
    lacking = False
    for row in rows:
        own = (v for k, v in row.values.items() if (k in names or k.lower() in names) and not is_blank(v))
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
    return _annotator(first) is not None or item is not None and bool(item.human)


def _only_item(reader: RowReader, row: Row, number: int) -> Item | None:
    try:
        items = list(reader.items_of(row, number))
    except DataError:
        return None  # said where the rows are checked
    return items[0] if len(items) == 1 else None


def _texts(item: Item, mapping: Mapping[str, str]) -> dict[str, str]:
    texts = {name: text for name, text in item.fields.items() if name.lower() in _TEXTS or name in mapping}
    return texts if item.rendered is None else {**texts, "rendered": item.rendered}


def _belong(item: Item, other: Item, who: str | None, mapping: Mapping[str, str]) -> bool:
    if who is None and not (item.human and other.human and item.fields == other.fields):
        return False
    return _texts(item, mapping) == _texts(other, mapping)


def _annotator(row: Row) -> str | None:
    values = row.values.items()
    return next((str(value) for key, value in values if key.lower() in ANNOTATORS and not is_blank(value)), None)


def _check_annotator(reader: RowReader, who: str | None, row: Row, before: Sequence[int]) -> None:
    for number in before:
        other = reader.rows[number - 1]
        if who is not None and _annotator(other) == who:
            raise DataError(
                f"{row.where}: the annotator {who!r} scored this item before, at {other.where}",
                "leave one of the rows out, or give the items different ids",
            )
