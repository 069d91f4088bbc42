"""What a Python program gives: rubrics, and items as Items, dicts or rows of pandas, read as the rows of a file are."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from ..data import (
    ALIASES,
    RENAME,
    RESPONSE_LISTS,
    Observer,
    Understood,
    check_names,
    find_sides,
    is_missing,
    item_of_program,
    row_given,
    suggests_response,
)
from ..errors import DataError, KeyWarning, PromptError, rows_given
from ..prompts import Rubric, load_rubric
from ..records import Item, NumberId


class SeriesLike(Protocol):
    """A row of pandas, as `frame.iterrows()` yields them."""

    def to_dict(self) -> dict[Any, Any]: ...


class FrameLike(Protocol):
    """What is used of a pandas DataFrame."""

    index: Iterable[Any]
    columns: Iterable[Any]

    def __init__(self, data: Any, index: Any = ..., columns: Any = ...) -> None: ...

    def to_dict(self, orient: str) -> list[dict[Any, Any]]: ...


_NEAR = 0.85
"""How alike two keys are of which one is likely the other misspelt, as `difflib` measures it from 0 to 1."""

_TEXTS = ("source", "instruction", "reference", "response", "rubric")

ItemLike = Item | Mapping[str, Any] | SeriesLike


def items_given(given: Iterable[ItemLike]) -> Iterator[Item]:
    """Yield every entry as an item; one without an id is named by its number, from 1.

    Gives a KeyWarning at the end where keys were ignored, look like misspelt ones, or hold what is probably not meant.
    Raises DataError for an entry that cannot be used, and for the second of two dicts or rows with one id. Items may
    share ids: their names are their maker's.
    """
    single = isinstance(given, (str, bytes, Mapping, Item)) or not isinstance(given, Iterable)
    if single or hasattr(given, "iterrows"):
        frame = hasattr(given, "iterrows")
        raise DataError(
            f"the items are one {type(given).__name__}, expected several items",
            "use score_frame(judge, frame)" if frame else "put it in a list: [item]; read a file with read_items",
        )
    observer = Observer("the items")
    places: dict[str, str] = {}
    for number, one in enumerate(given, 1):
        if isinstance(one, Item):
            yield _checked(one, f"item {number}")
            continue
        item = item_given(one, number, f"item {number}", observer)
        if "id" in item.keys:
            _check_new(item, places)
        yield item
    _warn(observer)


def _checked(item: Item, where: str) -> Item:
    """Return an Item that a program made, without the fields that are None or NaN. Raises DataError for other kinds."""
    identity: object = item.id
    if isinstance(identity, (int, float)) and not isinstance(identity, bool):
        item = replace(item, id=NumberId(identity))
    if not isinstance(item.id, str):
        raise DataError(f"{where}: the id is {_kind(item.id)}, expected text or a number")
    if not isinstance(item.fields, Mapping):
        raise DataError(f"item {item.id!r}: its fields are {_kind(item.fields)}, expected a dict of texts by name")
    for name, text in [*item.fields.items(), ("rendered", item.rendered)]:
        if not isinstance(text, str) and not is_missing(text):
            raise DataError(f"item {item.id!r}: the field {name!r} is {_kind(text)}, expected text")
    if all(isinstance(text, str) for text in item.fields.values()) and isinstance(item.rendered, (str, type(None))):
        return item
    fields = {name: text for name, text in item.fields.items() if not is_missing(text)}
    return replace(item, fields=fields, rendered=None if is_missing(item.rendered) else item.rendered)


def _kind(value: object) -> str:
    return f"a value of type {type(value).__name__}"


def _check_new(item: Item, places: dict[str, str]) -> None:
    """Remember where an id is used. Raises DataError where it was used before."""
    if item.id in places:
        raise DataError(
            f"{item.where}: the id {item.id!r} was used before, at {places[item.id]}",
            "make ids unique; where several people scored one item, give it once, with the list of their scores",
        )
    places[item.id] = item.where


def item_given(one: Mapping[str, Any] | SeriesLike, number: int, where: str, observer: Observer) -> Item:
    """Return a dict or a row of pandas as an item, and show it to `observer`, which refuses a key that is
    judged in one item and gave way in another.

    Keys, aliases and missing values are read as in a file. Raises DataError.
    """
    if not isinstance(one, Mapping) and not hasattr(one, "to_dict"):
        raise DataError(f"{where} is a {type(one).__name__}, expected an Item, a dict or a row of pandas")
    if not isinstance(one, Mapping):
        check_names(getattr(one, "index", ()), where)
    row = row_given(one if isinstance(one, Mapping) else one.to_dict(), where)
    with rows_given():
        try:
            item = item_of_program(row, number)
            observer.see(row, item)
            observer.rivals.see(row, [item])
            observer.rivals.check(RENAME)
        except DataError as error:
            raise type(error)(error.message, error.hint) from None  # advice about keys, as rows have them here
    return item


def items_of_frame(frame: FrameLike) -> list[Item]:
    """Return the rows of a DataFrame as items.

    Gives a KeyWarning as `items_given` does. Raises DataError for a row that cannot be used, for equal ids, and for two
    columns of one name.
    """
    observer = Observer("the frame")
    check_names(frame.columns, "the frame")
    rows = zip(frame.to_dict("records"), frame.index)
    items = [item_given(row, number, f"row {label!r}", observer) for number, (row, label) in enumerate(rows, 1)]
    places: dict[str, str] = {}
    for item in items:
        _check_new(item, places)
    _warn(observer)
    return items


def items_of_dicts(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[list[Item], list[str]]:
    """Return dicts as items, and what a KeyWarning would say of their keys; for many callers in threads.

    name: what the rows are called in messages. Raises DataError as `items_given` does.
    """
    observer = Observer(name)
    places: dict[str, str] = {}
    items = [item_given(row, number, f"item {number}", observer) for number, row in enumerate(rows, 1)]
    for item in items:
        if "id" in item.keys:
            _check_new(item, places)
    return items, _said(observer)


def _warn(observer: Observer) -> None:
    for text in _said(observer):
        warnings.warn(text, KeyWarning, stacklevel=3)


def _said(observer: Observer) -> list[str]:
    with rows_given():
        return list(_remarks(observer))


def _remarks(observer: Observer) -> Iterator[str]:
    """Say which key each field was taken from, where other keys were ignored, gave way to it, or may have been meant;
    near misses; and what else a command would warn of."""
    found = observer.understood()
    guessed = (key for key in found.taken.get("response", ()) if key.lower() not in ALIASES["response"])
    open_keys = [key for key in (*found.kept, *guessed) if "[" not in key and suggests_response(key)]
    if found.ignored or found.beside or open_keys:
        yield f"{observer.name}: {found.mapping_line()}"
    for key, near in _misspelt(found):
        yield f"{observer.name}: no item has the field {near}, but there is the key {key}: is it meant as {near}?"
    sides = None if "response" in found.taken else find_sides(found.kept, {})
    if sides is not None:
        yield f"{observer.name}: {sides.first} and {sides.second} are two responses, which compare_pairs compares"
    several = [key for key in found.ignored if key.lower() in RESPONSE_LISTS and "response" not in found.taken]
    if several:
        yield f"{observer.name}: {several[0]} may hold several responses: give each of them a dict or a row of its own"
    yield from (f"{observer.name}: {text}" for text in found.warnings)


def _misspelt(found: Understood) -> Iterator[tuple[str, str]]:
    """Yield the keys that nothing usual was taken from, each with the usual key of a field that no item has."""
    known = [key for field in _TEXTS if field not in found.taken for key in ALIASES[field]]
    for key in found.kept:
        near = difflib.get_close_matches(key.lower(), known, 1, _NEAR)
        if near:
            yield key, near[0]


def rubrics_given(rubric: str | Path | Rubric | Sequence[str | Path | Rubric]) -> list[Rubric]:
    """Return the rubrics that a program named. Raises PromptError where they are none."""
    rubrics = [rubric] if isinstance(rubric, (str, Path, Rubric)) else rubric
    if not isinstance(rubrics, Sequence) or not all(isinstance(one, (str, Path, Rubric)) for one in rubrics):
        kind = rubric if rubric is None else f"a {type(rubric).__name__}"
        found = "a list with something else in it" if isinstance(rubrics, Sequence) else kind
        raise PromptError(
            f"the rubric is {found}, expected a name, a path, a Rubric, or a list of these",
            'for instance rubric="default"',
        )
    if not rubrics:
        raise PromptError("the list of rubrics is empty", 'name at least one, for instance rubric="default"')
    return [one if isinstance(one, Rubric) else load_rubric(one) for one in rubrics]
