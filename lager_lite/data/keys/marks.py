"""Human scores as people write them, as numbers: labels of the scale, "4/5", decimal commas, several annotators."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ...errors import Advice, DataError
from ...prompts import scale_for
from .names import ALIASES, spelled
from .people import by_people
from .rows import Row
from .values import ScoreError, is_missing

Maps = Mapping[str, str | Sequence[str]]
_KEYS = frozenset((*ALIASES["score"], *ALIASES["scores"]))
SHARE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*/\s*(\d+)\s*")
_TRUE = frozenset(("true", "yes", "y", "t"))
_FALSE = frozenset(("false", "no", "n", "f"))
_COMMA = re.compile(r"\s*-?\d+,\d+\s*")


def divided(mapping: Maps) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """A mapping with one key for each field, and the fields of scores that have several: one for each annotator.

    Raises DataError for several keys of any other field.
    """
    single: dict[str, str] = {}
    several: dict[str, tuple[str, ...]] = {}
    for field, keys in mapping.items():
        named = (keys,) if isinstance(keys, str) else tuple(keys)
        if len(named) > 1:
            if field != "score" and not field.startswith("score:"):
                raise DataError(
                    f"{field} is mapped to {' and to '.join(named)}", "give one key; only a score has several"
                )
            several[field] = named
        single[field] = named[0]
    return single, several


def with_numbers(
    row: Row, mapping: Mapping[str, str], several: Mapping[str, Sequence[str]], labels: Mapping[str, float]
) -> Row:
    """The row with its human scores as numbers, where they can be read so; the scores of several annotators as a list.

    labels: what each label of the scale is worth. true is the label that means it, such as "yes", and false
    the one that means no; of two other labels, true is the better and false the worse one.
    """
    values = dict(row.values)
    for keys in several.values():
        found = [values.pop(key) for key in keys if key in values]
        values[keys[0]] = [mark for one in found for mark in (one if isinstance(one, list) else [one])]
    named = {key for field, key in mapping.items() if field in ("score", "scores") or field.startswith("score:")}
    read = _reader(labels, row)
    for key in values:
        if key in named or _is_score(key):
            values[key] = _numbers(values[key], read)
    key = mapping.get("responses", "responses")
    if isinstance(entries := values.get(key), list):
        values[key] = [
            {k: _numbers(v, read) if k in named or _is_score(k) else v for k, v in one.items()}
            if isinstance(one, dict)
            else one
            for one in entries
        ]
    return replace(row, values=values)


def marks_of(row: Row, mapping: Mapping[str, str], several: Mapping[str, Sequence[str]]) -> list[Any]:
    """Everything that stands under the keys of human scores, one by one."""
    found: list[Any] = []
    bare = without_scores(row, mapping, several).values
    for key in row.values.keys() - bare.keys():
        _numbers(row.values[key], found.append)
    return found


def number_of(mark: Any) -> float | None:
    """The number that a mark is, also as text; None for a truth value, a label and NaN."""
    if isinstance(mark, bool) or not isinstance(mark, (int, float, str, Decimal)):
        return None
    try:
        number = float(mark)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number


def without_scores(row: Row, mapping: Mapping[str, str], several: Mapping[str, Sequence[str]]) -> Row:
    """The row without the keys of human scores."""
    fields = [field for field in mapping if field in ("score", "scores") or field.startswith("score:")]
    named = {key for field in fields for key in several.get(field, (mapping[field],))}
    left = {key: value for key, value in row.values.items() if key not in named and not _is_score(key)}
    key = mapping.get("responses", "responses")
    if isinstance(entries := left.get(key), list):
        left[key] = [
            {k: v for k, v in one.items() if k not in named and not _is_score(k)} if isinstance(one, dict) else one
            for one in entries
        ]
    return replace(row, values=left)


def _is_score(key: str) -> bool:
    return spelled(key) in _KEYS or by_people(key)


def _numbers(value: Any, read: Callable[[Any], Any]) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    if isinstance(value, Mapping):
        return {name: _numbers(mark, read) for name, mark in value.items()}
    return [read(mark) for mark in value] if isinstance(value, (list, tuple)) else read(value)


def _reader(labels: Mapping[str, float], row: Row) -> Callable[[Any], Any]:
    worth = {label.casefold(): value for label, value in labels.items()}
    said = [[value for label, value in worth.items() if label in words] for words in (_TRUE, _FALSE)]
    if all(len(values) == 1 for values in said):
        worth = {"true": said[0][0], "false": said[1][0], **worth}
    elif len(set(worth.values())) == 2:
        worth = {"true": max(worth.values()), "false": min(worth.values()), **worth}

    # Of words alone, see `file_labels`: the labels of one scale differ in what they are worth.
    binary = len(labels) == 4 and len(set(labels.values())) == 2 and {"0", "1"} <= labels.keys()

    def read(mark: Any) -> Any:
        """The number that a mark stands for, and whatever else as it is."""
        if binary and number_of(mark) in (0, 1):
            return worth["1" if number_of(mark) else "0"]
        if is_missing(mark) or not isinstance(mark, (str, bool)):
            return mark
        text = str(mark).strip().casefold()
        share = SHARE.fullmatch(text)
        if number_of(text) is not None or text == "nan":
            return mark
        if text in worth:
            return worth[text]
        if share and worth and float(share[2]) != max(worth.values()):
            raise ScoreError(
                f"{row.where}: the score {str(mark).strip()!r} is out of {share[2]}, and the scale goes up to "
                f"{max(worth.values()):g}",
                Advice(
                    f"give the scale of the scores, for instance --scale {scale_for(1, float(share[2]))}",
                    f"give `labels` for the scale of the scores, which goes up to {share[2]}",
                    "give numbers on the scale",
                ),
            )
        if share:
            return float(share[1])
        return text.replace(",", ".") if row.comma and _COMMA.fullmatch(text) else mark

    return read
