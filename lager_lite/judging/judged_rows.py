"""The rows that `score` writes, read back as judgments: the other way round of `judgment_row`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data import ANSWER, TURN, Row, is_missing, kept_item, open_rows
from ..errors import Advice, DataError
from ..records import Item, Judgment, NumberId
from .by_turn import TURN_NAMES
from .one_judge import OneJudge
from .score_file import OWN_NAMES

_STORE = b"SQLite format 3\x00"
_OF_PAIRS = {"verdict", "a_first", "b_first"}
_NUMBERS = ("score", "raw_score", "direct", "e_score", "uniform", "mass")


@dataclass(frozen=True)
class JudgedRow:
    """A row of an output of `score`.

    - `judgment`: what the row says of the judgment.
    - `item`: the item that was judged, from the keys that `--keep` wrote beside it; None where there are none.
    """

    judgment: Judgment
    item: Item | None


def read_judgments(
    path: str | Path, *, labels: Mapping[str, float] | None = None, unit: str = ANSWER
) -> tuple[JudgedRow, ...]:
    """Read an output of `score` (JSONL, JSON, CSV, TSV or Parquet; "-" is stdin), in its order.

    - `labels`: what the labels of the scale are worth, where human scores beside the judgments may be labels.
    - `unit`: what of a conversation was judged, where `--keep` wrote conversations; judged turns say it themselves.

    Raises DataError for a file that is no such output, for a value that no judgment has, for two judgments of one
    item by one rubric, and for rows of two judges (see `OneJudge`).
    """
    found: list[JudgedRow] = []
    items: dict[str, Item | None] = {}
    for judgment, row in judged_lines(path):
        if judgment.id not in items:
            turned = set(TURN_NAMES) <= row.values.keys() | row.blank
            own = OWN_NAMES.union(TURN_NAMES) if turned else OWN_NAMES
            what = TURN if turned and not is_missing(row.values.get("turn")) else unit
            items[judgment.id] = kept_item(row, judgment.id, own, labels=labels, unit=what)
        found.append(JudgedRow(judgment, items[judgment.id]))
    return tuple(found)


def judged_lines(path: str | Path, *, encoding: str | None = None) -> Iterator[tuple[Judgment, Row]]:
    """Yield the judgments of a file that `score` wrote with their rows, in its order.

    encoding: of the text, None for UTF-8. Raises DataError as `read_judgments` does.
    """
    _check_no_store(path)
    rows = open_rows(path, empty=True, encoding=encoding)
    if rows.whole is not None:
        rows = open_rows(path, kind="jsonl", encoding=encoding)  # one judgment alone is one line
    places: dict[tuple[str, str], str] = {}
    judge = OneJudge()
    for row in rows:
        judgment = judgment_of_row(row)
        judge.see(row)
        key = (str(judgment.id), judgment.rubric)
        if key in places:
            raise DataError(
                f"{row.where}: the item {judgment.id} was judged by {judgment.rubric} before, at {places[key]}",
                "give the output of one run; lager-lite merge puts the outputs of shards together",
            )
        places[key] = row.where
        yield judgment, row


def judgment_of_row(row: Row) -> Judgment:
    """Return the judgment of one row. Raises DataError where it is none, or has a value that no judgment has."""
    values = row.values
    identity: Any = values.get("id")
    rubric = values.get("rubric")
    if is_missing(identity) or not isinstance(rubric, str):
        named = ", ".join(list(values)[:12]) or "none"
        raise DataError(
            f"{row.where}: not a row of `score`, since it has no id and rubric; its keys are {named}",
            "give a file that `lager-lite score` or score_file wrote",
        )
    keys = values.keys() | row.blank
    if keys >= _OF_PAIRS and "score" not in keys:
        raise DataError(
            f"{row.where}: a row of `pairs`, not of `score`", "give a file that `lager-lite score` or score_file wrote"
        )
    numbers = {name: _number(row, name) for name in _NUMBERS}
    score, error = numbers.pop("score"), values.get("error")
    low, high, tokens = (_number(row, name) for name in ("low", "high", "tokens"))
    found = Judgment(
        id=NumberId(identity) if _is_number(identity) else str(identity),
        rubric=rubric,
        score=score,
        error=None if is_missing(error) else str(error),
        interval=None if low is None or high is None else (low, high),
        tokens=None if tokens is None else int(tokens),
        probabilities=_probabilities(row),
        per_layer=_numbers(row, "per_layer"),
        feedback=_texts(row, "feedback"),
        flags=_texts(row, "flags") or (),
        members=_numbers(row, "members"),
        where=row.where,
        **numbers,
    )
    if score is None and found.error is None:
        return replace(found, error="the row has neither a score nor a reason")
    return found


def _check_no_store(path: str | Path) -> None:
    file = Path(path)
    if str(path) == "-" or not file.is_file():
        return
    with open(file, "rb") as opened:
        if opened.read(len(_STORE)) == _STORE:
            raise DataError(
                f"{path}: this is a store, which holds readings without their ids and texts",
                Advice(
                    "run `lager-lite score ITEMS -o scores.jsonl` with this store: what it holds is not evaluated again",
                    "judge the items with this store: what it holds is not evaluated again",
                ),
            )


def _number(row: Row, name: str) -> float | None:
    value: Any = row.values.get(name)
    if is_missing(value):
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise _bad(row, name, "a number") from None
    if not math.isfinite(number):
        raise _bad(row, name, "a finite number")
    return number


def _parsed(row: Row, name: str) -> Any:
    """The value under a key; nested values are JSON text in tables."""
    value = row.values.get(name)
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return None if is_missing(value) else value


def _probabilities(row: Row) -> dict[str, float] | None:
    found = _parsed(row, "probabilities")
    if found is None:
        return None
    if not isinstance(found, Mapping) or not found or not all(map(_is_number, found.values())):
        raise _bad(row, "probabilities", "an object of numbers by label")
    return {str(label): float(p) for label, p in found.items()}


def _numbers(row: Row, name: str) -> tuple[float, ...] | None:
    found = _parsed(row, name)
    if found is None:
        return None
    if not isinstance(found, (list, tuple)) or not all(map(_is_number, found)):
        raise _bad(row, name, "a list of numbers")
    return tuple(map(float, found))


def _texts(row: Row, name: str) -> tuple[str, ...] | None:
    found = _parsed(row, name)
    if found is None or found == "":
        return None
    listed = found if isinstance(found, (list, tuple)) else [row.values[name]]
    return tuple(map(str, listed))


def _is_number(value: object) -> bool:
    return type(value) is int or isinstance(value, float) and math.isfinite(value)


def _bad(row: Row, name: str, expected: str) -> DataError:
    shown = repr(row.values[name])
    shown = shown if len(shown) <= 40 else shown[:37] + "..."
    return DataError(f"{row.where}: key {name!r} holds {shown}, expected {expected}")
