"""Choose the best rows of a training set: instructions with their responses, judged by several rubrics.

The file is read one row at a time, several times over: to check it and note where each row stands, to judge, and
to copy the chosen rows as they stand. What stays in memory is numbers: scores, places and digests.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data import LAYOUTS, ROWS, BenchmarkLayout, Document, Row, RowFile, detect, item_of_row, write_rows
from ..errors import DataError
from ..judging import Judge, Summary, Tally
from ..records import Counts, Item
from ..stats import agreement

# The criteria of the paper's data selection.
CRITERIA = [
    "select-answer-accuracy",
    "select-logical-consistency",
    "select-relevance",
    "select-fluency-and-clarity",
    "select-length-appropriateness",
    "select-diversity",
    "select-instruction-difficulty",
]
COMBINE = ("mean", "min", "weights")
READABLE = ("alpaca", "messages", "helpsteer")
EXAMPLES = 3
_MAX_PROBLEMS = 5
_SHOWN = 160


@dataclass(frozen=True)
class Pool:
    """Rows to choose from. original int (n,): the number of the first row with the same instruction and
    response, the row's own where there is none or nobody looked. layout: by which `read` makes an item of
    a row with its number from 0."""

    file: RowFile
    layout: str
    read: Callable[[Row, int], Item]
    original: np.ndarray

    def __len__(self) -> int:
        return len(self.original)

    @property
    def judged(self) -> int:
        """How many rows are judged: all but duplicates."""
        return int(np.sum(self.original == np.arange(len(self))))

    @property
    def items(self) -> Iterator[Item]:
        """What is judged, in the order of the file; an item's id is its row's number from 0."""
        for number, row in zip(range(len(self)), self.file):
            if self.original[number] == number:
                yield replace(self.read(row, number), id=str(number))

    def item(self, number: int) -> Item:
        """One row as an item, with its own id."""
        return self.read(self.file.row(number), number)


@dataclass(frozen=True)
class Scores:
    """Scores of n rows under R rubrics, NaN where a row was not judged.

    scores float64 (n, R): calibrated where weights carry a calibration; raw float64 (n, R): before it;
    length int (n,): characters of the response; errors: row number -> why it could not be judged.
    """

    rubrics: tuple[str, ...]
    scores: np.ndarray
    raw: np.ndarray
    length: np.ndarray
    errors: Mapping[int, str]
    summary: Summary


@dataclass(frozen=True)
class Example:
    """A row near the cut. row: its number from 1; score: combined."""

    row: int
    id: str
    score: float
    instruction: str
    response: str


@dataclass(frozen=True)
class Selection:
    """What was chosen. score float64 (n,): combined; kept bool (n,).

    rows, chosen, below, duplicates, failed: numbers of rows, the last four add up to the first; tied: rows
    left out whose score is that of the last one kept; cut: the lowest score kept, None where nothing was;
    means: rubric -> mean score of (all judged, kept); lengths: mean characters of a response in (all
    judged, kept); by_length: Spearman correlation of score and length. worst_kept and best_dropped:
    the rows on either side of the cut, nearest first.
    """

    score: np.ndarray
    kept: np.ndarray
    rows: int
    chosen: int
    below: int
    duplicates: int
    failed: int
    tied: int
    cut: float | None
    low: float
    high: float
    means: Mapping[str, tuple[float, float | None]]
    lengths: tuple[float, float | None]
    by_length: float | None
    worst_kept: tuple[Example, ...]
    best_dropped: tuple[Example, ...]

    def row(self) -> dict[str, Any]:
        """As a dictionary for JSON, without the arrays."""
        return {name: value for name, value in asdict(self).items() if name not in ("score", "kept")}


def open_pool(
    path: str | Path,
    mapping: Mapping[str, str] | None = None,
    layout: str | None = None,
    *,
    limit: int | None = None,
    dedupe: bool = False,
) -> Pool:
    """Check every row of a file (Alpaca, messages or ShareGPT, prompt and response; JSON or JSON Lines).

    mapping: field -> key, means rows of ours; layout: None detects by the first row; limit: only the
    first rows; dedupe: rows whose instruction and response equal an earlier row's, up to case and
    spacing, are not judged. Raises DataError with the places of rows that cannot be used.
    """
    file = RowFile(path)
    name, read = _reader(file, dict(mapping or {}), layout)
    seen: dict[bytes, int] = {}
    original = array("q")
    problems: list[DataError] = []
    for number, row in zip(range(limit or len(file)), file):
        try:
            item = read(row, number)
        except DataError as error:
            problems.append(error)
            continue
        original.append(seen.setdefault(_digest(item), number) if dedupe else number)
    if problems:
        more = len(problems) - _MAX_PROBLEMS
        text = "\n".join(p.message for p in problems[:_MAX_PROBLEMS])
        raise DataError(text + (f"\nand {more} more rows" if more > 0 else ""), problems[0].hint)
    return Pool(file, name, read, np.array(original, dtype=np.int64))


def score_pool(judge: Judge, pool: Pool, progress: Callable[[Counts], None] | None = None) -> Scores:
    """Judge the rows of a pool under all rubrics of `judge`.

    Raises DataError where the rubrics have different scales, or no row could be judged.
    """
    names = [r.name for r in judge.rubrics]
    if len({r.scale for r in judge.rubrics}) > 1:
        raise DataError("the rubrics have different scales", "select by rubrics of one scale, or give --scale")
    if len(set(names)) < len(names):
        raise DataError(f"a rubric was given twice: {', '.join(names)}")
    place = {name: column for column, name in enumerate(names)}
    scores, raw = (np.full((len(pool), len(names)), np.nan) for _ in range(2))
    length = np.zeros(len(pool), dtype=np.int64)
    errors: dict[int, str] = {}
    tally = Tally()
    for item, judgment in judge.judged(pool.items, progress=progress):
        number, column = int(item.id), place[judgment.rubric]
        tally.add(judgment)
        length[number] = len(item.fields.get("response", ""))
        if judgment.score is None:
            errors.setdefault(number, f"{judgment.rubric}: {judgment.error}")
        else:
            scores[number, column], raw[number, column] = judgment.score, judgment.raw_score
    if np.isnan(scores).any(axis=1).all():
        raise DataError(f"none of the {len(pool)} rows could be judged: {next(iter(errors.values()), 'no rows')}")
    return Scores(tuple(names), scores, raw, length, errors, tally.summary(judge.counts))


def combined(scores: np.ndarray, how: str = "mean", shares: Sequence[float] | None = None) -> np.ndarray:
    """One score (n,) from the scores (n, R) of the rubrics; NaN where one of them is.

    how: "mean", "min", or "weights": the mean weighted by `shares` (R,), which need not add up to one.
    """
    if how == "min":
        return scores.min(axis=1)
    if how == "weights":
        return scores @ (np.asarray(shares, dtype=np.float64) / np.sum(shares))  # type: ignore[arg-type]
    return scores.mean(axis=1)


def chosen_rows(
    score: np.ndarray, raw: np.ndarray, *, top: int | None = None, min_score: float | None = None
) -> np.ndarray:
    """Which rows are kept, bool (n,), from scores (n,), NaN for rows that are out.

    top: so many with the highest score; equal scores go by `raw`, then the earlier row wins.
    min_score: all with at least this score. Exactly one of the two is given.
    """
    if min_score is not None:
        return np.nan_to_num(score, nan=-np.inf) >= min_score
    order = _ranking(score, raw)
    kept = np.zeros(len(score), dtype=bool)
    kept[order[:top]] = True
    return kept


def select(
    pool: Pool,
    scores: Scores,
    *,
    top: int | float | None = None,
    min_score: float | None = None,
    combine: str = "mean",
    shares: Sequence[float] | None = None,
) -> Selection:
    """Choose rows. top: a number of rows (int) or a share of all rows of the pool (float, up to 1.0; at
    least one row); min_score: on the scale of the rubrics; combine, shares: see `combined`."""
    score, raw = combined(scores.scores, combine, shares), combined(scores.raw, combine, shares)
    count = max(1, round(top * len(pool))) if isinstance(top, float) else top
    kept = chosen_rows(score, raw, top=count, min_score=min_score)
    judged = np.isfinite(score)
    order = _ranking(score, raw)
    inside, outside = order[kept[order]], order[~kept[order]]
    cut = float(score[inside].min()) if inside.size else None
    duplicates = len(pool) - pool.judged
    known = agreement(score[judged], scores.length[judged].astype(np.float64))

    def mean(values: np.ndarray) -> tuple[float, float | None]:
        return float(values[judged].mean()), float(values[kept].mean()) if inside.size else None

    return Selection(
        score=score,
        kept=kept,
        rows=len(pool),
        chosen=int(inside.size),
        below=int(outside.size),
        duplicates=duplicates,
        failed=len(pool) - duplicates - int(judged.sum()),
        tied=int(np.sum(score[outside] == cut)) if cut is not None else 0,
        cut=cut,
        low=float(score[judged].min()),
        high=float(score[judged].max()),
        means={name: mean(scores.scores[:, column]) for column, name in enumerate(scores.rubrics)},
        lengths=mean(scores.length),
        by_length=known.spearman,
        worst_kept=tuple(_example(pool, int(n), score) for n in inside[::-1][:EXAMPLES]),
        best_dropped=tuple(_example(pool, int(n), score) for n in outside[:EXAMPLES]),
    )


def write_selection(pool: Pool, scores: Scores, found: Selection, output: str | Path, side: str | Path) -> int:
    """Copy the kept rows to `output`, in their order and layout, and write a row for every row of the pool to
    `side`: row (from 1), id, score, kept, why (below, duplicate of row N, or the error), and the score of
    each rubric. Returns the number of rows copied. Raises DataError where either cannot be written.
    """
    if Path(output).resolve() == Path(side).resolve():
        raise DataError(f"{output}: named for the rows and for their scores", "name another file with --scores")
    count = pool.file.copy(output, map(int, np.flatnonzero(found.kept)))
    write_rows(side, _side_rows(pool, scores, found))
    return count


def _side_rows(pool: Pool, scores: Scores, found: Selection) -> Iterator[dict[str, Any]]:
    for number, row in zip(range(len(pool)), pool.file):
        why = None if found.kept[number] else "below"
        if pool.original[number] != number:
            why = f"duplicate of row {pool.original[number] + 1}"
        elif number in scores.errors:
            why = scores.errors[number]
        values = dict(zip(scores.rubrics, map(_number, scores.scores[number])))
        yield {
            "row": number + 1,
            "id": pool.read(row, number).id,
            "score": _number(found.score[number]),
            "kept": bool(found.kept[number]),
            "why": why,
            **values,
        }


def _reader(file: RowFile, mapping: dict[str, str], layout: str | None) -> tuple[str, Callable[[Row, int], Item]]:
    """The name of the layout, and what makes an item of a row."""
    if mapping and layout not in (None, ROWS):
        raise DataError(f"a mapping of keys and the layout {layout} exclude each other", "give one of them")
    if layout not in (None, ROWS, *READABLE):
        raise DataError(f"select does not read the layout {layout!r}", f"one of: {ROWS}, {', '.join(READABLE)}")
    first = file.row(0)
    found = detect(Document(str(file.path), (first,))) if layout is None and not mapping else LAYOUTS.get(layout or "")
    if found is None and not mapping and layout is None and {"instruction", "output"} <= set(first.values):
        found = LAYOUTS["alpaca"]  # whose input may be left out
    if found is not None and found.name not in READABLE:
        raise DataError(
            f"{file.path}: looks like {found.about}; select reads Alpaca, messages, and rows of a prompt and a response",
            f"name the keys with --map instruction=KEY --map response=KEY, or read it as --layout {ROWS}",
        )
    if found is None:
        return ROWS, lambda row, number: item_of_row(row, number + 1, mapping, ("response",))
    return found.name, lambda row, number: _layout_item(found, row, number, str(file.path))


def _layout_item(layout: BenchmarkLayout, row: Row, number: int, path: str) -> Item:
    try:
        (item,) = layout.items(Document(path, (row,)))
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise DataError(
            f"{row.where}: breaks the layout {layout.name}: {error!r}", f"see the row, or use --layout {ROWS}"
        ) from error
    return item if row.values.get("id") is not None else replace(item, id=str(number + 1))


def _digest(item: Item) -> bytes:
    parts = (" ".join(item.fields.get(name, "").casefold().split()) for name in ("source", "instruction", "response"))
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).digest()


def _ranking(score: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Row numbers of what has a score, best first."""
    rows = np.flatnonzero(np.isfinite(score))
    return rows[np.lexsort((rows, -raw[rows], -score[rows]))]


def _example(pool: Pool, number: int, score: np.ndarray) -> Example:
    item = pool.item(number)
    instruction, response = (_short(item.fields.get(name, "")) for name in ("instruction", "response"))
    return Example(number + 1, item.id, float(score[number]), instruction, response)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
