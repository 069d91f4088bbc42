"""Items that are handed on one at a time, so that a file may hold more of them than memory.

The file is read twice: once to check and count everything before a model loads, and once more each time
the items are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..records import Item
from .items import open_reader
from .keys import Maps, Understood
from .layouts import ANSWER, First, first_items
from .reader import ItemReader


@dataclass(frozen=True)
class Source:
    """Items of a file, one by one.

    items: may be iterated again and again.
    count: how many there are.
    total: how many the file holds.
    understood: what was understood of the file.
    """

    items: Iterable[Item]
    count: int
    total: int
    understood: Understood

    @property
    def message(self) -> str:
        """What was found in the file, in one line."""
        return self.understood.message


@dataclass(frozen=True)
class _Chosen:
    """The items that `keep` accepts, among the first `limit` of a file (see `first_items`)."""

    reader: ItemReader
    limit: int | None
    keep: Callable[[Item], bool] | None
    with_rows: bool

    def __iter__(self) -> Iterator[Item]:
        items = self.reader.with_rows() if self.with_rows else iter(self.reader)
        return filter(self.keep or (lambda item: True), first_items(items, self.limit))


def open_items(
    path: str | Path,
    mapping: Maps | None = None,
    layout: str | None = None,
    *,
    limit: int | None = None,
    keep: Callable[[Item], bool] | None = None,
    encoding: str | None = None,
    labels: Mapping[str, float] | None = None,
    ignore: Sequence[str] = (),
    keep_thoughts: bool = False,
    need_scores: bool = True,
    with_rows: bool = False,
    unit: str = ANSWER,
) -> Source:
    """The items of a file, one by one; path, mapping, layout and the others as `open_reader`.

    limit: only the first items of the file, or conversations with all their turns. keep: only those of them that it accepts.
    with_rows: every item has the row that it was taken from. Raises DataError for
    anything wrong in the whole file, as `read_items`; iterating raises it where the file has changed since.
    """
    how: dict[str, Any] = {"encoding": encoding, "labels": labels, "ignore": ignore}
    how |= {"keep_thoughts": keep_thoughts, "need_scores": need_scores, "unit": unit}
    reader = open_reader(path, mapping, layout, **how)
    observer, first = reader.observer(), First(limit)
    total = kept = 0
    for item in reader.checked(observer.see):
        kept += first.takes(item) and (keep is None or keep(item))
        total += 1
    return Source(_Chosen(reader, limit, keep, with_rows), kept, total, reader.understood(observer))
