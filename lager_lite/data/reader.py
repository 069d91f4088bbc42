"""How the rows of a file are read as items, one by one: what every command that reads items goes through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import DataError
from ..records import Item
from .checks import UNREAD, Observer, RivalWatch, id_used_twice, noted, without_judgment
from .files import TableFile, plain
from .keys import (
    Row,
    RowSource,
    ScoreError,
    Understood,
    items_of_row,
    keys_inside,
    with_numbers,
    without_scores,
    without_thoughts,
)
from .layouts import ANSWER, MESSAGES, ROWS, BenchmarkLayout, ConversationReader, layout_of, lowered, without
from .problems import broken, lacks, raise_problems
from .repeats import for_aspect, has_id, with_scores_of


@dataclass(frozen=True)
class ItemReader:
    """How the rows of a file are read as items.

    rows: the rows; of a JSON object, those inside it.
    layout: the public layout they are written in, None for rows of ours.
    mapping: field -> key, for rows of ours.
    require: fields that an item needs. Rows without them are items too, which cannot be judged.
    scale: the scale of the human scores where the layout fixes one ("1-5"), else None.
    mixed: whether rows of Alpaca, messages and ours stand in one file, so that each row is looked at.
    several: field of scores -> the keys of its annotators, where there are several.
    labels: what each label of the scale of the human scores is worth.
    ignore: the keys that are read as if no row had them.
    keep_thoughts: whether responses keep the thoughts that they were given with (see `answer_of`).
    need_scores: whether a human score that cannot be read is an error; if not, the item has none.
    unit: what of a conversation is judged, one of UNITS.
    taken: the numbers that are ids of rows, and so of no row without an id, see `numbers_taken`.
    aspect: the key of what the score of a row is for, None where no key says so (see `aspect_of`).
    later: the number of a row -> those of the later rows whose human scores belong to its item (see `repeated`).

    Iterating gives the items in order, as often as wanted.
    """

    rows: RowSource
    layout: BenchmarkLayout | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    require: Sequence[str] = ("response",)
    scale: str | None = None
    mixed: bool = False
    several: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Mapping[str, float] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    keep_thoughts: bool = False
    need_scores: bool = True
    unit: str = ANSWER
    taken: frozenset[int] = frozenset()
    aspect: str | None = None
    later: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the layout, "rows" for rows of ours."""
        return self.layout.name if self.layout else ROWS

    def items_of(self, row: Row, number: int) -> Iterator[Item]:
        """The items of one row; its number, from 1, is the id where it has none. Raises DataError."""
        row = without(row, self.ignore)
        for item in self._read(row, number):
            item = item if self.keep_thoughts else without_thoughts(item)
            item = _numbered(item) if number in self.taken and not has_id(item, row) else item
            others = [next(self._read(without(self.rows[n - 1], self.ignore), n)) for n in self.later.get(number, ())]
            yield with_scores_of(item, others) if others else item

    def _read(self, row: Row, number: int) -> Iterator[Item]:
        try:
            items = list(self._parsed(row, number))
        except ScoreError:
            if self.need_scores:
                raise
            bare = self._parsed(without_scores(row, self.mapping, self.several), number, scored=False)
            items = [replace(item, keys={**item.keys, UNREAD: ("score",)}) for item in bare]
        yield from (for_aspect(item, row, self.aspect) for item in items) if self.aspect else items

    def _parsed(self, whole: Row, number: int, *, scored: bool = True) -> Iterator[Item]:
        row = without_judgment(whole, self.mapping.values())
        row = with_numbers(row, self.mapping, self.several, self.labels)
        layout = layout_of(lowered(row).values) if self.mixed else self.layout
        if layout is None:
            for item in items_of_row(row, number, self.mapping):
                yield noted(item, whole, row)
            return
        read = layout.read
        if self.unit != ANSWER and layout.name == MESSAGES:
            read = ConversationReader(self.unit, self.labels, self.keep_thoughts, scored).read
        try:
            for item in read(lowered(row), number):
                yield noted(item, whole, row)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise broken(row.where, layout, error) from error

    def __iter__(self) -> Iterator[Item]:
        for number, row in self._first_rows():
            yield from self.items_of(row, number)

    def with_rows(self) -> Iterator[Item]:
        """The items, each with the row that it was taken from: its values as JSON has them, an empty cell as None."""
        blank = dict.fromkeys(self.rows.columns) if isinstance(self.rows, TableFile) else {}
        for number, row in self._first_rows():
            values = {**blank, **plain(row.values)}
            for item in self.items_of(row, number):
                yield replace(item, row=values)

    def _first_rows(self) -> Iterator[tuple[int, Row]]:
        """The rows with their numbers, without those whose scores belong to an earlier one."""
        left_out = {number for numbers in self.later.values() for number in numbers}
        return ((number, row) for number, row in enumerate(self.rows, 1) if number not in left_out)

    def missing(self, item: Item) -> list[str]:
        """The required fields that an item does not have; a prompt that was written elsewhere needs none."""
        if item.rendered is not None or self.layout is not None and not self.layout.responded:
            return []
        return [name for name in self.require if name not in item.fields]

    def checked(self, see: Callable[[Row, Item, Sequence[str]], None] | None = None) -> Iterator[Item]:
        """The items, once; what is wrong with the file is raised at the end, as DataError.

        see: called with every row, its items, and the required fields that each of them lacks. Wrong are a mapping to
        a key that no row has, rows that cannot be used, no items, no item that has the required fields, and two items
        with one id. Of the items that went by only a hash is kept.
        """
        problems: list[DataError] = []
        lacking: list[DataError] = []
        count, ids = 0, set[int]()
        absent = {*self.mapping.values(), *(key for keys in self.several.values() for key in keys)}
        twice: Item | None = None
        rivals = RivalWatch((*self.mapping, *self.mapping.values()), need_scores=self.need_scores)
        for number, row in self._first_rows():
            absent.difference_update((*row.values, *keys_inside(row, self.mapping)))
            try:
                items = list(self.items_of(row, number))
                rivals.see(without(row, self.ignore), items)
                for item in items:
                    if twice is None and hash(str(item.id)) in ids:
                        twice = item
                    ids.add(hash(str(item.id)))
                    count += 1
                    missing = self.missing(item)
                    if len(lacking) == count - 1 and missing:
                        lacking.append(lacks(row, item, missing))
                    if see:
                        see(row, item, missing)
                    yield item
            except DataError as error:
                problems.append(error)
        if absent and len(self.rows):
            raise self._unmapped(absent)
        raise_problems(problems)
        rivals.check()
        if len(lacking) == count:
            raise_problems(lacking)
        if not ids:
            raise DataError(f"{self.rows.name}: no items in it")
        if twice is not None:
            self._check_twice(twice)

    def observer(self) -> Observer:
        """What counts the rows and items of this file while `checked` goes over them."""
        return Observer(self.rows.name, mapped=self.mapping, several=self.several, ignore=self.ignore)

    def understood(self, observer: Observer) -> Understood:
        """What was understood of the rows that `observer` saw."""
        about = "rows of several layouts, each read as what it is" if self.mixed else None
        if self.layout is not None:
            gpt = self.layout.name == "prometheus" and "human_score" not in lowered(self.rows[0]).values
            note = "the scores are GPT-4's, not people's" if gpt else self.layout.note
            about = self.layout.about + (f" ({note})" if note else "")
        return replace(observer.understood(about), merged=sum(map(len, self.later.values())))

    def _unmapped(self, absent: set[str]) -> DataError:
        present = sorted({key for row in self.rows for key in row.values})
        pairs = [(name, key) for name, one in self.mapping.items() for key in self.several.get(name, (one,))]
        named = [f"{name}={key}" for name, key in pairs if key in absent]
        shown = ", ".join(present[:20])
        return DataError(f"{self.rows.name}: no row has the key of {', '.join(named)}", f"the keys are: {shown}")

    def _check_twice(self, second: Item) -> None:
        places = [item.where for item in self if str(item.id) == str(second.id)]
        if len(places) > 1:  # two ids may share a hash
            raise id_used_twice(second.id, places, self.rows)


def _numbered(item: Item) -> Item:
    """The item with a name that no row has as its id."""
    conversation = None if item.conversation is None else f"row {item.conversation}"
    return replace(item, id=f"row {item.id}", conversation=conversation)
