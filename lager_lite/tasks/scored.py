"""Rows that `score` wrote, as a gate looks at them: their scores, and what else tells how they were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data import is_missing
from ..errors import DataError
from ..judging import judged_lines
from ..records import Judgment

RUBRIC_FIELD = "criterion"
"""The name of the field that holds the rubric of a row."""
_HINT = "give a file that lager-lite score wrote"


@dataclass(frozen=True)
class ScoredRow:
    """One row that `score` wrote.

    - `judgment`: what the row says of the judgment.
    - `values`: the cells of the row, by column.
    """

    judgment: Judgment
    values: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The item's id, as text."""
        return str(self.judgment.id)

    @property
    def rubric(self) -> str:
        """The rubric's name."""
        return self.judgment.rubric

    @property
    def score(self) -> float | None:
        """The score; None where the item could not be judged."""
        return self.judgment.score

    @property
    def error(self) -> str:
        """Why the item could not be judged; "" where it has a score."""
        return "" if self.score is not None else self.judgment.error or "the row has no score"

    @property
    def where(self) -> str:
        """The place of the row, for messages."""
        return self.judgment.where

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the scale, in the order of the row; empty where the row has no probabilities."""
        return tuple(self.judgment.probabilities or ())

    @property
    def reading(self) -> tuple[float, ...] | None:
        """The numbers of the row that do not depend on layer weights (tokens, mass, e_score, uniform); None where one of
        them is missing."""
        one = self.judgment
        numbers = [number for number in (one.tokens, one.mass, one.e_score, one.uniform) if number is not None]
        return tuple(numbers) if len(numbers) == 4 else None

    @property
    def is_weighted(self) -> bool:
        """Whether the score comes from layer weights that know how sure they are."""
        return self.judgment.interval is not None

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

    def text(self, field: str) -> str | None:
        """What stands in a field, or under its name behind `input_`, as text; None where the row has nothing there."""
        if field == RUBRIC_FIELD and field not in self.values:
            return self.rubric
        found = self.values.get(field, self.values.get(f"input_{field}"))
        return None if is_missing(found) or found == "" else str(found)


def read_scores(path: str | Path, *, encoding: str | None = None) -> tuple[ScoredRow, ...]:
    """Read the rows of a file that `score` wrote; see `judged_lines`.

    Raises DataError as that does, and for a file without rows or without a score.
    """
    rows = tuple(ScoredRow(judgment, row.values) for judgment, row in judged_lines(path, encoding=encoding))
    if not rows:
        raise DataError(f"{path}: no rows in it", _HINT)
    if all(row.score is None for row in rows):
        raise DataError(f"{path}: no row has a score; {rows[0].where}: {rows[0].error}", _HINT)
    return rows
