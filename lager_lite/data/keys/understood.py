"""What was understood of a file: which key each field was taken from, which keys were left, how groups were formed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...records import Item
from .groups import group_key

TEXTS = ("source", "instruction", "reference", "response", "rubric")
_ROLES = (*TEXTS, "rendered", "score", "scores", "id")
_MOST_KEYS, _MOST_WAYS, _LONGEST_KEY = 12, 6, 60


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
    - `merged`: the number of rows, besides `rows`, whose human scores were added to an earlier row's.
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
    merged: int = 0

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
        if self.merged:
            parts.append(f"from {counted(self.rows + self.merged, 'row')}, those of several annotators merged")
        parts += [f"{count} without {name}" for name, count in self.lacking.items()]
        parts += [f"{self.blank} with a blank response"] if self.blank else []
        return ", ".join(parts) + (f"; layout detected: {self.layout}" if self.layout else "")

    def mapping_line(self, shown: Collection[str] | None = None, used: Collection[str] = ()) -> str:
        """Which key each field was taken from, and which keys were left, in one line.

        shown: the fields that the rubrics of a run show. None: nobody knows, so that fields under their own names
        are told apart from keys that nothing was taken from. used: fields that the run reads in another way, such as
        those that make the groups.
        """
        own = {key for key in self.kept if key in used or shown is not None and key in shown}
        named = [name for name in _ordered(self.taken) if name not in self.kept or name in own]
        scores = self._scores_together()
        parts = [self._named(name) for name in named if not (scores and name.startswith("score:"))] + scores
        left = [key for key in self.left((*self.kept, *self.ignored)) if key not in own]
        if shown is None and self.kept:
            kept = [key for key in self.left(self.kept) if key not in used]
            left = [key for key in self.left(self.ignored) if key not in self.kept]
            tail = [f"shown only by rubrics with a section for them: {listed(kept)}"] if kept else []
        else:
            tail = []
        unseen = [name for name in TEXTS if name in self.taken and shown is not None and name not in shown]
        if unseen and "rendered" not in self.taken:
            tail += [f"not shown by the rubric: {', '.join(unseen)}"]
        tail += [f"ignored: {listed(left)}"] if left else []
        tail += [f"left out as asked: {listed(self.left_out)}"] if self.left_out else []
        return "; ".join([*([", ".join(parts)] if parts else []), *tail])

    def regrouped(self, way: str, items: Iterable[Item]) -> Understood:
        """The same with the groups of `items`, which were made by `way`."""
        groups = [item.group for item in items]
        own = sum(group is None for group in groups)
        count = len({group_key(group) for group in groups if group is not None}) + own
        return replace(self, groups=count, grouped_by={way: len(groups) - own})

    def to_dict(self) -> dict[str, Any]:
        """A dict that json.dumps takes."""
        return {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__}

    def left(self, keys: Iterable[str]) -> list[str]:
        """Those of the keys that no row took a field or its group from, and that did not give way to another one."""
        roles = (way for name, ways in self.taken.items() if name not in self.kept for way in ways)
        used = {key.partition("[")[0] for way in roles for key in way.split(" + ")} | set(self.grouped_by)
        return [key for key in keys if key not in used and not any(key in rest for rest in self.beside.values())]

    def _scores_together(self) -> list[str]:
        """The named scores in one part, where each has its own key or all share one."""
        taken = {name[6:]: list(keys) for name, keys in self.taken.items() if name.startswith("score:")}
        keys = {key for own in taken.values() for key in own}
        if len(taken) > 1 and all(own == [name] for name, own in taken.items()):
            return [f"scores <- {listed(list(taken))}"]
        return [f"scores <- {keys.pop()}"] if len(taken) > 1 and len(keys) == 1 else []

    def _named(self, name: str) -> str:
        count = sum(self.taken[name].values())
        some = f" ({count} of {self.items})" if count < self.items and len(self.taken[name]) == 1 else ""
        return f"{'whole prompt' if name == 'rendered' else name} <- {self.origin(name)}{some}"

    def origin(self, name: str) -> str:
        """Where a field was taken from, how often where that differs, and which keys gave way."""
        sources = self.taken[name]
        often = sorted(sources.items(), key=lambda pair: -pair[1])
        parts = [_together(keys) + (f" ({count})" if len(often) > 1 else "") for keys, count in often[:_MOST_WAYS]]
        if len(often) > _MOST_WAYS:
            parts.append(
                f"{counted(len(often) - _MOST_WAYS, 'other key')} ({sum(count for _, count in often[_MOST_WAYS:])})"
            )
        beside = self.beside.get(name, {})
        rows = f" in {counted(max(beside.values()), 'row')}" if beside and max(beside.values()) < self.rows else ""
        given_way = f" (not {listed(list(beside))}{rows})" if beside else ""
        return f"{' or '.join(parts)}{given_way}"

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that were taken from keys of other names, or that every rubric knows, in the order of a prompt."""
        return tuple(name for name in _ordered(self.taken) if name not in self.kept)


def counted(count: int, noun: str) -> str:
    """A number of things in words: "1 item", "2 items"."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _ordered(taken: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The fields in the order of a prompt; an id under its usual key is not worth a word."""
    names = [name for name in taken if name != "id" or set(taken[name]) != {"id"}]
    return sorted(names, key=lambda name: _ROLES.index(name) if name in _ROLES else len(_ROLES))


def listed(keys: Sequence[str], most: int = _MOST_KEYS) -> str:
    """The first keys, and how many more there are; of long ones the beginning, on one line."""
    more = len(keys) - most
    return ", ".join(map(_shown, keys[:most])) + (f" and {more} more" if more > 0 else "")


def _together(keys: str) -> str:
    """Keys that one field was taken from, joined by " + "."""
    parts = keys.split(" + ")
    more = len(parts) - _MOST_KEYS
    return " + ".join(map(_shown, parts[:_MOST_KEYS])) + (f" and {more} more" if more > 0 else "")


def _shown(key: str) -> str:
    words = " ".join(key.split())
    return words if len(words) <= _LONGEST_KEY else words[: _LONGEST_KEY - 3] + "..."


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return list(value) if isinstance(value, tuple) else value
