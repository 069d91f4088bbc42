"""Rows with several responses, each alone or in an object of its own with what belongs to it, such as its score."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ...errors import DataError
from .names import ALIASES, response_key, spelled
from .people import by_people, given
from .rows import Row
from .turns import unwrapped
from .understood import counted
from .values import is_blank

LEFT_INSIDE, LEFT_MARKS = "left inside", "left marks"
"""Entries of `Item.keys`: the keys inside the object of a response that nothing was taken from, and those of them, and
of the row, that hold a list of marks."""
_SCORES = frozenset((*ALIASES["score"], *ALIASES["scores"]))
_AROUND = ("body", "choices", "candidates", "message", "response", "content", "output", "role", "type")


def entry_of(entry: Any, key: str, mapped: Collection[str]) -> dict[str, Any]:
    """An entry of several responses as a row with its text under the key of the response.

    mapped: the keys of --map, which stay. Of an object whose text stands under a key that means no response elsewhere,
    such as `text`, the usual keys and those of scores stay, too.
    """
    if not isinstance(entry, dict):
        return {key: entry}
    if key in entry or response_key(entry, ()) is not None or isinstance(unwrapped(entry), dict):
        return entry
    rest = {name: value for name, value in entry.items() if name in mapped or _stays(name)}
    return {**rest, key: unwrapped(entry)}


def _stays(name: str) -> bool:
    return name in ("id", "model") or spelled(name) in ALIASES or spelled(name) in _SCORES or by_people(name)


def part_of(scores: Any, place: int, count: int, where: str) -> Any:
    """What of the human scores beside a list of `count` responses belongs to the one at `place`, from 1."""
    if isinstance(scores, dict):
        return {name: part_of(value, place, count, where) for name, value in scores.items()}
    if isinstance(scores, list) and len(scores) == count:
        return scores[place - 1]
    if count == 1:
        return scores
    many = counted(len(scores) if isinstance(scores, list) else 1, "score")
    raise DataError(
        f"{where}: {many} beside {counted(count, 'response')}",
        "give every response its own score, as objects in `responses` or in a list of the same length",
    )


def left_inside(entry: Any, key: str, taken: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The entries LEFT_INSIDE and LEFT_MARKS for an item whose fields were taken from the keys of an object in the list under `key`."""
    if not isinstance(entry, dict):
        return {}
    read = {name for names in taken.values() for name in names}
    text = unwrapped(entry)
    left = [k for k, v in entry.items() if k not in read and k not in _AROUND and v is not text and not is_blank(v)]
    marks = [name for name in left if isinstance(entry[name], list) and all(map(_is_number, entry[name]))]
    found = {LEFT_INSIDE: tuple(f"{key}.{name}" for name in left), LEFT_MARKS: tuple(marks)}
    return {name: keys for name, keys in found.items() if keys}


def left_marks(row: Row, taken: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The entry LEFT_MARKS for an item: the keys of its row with marks and who gave them that it did not take."""
    read = {name for names in taken.values() for name in names}
    left = [key for key, value in row.values.items() if key not in read and given(value) is not value]
    return {LEFT_MARKS: tuple(left)} if left else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def keys_inside(row: Row, mapping: Mapping[str, str]) -> Iterator[str]:
    """The keys inside the objects of a row's responses."""
    entries = row.values.get(mapping.get("responses", "responses"))
    for entry in entries if isinstance(entries, list) else ():
        yield from entry if isinstance(entry, dict) else ()
