"""Items that are handed on one at a time, so that a file may hold more of them than memory.

The file is read twice: once to check and count everything before a model loads, and once more each time
the items are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..records import Item
from .items import ItemReader, open_reader
from .marks import Maps


@dataclass(frozen=True)
class Source:
    """Items of a file, one by one.

    items: may be iterated again and again.
    count: how many there are.
    total: how many the file holds.
    message: what was found in the file, in one line.
    """

    items: Iterable[Item]
    count: int
    total: int
    message: str


@dataclass(frozen=True)
class _Chosen:
    """The items that `keep` accepts, among the first `limit` of a file."""

    reader: ItemReader
    limit: int | None
    keep: Callable[[Item], bool] | None

    def __iter__(self) -> Iterator[Item]:
        return filter(self.keep or (lambda item: True), islice(self.reader, self.limit))


def open_items(
    path: str | Path,
    mapping: Maps | None = None,
    layout: str | None = None,
    *,
    limit: int | None = None,
    keep: Callable[[Item], bool] | None = None,
    encoding: str | None = None,
    labels: Mapping[str, float] | None = None,
) -> Source:
    """The items of a file, one by one; path, mapping, layout, encoding and labels as `open_reader`.

    limit: only the first items of the file. keep: only those of them that it accepts. Raises DataError for
    anything wrong in the whole file, as `read_items`; iterating raises it where the file has changed since.
    """
    reader = open_reader(path, mapping, layout, encoding=encoding, labels=labels)
    total = kept = 0

    def counted() -> Iterator[Item]:
        nonlocal total, kept
        for item in reader.checked():
            kept += (limit is None or total < limit) and (keep is None or keep(item))
            total += 1
            yield item

    message = reader.message(counted())
    return Source(_Chosen(reader, limit, keep), kept, total, message)
