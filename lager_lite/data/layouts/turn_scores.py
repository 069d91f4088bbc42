"""Human scores of single turns: under a key inside the turn, or in a list beside the conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import Advice
from ..keys import ALIASES, Row, ScoreError, counted, human_of, score_keys, with_numbers

_KEYS = frozenset((*ALIASES["score"], *ALIASES["scores"]))
HumanScores = dict[str, tuple[float, ...]]
"""Human scores by criterion; "" is the unnamed one."""


def scores_in_turn(turn: Mapping[str, Any], where: str, labels: Mapping[str, float]) -> HumanScores:
    """The human scores that stand inside a turn, under the usual keys in any capitals.

    labels: what each label of the scale is worth. Raises ScoreError for what is no score.
    """
    own = {str(key): value for key, value in turn.items() if str(key).lower() in _KEYS}
    return human_of(with_numbers(Row(own, where), {}, {}, labels)) if own else {}


def dealt_scores(row: Row, place: int, count: int, greetings: int = 0) -> HumanScores:
    """The human scores beside a conversation that belong to one of the assistant's `count` turns, at `place` from 0.

    A list as long as there are turns, with or without the first `greetings`, which are not judged, has one entry, or one
    list of several people's scores, for each. One score beside several judged turns is that of the whole conversation,
    and no turn's. Raises ScoreError for a list of another length.
    """
    keys = {key for named in score_keys(row).values() for key in named}
    own = {key: _dealt(row.values[key], place, count, greetings, where=row.where) for key in keys}
    return human_of(Row({key: value for key, value in own.items() if value is not None}, row.where))


def _dealt(value: Any, place: int, count: int, greetings: int, *, where: str) -> Any:
    if isinstance(value, Mapping):
        parts = {name: _dealt(part, place, count, greetings, where=where) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part is not None} or None
    if not isinstance(value, (list, tuple)):
        return value if count - greetings == 1 else None
    if len(value) in (count, count - greetings):
        return value[place - count + len(value)]
    if count - greetings == 1:
        return value
    raise ScoreError(
        f"{where}: {counted(len(value), 'score')} beside {counted(count, 'turn')} of the assistant",
        "give a score for every turn; with "
        f"{Advice('--unit conversation', 'unit=' + repr('conversation'))} a list holds several people's scores of the whole",
    )
