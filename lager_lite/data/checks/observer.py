"""Counts rows while they become items, for what is said about a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from ...errors import give_mapped
from ...prompts import is_visible
from ...records import Item
from ..files import text_inside
from ..keys import (
    TEXTS,
    Row,
    Understood,
    by_spelling,
    count_withdrawn,
    counted,
    group_key,
    group_of,
    is_missing_word,
    listed,
)
from .choices import ChoiceWatch
from .forms import Form, FormReader, form_key
from .judged import JUDGED, UNREAD
from .machines import MachineWatch
from .rivals import RivalWatch
from .tags import TagWatch

_MOST_FORMS = 1_000


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
        """mapped, several, ignore: as FormReader takes them."""
        self._name, self._ignore = name, tuple(ignore)
        self._reader = FormReader(mapped, several, ignore)
        self._forms: dict[Hashable, tuple[Form, list[int]]] = {}
        self._taken: dict[str, Counter[str]] = {}
        self._beside: dict[str, Counter[str]] = {}
        self._kept, self._ignored, self._grouped, self._lacking = (Counter[str]() for _ in range(4))
        self._row: Row | None = None
        self._of_row: list[Item] = []
        self._rows = self._items = self._scores = self._blank = 0
        self._asked, self._beside_text = False, ""
        self._judged = self._unread = self._words = self._withdrawn = self._alone = 0
        self._inside, self._first_inside = 0, ""
        self._groups: set[int] = set()
        self._criteria: dict[str, None] = {}
        self._ways: dict[tuple[Any, ...], str] = {}
        self.tags, self._choices, self._machines = TagWatch(), ChoiceWatch(), MachineWatch(mapped)
        self.rivals = RivalWatch(mapped)

    def see(self, row: Row, item: Item, missing: Sequence[str] = ()) -> None:
        """Count one item of a row; the items of a row follow each other. missing: the required fields it lacks."""
        if row is not self._row:
            self._finish_row()
            self._row, self._rows = row, self._rows + 1
        self._of_row.append(item)
        self._items += 1
        if missing:
            self._lacking.update(missing)
        self._blank += not is_visible(item.fields.get("response", "-"))
        if not self._asked:
            self._see_asked(item)
        bare = item.rendered is None and {"instruction", "source"}.isdisjoint(item.fields)
        self._alone += bare and "response" in item.fields
        if text_inside(item.fields.get("response", "")):
            self._inside, self._first_inside = self._inside + 1, self._first_inside or item.id
        self._words += is_missing_word(item.fields.get("response"))
        self._judged += JUDGED in item.keys and not item.human
        self._unread += UNREAD in item.keys
        self._groups.add(hash(item.id if item.group is None else group_key(item.group)))
        for name, scores in item.human.items():
            self._scores += len(scores)
            if name:
                self._criteria[name] = None
        if item.group is not None:
            self._grouped[self._way(row, item)] += 1
        self.tags.see(item)

    @property
    def name(self) -> str:
        """What the rows are called in messages."""
        return self._name

    @property
    def items(self) -> int:
        """The number of items so far."""
        return self._items

    def understood(self, layout: str | None = None) -> Understood:
        """What was understood of the rows so far; layout: in words."""
        self._finish_row()
        self._add_up()
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
            (
                *self.tags.warnings({name: listed(list(keys)) for name, keys in self._taken.items()}),
                *(self._about_ways() if layout is None else ()),
                *self._about_values(),
                *self._choices.warnings(),
                *self._machines.warnings(),
            ),
        )

    def _see_asked(self, item: Item) -> None:
        """Remember whether an item has what its response answers, else which of its other fields may hold it."""
        self._asked = item.rendered is not None or not {"instruction", "source"}.isdisjoint(item.fields)
        texts = [name for name, text in item.fields.items() if name not in TEXTS and " " in text.strip()]
        if texts and not self._beside_text and "response" in item.fields:
            self._beside_text = max(texts, key=lambda name: len(item.fields[name]))

    def _about_ways(self) -> Iterator[str]:
        for name in (*TEXTS, "score", "id", "group"):
            ways: Mapping[str, int] = self._taken.get(name, {})
            if any(set(a.split(" + ")).isdisjoint(b.split(" + ")) for a, b in combinations(ways, 2)):
                said = [f"{key} ({count})" for key, count in ways.items()]
                yield f"{name} is taken from different keys: {listed(said)}"

    def _about_values(self) -> Iterator[str]:
        if self._beside_text and not self._asked:
            yield (
                "the responses are judged alone, without an instruction or a source; if "
                f"{listed([self._beside_text])} holds one, {give_mapped({'instruction': listed([self._beside_text])})}"
            )
        if self._asked and self._alone:
            yield (
                f"{self._alone} of {counted(self._items, 'item')} without an instruction and a source, which the others "
                "have: these responses are judged alone"
            )
        if self._inside:
            yield (
                f"{counted(self._inside, 'response')} written as JSON around one text, first in item "
                f"{self._first_inside}: the JSON is judged; where the text alone is meant, give the file with that"
            )
        if self._words:
            word = "a word for a missing value (such as NaN, NULL or None)"
            yield f"{counted(self._words, 'response')} with nothing but {word}: judged as text"
        if self._withdrawn:
            were = "answer of an annotator was" if self._withdrawn == 1 else "answers of annotators were"
            yield f"{self._withdrawn} {were} discarded or never submitted: left out of the human scores"
        if self._judged:
            yield f"{counted(self._judged, 'item')} with a score of the judge's own, which is not read as a human score"
        if self._unread:
            yield f"{counted(self._unread, 'item')} with a human score that cannot be read, left out since none is needed"

    def _way(self, row: Row, item: Item) -> str:
        """What makes the item's group: a field, else a key."""
        keys = item.keys.get("group", ())
        case = (keys, "source" in item.fields, "instruction" in item.fields)
        if case not in self._ways:
            same = [name for name in TEXTS if name in item.fields and group_of(item.fields[name]) == item.group]
            near = [name for name in TEXTS if name in item.fields and item.keys.get(name) == keys]
            written = by_spelling(row.values)
            own = [written.get(key, key) for key in keys]
            self._ways[case] = (same or near or own or ["group"])[0]
        return self._ways[case]

    def _finish_row(self) -> None:
        """Count the row by its form."""
        if self._row is None:
            return
        key = form_key(self._row, self._of_row)
        known = self._forms.get(key)
        if known is None:
            if len(self._forms) >= _MOST_FORMS:
                self._add_up()
            known = self._forms[key] = (self._reader.read(self._row, self._of_row), [0])
        known[1][0] += 1
        self._choices.see(self._row, self._of_row)
        self._machines.see(self._row, self._of_row)
        self._withdrawn += count_withdrawn(self._row.values)
        self._row, self._of_row = None, []

    def _add_up(self) -> None:
        """Add the counts of all forms to those of fields and keys, and forget the forms."""
        for form, (count,) in self._forms.values():
            for pairs, counters in ((form.taken, self._taken), (form.beside, self._beside)):
                for name, key in pairs:
                    counters.setdefault(name, Counter())[key] += count
            self._kept.update(dict.fromkeys(form.kept, count))
            self._ignored.update(dict.fromkeys(form.ignored, count))
        self._forms = {}
