"""Human scores as people write them, as numbers: labels of the scale, "4/5", decimal commas, several annotators."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import DataError
from .fields import ALIASES
from .rows import Row
from .values import is_missing

Maps = Mapping[str, str | Sequence[str]]
_KEYS = frozenset((*ALIASES["score"], *ALIASES["scores"]))
_SHARE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*/\s*(\d+)\s*")
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
    read = _reader(labels, row.comma)
    for key in values:
        if key in named or key.lower() in _KEYS:
            values[key] = _numbers(values[key], read)
    return replace(row, values=values)


def without_scores(row: Row, mapping: Mapping[str, str], several: Mapping[str, Sequence[str]]) -> Row:
    """The row without the keys of human scores."""
    fields = [field for field in mapping if field in ("score", "scores") or field.startswith("score:")]
    named = {key for field in fields for key in several.get(field, (mapping[field],))}
    left = {key: value for key, value in row.values.items() if key not in named and key.lower() not in _KEYS}
    return replace(row, values=left)


def _numbers(value: Any, read: Callable[[Any], Any]) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    if isinstance(value, Mapping):
        return {name: _numbers(mark, read) for name, mark in value.items()}
    return [read(mark) for mark in value] if isinstance(value, (list, tuple)) else read(value)


def _reader(labels: Mapping[str, float], comma: bool) -> Callable[[Any], Any]:
    worth = {label.casefold(): value for label, value in labels.items()}
    said = [[value for label, value in worth.items() if label in words] for words in (_TRUE, _FALSE)]
    if all(len(values) == 1 for values in said):
        worth = {"true": said[0][0], "false": said[1][0], **worth}
    elif len(worth) == 2:
        worth = {"true": max(worth.values()), "false": min(worth.values()), **worth}

    def read(mark: Any) -> Any:
        if is_missing(mark) or not isinstance(mark, (str, bool)):
            return mark
        text = str(mark).strip().casefold()
        share = _SHARE.fullmatch(text)
        if _is_number(text):
            return mark
        if text in worth:
            return worth[text]
        if share and (not worth or float(share[2]) == max(worth.values())):
            return float(share[1])
        return text.replace(",", ".") if comma and _COMMA.fullmatch(text) else mark

    return read


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
