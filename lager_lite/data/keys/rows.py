"""Rows of a file, each with the place it came from; what their keys mean is not known here."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import DataError

_PLACE = re.compile(r"(.+?)(?::\d+|\[\d+\])", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """One record of a file.

    values: the cells by key.
    where: "path:line" (from 1) in JSON Lines and tables, "path[index]" (from 0) in JSON and Parquet.
    comma: whether numbers are written with a decimal comma, as beside semicolons.
    blank: keys that the row has without a value, and that are not in `values`, such as empty cells.
    """

    values: Mapping[str, Any]
    where: str
    comma: bool = False
    blank: frozenset[str] = frozenset()


def file_of(where: str) -> str:
    """The path in the `where` of a row, "" where it names no place in a file."""
    found = _PLACE.fullmatch(where)
    return found[1] if found else ""


class RowSource(ABC):
    """The rows of one file, in order; they may be iterated again and again.

    name: the path, or "stdin".
    whole: the one JSON object that the file holds in place of rows (there are then no rows), else None.
    """

    name: str
    whole: Any = None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, number: int) -> Row:
        """One row, counted from 0."""

    @abstractmethod
    def __iter__(self) -> Iterator[Row]: ...

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the first row; empty where there is none."""
        return frozenset(self[0].values) if len(self) else frozenset()


@dataclass(frozen=True)
class HeldRows(RowSource):
    """Rows that lie in memory."""

    name: str
    held: tuple[Row, ...]
    whole: Any = None

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, number: int) -> Row:
        return self.held[number]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.held)


def rows_of(values: Iterable[Any], name: str) -> Iterator[Row]:
    """Rows of a JSON list. Raises DataError for an entry that is not an object."""
    for index, entry in enumerate(values):
        if not isinstance(entry, dict):
            raise DataError(f"{name}[{index}]: expected a JSON object, found {kind_of(entry)}")
        yield Row(entry, f"{name}[{index}]")


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs, for `object_pairs_hook`. Raises RepeatedKey for a key that has two values."""
    values = dict(pairs)
    if len(values) < len(pairs):
        for key, value in pairs:
            if value is not values[key] and value != values[key]:  # NaN is itself
                raise RepeatedKey(key)
    return values


class RepeatedKey(ValueError):
    """A JSON object has a key twice, with different values."""

    def __init__(self, key: str) -> None:
        super().__init__(f"an object has the key {key!r} twice, with different values")


def kind_of(value: Any) -> str:
    """What a JSON value that is not wanted here is, in words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
