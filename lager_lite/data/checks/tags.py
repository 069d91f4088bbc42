"""Source texts that say where a row or its text came from ("sharegpt", an address), and not what its response is about."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...errors import leave_out, name_key
from ...records import Item

_LONGEST = 40
_MOST = 100
_ADDRESS = re.compile(
    r"(?:https?://|s3://|www\.)\S+|[\w./\\-]+\.(?:pdf|html?|txt|docx?|md|json|xml)|[A-Za-z]+[_-]?\d+|\d+"
)
_NO_REQUEST = re.compile(
    r"(?:https?://|s3://|www\.)\S+|[\w./\\-]+\.(?:pdf|html?|txt|docx?|md|json|xml)|(?:[A-Za-z]{2,}[_-])?\d+"
)


class TagWatch:
    """Keeps the different source texts while all of them are short and few, and the first while all are addresses."""

    def __init__(self) -> None:
        self._values: dict[str, None] = {}
        self._count, self._texts = 0, False
        self._first: str | None = None
        self._addresses = True
        self._asked, self._no_requests = "", True

    def see(self, item: Item) -> None:
        """Look at the source and the instruction of one item."""
        if asked := item.fields.get("instruction"):
            self._asked = self._asked or asked
            self._no_requests = self._no_requests and bool(_NO_REQUEST.fullmatch(asked.strip()))
        source = item.fields.get("source")
        if source is None:
            return
        self._first = source if self._first is None else self._first
        self._addresses = self._addresses and bool(_ADDRESS.fullmatch(source.strip()))
        if self._texts:
            return
        self._count += 1
        self._values[source] = None
        if len(source) > _LONGEST or "\n" in source or len(self._values) > _MOST:
            self._texts = True

    def warnings(self, keys: Mapping[str, str]) -> tuple[str, ...]:
        """The warnings, where all sources are addresses or look like tags, and where all instructions are addresses;
        keys: where each field was taken from."""
        return (*self._about_sources(keys), *self._about_requests(keys.get("instruction", "instruction")))

    def _about_requests(self, key: str) -> tuple[str, ...]:
        if not self._asked or not self._no_requests:
            return ()
        return (
            f"instruction <- {key} holds a number, an address or an id in every item, such as {self._asked[:60]!r}: "
            f"the judge reads it as what was asked; {name_key('instruction')}, or {leave_out(*key.split(', '))}",
        )

    def _about_sources(self, keys: Mapping[str, str]) -> tuple[str, ...]:
        values, key = list(self._values), keys.get("source", "source")
        words = all(" " not in value and value.isascii() for value in values)
        few = 2 * len(values) <= self._count
        if self._texts or not values or not (few or words and self._count > 2):
            return self._about_addresses(key)
        shown = ", ".join(repr(value) for value in values[:3]) + (", ..." if len(values) > 3 else "")
        return (
            f"source <- {key} holds {len(values)} different short text{'s' * (len(values) != 1)} in {self._count} items "
            f"({shown}), which look like tags: the judge reads them as the source, and items are grouped by them; "
            f"{leave_out(*key.split(', '))}, where that is not meant",
        )

    def _about_addresses(self, key: str) -> tuple[str, ...]:
        if not self._addresses or self._first is None:
            return ()
        return (
            f"source <- {key} holds an address, a file name or an id in every item, such as {self._first[:60]!r}: "
            "the judge reads it as the source, and items are grouped by it; "
            f"{leave_out(*key.split(', '))}, where that is not meant",
        )
