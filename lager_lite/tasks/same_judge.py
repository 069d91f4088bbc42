"""Whether two runs of `score` were made by one judge, from what their rows tell of it."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import DataError
from .scored import ScoredRow

# Scores are written with six decimals.
_ROUNDING = 2e-6
_HINT = "score both with the same model, rubric and weights, so that only the responses differ"


def check_same_judge(pairs: Sequence[tuple[ScoredRow, ScoredRow]]) -> None:
    """Raise DataError where two runs were not made by one judge, whose scores cannot be compared.

    pairs: rows of the new and of the old run, of the same item under the same rubric. Rows do not name their weights,
    but a reading that is the same in both, with another score, has been weighted otherwise.
    """
    for new, old in pairs:
        if new.labels and old.labels and set(new.labels) != set(old.labels):
            raise DataError(
                f"the rubric {new.rubric} has another scale in the earlier run: {', '.join(old.labels)} there, "
                f"{', '.join(new.labels)} here",
                "score both under one scale",
            )
    scored = [(new, old) for new, old in pairs if new.score is not None and old.score is not None]
    for these, those, here in ((0, 1, "this run"), (1, 0, "the earlier run")):
        if any(_of_panel(pair[these]) for pair in scored) and not any(_of_panel(pair[those]) for pair in scored):
            raise DataError(f"only {here} was scored by a panel of models", _HINT)
    moved = [
        (new, old)
        for new, old in scored
        if new.reading is not None and new.reading == old.reading and _apart(new.score, old.score)
    ]
    if moved:
        new, old = moved[0]
        raise DataError(
            f"the two runs were scored with other weights: item {new.id} ({new.rubric}) has the same reading in both, "
            f"and the score {new.score:g} here, {old.score:g} there",
            _HINT,
        )
    for these, those, here in ((0, 1, "this run"), (1, 0, "the earlier run")):
        if _is_weighted([pair[these] for pair in scored]) and _is_plain([pair[those] for pair in scored]):
            raise DataError(f"only {here} was scored with fitted weights", _HINT)


def _apart(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) > _ROUNDING


def _of_panel(row: ScoredRow) -> bool:
    return row.judgment.members is not None


def _is_weighted(rows: Sequence[ScoredRow]) -> bool:
    return any(row.is_weighted for row in rows)


def _is_plain(rows: Sequence[ScoredRow]) -> bool:
    """Whether every score is the expected score of the last layer, as without weights."""
    told = [(row.score, row.judgment.e_score) for row in rows]
    return bool(told) and all(e_score is not None and not _apart(score, e_score) for score, e_score in told)
