"""Counts rows while they become items, for what is said about a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ..records import Item
from .fields import ALIASES
from .rows import Row
from .tags import TagWatch
from .turns import is_conversation
from .understood import TEXTS, Understood, listed
from .values import group_of, is_blank

_CHOSEN = (*TEXTS, "score")


class Observer:
    """Watches rows become items, and keeps counts of them."""

    def __init__(
        self,
        name: str,
        *,
        mapped: Collection[str] = (),
        several: Mapping[str, Sequence[str]] | None = None,
        ignore: Sequence[str] = (),
    ) -> None:
        """mapped: fields whose keys were chosen by --map. several: field -> the keys of its annotators.
        ignore: the keys that are read as if no row had them."""
        self._name, self._mapped, self._several, self._ignore = name, mapped, several or {}, tuple(ignore)
        self._taken: dict[str, Counter[str]] = {}
        self._beside: dict[str, Counter[str]] = {}
        self._kept, self._ignored, self._grouped, self._lacking = (Counter[str]() for _ in range(4))
        self._row: Row | None = None
        self._written: dict[str, str] = {}
        self._present: dict[str, str] = {}
        self._roles: dict[str, set[str]] = {}
        self._own: dict[str, None] = {}
        self._rows = self._items = self._scores = self._blank = 0
        self._groups: set[int] = set()
        self._criteria: dict[str, None] = {}
        self._ways: dict[tuple[Any, ...], str] = {}
        self.tags = TagWatch()

    def see(self, row: Row, item: Item, missing: Sequence[str] = ()) -> None:
        """Count one item of a row; the items of a row follow each other. missing: the required fields it lacks."""
        if row is not self._row:
            self._finish_row()
            self._row, self._rows = row, self._rows + 1
            left = {key: value for key, value in row.values.items() if key not in self._ignore}
            self._written = _by_spelling(left)
            self._present = _by_spelling(key for key, value in left.items() if not _is_empty(value))
        self._items += 1
        self._lacking.update(missing)
        self._blank += is_blank(item.fields.get("response", "-"))
        self._groups.add(hash(item.group or item.id))
        for name in _fields_of(item):
            keys = self._keys(name, item)
            if keys:
                self._note(name, keys, item)
        for name, scores in item.human.items():
            self._scores += len(scores)
            if name:
                self._criteria[name] = None
        if item.group is not None:
            self._grouped[self._way(item)] += 1
        self.tags.see(item)

    @property
    def items(self) -> int:
        """The number of items so far."""
        return self._items

    def understood(self, layout: str | None = None) -> Understood:
        """What was understood of the rows so far; layout: in words."""
        self._finish_row()
        self._row = None
        return Understood(
            self._name,
            layout,
            self._rows,
            self._items,
            {name: dict(keys) for name, keys in self._taken.items()},
            {name: dict(keys) for name, keys in self._beside.items()},
            dict(self._kept),
            dict(self._ignored),
            self._ignore,
            len(self._groups),
            dict(self._grouped),
            self._scores,
            tuple(self._criteria),
            dict(self._lacking),
            self._blank,
            self.tags.warnings({name: listed(list(keys)) for name, keys in self._taken.items()}),
        )

    def _note(self, name: str, keys: tuple[str, ...], item: Item) -> None:
        free = keys == (name,) and name not in ALIASES and name not in self._mapped and not name.startswith("score:")
        if free:
            self._own[name] = None
        else:
            self._roles.setdefault(name, set()).update(keys)
        self._taken.setdefault(name, Counter())[" + ".join(keys) + self._part(name, keys, item)] += 1

    def _keys(self, name: str, item: Item) -> tuple[str, ...]:
        """The keys of a field that the row has, as it writes them."""
        keys = item.keys.get(name, ())
        if name.startswith("score:") and not keys:
            keys = item.keys.get("scores") or item.keys.get("score", ())
            keys = (name[6:],) if name[6:] in keys else keys
        keys = tuple(self._several.get(name, keys))
        found = dict.fromkeys(self._present[key] for key in keys if key in self._present)
        # A blank response stands under a key without text.
        return tuple(found or dict.fromkeys(self._written[key] for key in keys if key in self._written))

    def _part(self, name: str, keys: tuple[str, ...], item: Item) -> str:
        """Which part of the key's value the field is, where it is not the whole."""
        value = self._row.values[keys[-1]] if self._row else None
        if name == "response" and is_conversation(value):
            return "[last answer]"
        shared = [other for other in TEXTS if other in item.fields and item.keys.get(other) == item.keys.get(name)]
        if name == "instruction" and is_conversation(value):
            answered = "response" in item.fields and item.keys.get("response", ("",))[-1] in item.keys.get(name, ())
            return "[before it]" if answered else ""
        return "[part]" if name in TEXTS and len(shared) > 1 else ""

    def _way(self, item: Item) -> str:
        """What makes the item's group: a field, else a key."""
        keys = item.keys.get("group", ())
        case = (keys, "source" in item.fields, "instruction" in item.fields)
        if case not in self._ways:
            same = [name for name in TEXTS if name in item.fields and group_of(item.fields[name]) == item.group]
            near = [name for name in TEXTS if name in item.fields and item.keys.get(name) == keys]
            own = [self._present.get(key, key) for key in keys]
            self._ways[case] = (same or near or own or ["group"])[0]
        return self._ways[case]

    def _finish_row(self) -> None:
        """Count the keys of the row that nothing was taken from, and those that gave way to another."""
        if self._row is None:
            return
        used = {key for keys in self._roles.values() for key in keys}
        self._kept.update(key for key in self._own if key not in used)
        for key in dict.fromkeys(self._present.values()):
            if key in used:
                continue
            if key not in self._own:
                self._ignored[key] += 1
            for role in self._roles:
                if role in _CHOSEN and role not in self._mapped and key.lower() in ALIASES[role]:
                    self._beside.setdefault(role, Counter())[key] += 1
        self._roles, self._own = {}, {}


def _by_spelling(keys: Iterable[str]) -> dict[str, str]:
    """The keys as they are written, by that spelling and by the one in small letters."""
    found = {key: key for key in keys}
    for key in list(found):
        found.setdefault(key.lower(), key)
    return found


def _is_empty(value: Any) -> bool:
    return is_blank(value) or isinstance(value, (list, dict)) and not value


def _fields_of(item: Item) -> list[str]:
    scores = [f"score:{name}" if name else "score" for name in item.human]
    return ["id", *item.fields, *(["rendered"] if item.rendered is not None else []), *scores]
