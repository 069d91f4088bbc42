"""Items as a Python program has them: Items, dicts, or rows of pandas, read as the rows of a file are."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from ..data import Observer, Row, item_of_row
from ..errors import DataError, KeyWarning
from ..records import Item


class SeriesLike(Protocol):
    """A row of pandas, as `frame.iterrows()` yields them."""

    def to_dict(self) -> dict[Any, Any]: ...


class FrameLike(Protocol):
    """What is used of a pandas DataFrame."""

    index: Iterable[Any]

    def __init__(self, data: Any, index: Any = ...) -> None: ...

    def to_dict(self, orient: str) -> list[dict[Any, Any]]: ...


ItemLike = Item | Mapping[str, Any] | SeriesLike


def items_given(given: Iterable[ItemLike]) -> Iterator[Item]:
    """Yield every entry as an item; one without an id is named by its number, from 1.

    Gives a KeyWarning at the end where keys were ignored. Raises DataError for an entry that cannot be used.
    """
    if isinstance(given, (str, bytes, Mapping)) or hasattr(given, "iterrows"):
        frame = hasattr(given, "iterrows")
        raise DataError(
            f"the items are one {type(given).__name__}, expected several items",
            "use score_frame(judge, frame)" if frame else "put it in a list: [item]; read a file with read_items",
        )
    observer = Observer("the items")
    for number, one in enumerate(given, 1):
        yield one if isinstance(one, Item) else item_given(one, number, f"item {number}", observer)
    _warn(observer)


def item_given(one: Mapping[str, Any] | SeriesLike, number: int, where: str, observer: Observer) -> Item:
    """Return a dict or a row of pandas as an item, and show it to `observer`.

    Keys, aliases and missing values are read as in a file. Raises DataError.
    """
    if not isinstance(one, Mapping) and not hasattr(one, "to_dict"):
        raise DataError(f"{where} is a {type(one).__name__}, expected an Item, a dict or a row of pandas")
    values = one if isinstance(one, Mapping) else one.to_dict()
    row = Row({str(key): _plain(value) for key, value in values.items()}, where)
    item = item_of_row(row, number, {})
    observer.see(row, item)
    return item


def items_of_frame(frame: FrameLike) -> list[Item]:
    """Return the rows of a DataFrame as items.

    Gives a KeyWarning where columns were ignored. Raises DataError for a row that cannot be used, and for equal ids.
    """
    observer = Observer("the frame")
    rows = zip(frame.to_dict("records"), frame.index)
    items = [item_given(row, number, f"row {label!r}", observer) for number, (row, label) in enumerate(rows, 1)]
    places: dict[str, str] = {}
    for item in items:
        if item.id in places:
            raise DataError(
                f"{item.where}: the id {item.id!r} was used before, at {places[item.id]}", "make ids unique"
            )
        places[item.id] = item.where
    _warn(observer)
    return items


def _warn(observer: Observer) -> None:
    """Say which key each field was taken from, where other keys were ignored or gave way to it."""
    found = observer.understood()
    if found.ignored or found.beside:
        warnings.warn(f"{observer.name}: {found.mapping_line()}", KeyWarning, stacklevel=3)


def _plain(value: Any) -> Any:
    """A number of NumPy as one of Python; anything else as it is."""
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0 else value
