"""Whether rows that `score` wrote come from one judge, as far as each row tells.

Rows do not name their model or weights. They show the labels of the scale, the scores of a panel's members, and the
interval of weights that know how sure they are. One run writes the same of these into each scored row of a rubric.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from ..data import Row, is_missing
from ..errors import Advice, DataError

_HINT = Advice(
    "score all items with the same -m, -w and --scale, or give the output of one run",
    "score all items with the same model, weights and scale, or give the output of one run",
)


class OneJudge:
    """Rows of `score`, seen one after the other, and held against the first ones of the same rubric."""

    def __init__(self) -> None:
        # What a rubric's rows tell, by what is looked at: a place that tells it, and what it tells.
        self._labels: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._panel: dict[str, tuple[str, bool]] = {}
        self._interval: dict[str, tuple[str, bool]] = {}

    def see(self, row: Row) -> None:
        """Look at one row. Raises DataError where another judge made it than the rows before."""
        rubric = str(row.values.get("rubric"))
        labels = _labels_of(row)
        if labels:
            where, before = self._labels.setdefault(rubric, (row.where, labels))
            if before is not labels and set(before) != set(labels):
                raise DataError(
                    f"{row.where}: the rubric {rubric} has another scale than at {where}: {', '.join(labels)} here, "
                    f"{', '.join(before)} there",
                    _HINT,
                )
        if not _has(row, "score"):
            return  # what could not be judged has neither members nor an interval
        _hold(self._panel, row, rubric, _of_panel, "was scored by a panel of models")
        _hold(self._interval, row, rubric, _of_fitted, "was scored with weights that give an interval (low and high)")


def _hold(seen: dict[str, tuple[str, bool]], row: Row, rubric: str, tells: Callable[[Row], bool], what: str) -> None:
    found = tells(row)
    where, before = seen.setdefault(rubric, (row.where, found))
    if found is not before:
        with_it, without = (row.where, where) if found else (where, row.where)
        raise DataError(f"two judges scored under the rubric {rubric}: {with_it} {what}, and {without} was not", _HINT)


def _of_panel(row: Row) -> bool:
    return _has(row, "members")


def _of_fitted(row: Row) -> bool:
    return _has(row, "low") and _has(row, "high")


def _labels_of(row: Row) -> tuple[str, ...]:
    """The labels in a row, which are JSON text in tables; empty where it has none."""
    found = row.values.get("probabilities")
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:
            return ()
    return tuple(map(str, found)) if isinstance(found, Mapping) else ()


def _has(row: Row, name: str) -> bool:
    return not is_missing(row.values.get(name))
