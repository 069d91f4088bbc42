"""Which of several texts of a row is judged, where a reader might have meant another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...records import Item
from ..keys import ALIASES, ASSISTANT, Row, by_spelling, is_blank, is_conversation, turns_of

_PAIR = ("chosen", "rejected")


class ChoiceWatch:
    """Counts the rows of which one of several texts is judged."""

    def __init__(self) -> None:
        self._unanswered = self._greeted = self._chosen = self._own = 0
        self._first = self._opened = self._key = ""

    def see(self, row: Row, items: Sequence[Item]) -> None:
        """Look at one row and its items."""
        taken = {item.keys["response"][-1] for item in items if "response" in item.fields and "response" in item.keys}
        written = by_spelling(row.values)
        if items and (items[0].turn or 1) > 1:
            self._greeted += 1
            self._opened = self._opened or items[0].conversation or ""
        for key in taken:
            value = row.values.get(written.get(key, key))
            if (
                items[0].conversation is None
                and isinstance(value, list)
                and is_conversation(value)
                and turns_of(value[-1:], key, row.where)[0][0] not in ASSISTANT
            ):
                self._unanswered += 1
                self._first = self._first or items[0].id
                break
        if written.keys() >= set(_PAIR):
            own = [key for key in ALIASES["response"] if not is_blank(row.values.get(written.get(key, key)))]
            self._chosen += bool(own) and not taken.isdisjoint(_PAIR)
            self._own += bool(own) and taken.isdisjoint(_PAIR)
            self._key = self._key or next(iter(own), "")

    def warnings(self) -> Iterator[str]:
        """What is judged, in whole sentences."""
        if self._unanswered:
            rows = "1 conversation ends" if self._unanswered == 1 else f"{self._unanswered} conversations end"
            yield (
                f"{rows} with a turn behind the last answer, first in item {self._first}: the last answer is judged, "
                "and what stands behind it is left out"
            )
        if self._greeted:
            rows = "1 conversation begins" if self._greeted == 1 else f"{self._greeted} conversations begin"
            yield (
                f"{rows} with the assistant, first {self._opened}: what it says before the user speaks is shown, and not judged"
            )
        for count, judged, other in (
            (self._chosen, "chosen and rejected are judged, each as an item", self._key),
            (self._own, f"{self._key} is judged", "chosen or rejected"),
        ):
            if count:
                rows = "1 row has" if count == 1 else f"{count} rows have"
                yield f"{rows} chosen and rejected beside {self._key}: {judged}, and not {other}"
