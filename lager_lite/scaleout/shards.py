"""The same job on several machines that know nothing of each other.

Items are dealt to shards by a hash of their group, which is the same on every machine, so that items that share a
prefix stay together. The items of a shard keep the order of the input. A group is never split, so the shards are
of even size only where the groups are small. Merging puts the outputs of all shards into the order of the input and
checks that every judgment is there exactly once.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data import Row, RowFile, TableFile, apart_from, copy_rows, open_rows
from ..errors import Advice, DataError
from ..judging import Judge, OneJudge
from ..records import Counts, Item
from ..system import check_not_read

_TABLES = {".csv": "csv", ".tsv": "tsv"}
_REFUSED = (".json", ".parquet")
_NAMED = 5


@dataclass(frozen=True)
class Shard:
    """One of several shards.

    index: its number, from 1 to `count`.
    count: how many shards there are.
    """

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
        raise ValueError(f"{text!r} is not a shard: expected i/n, for instance 2/4")
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
    """What was merged.

    rows: number of rows written.
    items: number of items of the input.
    rubrics: their names, in the order of the output.
    sizes: number of rows of each output.
    """

    rows: int
    items: int
    rubrics: tuple[str, ...]
    sizes: tuple[int, ...]


def merge_outputs(items: Iterable[Item], parts: Sequence[str | Path], output: str | Path) -> Merged:
    """Write the rows of several outputs of `score` in the order of `items`, as one run would have written them.

    items: may be iterated twice. parts, output: JSON Lines, or CSV, or TSV; all alike. Rows are copied
    byte by byte; memory is some 60 bytes a row. Raises DataError, and writes nothing, where two judges made
    the parts (see `OneJudge`), or where a judgment is missing, is there twice, or belongs to no item, and names
    some of each; OutputError where the output cannot be written, or is a part or the file of the items.
    """
    check_not_read(output, parts)
    apart_from(output, items)
    _check_suffixes([*parts, output])
    judge = OneJudge()
    indexes = [_Index(p, judge) for p in parts]
    filled = _alike(indexes)
    rubrics = filled[0].rubrics
    count, picks = _locate(items, rubrics, filled)
    written = copy_rows(output, [index.file for index in filled], picks)
    return Merged(written, count, rubrics, tuple(len(index.keys) for index in indexes))


class _Index:
    """The rows of one output.

    file: where they stand.
    keys: hashes of (id, rubric), uint64 (n,).
    rubrics: by first appearance.
    """

    def __init__(self, path: str | Path, judge: OneJudge) -> None:
        self.path = Path(path)
        self._check_end()
        rows = open_rows(path, kind=_TABLES.get(self.path.suffix.lower(), "jsonl"), empty=True)
        self._blank = dict.fromkeys(rows.columns, "") if isinstance(rows, TableFile) else {}
        keys, rubrics = array("Q"), dict[str, None]()
        for row in rows:
            identity, rubric = self._judged(row)
            judge.see(row)
            rubrics[rubric] = None
            keys.append(_key(identity, rubric))
        if isinstance(rows, RowFile):
            self.file = rows
        self.keys, self.rubrics = np.array(keys, dtype=np.uint64), tuple(rubrics)

    def name(self, row: int) -> str:
        """Whose judgment a row is, for messages."""
        return _named(*self._judged(self.file[row]))

    def _judged(self, row: Row) -> tuple[str, str]:
        values = {**self._blank, **row.values}
        try:
            return str(values["id"]), str(values["rubric"])
        except KeyError:
            raise DataError(
                f"{row.where}: not a row of `score`, since it has no id and rubric", "merge outputs of `score` only"
            ) from None

    def _check_end(self) -> None:
        if not self.path.is_file() or not self.path.stat().st_size:
            return
        with open(self.path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                raise DataError(f"{self.path}: ends in the middle of a row", "run that shard again")


def _check_suffixes(paths: Sequence[str | Path]) -> None:
    kinds = {Path(p).suffix.lower() for p in paths}
    kinds = {k if k in _TABLES or k in _REFUSED else ".jsonl" for k in kinds}
    if len(kinds) > 1 or not kinds.isdisjoint(_REFUSED):
        raise DataError(f"cannot merge {', '.join(map(str, paths))}", "all must be JSON Lines, or all CSV, or all TSV")


def _alike(indexes: Sequence[_Index]) -> list[_Index]:
    """The outputs with rows. Raises DataError where their rubrics or columns differ."""
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
        if index.file.head != first.file.head:
            raise DataError(
                f"{index.path} and {first.path} have different columns", "run all shards with the same options"
            )
    return filled


def _locate(
    items: Iterable[Item], rubrics: Sequence[str], indexes: Sequence[_Index]
) -> tuple[int, Iterator[tuple[int, int]]]:
    """The number of items, and the output and row of every judgment in their order."""
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
    return len(wanted) // len(rubrics), zip(map(int, part[place]), map(int, within[place]))


def _refusal(*problems: tuple[str, list[str], int]) -> DataError:
    lines = []
    for what, names, count in problems:
        if count:
            more = f" and {count - len(names)} more" if count > len(names) else ""
            lines.append(f"{count} {'judgments are' if count > 1 else 'judgment is'} {what}: {', '.join(names)}{more}")
    return DataError(
        "; ".join(lines),
        Advice(
            "give the outputs of all shards of this input (with its -n, --map and --layout) once each",
            "give the outputs of all shards of this input, read in the same way, once each",
        ),
    )


def _named(identity: str, rubric: str) -> str:
    return f"{identity} ({rubric})"


def _key(identity: str, rubric: str) -> int:
    data = f"{len(identity)}:{identity}{rubric}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
