"""Rows of ours as items: one for each row, or one for each response of a list in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import DataError, leave_out
from ...records import Item
from .fields import keys_of, keys_of_scores, own_item, without_missing
from .names import ALIASES, WEAK_KEYS, spelled
from .rows import Row
from .several import entry_of, left_inside, part_of
from .turns import told
from .understood import counted

RESPONSES = "responses"
LISTS = ("completions", "generations", "outputs", "candidates", "answers")
"""Keys of lists of texts, in small letters, which are responses where something beside each text says so."""
RESPONSE_LISTS = (RESPONSES, *LISTS)
_OF_A_RESPONSE = frozenset(("model", "rank", "overall_score", "ratings", *ALIASES["score"], *ALIASES["scores"]))


def items_of_row(row: Row, number: int, mapping: Mapping[str, str]) -> Iterator[Item]:
    """The items of a row of ours: one, or one for each entry of a list `responses` of texts or of objects that
    each have one, or of one of LISTS with a score for each. Arguments and errors as `own_item`.

    Each of several responses to as many `turns` answers its turn, and follows the turns and responses before it.
    """
    row = without_missing(row)
    names = keys_of(row, mapping)
    key = mapping.get(RESPONSES) or _list_key(row, names)
    several = row.values.get(key)
    weak = "response" not in mapping and spelled(names.get("response", "answer")) in WEAK_KEYS
    if not isinstance(several, list) or not several or not weak:
        yield own_item(row, number, mapping, keys=names)
        return
    base = row.values[names["id"]] if "id" in names else number
    shared = {k: v for k, v in row.values.items() if k not in (key, names.get("id"))}
    scored = {key for keys in keys_of_scores(row, names, mapping).values() for key in keys}
    scored.update(k for field, k in mapping.items() if field.startswith("score:"))
    ratings = shared.pop("ratings") if not scored and _is_for_each(row.values.get("ratings"), several) else None
    asked = _turns(row, names, several)
    for place, entry in enumerate(several, 1):
        own = entry_of(entry, mapping.get("response", "response"), mapping.values())
        name = f"{base}/{own.get('id', place)}"
        parted = {k: part_of(shared[k], place, len(several), row.where) for k in shared if k in scored}
        parted |= {"instruction": _told(asked, several, place)} if asked else {}
        parted |= {"rating": ratings[place - 1]} if ratings is not None else {}
        spread = Row({**shared, **parted, **own, mapping.get("id", "id"): name}, row.where)
        item = own_item(spread, number, mapping)
        origin = {**dict.fromkeys(own, key), **({"instruction": "turns"} if asked else {})}
        origin |= {"rating": "ratings"} if ratings is not None else {}
        inner = {field: tuple(origin.get(k, k) for k in taken) for field, taken in item.keys.items()}
        left = left_inside(entry, key, item.keys)
        yield replace(item, keys={**inner, **left, "id": (names.get("id", key), key)})


def _list_key(row: Row, names: Mapping[str, str]) -> str:
    """The key of the list of a row's responses."""
    if isinstance(row.values.get(RESPONSES), list):
        return RESPONSES
    for key, value in row.values.items():
        known = key.lower() in LISTS and names.get("response") in (None, key)
        if known and isinstance(value, list) and _is_judged(row, key, value):
            return key
    return RESPONSES


def _is_judged(row: Row, key: str, entries: Sequence[Any]) -> bool:
    """Whether something beside each of several texts says that it is a response: its score, its rank or its model."""
    if all(isinstance(entry, Mapping) for entry in entries):
        return all(not _OF_A_RESPONSE.isdisjoint(map(spelled, entry)) for entry in entries)
    others = (value for other, value in row.values.items() if other != key and spelled(other) in _OF_A_RESPONSE)
    return all(isinstance(entry, str) for entry in entries) and any(_is_for_each(value, entries) for value in others)


def _is_for_each(value: Any, entries: Sequence[Any]) -> bool:
    """Whether a value is a list with a number for each of several entries."""
    if not isinstance(value, list) or len(value) != len(entries) or len(entries) < 2:
        return False
    return all(one is None or isinstance(one, (int, float)) and not isinstance(one, bool) for one in value)


def _turns(row: Row, names: Mapping[str, str], several: Sequence[Any]) -> list[str]:
    """The requests that several responses answer one by one, or the one that all answer; none for other rows.

    Raises DataError where there are as many of them as cannot be dealt to the responses.
    """
    turns = row.values.get("turns")
    if "instruction" in names or not isinstance(turns, list) or not all(isinstance(one, str) for one in turns):
        return []
    if len(turns) > 1 and (len(turns) != len(several) or not all(isinstance(one, str) for one in several)):
        raise DataError(
            f"{row.where}: {len(turns)} `turns` beside {counted(len(several), 'response')}",
            f"give as many texts as responses as there are turns, or {leave_out('turns')}",
        )
    return turns


def _told(asked: Sequence[str], several: Sequence[Any], place: int) -> str:
    """What the response at `place`, from 1, answers: its request, below the requests and responses before it."""
    if len(asked) == 1:
        return asked[0]
    before = [turn for pair in zip(asked, several) for turn in zip(("user", "assistant"), pair)]
    return told(before[: 2 * place - 1])
