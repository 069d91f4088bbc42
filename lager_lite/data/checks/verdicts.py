"""Responses that are the verdicts of a judge of two responses, as in the training sets of such judges."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from ...errors import Advice, DataError, compare_mapped, mapped
from ...records import Item
from ..keys import Row, by_spelling, words_of_key

_VERDICT = r"(?:\[RESULT\]\s*\(?(?:[AB]|tie)\b|\[\[\s*(?:[ABC]|tie|[AB]\s*[<>=]+\s*[AB])\s*\]\])"
_PREFERS = re.compile(
    rf"\A\W*{_VERDICT}|{_VERDICT}\W*\Z|\A\s*(?:[12]|tie)\s*\n+\s*#+\s*reason\b",
    re.IGNORECASE,
)
_TWINS = {"a": "b", "1": "2"}
_BESIDE = {"instruction": ("orig_instruction",), "preference": ("orig_preference",)}


_PAIRS = Advice("`lager-lite pairs`", "compare_pairs")


class VerdictWatch:
    """Looks at rows and their items one by one, for judged texts that are verdicts on two responses.

    key: the key of the first verdict, "" where there is none.
    """

    def __init__(self) -> None:
        self._items = self._found = 0
        self.key, self._where = "", ""
        self._sides: tuple[str, str] | None = None
        self._keys: Collection[str] = ()
        self._inside = False

    def see(self, row: Row, key: str, item: Item) -> None:
        """Look at an item whose response was taken from `key` of a row."""
        self._items += 1
        if not _PREFERS.search(item.fields["response"]):
            return
        self._found += 1
        if self._found > 1:
            return
        self.key, self._where, self._keys = key, row.where, tuple(row.values)
        self._sides = _sides(row.values)
        if self._sides is None and (inside := _sides(item.fields)):
            self._sides, self._inside = inside, True

    def errors(self) -> Iterator[DataError]:
        """That most of the responses are verdicts; nothing where they are not."""
        if 2 * self._found <= self._items:
            return
        count = f"{self._found} response{'s' * (self._found != 1)}"
        yield DataError(
            f"{self._where}: {self.key!r} holds a judge's verdict on two responses, and no response, in {count}",
            self._way(),
        )

    def _way(self) -> str:
        own = f"{mapped({'response': self.key})} judges the verdicts themselves"
        if self._sides is None:
            return f"write the two responses under response_a and response_b for {_PAIRS}; {own}"
        one, two = self._sides
        if self._inside:
            return f"write {one} and {two} under response_a and response_b of the row for {_PAIRS}; {own}"
        written = by_spelling(self._keys)
        pairs = {"response_a": one, "response_b": two}
        pairs |= {field: written[key] for field, keys in _BESIDE.items() for key in keys if key in written}
        return f"{compare_mapped(pairs)} judges the two; {own}"


def _sides(keys: Collection[str]) -> tuple[str, str] | None:
    """The keys of two responses, as `orig_response_A` and `orig_response_B`; None where there are none."""
    named = {words_of_key(key): key for key in keys}
    for words, key in named.items():
        twin = named.get((*words[:-1], _TWINS.get(words[-1], ""))) if words else None
        if twin is not None and not {"response", "answer", "output", "completion", "summary"}.isdisjoint(words):
            return key, twin
    return None
