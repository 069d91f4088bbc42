"""Which keys of a row hold its two responses, their systems and people's preference, and what the latter says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ...errors import Advice, DataError, leave_out, name_key
from .names import ALIASES
from .values import is_blank, is_missing_word

SYSTEM_FIELDS = ("system", "model", "model_name", "model_id", "generator", "system_id", "system_name")
"""Fields that usually say which system wrote a response, in small letters."""

PREFERENCE_KEYS = (
    "preference",
    "preferred",
    "human_preference",
    "winner",
    "overall_preference",
    "preference_strength",
    "better_response_id",
    "better",
    "verdict",
    "choice",
    "vote",
    "label",
    "labels",
)
"""Keys of which response people prefer, in small letters."""

_STEMS = (*ALIASES["response"], "conversation", "candidate", "reply", "text", "assistant", "human_ref")
_LETTERS, _ONES, _ZEROS, _NAMED = "letters", "ones", "zeros", "named"
_MARKS = (
    (_LETTERS, "_a", "_b"),
    (_ONES, "_1", "_2"),
    (_ZEROS, "_0", "_1"),
    (_LETTERS, "a", "b"),
    (_ONES, "1", "2"),
    (_LETTERS, " a", " b"),
    (_ONES, " 1", " 2"),
    (_LETTERS, "-a", "-b"),
    (_ONES, "-1", "-2"),
)
# How much better the second response is, below zero where the first one is.
_STRENGTHS = ("overall_preference", "preference_strength")
_FIRST = {
    "a",
    "model_a",
    "response_a",
    "assistant_a",
    "system_a",
    "output_a",
    "answer_a",
    "first",
    "left",
    "a>b",
    "a>>b",
}
_SECOND = {"b", "model_b", "response_b", "assistant_b", "system_b", "output_b", "answer_b", "second", "right"}
_SECOND |= {"b>a", "b>>a", "a<b", "a<<b"}
_TIES = {"tie", "tied", "c", "draw", "equal", "same", "both", "neither", "a=b", "b=a", "bothbad", "both_bad"}
_TIES |= {"tie_bothbad", "tie_both_bad", "bothgood", "both_good"}
_NUMBERED = {"1": "first", "2": "second", "one": "first", "two": "second"}
_FROM_ZERO = {"0": "first", "1": "second"}
_NOBODY = ("unknown", "not available")
_BEFORE = ("model_", "response_", "output_", "answer_", "assistant_", "system_", "completion_")
_BETTER = re.compile(r"_(?:is_)?(?:much_|slightly_|significantly_)?(?:better|preferred)$|_wins$")


@dataclass(frozen=True)
class Sides:
    """The keys of two responses in one row.

    first, second: of the responses, in small letters or as they were mapped.
    marks: how the sides are named: "letters" (a and b), "ones" (1 and 2), "zeros" (0 and 1) or "named" (chosen and
        rejected, or mapped).
    endings: what stands behind the stem of the two keys, for instance ("_a", "_b"); ("", "") where they have none.
    """

    first: str
    second: str
    marks: str
    endings: tuple[str, str] = ("", "")

    @property
    def keys(self) -> tuple[str, str]:
        """The keys of the first and of the second response."""
        return self.first, self.second

    def systems(self, values: Mapping[str, Any]) -> tuple[str, str]:
        """The keys of who wrote the two responses, among those of a row; "" where there is none."""
        if self.marks == _NAMED:
            tried = [(f"{self.first}_{key}", f"{self.second}_{key}") for key in SYSTEM_FIELDS]
        else:
            one, two = self.endings
            tried = [(key + one, key + two) for key in SYSTEM_FIELDS]
        return next(((one, two) for one, two in tried if one in values and two in values), ("", ""))


def find_sides(values: Mapping[str, Any], mapping: Mapping[str, str]) -> Sides | None:
    """The keys of the two responses of a row, by its keys in small letters; None for a row of another kind.

    mapping: field -> key; response_a and response_b name the two responses. Raises DataError where only one is mapped.
    """
    mapped = [mapping.get(name) for name in ("response_a", "response_b")]
    if any(mapped):
        if not all(mapped):
            what = Advice("--map names", "the mapping names")
            raise DataError(f"{what} one response of the two", "map both response_a and response_b")
        return Sides(str(mapped[0]), str(mapped[1]), _NAMED)
    for kind, one, two in _MARKS:
        for stem in _STEMS:
            if stem + one in values and stem + two in values:
                return Sides(stem + one, stem + two, kind, (one, two))
    if "chosen" in values and "rejected" in values:
        return Sides("chosen", "rejected", _NAMED)
    return None


def lone_side(values: Mapping[str, Any]) -> tuple[str, str] | None:
    """The key of one response of a pair that a row has, and the key of the other one that it lacks; None where it has
    none of the two, or both. values: by keys in small letters.
    """
    named = [("chosen", "rejected"), *((stem + one, stem + two) for _, one, two in _MARKS for stem in _STEMS)]
    for one, two in named:
        if (one in values) != (two in values):
            return (one, two) if one in values else (two, one)
    return None


def preference_key(values: Mapping[str, Any], sides: Sides, mapping: Mapping[str, str]) -> str | None:
    """The key of people's preference in a row; None where it has none."""
    if "preference" in mapping:
        return mapping["preference"]
    if sides.keys == ("chosen", "rejected"):
        return None
    return next((key for key in PREFERENCE_KEYS if not is_blank(values.get(key))), None)


def preference_of(value: Any, key: str, sides: Sides, systems: Sequence[str], where: str) -> float | None:
    """Which share of people prefers the first response, ties counted as half; None where nobody said.

    value: a label (A, B, tie, the key or the system of a response), a number, or a list of these, which is averaged.
    A number counts from the number of the first response to that of the second; beside letters it is the share itself,
    and a strength of preference is below zero where the first response is better. Raises DataError for anything else,
    and for a name of one system that is the place of the other.
    """
    if isinstance(value, (list, tuple)):
        found = [preference_of(one, key, sides, systems, where) for one in value]
        known = [one for one in found if one is not None]
        return sum(known) / len(known) if known else None
    if is_blank(value):
        return None
    named = _by_system(value, systems)
    if named is None and (is_missing_word(value) or str(value).strip().lower() in _NOBODY):
        return None
    share = _by_place(value, key, sides)
    if named is not None and share is not None and named != share:
        one, two = (repr(systems[side]) for side in (0, 1))
        raise DataError(
            f"{where}: key {key!r} holds {value!r}, which is response {'BA'[share > 0.5]} by its place and response "
            f"{'BA'[named > 0.5]} by the names of the systems, {one} and {two}",
            f"write {sides.first} or {sides.second}, or other names of the systems",
        )
    share = share if named is None else named
    if share is None:
        shown = repr(value) if len(repr(value)) <= 40 else repr(value)[:37] + "..."
        raise DataError(
            f"{where}: key {key!r} holds {shown}, expected {_expected(sides, systems)}",
            Advice(
                f"{name_key('preference').command}, or {leave_out(key).command}",
                f"{name_key('preference').python}, or {leave_out(key).python}",
                f"{name_key('preference').given}, or {leave_out(key).given}",
            ),
        )
    return share


def three_flags(values: Mapping[str, Any]) -> float | None:
    """The preference of a row with the flags winner_model_a, winner_model_b and winner_tie; None without them."""
    names = ("winner_model_a", "winner_model_b", "winner_tie")
    if not all(str(values.get(name)) in ("0", "1", "0.0", "1.0", "True", "False") for name in names):
        return None
    flags = [str(values[name]) in ("1", "1.0", "True") for name in names]
    return (1.0, 0.0, 0.5)[flags.index(True)] if sum(flags) == 1 else None


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return bool(re.fullmatch(r"\s*[-+]?\d+(?:\.\d*)?\s*", value))
    return isinstance(value, (int, float, Decimal))


def _by_place(value: Any, key: str, sides: Sides) -> float | None:
    """What a value says of the places of the responses, whoever wrote them."""
    if str(value).strip().lower() in ("true", "false"):
        value = str(value).strip().lower() == "true"
    return _of_number(value, key, sides) if _is_number(value) else _of_word(str(value), sides)


def _by_system(value: Any, systems: Sequence[str]) -> float | None:
    """What a value says that is the name of one of two systems; None for any other."""
    one, two = (name.strip().lower() for name in systems)
    plain = str(value).strip().lower()
    return None if one == two or plain not in {one, two} - {""} else float(plain == one)


def _of_number(value: Any, key: str, sides: Sides) -> float | None:
    number = float(value)
    if key.lower() in _STRENGTHS:
        return 0.5 if number == 0 else float(number < 0)
    if number == 0 and sides.first == "output_1" and not isinstance(value, bool):
        return 0.5  # AlpacaEval writes 0 or 1.5 for a draw
    if sides.marks in (_ONES, _ZEROS):
        # 2 - 1.4 is not the 0.6 that it looks like.
        share = round((2.0 if sides.marks == _ONES else 1.0) - number, 9)
    else:
        share = 0.0 if number == 2 else number  # beside 1 for the first response
    return share if 0.0 <= share <= 1.0 else None


def _of_word(text: str, sides: Sides) -> float | None:
    word = _plain_word(text)
    for side, share in ((0, 1.0), (1, 0.0)):
        if word == _plain_word(sides.keys[side]):
            return share
    words = {word, *(word.removeprefix(stem) for stem in _BEFORE)}
    numbered = _FROM_ZERO if sides.marks == _ZEROS else _NUMBERED
    words |= {numbered[word] for word in words & numbered.keys()}
    for known, share in ((_FIRST, 1.0), (_SECOND, 0.0), (_TIES, 0.5)):
        if words & known:
            return share
    return None


def _plain_word(text: str) -> str:
    """A label in small letters, with single underscores, and without what says that it is better."""
    word = re.sub(r"[\s_-]+", "_", re.sub(r"[\[\]().\"']", " ", text.lower()).strip())
    return _BETTER.sub("", word.replace("_>_", ">").replace("_=_", "="))


def _expected(sides: Sides, systems: Sequence[str]) -> str:
    numbers = {"ones": "1, 2", "zeros": "0, 1"}.get(
        sides.marks, "a number from 0 to 1 (the share that prefers the first)"
    )
    named = f", {systems[0]}, {systems[1]}" if all(systems) else ""
    return f"a label such as A, B or tie{named}, or {numbers}"
