"""Files with more items than should lie in memory at once.

JSON Lines with rows of ours are read twice: once to check and count everything before a model loads,
once to hand the items on, one at a time. Everything else is read whole, as is a file with something
wrong in it, so that `read_items` can say what.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from ..records import Item
from .items import ROWS, describe, item_of_row, read_items
from .layouts import detect
from .rows import Document, Row, iter_jsonl

_LINES = (".jsonl", ".ndjson")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Source:
    """items: may be iterated again and again; count: how many there are; total: how many the file
    holds; message: what was found in the file, in one line."""

    items: Iterable[Item]
    count: int
    total: int
    message: str


class _Unsound(Exception):
    """Something is wrong with the file, or it has another layout."""


@dataclass(frozen=True)
class _Lines:
    """Those items of a file of JSON Lines that `keep` accepts, among the first `limit`."""

    path: Path
    mapping: Mapping[str, str]
    limit: int | None
    keep: Callable[[Item], bool]
    stamp: tuple[int, int]

    def __iter__(self) -> Iterator[Item]:
        try:
            now = _stamp(self.path)
        except OSError as error:
            raise DataError(f"{self.path}: is gone: {error.strerror}", "put it back and run again") from None
        if now != self.stamp:
            raise DataError(f"{self.path}: was changed while it was being read", "run again when nothing writes to it")
        for number, row in enumerate(_rows(self.path), 1):
            if self.limit is not None and number > self.limit:
                return
            item = item_of_row(row, number, self.mapping, ("response",))
            if self.keep(item):
                yield item


def open_items(
    path: str | Path,
    mapping: Mapping[str, str] | None = None,
    layout: str | None = None,
    *,
    limit: int | None = None,
    keep: Callable[[Item], bool] | None = None,
) -> Source:
    """The items of a file, one by one where the file allows it.

    mapping, layout and errors: as `read_items`, of the whole file and before the first item. limit:
    only the first items of the file; keep: only those of them that it accepts. Iterating raises
    DataError where the file has changed in between.
    """
    keep = keep or (lambda item: True)
    if Path(path).suffix.lower() in _LINES and Path(path).is_file() and layout in (None, ROWS):
        try:
            return _scan(
                _Lines(Path(path), dict(mapping or {}), limit, keep, _stamp(path)),
                detected=not mapping and layout is None,
            )
        except (DataError, UnicodeDecodeError, OSError, _Unsound):
            pass
    dataset = read_items(path, mapping=mapping, layout=layout)
    chosen = tuple(item for item in dataset.items[:limit] if keep(item))
    return Source(chosen, len(chosen), len(dataset.items), dataset.message)


def _scan(lines: _Lines, detected: bool) -> Source:
    seen: set[int] = set()
    absent = set(lines.mapping.values())
    kept = 0

    def checked() -> Iterator[Item]:
        nonlocal kept
        for number, row in enumerate(_rows(lines.path), 1):
            if number == 1 and detected and detect(Document(str(lines.path), (row,))):
                raise _Unsound
            absent.difference_update(row.values)
            item = item_of_row(row, number, lines.mapping, ("response",))
            seen.add(hash(item.id))
            if len(seen) < number:
                raise _Unsound
            kept += (lines.limit is None or number <= lines.limit) and lines.keep(item)
            yield item

    message = describe(str(lines.path), checked())
    if absent or not seen:
        raise _Unsound
    return Source(lines, kept, len(seen), message)


def _rows(path: Path) -> Iterator[Row]:
    with open(path, "rb") as file:
        if file.read(len(_BOM)) != _BOM:
            file.seek(0)
        yield from iter_jsonl((line.decode("utf-8") for line in file), str(path))


def _stamp(path: str | Path) -> tuple[int, int]:
    stat = os.stat(path)
    return stat.st_size, stat.st_mtime_ns
