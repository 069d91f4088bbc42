"""Rows with several texts that may be the response: which of them is meant is not guessed, it is asked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ...errors import Advice, DataError, compare_mapped, mapped
from ...records import Item
from ..keys import (
    ALIASES,
    MODEL_KEYS,
    WEAK_KEYS,
    Row,
    are_sisters,
    by_spelling,
    ending_of,
    is_blank,
    may_be_who_or_what,
    names_model,
    own_item,
    reads_as_number,
    said_by_model,
    spelled,
    suggests_response,
    tells_generated,
    word_set,
    words_of_key,
)
from .verdicts import VerdictWatch

# A weak name whose text is not asked about beside another weak one, which stands for more.
_SETTLED = {
    "output": ("summary", "answer"),
    "outputs": ("summary", "answer"),
    "completion": ("summary", "answer"),
    "summary": (),
    "answer": (),
}
_VERDICT = re.compile(
    r"\[RESULT\]\s*\d|\[\[(?:\d+(?:\.\d+)?|[A-C])\]\]|\b(?:score|rating|grade|verdict)\b\W{0,4}(?:is\W{0,3})?\d", re.I
)
_TAG = 24
_MOST_VALUES = 16
_BOOLEANS = word_set("true false yes no")
_RESULTS = word_set("correct incorrect right wrong pass passed fail failed ok error success failure none")
RENAME = "rename the key that is meant to `response`, or leave the other one out"
"""The hint for rows of a program."""


@dataclass
class _Pair:
    """What is known of a judged key and another one: in how many rows both have texts, and what these are like.

    rows: rows in which both have different texts.
    inside: those in which the judged text is a part of the other.
    marks: those in which the judged text is a number or a truth value, and the other neither is nor ends in one.
    verdicts: those in which the judged text is a verdict of a judge, and the other is none.
    kind: the type of the other value.
    alike: those in which the other value is a number or a truth value, and the judged text ends in one.
    spaced, judged_spaced: whether one of the texts has several words.
    said: those of the rows in which the other text is no name of a model and no result in one word.
    different: the first texts of the other key that are different, without those that hold a digit, as codes do.
    where: the first of the rows.
    """

    rows: int = 0
    inside: int = 0
    marks: int = 0
    alike: int = 0
    verdicts: int = 0
    spaced: bool = False
    judged_spaced: bool = False
    where: str = ""
    kind: type = str
    said: int = 0
    different: set[str] = field(default_factory=set)

    @property
    def varied(self) -> bool:
        """Whether the other texts are hardly ever the same, as the tags of a few kinds are."""
        return 2 * len(self.different) > min(self.rows, _MOST_VALUES)

    @property
    def like_texts(self) -> bool:
        """Whether the other texts are like the judged ones and no tags."""
        return self.spaced or not self.judged_spaced or self.varied and (self.rows > 1 or self.alike > 0)


class RivalWatch:
    """Looks at the rows and their items one by one, and refuses a file whose response is not clear.

    mapped: the fields and keys of --map; what is mapped is meant. need_scores: whether human scores are needed, so that
    these must be of one kind, too.
    """

    def __init__(self, mapped: Collection[str] = (), *, need_scores: bool = False) -> None:
        self._mapped, self._need_scores = frozenset(mapped), need_scores
        self._pairs: dict[tuple[str, str], _Pair] = {}
        self._used: dict[tuple[str, str], str] = {}
        self._verdicts = VerdictWatch()
        self._gave_way: dict[tuple[str, str], tuple[str, str]] = {}

    def see(self, row: Row, items: Sequence[Item]) -> None:
        """Look at one row and its items."""
        if not items or items[0].rendered is not None:
            return
        if self._need_scores and items[0].human:
            self._see_ways(row, items[0], "score")
        text = items[0].fields.get("response")
        key = self._see_ways(row, items[0], "response") if text is not None else None
        if key is None or text is None:
            return
        self._verdicts.see(row, key, items[0])
        written = by_spelling(row.values)
        read = {written.get(k, k) for item in items for name, ks in item.keys.items() if name in ALIASES for k in ks}
        for other, value in row.values.items():
            if other == key or other in self._mapped or is_blank(value):
                continue
            if isinstance(value, (str, int, float, Decimal)):
                self._compare(row, key, text, other, read)
            elif spelled(key) in WEAK_KEYS and other not in read and _holds_texts(other, value):
                pair = self._pairs.setdefault((key, other), _Pair(where=row.where, spaced=True, kind=type(value)))
                pair.rows += 1

    def _see_ways(self, row: Row, item: Item, role: str) -> str | None:
        """Remember the key that a field was taken from in a row, and those that gave way to it; return that key."""
        taken = item.keys.get(role, ())
        key = by_spelling(row.values).get(taken[-1]) if taken else None
        if key is None or role in self._mapped:
            return None
        self._used.setdefault((role, key), row.where)
        for other, value in row.values.items():
            if (
                other not in taken
                and spelled(other) not in taken
                and spelled(other) in ALIASES[role]
                and not is_blank(value)
            ):
                self._gave_way.setdefault((role, other), (key, row.where))
        return key

    def _compare(self, row: Row, key: str, text: str, other: str, read: Collection[str]) -> None:
        suggested = other not in read and (suggests_response(other) or may_be_who_or_what(other))
        if not suggested and spelled(other) not in WEAK_KEYS:
            return
        value = str(row.values[other])
        if value.strip() == text.strip() or _is_mark(value) and not _ends_in_mark(text):
            return
        pair = self._pairs.setdefault((key, other), _Pair(where=row.where))
        pair.rows += 1
        pair.inside += text.strip() in value
        pair.marks += _is_mark(text) and not _ends_in_mark(value)
        pair.verdicts += bool(_VERDICT.search(text)) and not _VERDICT.search(value)
        pair.alike += _is_mark(value)
        pair.spaced = pair.spaced or " " in value.strip() or len(value) > _TAG
        pair.judged_spaced = pair.judged_spaced or " " in text.strip()
        pair.said += _is_mark(value) or not names_model(value) and _is_told(other, value, text)
        if len(pair.different) < _MOST_VALUES and (_is_mark(value) or not any(map(str.isdigit, value))):
            pair.different.add(value)

    def errors(self) -> Iterator[DataError]:
        """What is not clear, each once."""
        yield from self._verdicts.errors()
        yield from self._unclear()

    def _unclear(self) -> Iterator[DataError]:
        for (key, other), pair in self._pairs.items():
            if self._is_open(key, other, pair):
                rows = f"{pair.rows} row{'s' * (pair.rows != 1)}"
                yield DataError(
                    f"{pair.where}: {other!r} may be the response as well as {key!r}, in {rows}", _way(key, other, pair)
                )
        for (role, key), where in self._used.items():
            if (role, key) in self._gave_way:
                better, there = self._gave_way[role, key]
                what = "judged" if role == "response" else "read as the human score"
                yield DataError(
                    f"{where}: only {key!r} is there to be {what}, which at {there} stands beside {better!r}",
                    f"{_option(better, role)} takes that alone",
                )

    def check(self, hint: str | None = None, *, verdicts: bool = True) -> None:
        """Raise the first of the errors, where there is one.

        hint: in place of its own, for rows without --map; there a verdict under `response` is meant. verdicts: whether
        verdicts on two responses are errors; one row alone does not tell.
        """
        meant = not verdicts or hint is not None and self._verdicts.key == "response"
        for error in self._unclear() if meant else self.errors():
            raise error if hint is None else DataError(error.message, hint)

    def _is_open(self, key: str, other: str, pair: _Pair) -> bool:
        mine, yours = spelled(key), spelled(other)
        if 2 * pair.verdicts > pair.rows:
            return True
        if mine in WEAK_KEYS and may_be_who_or_what(other) and not said_by_model(other):
            return 2 * pair.said > pair.rows and (pair.rows == 1 or pair.varied)
        if mine in WEAK_KEYS:
            return yours not in _SETTLED[mine] and pair.like_texts
        if mine not in ALIASES["response"]:
            by_models = said_by_model(key) and suggests_response(other) and (said_by_model(other) or names_model(other))
            several = by_models and yours not in WEAK_KEYS and not tells_generated(key)
            return (several or are_sisters(key, other)) and pair.like_texts
        if mine in MODEL_KEYS and yours in WEAK_KEYS:
            return yours != "answer" and 2 * max(pair.inside, pair.marks) > pair.rows
        if mine in MODEL_KEYS:  # a model answer may be the right one
            return said_by_model(other) and yours not in MODEL_KEYS and pair.spaced
        again = [word for word in words_of_key(other) if len(word) > 1 and not word.isdigit()] == ["response"]
        by_model = said_by_model(other) or names_model(" ".join(ending_of(other)))
        return mine == "response" and (again or by_model and "respon" in yours) and pair.spaced


def _way(key: str, other: str, pair: _Pair) -> str:
    """What to do where both of two keys may hold the response."""
    if are_sisters(key, other):
        both = compare_mapped({"response_a": key, "response_b": other})
        return f"{_option(key)} judges the one, {_option(other)} the other, in a run for each; {both} compares two"
    if pair.kind is str:
        return f"{_option(other)} judges the one, {_option(key)} the other"
    if pair.kind is list:
        return f"{_option(other, 'responses')} judges each of its texts, {_option(key)} the other"
    return f"{_option(key)} judges that; to judge the other, write its text under a key of its own"


def _option(key: str, role: str = "response") -> Advice:
    return mapped({role: key})


def _holds_texts(key: str, value: Any) -> bool:
    """Whether a list or an object under a key holds texts that may be responses; a list of `answers` is of right ones."""
    entries = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []
    texts = any(isinstance(one, (str, Mapping)) for one in entries)
    return texts and suggests_response(key) and words_of_key(key) != ("answers",)


def _is_mark(text: str) -> bool:
    """Whether a text is a number or a truth value alone."""
    return reads_as_number(text) or text.strip().lower() in _BOOLEANS


def _ends_in_mark(text: str) -> bool:
    """Whether a text ends in a number or a truth value, as "#### 5" does."""
    return bool(words := text.split()) and _is_mark(words[-1].strip(".,"))


def _is_told(key: str, value: str, text: str) -> bool:
    """Whether a text may be said by a model, and is no name or result in one word, as `model` and `result` may hold."""
    if " " in value.strip():
        return True
    named = words_of_key(key)[0] in ("model", "llm")
    return not named and " " not in text.strip() and value.strip().lower() not in _RESULTS


def item_of_row(row: Row, number: int, mapping: Mapping[str, str]) -> Item:
    """The item that a row of ours is, by `own_item`; raises DataError, also where another text of the row may be the
    response."""
    item = own_item(row, number, mapping)
    watch = RivalWatch((*mapping, *mapping.values()))
    watch.see(row, [item])
    watch.check(RENAME, verdicts=False)
    return item
