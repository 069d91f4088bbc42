"""What the keys of one row were taken for; rows of one form are alike in it, so that each form is worked out once."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...records import Item
from ..keys import ALIASES, LEFT_INSIDE, TEXTS, Row, by_spelling, is_blank, is_conversation, spelled

_CHOSEN = (*TEXTS, "score")


@dataclass(frozen=True)
class Form:
    """What the keys of a row were taken for.

    taken: pairs of a field and its keys, joined by " + ", for each item of the row.
    kept: the keys that are fields under their own names.
    ignored: the keys that nothing was taken from.
    beside: pairs of a field and a key that could have been its key and gave way.
    """

    taken: tuple[tuple[str, str], ...]
    kept: tuple[str, ...]
    ignored: tuple[str, ...]
    beside: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class FormReader:
    """Works out forms.

    mapped: fields whose keys were chosen by --map.
    several: field -> the keys of its annotators.
    ignore: the keys that are read as if no row had them.
    """

    mapped: Collection[str] = ()
    several: Mapping[str, Sequence[str]] | None = None
    ignore: Collection[str] = ()

    def read(self, row: Row, items: Sequence[Item]) -> Form:
        """The form of a row and its items."""
        left = {key: value for key, value in row.values.items() if key not in self.ignore}
        written = by_spelling(left)
        present = by_spelling(key for key, value in left.items() if _kind(value))
        taken: list[tuple[str, str]] = []
        roles: dict[str, set[str]] = {}
        own: dict[str, None] = {}
        for item in items:
            for name in _fields_of(item):
                keys = self._keys(name, item)
                # A blank response stands under a key without text.
                found = _spelled(keys, present) or _spelled(keys, written)
                if not found:
                    continue
                if found == (name,) and name not in (*ALIASES, *self.mapped) and not name.startswith("score:"):
                    own[name] = None
                else:
                    roles.setdefault(name, set()).update(found)
                taken.append((name, " + ".join(found) + _part(name, row.values[found[-1]], item)))
        used = {key for keys in roles.values() for key in keys}
        unused = [key for key in dict.fromkeys(present.values()) if key not in used]
        chosen = [role for role in roles if role in _CHOSEN and role not in self.mapped]
        inside = [key for item in items for key in item.keys.get(LEFT_INSIDE, ())]
        return Form(
            tuple(taken),
            tuple(key for key in own if key not in used),
            tuple(dict.fromkeys([*(key for key in unused if key not in own), *inside])),
            tuple((role, key) for key in unused for role in chosen if spelled(key) in ALIASES[role]),
        )

    def _keys(self, name: str, item: Item) -> Sequence[str]:
        if self.several and name in self.several:
            return self.several[name]
        keys = item.keys.get(name, ())
        if name == "score" and not keys:
            keys = item.keys.get("scores", ())
        if name.startswith("score:") and not keys:
            keys = item.keys.get("scores") or item.keys.get("score", ())
            keys = (name[6:],) if name[6:] in keys else keys
        return keys


def form_key(row: Row, items: Sequence[Item]) -> Hashable:
    """A name for the form of a row: rows with equal names have the same form."""
    shapes = tuple(
        (*item.fields, None, *item.keys.items(), None, *item.human, item.rendered is not None) for item in items
    )
    return (*row.values, *map(_kind, row.values.values()), shapes)


def _spelled(keys: Sequence[str], written: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(written[key] for key in keys if key in written))


def _part(name: str, value: Any, item: Item) -> str:
    """Which part of the key's value a field is, where it is not the whole."""
    if name == "response" and is_conversation(value):
        return "[last answer]" if item.conversation is None else "[each answer]" if item.turn else "[first answer on]"
    if name == "instruction" and is_conversation(value):
        answered = "response" in item.fields and item.keys.get("response", ("",))[-1] in item.keys.get(name, ())
        return "[before it]" if answered else ""
    shared = [other for other in TEXTS if other in item.fields and item.keys.get(other) == item.keys.get(name)]
    return "[part]" if name in TEXTS and len(shared) > 1 else ""


def _kind(value: Any) -> int:
    """0 for nothing, 2 for a conversation, 1 for anything else."""
    if isinstance(value, str):
        return 1 if value and not value.isspace() else 0
    if isinstance(value, (list, dict)):
        return 2 if is_conversation(value) else int(bool(value))
    return 0 if is_blank(value) else 1


def _fields_of(item: Item) -> list[str]:
    scores = [f"score:{name}" if name else "score" for name in item.human]
    return ["id", *item.fields, *(["rendered"] if item.rendered is not None else []), *scores]
