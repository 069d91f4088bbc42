"""Single values of input rows: text, human scores, and ids, each checked where it is read."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from numbers import Number
from typing import Any

from ...errors import Advice, DataError
from ...records import NumberId

MISSING_WORDS = frozenset(("nan", "#n/a", "n/a", "na", "<na>", "null", "none"))
"""How tables write that there is no value, in small letters (those that pandas takes for one, but for bare marks)."""
SURROGATES = re.compile("[\ud800-\udfff]")


class ScoreError(DataError):
    """A human score that cannot be read."""


def is_missing(value: Any) -> bool:
    """Whether a value says that there is none: null, a number that is NaN, or pandas' NA and NaT."""
    if isinstance(value, (str, list, dict)):
        return False
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, Number) and bool(value != value)


def is_blank(value: Any) -> bool:
    """Whether a value is missing, or text without a visible character."""
    return is_missing(value) or isinstance(value, str) and not value.strip()


def is_missing_word(value: Any) -> bool:
    """Whether a value is text that says there is none, such as NaN, N/A or NULL."""
    return isinstance(value, str) and value.strip().lower() in MISSING_WORDS


def text_of(value: Any, key: str, where: str) -> str:
    """`value` as text; a number is written out, half a surrogate pair becomes U+FFFD.

    Raises DataError for a list, an object or a truth value.
    """
    if isinstance(value, str):
        return SURROGATES.sub("\ufffd", value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    kind = {bool: "true or false", list: "a list", dict: "an object"}.get(type(value), type(value).__name__)
    raise DataError(
        f"{where}: key {key!r} holds {kind}, expected text",
        Advice("name another key with --map", "name another key with mapping", "give a text"),
    )


def id_of(value: Any, key: str, where: str) -> str:
    """`value` as an id: a number is remembered; else as `text_of`."""
    if type(value) in (int, float) and math.isfinite(value):
        return NumberId(value)
    return text_of(value, key, where)


def scores_of(value: Any, key: str, where: str) -> tuple[float, ...]:
    """Human scores: a number, a list of numbers, or either one as text ("4", "[4, 5]").

    What is missing is left out, and so is a word that says so (MISSING_WORDS), which no score is. Raises DataError for anything else and
    for what is not finite.
    """
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            raise _bad_score(value, key, where) from None
    values = value if isinstance(value, (list, tuple)) else [value]
    return tuple(_score(v, key, where) for v in values if not _no_score(v))


def reads_as_number(text: str) -> bool:
    """Whether a text is a number as Python reads it, NaN and infinity among them."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _no_score(value: Any) -> bool:
    return is_blank(value) or is_missing_word(value)


def _score(value: Any, key: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise _bad_score(value, key, where)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise _bad_score(value, key, where) from None
    if not math.isfinite(number):
        raise _bad_score(value, key, where)
    return number


_SCORES_IN_WORDS = Advice(
    "give numbers; `score`, `eval` and `fit` also read the labels of the rubric, or of --scale FAIL,PASS",
    'labels such as PASS or B are read where `labels` says what they are worth, for instance {"FAIL": 0, "PASS": 1}',
    "give numbers",
)
_TRUTH = Advice(
    "give numbers; `score`, `eval` and `fit` also read true and false on a scale of two labels, such as --scale no,yes",
    'true and false are read where `labels` has two labels, for instance {"no": 0, "yes": 1}',
    "give numbers",
)
_SCORE_KEY = Advice(
    "name the key of the human scores with --map score=KEY",
    'name the key of the human scores with mapping={"score": "KEY"}',
    "give a number, or a list of numbers",
)


def _bad_score(value: Any, key: str, where: str) -> ScoreError:
    shown = repr(value) if len(repr(value)) <= 40 else repr(value)[:37] + "..."
    return ScoreError(
        f"{where}: key {key!r} holds {shown}, expected a number or a list of numbers",
        _SCORES_IN_WORDS if isinstance(value, str) else _TRUTH if isinstance(value, bool) else _SCORE_KEY,
    )
