"""The same job on several machines without anything that ties them together.

A shard is the part of the items whose group falls into it by a hash that is the same everywhere, so
that items that share a prefix stay on one machine. Its items keep the input's order. A group is never
split, so shards are as even as groups are small. What the shards wrote is put together again in the
input's order, and must be there exactly once.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..judging import Judge
from ..records import Counts, Item
from ..system import write_beside

_TABLES = {".csv": ",", ".tsv": "\t"}
_NAMED = 5


@dataclass(frozen=True)
class Shard:
    """Number `index` (from 1) of `count` shards."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ValueError(
                f"shard {self.index}/{self.count} does not exist: shards of {self.count} are 1 to {self.count}"
            )

    def holds(self, item: Item) -> bool:
        """Whether an item belongs to this shard."""
        return shard_of(item.id if item.group is None else item.group, self.count) == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str) -> Shard:
    """The shard that "2/4" names. Raises ValueError for anything else."""
    index, slash, count = text.partition("/")
    if not (slash and index.isascii() and index.isdigit() and count.isascii() and count.isdigit()):
        raise ValueError(f"{text!r} is no shard: expected i/n, for instance 2/4")
    return Shard(int(index), int(count))


def shard_of(group: str, n: int) -> int:
    """The shard, 1..n, of a group: the same on every machine and in every version."""
    digest = hashlib.blake2b(group.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") % n + 1


def fill_store(
    judge: Judge, items: Iterable[Item], progress: Callable[[Counts], None] | None = None
) -> tuple[tuple[str, str], ...]:
    """Read every item under every rubric into the judge's store; (item id, reason) of those without a reading."""
    return tuple(
        (item.id, reading) for item, _, reading in judge.read(items, progress=progress) if isinstance(reading, str)
    )


@dataclass(frozen=True)
class Merged:
    """rows: written; items: of the input; rubrics: in the order of the output; sizes: rows of each part."""

    rows: int
    items: int
    rubrics: tuple[str, ...]
    sizes: tuple[int, ...]


def merge_outputs(items: Iterable[Item], parts: Sequence[str | Path], output: str | Path) -> Merged:
    """Write the rows of several outputs of `score` in the order of `items`, as one run would have written them.

    items: may be iterated twice. parts, output: JSON Lines, or CSV, or TSV; all alike. Rows are copied
    byte by byte; memory is some 60 bytes a row. Raises DataError, and writes nothing, where a judgment
    is missing, is there twice, or belongs to no item, and names some of each.
    """
    delimiter = _delimiter([*parts, output])
    indexes = [_Index(Path(p), delimiter) for p in parts]
    rubrics, header = _common(indexes)
    count, rows, offsets, sizes = _locate(items, rubrics, indexes)

    def write(file: Any) -> None:
        file.write(header)
        with ExitStack() as stack:
            handles = [stack.enter_context(open(index.path, "rb")) for index in indexes]
            for part, offset, size in zip(rows, offsets, sizes):
                handles[part].seek(offset)
                file.write(handles[part].read(size))

    write_beside(output, write)
    return Merged(len(rows), count, rubrics, tuple(len(index.keys) for index in indexes))


class _Index:
    """Where the rows of one output are. keys: hashes of (id, rubric), uint64 (n,); offsets, sizes: in
    bytes, int64 (n,); rubrics: by first appearance; header: a table's first line, else empty."""

    def __init__(self, path: Path, delimiter: str | None) -> None:
        self.path, self.delimiter = path, delimiter
        self.header, self.columns = b"", []
        keys, offsets, sizes = array("Q"), array("q"), array("q")
        rubrics: dict[str, None] = {}
        try:
            for place, offset, record in self._records():
                identity, rubric = self._parse(record, place)
                rubrics[rubric] = None
                keys.append(_key(identity, rubric))
                offsets.append(offset)
                sizes.append(len(record))
        except OSError as error:
            raise DataError(f"{path}: cannot read: {error.strerror}") from None
        self.keys = np.array(keys, dtype=np.uint64)
        self.offsets, self.sizes = np.array(offsets, dtype=np.int64), np.array(sizes, dtype=np.int64)
        self.rubrics = tuple(rubrics)

    def name(self, row: int) -> str:
        """Whose judgment a row is, for messages."""
        with open(self.path, "rb") as file:
            file.seek(self.offsets[row])
            return _named(*self._parse(file.read(self.sizes[row]), f"{self.path}"))

    def _records(self) -> Iterator[tuple[str, int, bytes]]:
        offset, record = 0, b""
        with open(self.path, "rb") as file:
            for number, line in enumerate(file, 1):
                record += line
                if self.delimiter and record.count(b'"') % 2:  # a quoted cell goes on in the next line
                    continue
                if self.delimiter and not self.header:
                    self.header, self.columns = record, self._head(record)
                else:
                    yield f"{self.path}:{number}", offset, record
                offset, record = offset + len(record), b""
        if record or offset and not line.endswith(b"\n"):
            raise DataError(f"{self.path}: ends in the middle of a row", "run that shard again")

    def _parse(self, record: bytes, place: str) -> tuple[str, str]:
        try:
            row = dict(zip(self.columns, self._cells(record))) if self.delimiter else json.loads(record)
            return str(row["id"]), str(row["rubric"])
        except (ValueError, KeyError, TypeError, csv.Error):
            raise DataError(
                f"{place}: no row of `score`: it has no id and rubric", "merge outputs of `score` only"
            ) from None

    def _head(self, record: bytes) -> list[str]:
        try:
            return self._cells(record)
        except (ValueError, csv.Error):
            raise DataError(
                f"{self.path}: its first line is no header of a table", "merge outputs of `score` only"
            ) from None

    def _cells(self, record: bytes) -> list[str]:
        return next(csv.reader(io.StringIO(record.decode("utf-8"), newline=""), delimiter=self.delimiter or ","))


def _delimiter(paths: Sequence[str | Path]) -> str | None:
    kinds = {Path(p).suffix.lower() for p in paths}
    kinds = {k if k in (*_TABLES, ".json", ".parquet") else ".jsonl" for k in kinds}
    if len(kinds) > 1 or kinds & {".json", ".parquet"}:
        raise DataError(f"cannot merge {', '.join(map(str, paths))}", "all must be JSON Lines, or all CSV, or all TSV")
    return _TABLES.get(kinds.pop())


def _common(indexes: Sequence[_Index]) -> tuple[tuple[str, ...], bytes]:
    """The rubrics and the header that all parts with rows share."""
    filled = [index for index in indexes if len(index.keys)]
    if not filled:
        raise DataError("the outputs hold no rows", "merge outputs of `score` over this input")
    first = filled[0]
    for index in filled[1:]:
        if index.rubrics != first.rubrics:
            raise DataError(
                f"{index.path} has the rubrics {', '.join(index.rubrics)}, {first.path} has {', '.join(first.rubrics)}",
                "run all shards with the same rubrics in the same order",
            )
        if index.header != first.header:
            raise DataError(
                f"{index.path} and {first.path} have different columns", "run all shards with the same options"
            )
    return first.rubrics, first.header


def _locate(
    items: Iterable[Item], rubrics: Sequence[str], indexes: Sequence[_Index]
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """The number of items, and by judgment in their order: part, offset and size, int64 (n,)."""
    wanted = np.array(array("Q", (_key(item.id, rubric) for item in items for rubric in rubrics)), dtype=np.uint64)
    keys = np.concatenate([index.keys for index in indexes])
    part = np.repeat(np.arange(len(indexes)), [len(index.keys) for index in indexes])
    within = np.concatenate([np.arange(len(index.keys)) for index in indexes])
    order = np.argsort(keys, kind="stable")
    keys, part, within = keys[order], part[order], within[order]
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    gaps = np.flatnonzero(keys[place] != wanted)
    twice = np.flatnonzero(keys[1:] == keys[:-1]) + 1
    strange = np.flatnonzero(~np.isin(keys, wanted))
    if len(gaps) or len(twice) or len(strange):
        every = itertools.count()
        chosen = set(gaps[:_NAMED].tolist())
        missing = (
            [_named(item.id, rubric) for item in items for rubric in rubrics if next(every) in chosen] if chosen else []
        )
        double = [
            f"{indexes[part[i]].name(within[i])} in {indexes[part[i - 1]].path} and {indexes[part[i]].path}"
            for i in twice[:_NAMED]
        ]
        foreign = [f"{indexes[part[i]].name(within[i])} in {indexes[part[i]].path}" for i in strange[:_NAMED]]
        raise _refusal(
            ("missing", missing, len(gaps)),
            ("there twice", double, len(twice)),
            ("of no item of the input", foreign, len(strange)),
        )
    offsets, sizes = (
        np.concatenate([getattr(index, name) for index in indexes])[order] for name in ("offsets", "sizes")
    )
    return len(wanted) // len(rubrics), part[place], offsets[place], sizes[place]


def _refusal(*problems: tuple[str, list[str], int]) -> DataError:
    lines = []
    for what, names, count in problems:
        if count:
            more = f" and {count - len(names)} more" if count > len(names) else ""
            lines.append(f"{count} {'judgments are' if count > 1 else 'judgment is'} {what}: {', '.join(names)}{more}")
    return DataError(
        "; ".join(lines), "give the outputs of all shards of this input (with its -n, --map and --layout) once each"
    )


def _named(identity: str, rubric: str) -> str:
    return f"{identity} ({rubric})"


def _key(identity: str, rubric: str) -> int:
    data = f"{len(identity)}:{identity}{rubric}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
