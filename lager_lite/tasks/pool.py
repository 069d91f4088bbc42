"""Rows of a training set as a pool to choose from, and their scores under several rubrics.

The file is read one row at a time, several times over: to check it and note where each row stands, to judge, and
to copy the chosen rows as they stand. What stays in memory is numbers: scores, places and digests.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import (
    LAYOUTS,
    ROWS,
    ItemReader,
    Maps,
    Row,
    RowFile,
    TableFile,
    Understood,
    counted,
    open_reader,
    raise_problems,
    same_judged,
)
from ..errors import Advice, DataError, name_key
from ..judging import Judge, Summary, Tally
from ..records import Counts, Item

READABLE = ("alpaca", "messages", "helpsteer")


@dataclass(frozen=True)
class Pool:
    """Rows to choose from.

    file: where they stand.
    reader: what makes items of them.
    original: int (n,), the number of the first row with the same instruction and response; the row's own number
        where there is none, or where nobody looked.
    understood: what was understood of the rows.
    """

    file: RowFile
    reader: ItemReader
    original: npt.NDArray[np.int64]
    understood: Understood

    def __len__(self) -> int:
        return len(self.original)

    @property
    def layout(self) -> str:
        """The name of the layout."""
        return self.reader.name

    @property
    def judged(self) -> int:
        """How many rows are judged: all but duplicates."""
        return int(np.sum(self.original == np.arange(len(self))))

    @property
    def items(self) -> Iterator[Item]:
        """The items to judge, in the order of the file; the id of each is its row's number from 0."""
        for number, row in zip(range(len(self)), self.file):
            if self.original[number] == number:
                yield replace(self.read(row, number), id=str(number))

    def read(self, row: Row, number: int) -> Item:
        """The item of a row with its number from 0. Raises DataError."""
        return _one_item(self.reader, row, number)

    def item(self, number: int) -> Item:
        """One row as an item, with its own id."""
        return self.read(self.file[number], number)


@dataclass(frozen=True)
class Scores:
    """Scores of n rows under R rubrics, NaN where a row was not judged.

    rubrics: the names of the rubrics, R of them.
    scores: float64 (n, R), calibrated where weights carry a calibration.
    raw: float64 (n, R), before calibration.
    length: int64 (n,), characters of the response.
    errors: row number -> why it could not be judged.
    summary: what the run did.
    """

    rubrics: tuple[str, ...]
    scores: npt.NDArray[np.float64]
    raw: npt.NDArray[np.float64]
    length: npt.NDArray[np.int64]
    errors: Mapping[int, str]
    summary: Summary


def open_pool(
    path: str | Path,
    mapping: Maps | None = None,
    layout: str | None = None,
    *,
    limit: int | None = None,
    dedupe: bool = False,
    encoding: str | None = None,
    labels: Mapping[str, float] | None = None,
    ignore: Sequence[str] = (),
    keep_thoughts: bool = False,
    need_scores: bool = True,
) -> Pool:
    """Check every row of a file (Alpaca, messages or ShareGPT, prompt and response; JSON or JSON Lines).

    mapping, layout, encoding, labels, ignore, keep_thoughts, need_scores: as `open_reader`. limit: only the first rows. dedupe: rows
    whose instruction and response equal an earlier row's, as `same_text` compares them, are not judged. Raises DataError with
    the places of rows that cannot be used.
    """
    if layout not in (None, ROWS, *READABLE):
        raise DataError(f"select does not read the layout {layout!r}", f"one of: {ROWS}, {', '.join(READABLE)}")
    how: dict[str, Any] = {"encoding": encoding, "labels": labels, "ignore": ignore}
    how |= {"keep_thoughts": keep_thoughts, "need_scores": need_scores}
    reader = _reader(path, mapping, layout, **how)
    file = reader.rows
    if isinstance(file, TableFile) or not isinstance(file, RowFile):
        raise DataError(
            f"{file.name}: expected a JSON list or JSON Lines, of which rows can be copied as they stand",
            Advice(
                "write the rows as JSON Lines: lager-lite data convert DATA -o rows.jsonl",
                "write the rows as JSON Lines",
            ),
        )
    if not len(file):
        raise DataError(f"{file.name}: no rows in it", "it should hold one row per line, or a list of them")
    seen: dict[bytes, int] = {}
    observer = reader.observer()
    original = array("q")
    problems: list[DataError] = []
    usable = 0
    for number, row in zip(range(limit or len(file)), file):
        try:
            item = _one_item(reader, row, number)
        except DataError as error:
            problems.append(error)
            continue
        missing = reader.missing(item)
        observer.see(row, item, missing)
        judged = not missing
        usable += judged
        original.append(seen.setdefault(_digest(item), number) if dedupe and judged else number)
    raise_problems(problems)
    if not usable:
        raise DataError(f"{file.name}: no row has a response", name_key("response"))
    return Pool(file, reader, np.array(original, dtype=np.int64), reader.understood(observer))


def score_pool(judge: Judge, pool: Pool, progress: Callable[[Counts], None] | None = None) -> Scores:
    """Judge the rows of a pool under all rubrics of `judge`.

    Raises DataError where the rubrics have different scales, or no row could be judged.
    """
    names = [r.name for r in judge.rubrics]
    if len({r.scale for r in judge.rubrics}) > 1:
        raise DataError("the rubrics have different scales", "select by rubrics of one scale")
    if len(set(names)) < len(names):
        raise DataError(f"a rubric was given twice: {', '.join(names)}")
    place = {name: column for column, name in enumerate(names)}
    scores, raw = (np.full((len(pool), len(names)), np.nan) for _ in range(2))
    length = np.zeros(len(pool), dtype=np.int64)
    errors: dict[int, str] = {}
    tally = Tally(judge.rubrics, judge.doubts())
    for item, judgment in judge.judged(pool.items, progress=progress):
        number, column = int(item.id), place[judgment.rubric]
        tally.add(judgment)
        length[number] = len(item.fields.get("response", ""))
        if judgment.score is None:
            errors.setdefault(number, f"{judgment.rubric}: {judgment.error}")
        else:
            scores[number, column], raw[number, column] = judgment.score, judgment.raw_score
    if np.isnan(scores).any(axis=1).all():
        raise DataError(
            f"none of {counted(len(pool), 'row')} could be judged: {next(iter(errors.values()), 'no rows')}"
        )
    return Scores(tuple(names), scores, raw, length, errors, tally.summary(judge.counts))


def _reader(path: str | Path, mapping: Maps | None, layout: str | None, **how: Any) -> ItemReader:
    reader = open_reader(path, mapping, layout, **how)
    alike = reader.layout is None and not mapping and layout is None and not reader.mixed
    if alike and {"instruction", "output"} <= reader.rows.keys and "response" not in reader.rows.keys:
        return replace(reader, layout=LAYOUTS["alpaca"])  # whose input may be left out
    if reader.layout is not None and reader.name not in READABLE:
        raise DataError(
            f"{reader.rows.name}: looks like {reader.layout.about}; select reads Alpaca, messages, and rows of a "
            "prompt and a response",
            Advice(
                f"name the keys with --map instruction=KEY --map response=KEY, or read it as --layout {ROWS}",
                f'name the keys with mapping={{"instruction": "KEY", "response": "KEY"}}, or read it with layout="{ROWS}"',
            ),
        )
    return reader


def _one_item(reader: ItemReader, row: Row, number: int) -> Item:
    items = list(reader.items_of(row, number + 1))
    if len(items) != 1:
        raise DataError(f"{row.where}: {len(items)} responses in one row", "write a row for each response")
    return items[0]


def _digest(item: Item) -> bytes:
    return hashlib.blake2b(same_judged(item.fields).encode("utf-8", "replace"), digest_size=16).digest()
