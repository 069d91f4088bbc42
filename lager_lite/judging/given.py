"""Items as a Python program has them: Items, dicts, or rows of pandas, read as the rows of a file are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from ..data import Row, item_of_row
from ..errors import DataError
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

    Raises DataError for an entry that cannot be used.
    """
    if isinstance(given, (str, bytes, Mapping)) or hasattr(given, "iterrows"):
        frame = hasattr(given, "iterrows")
        raise DataError(
            f"the items are one {type(given).__name__}, expected several items",
            "use score_frame(judge, frame)" if frame else "put it in a list: [item]; read a file with read_items",
        )
    for number, one in enumerate(given, 1):
        yield one if isinstance(one, Item) else item_given(one, number, f"item {number}")


def item_given(one: Mapping[str, Any] | SeriesLike, number: int, where: str) -> Item:
    """Return a dict or a row of pandas as an item: keys, aliases and missing values as in a file. Raises DataError."""
    if not isinstance(one, Mapping) and not hasattr(one, "to_dict"):
        raise DataError(f"{where} is a {type(one).__name__}, expected an Item, a dict or a row of pandas")
    values = one if isinstance(one, Mapping) else one.to_dict()
    return item_of_row(Row({str(key): _plain(value) for key, value in values.items()}, where), number, {})


def items_of_frame(frame: FrameLike) -> list[Item]:
    """Return the rows of a DataFrame as items. Raises DataError for a row that cannot be used, and for equal ids."""
    rows = zip(frame.to_dict("records"), frame.index)
    items = [item_given(row, number, f"row {label!r}") for number, (row, label) in enumerate(rows, 1)]
    places: dict[str, str] = {}
    for item in items:
        if item.id in places:
            raise DataError(
                f"{item.where}: the id {item.id!r} was used before, at {places[item.id]}", "make ids unique"
            )
        places[item.id] = item.where
    return items


def _plain(value: Any) -> Any:
    """A number of NumPy as one of Python; anything else as it is."""
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0 else value
