"""What was understood of a file: which key each field was taken from, which keys were left, how groups were formed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..records import Item
from .fields import ALIASES
from .rows import Row
from .tags import TagWatch
from .turns import is_conversation
from .values import group_of, is_blank

_TEXTS = ("source", "instruction", "reference", "response", "rubric")
_CHOSEN = (*_TEXTS, "score")
_ROLES = (*_TEXTS, "rendered", "score", "scores", "id")
_MOST_KEYS = 12


@dataclass(frozen=True)
class Understood:
    """What was understood of the rows of a file.

    - `name`: the path, or "stdin".
    - `layout`: the public layout in words. None: rows of ours.
    - `rows`, `items`: how many there are.
    - `taken`: the keys of each field, joined by " + " and as the file writes them, with the number of items that have
      the field from there. "rendered" is a whole prompt, "score:NAME" the human score of one criterion.
    - `beside`: the keys that could have been a field's and gave way to its key, with the number of rows.
    - `kept`: the keys that are fields under their own names, which only a rubric that names them shows.
    - `ignored`: the keys that nothing was taken from, with the number of rows.
    - `left_out`: the keys that were to be ignored.
    - `groups`: the number of groups, items of their own included.
    - `grouped_by`: what makes a group, with the number of items; items of their own are not counted.
    - `scores`: the number of single human scores.
    - `criteria`: the names of the human scores, without the unnamed one.
    - `lacking`: the required fields that items do not have, with the number of items.
    - `blank`: the number of items whose response has no visible character.
    - `warnings`: what is probably not as it was meant.
    """

    name: str
    layout: str | None = None
    rows: int = 0
    items: int = 0
    taken: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    beside: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    groups: int = 0
    grouped_by: Mapping[str, int] = field(default_factory=dict)
    scores: int = 0
    criteria: tuple[str, ...] = ()
    lacking: Mapping[str, int] = field(default_factory=dict)
    blank: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """How many items, groups and human scores there are, and the layout, in one line."""
        parts = [f"{self.name}: {counted(self.items, 'item')}"]
        alone = self.items - sum(self.grouped_by.values())
        if self.grouped_by:
            single = f" ({counted(alone, 'item')} alone)" if alone else ""
            parts.append(f"{counted(self.groups, 'group')} by {' or '.join(self.grouped_by)}{single}")
        elif self.items > 1:
            parts.append("each a group of its own")
        if self.scores:
            named = f" ({', '.join(self.criteria)})" if self.criteria else ""
            parts.append(counted(self.scores, "score") + named)
        parts += [f"{count} without {name}" for name, count in self.lacking.items()]
        parts += [f"{self.blank} with a blank response"] if self.blank else []
        return ", ".join(parts) + (f"; layout detected: {self.layout}" if self.layout else "")

    def mapping_line(self, shown: Collection[str] | None = None) -> str:
        """Which key each field was taken from, and which keys were left, in one line.

        shown: the fields that the rubrics of a run show. None: nobody knows, so that fields under their own names
        are told apart from keys that nothing was taken from.
        """
        own = {key for key in self.kept if shown is not None and key in shown}
        named = [name for name in _ordered(self.taken) if name not in self.kept or name in own]
        scores = self._scores_together()
        parts = [self._named(name) for name in named if not (scores and name.startswith("score:"))] + scores
        left = [key for key in (*self.kept, *self.ignored) if key not in own and not self._is_beside(key)]
        if shown is None and self.kept:
            kept = [key for key in self.kept if not self._is_beside(key)]
            left = [key for key in self.ignored if not self._is_beside(key)]
            tail = [f"kept for rubrics that name them: {_listed(kept)}"] if kept else []
        else:
            tail = []
        unseen = [name for name in _TEXTS if name in self.taken and shown is not None and name not in shown]
        if unseen and "rendered" not in self.taken:
            tail += [f"not shown by the rubric: {', '.join(unseen)}"]
        tail += [f"ignored: {_listed(left)}"] if left else []
        tail += [f"left out as asked: {_listed(self.left_out)}"] if self.left_out else []
        return "; ".join([", ".join(parts), *tail])

    def regrouped(self, way: str, items: Iterable[Item]) -> Understood:
        """The same with the groups of `items`, which were made by `way`."""
        groups = [item.group for item in items]
        own = sum(group is None for group in groups)
        count = len({group for group in groups if group is not None}) + own
        return replace(self, groups=count, grouped_by={way: len(groups) - own})

    def to_dict(self) -> dict[str, Any]:
        """A dict that json.dumps takes."""
        return {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__}

    def _is_beside(self, key: str) -> bool:
        return any(key in keys for keys in self.beside.values())

    def _scores_together(self) -> list[str]:
        """The named scores in one part, where each has its own key or all share one."""
        taken = {name[6:]: list(keys) for name, keys in self.taken.items() if name.startswith("score:")}
        keys = {key for own in taken.values() for key in own}
        if len(taken) > 1 and all(own == [name] for name, own in taken.items()):
            return [f"scores <- {_listed(list(taken))}"]
        return [f"scores <- {keys.pop()}"] if len(taken) > 1 and len(keys) == 1 else []

    def _named(self, name: str) -> str:
        sources = self.taken[name]
        whole = sum(sources.values()) == self.items
        if len(sources) == 1 and whole:
            text = next(iter(sources))
        elif len(sources) == 1:
            text = f"{next(iter(sources))} ({sum(sources.values())} of {self.items})"
        else:
            often = sorted(sources.items(), key=lambda pair: -pair[1])
            text = " or ".join(f"{keys} ({count})" for keys, count in often)
        beside = self.beside.get(name, {})
        rows = f" in {counted(max(beside.values()), 'row')}" if beside and max(beside.values()) < self.rows else ""
        given_way = f" (not {_listed(list(beside))}{rows})" if beside else ""
        return f"{'whole prompt' if name == 'rendered' else name} <- {text}{given_way}"


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
            self.tags.warnings({name: _listed(list(keys)) for name, keys in self._taken.items()}),
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
        shared = [other for other in _TEXTS if other in item.fields and item.keys.get(other) == item.keys.get(name)]
        if name == "instruction" and is_conversation(value):
            answered = "response" in item.fields and item.keys.get("response", ("",))[-1] in item.keys.get(name, ())
            return "[before it]" if answered else ""
        return "[part]" if name in _TEXTS and len(shared) > 1 else ""

    def _way(self, item: Item) -> str:
        """What makes the item's group: a field, else a key."""
        keys = item.keys.get("group", ())
        case = (keys, "source" in item.fields, "instruction" in item.fields)
        if case not in self._ways:
            same = [name for name in _TEXTS if name in item.fields and group_of(item.fields[name]) == item.group]
            near = [name for name in _TEXTS if name in item.fields and item.keys.get(name) == keys]
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


def counted(count: int, noun: str) -> str:
    """A number of things in words: "1 item", "2 items"."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


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


def _ordered(taken: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The fields in the order of a prompt; an id under its usual key is not worth a word."""
    names = [name for name in taken if name != "id" or set(taken[name]) != {"id"}]
    return sorted(names, key=lambda name: _ROLES.index(name) if name in _ROLES else len(_ROLES))


def _listed(keys: Sequence[str]) -> str:
    more = len(keys) - _MOST_KEYS
    return ", ".join(keys[:_MOST_KEYS]) + (f" and {more} more" if more > 0 else "")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return list(value) if isinstance(value, tuple) else value
