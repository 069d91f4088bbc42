"""Choose the best rows of a training set by the scores of its pool."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import ListFile, write_rows
from ..errors import DataError
from ..records import id_for_results
from ..stats import agreement
from ..system import check_not_read
from .pool import Pool, Scores

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
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
EXAMPLES = 3
_SHOWN = 160


@dataclass(frozen=True)
class Example:
    """A row near the cut.

    row: its number, from 1.
    id: of its item.
    score: the combined score.
    instruction: its beginning.
    response: its beginning.
    """

    row: int
    id: str
    score: float
    instruction: str
    response: str


@dataclass(frozen=True)
class Selection:
    """What was chosen of a pool.

    score: float64 (n,), the combined score; NaN where a row was not judged.
    kept: bool (n,).
    rows: number of rows of the pool; chosen, below, duplicates and failed add up to it.
    chosen: rows kept.
    below: rows judged and left out.
    duplicates: rows that equal an earlier one.
    failed: rows that could not be judged.
    tied: rows left out whose score is that of the last one kept.
    cut: the lowest score kept, None where nothing was kept.
    low: the lowest score.
    high: the highest score.
    means: rubric -> mean score of (all judged, kept); None where nothing was kept.
    lengths: mean characters of a response in (all judged, kept).
    by_length: Spearman correlation of score and length, None where it is not defined.
    worst_kept: kept rows, the lowest first.
    best_dropped: rows left out, the highest first.
    """

    score: Floats
    kept: Flags
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

    def to_dict(self) -> dict[str, Any]:
        """As a dictionary for JSON, without the arrays."""
        return {name: value for name, value in asdict(self).items() if name not in ("score", "kept")}


def combined(scores: Floats, how: str = "mean", shares: Sequence[float] | None = None) -> Floats:
    """One score (n,) from the scores (n, R) of the rubrics; NaN where one of them is.

    how: "mean", "min", or "weights": the mean weighted by `shares` (R,), which need not add up to one.
    """
    if how == "weights":
        given = np.asarray(shares, dtype=np.float64)
        return np.asarray(scores @ (given / given.sum()), dtype=np.float64)
    return np.asarray(scores.min(axis=1) if how == "min" else scores.mean(axis=1))


def chosen_rows(score: Floats, raw: Floats, *, top: int | None = None, min_score: float | None = None) -> Flags:
    """Which rows are kept, bool (n,), from scores (n,), NaN for rows that are out.

    top: so many with the highest score; equal scores go by `raw`, then the earlier row wins.
    min_score: all with at least this score. Exactly one of the two is given.
    """
    if min_score is not None:
        return np.asarray(np.nan_to_num(score, nan=-np.inf) >= min_score)
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
    """Choose rows of a pool.

    top: a number of rows (int), or a share of all rows of the pool (float, up to 1.0; rounded up).
    min_score: on the scale of the rubrics. combine, shares: see `combined`.
    """
    score, raw = combined(scores.scores, combine, shares), combined(scores.raw, combine, shares)
    # A tenth of 30 rows is 3, although 0.1 * 30 lies a little above it.
    count = max(1, math.ceil(round(top * len(pool), 9))) if isinstance(top, float) else top
    kept = chosen_rows(score, raw, top=count, min_score=min_score)
    judged = np.isfinite(score)
    order = _ranking(score, raw)
    inside, outside = order[kept[order]], order[~kept[order]]
    cut = float(score[inside].min()) if inside.size else None
    duplicates = len(pool) - pool.judged
    known = agreement(score[judged], scores.length[judged].astype(np.float64))

    def mean(values: Floats) -> tuple[float, float | None]:
        """Means over what was judged and over what was kept; None where nothing was."""
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
        lengths=mean(scores.length.astype(np.float64)),
        by_length=known.spearman,
        worst_kept=tuple(_example(pool, int(n), score) for n in inside[::-1][:EXAMPLES]),
        best_dropped=tuple(_example(pool, int(n), score) for n in outside[:EXAMPLES]),
    )


# Whether a file of this suffix is one JSON list.
_LISTED = {".json": True, ".jsonl": False, ".ndjson": False}


def write_selection(pool: Pool, scores: Scores, found: Selection, output: str | Path, side: str | Path) -> int:
    """Copy the kept rows to `output`, in their order and layout, and write a row for every row of the pool to
    `side`: row (from 1), id, score, kept, why (below, duplicate of row N, or the error), and the score of
    each rubric. The rows are copied byte by byte, unless the suffix of the output asks for the other kind of JSON: a
    list (.json) or a row on each line. Returns the number of rows copied. Raises OutputError where either cannot be
    written or is the file of the pool, DataError where they are one file.
    """
    if Path(output).resolve() == Path(side).resolve():
        raise DataError(f"{output}: named for the rows and for their scores", "name two files")
    for path in (output, side):
        check_not_read(path, [pool.file.name])
    numbers = [int(number) for number in np.flatnonzero(found.kept)]
    wanted = _LISTED.get(Path(output).suffix.lower(), isinstance(pool.file, ListFile))
    if wanted == isinstance(pool.file, ListFile):
        count = pool.file.copy(output, numbers)
    else:
        count = write_rows(output, (pool.file[number].values for number in numbers))
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
            "id": id_for_results(pool.read(row, number).id),
            "score": _number(found.score[number]),
            "kept": bool(found.kept[number]),
            "why": why,
            **values,
        }


def _ranking(score: Floats, raw: Floats) -> npt.NDArray[np.intp]:
    """Row numbers of what has a score, best first."""
    rows = np.flatnonzero(np.isfinite(score))
    return rows[np.lexsort((rows, -raw[rows], -score[rows]))]


def _example(pool: Pool, number: int, score: Floats) -> Example:
    item = pool.item(number)
    instruction, response = (_short(item.fields.get(name, "")) for name in ("instruction", "response"))
    return Example(number + 1, str(item.id), float(score[number]), instruction, response)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)
