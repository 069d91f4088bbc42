"""Rows that `score` wrote, read again: their scores, and what else tells how they were made."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data import Row, is_judgment, is_missing, open_rows
from ..errors import DataError

RUBRIC_FIELD = "criterion"
"""The name of the field that holds the rubric of a row."""
_HINT = "give a file that lager-lite score wrote"


@dataclass(frozen=True)
class ScoredRow:
    """One row that `score` wrote.

    - `id`: the item's id, as text.
    - `rubric`: the rubric's name.
    - `score`: None where the item could not be judged.
    - `error`: why it could not be judged; "" where it has a score.
    - `labels`: the labels of the scale, in the order of the row; empty where the row has no probabilities.
    - `reading`: the numbers of the row that do not depend on layer weights (tokens, mass, e_score, uniform); None where
      one of them is missing.
    - `e_score`: the expected score of the last layer, which is the score where there are no weights; None where the row
      does not have it.
    - `weighted`: whether the score comes from layer weights that know how sure they are (the row has `low`).
    - `values`: the cells of the row.
    - `where`: the place of the row, for messages.
    """

    id: str
    rubric: str
    score: float | None
    error: str
    labels: tuple[str, ...]
    reading: tuple[float, ...] | None
    e_score: float | None
    weighted: bool
    values: Mapping[str, Any]
    where: str

    def text(self, field: str) -> str | None:
        """What stands in a field, or under its name behind `input_`, as text; None where the row has nothing there."""
        if field == RUBRIC_FIELD and field not in self.values:
            return self.rubric
        found = self.values.get(field, self.values.get(f"input_{field}"))
        return None if is_missing(found) or found == "" else str(found)

    @property
    def scale(self) -> tuple[float, float] | None:
        """The lowest and the highest score of the scale; None where the row does not tell the scale.

        Labels that are no numbers are worth 1, 2, 3 and so on.
        """
        try:
            worth = [float(label) for label in self.labels]
        except ValueError:
            worth = [1.0, float(len(self.labels))]
        return (min(worth), max(worth)) if self.labels else None


def read_scores(path: str | Path, *, encoding: str | None = None) -> tuple[ScoredRow, ...]:
    """Read the rows of a file that `score` wrote (JSON Lines, JSON, CSV, TSV or Parquet; "-" is stdin).

    Raises DataError for a file without rows or without a score, for one that `score` did not write, for a score that is
    no finite number, and for two rows of one item under one rubric.
    """
    source = open_rows(path, empty=True, encoding=encoding)
    rows = tuple(_read(row) for row in source)
    if not rows:
        raise DataError(f"{source.name}: no rows in it", _HINT)
    if not any(is_judgment(row.values) for row in rows):
        keys = ", ".join(list(rows[0].values)[:8])
        raise DataError(f"{source.name}: no row is a judgment; the keys are {keys}", _HINT)
    if all(row.score is None for row in rows):
        raise DataError(f"{source.name}: no row has a score; {rows[0].where}: {rows[0].error}", _HINT)
    seen: dict[tuple[str, str], str] = {}
    for row in rows:
        before = seen.setdefault((row.id, row.rubric), row.where)
        if before != row.where:
            raise DataError(
                f"{row.where}: item {row.id} under the rubric {row.rubric} is there twice, first in {before}",
                "score the items once, or merge the outputs of shards with lager-lite merge",
            )
    return rows


def _read(row: Row) -> ScoredRow:
    values = row.values
    if is_missing(values.get("id")):
        raise DataError(f"{row.where}: the row has no id", _HINT)
    score = None if values.get("score") is None else _number(values["score"], row)
    numbers = [_optional(values.get(name)) for name in ("tokens", "mass", "e_score", "uniform")]
    return ScoredRow(
        id=str(values["id"]),
        rubric=str(values.get("rubric", "")),
        score=score,
        error="" if score is not None else str(values.get("error") or "the row has no score"),
        labels=_labels(values.get("probabilities")),
        reading=None if None in numbers else tuple(number for number in numbers if number is not None),
        e_score=_optional(values.get("e_score")),
        weighted=_optional(values.get("low")) is not None,
        values=values,
        where=row.where,
    )


def _number(value: Any, row: Row) -> float:
    found = None if isinstance(value, bool) else _optional(value)
    if found is None:
        raise DataError(f"{row.where}: the score is {value!r}, expected a finite number", _HINT)
    return found


def _optional(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _labels(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return ()
    return tuple(map(str, value)) if isinstance(value, dict) else ()
