"""The layouts of Prodigy, whose `answer` is what a person decided, and of translations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...records import Item
from ..keys import DECIDED, HASHES, Row, is_blank, own_item, response_key

_FROM = ("src", "source")
_INTO = ("mt", "hyp", "hypothesis", "translation")
_RIGHT = ("ref", "reference", "references", "refs")


def is_translated(values: Mapping[str, Any]) -> bool:
    """Whether a row holds a text and what a system made of it, under the names that translation uses."""
    return (
        response_key(values, ()) is None
        and any(isinstance(values.get(key), str) for key in _FROM)
        and any(isinstance(values.get(k), str) for k in _INTO)
    )


def decided(row: Row, number: int) -> Iterator[Item]:
    """One item; an accepted one has the human score 1, a rejected one 0."""
    left = {key: value for key, value in row.values.items() if key != "answer" and key not in HASHES}
    item = own_item(replace(row, values=left), number, {})
    score = DECIDED[row.values["answer"]]
    if score is None:
        yield item
        return
    yield replace(item, human={**item.human, "accepted": (score,)}, keys={**item.keys, "score:accepted": ("answer",)})


def translated(row: Row, number: int) -> Iterator[Item]:
    """One item: the text is the source, what a system made of it the response."""
    values = dict(row.values)
    origin: dict[str, str] = {}
    for field, keys in (("source", _FROM), ("response", _INTO), ("reference", _RIGHT)):
        key = next((key for key in keys if not is_blank(values.get(key))), None)
        if key is not None and key != field:
            values[field], origin[field] = values.pop(key), key
    item = own_item(replace(row, values=values), number, {})
    yield replace(item, keys={name: tuple(origin.get(key, key) for key in keys) for name, keys in item.keys.items()})
