"""Source texts that look like tags: where a row came from ("sharegpt"), and not what its response is about."""

from __future__ import annotations

from collections.abc import Mapping

from ..records import Item

_LONGEST = 40
_MOST = 100


class TagWatch:
    """Keeps the different source texts while all of them are short and few."""

    def __init__(self) -> None:
        self._values: dict[str, None] = {}
        self._count, self._texts = 0, False

    def see(self, item: Item) -> None:
        """Look at the source of one item."""
        source = item.fields.get("source")
        if self._texts or source is None:
            return
        self._count += 1
        self._values[source] = None
        if len(source) > _LONGEST or "\n" in source or len(self._values) > _MOST:
            self._texts = True

    def warnings(self, keys: Mapping[str, str]) -> tuple[str, ...]:
        """The warning, where all sources look like tags; keys: where each field was taken from."""
        values, key = list(self._values), keys.get("source", "source")
        words = all(" " not in value and value.isascii() for value in values)
        few = 2 * len(values) <= self._count
        if self._texts or not values or not (few or words and self._count > 2):
            return ()
        shown = ", ".join(repr(value) for value in values[:3]) + (", ..." if len(values) > 3 else "")
        return (
            f"source <- {key} holds {len(values)} different short text{'s' * (len(values) != 1)} in {self._count} items "
            f"({shown}), which look like tags: the judge reads them as the source, and items are grouped by them; "
            f"--ignore {key.replace(', ', ' --ignore ')} leaves them out",
        )
