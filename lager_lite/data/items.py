"""Items from files: one wiring of rows, layouts and keys for every command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..records import Item
from .checks import check_sheet
from .files import TableFile, apart_from, open_rows, write_rows
from .habits import file_labels
from .keys import ALIASES, Maps, RowSource, Understood, divided, item_row
from .layouts import (
    ANSWER,
    MESSAGES,
    ROWS,
    Remaining,
    check_conversations,
    detect,
    ignored_keys,
    is_messages,
    judge_bench_scale,
    lowered,
    unfold,
)
from .problems import broken, named_layout
from .reader import ItemReader
from .repeats import aspect_of, numbers_taken, repeated


def open_reader(
    path: str | Path | RowSource,
    mapping: Maps | None = None,
    layout: str | None = None,
    require: Sequence[str] = ("response",),
    *,
    encoding: str | None = None,
    labels: Mapping[str, float] | None = None,
    ignore: Sequence[str] = (),
    keep_thoughts: bool = False,
    need_scores: bool = True,
    unit: str = ANSWER,
) -> ItemReader:
    """How the items of a file are read, of stdin ("-"), or of open rows: JSONL, JSON, CSV, TSV or Parquet.

    mapping: field -> key of the file; "score:NAME" names the human score of one criterion; a score may have several
    keys, one for each annotator. A mapping means rows of ours. layout: None detects, "rows" or a name of LAYOUTS
    decides. require: fields that items need. encoding: of the text, None for UTF-8. labels: what the labels of the
    scale are worth, where human scores may be labels. ignore: keys, or fields with all their usual keys, that are
    read as if no row had them. keep_thoughts: whether responses keep the thoughts that they were given with (see
    `answer_of`). need_scores: whether a human score that cannot be read is an error; otherwise it is left out.
    unit: what of a conversation is judged: its last answer ("answer"), every turn of the assistant ("turn"), each with
    what was said before it as its instruction, or the whole ("conversation"). Raises DataError where the file or the
    layout cannot be used, for a table as `check_sheet` refuses it, and for such a unit where no row holds a conversation.
    """
    if mapping and layout not in (None, ROWS):
        raise DataError(f"a mapping of keys and the layout {layout} exclude each other", "give one of them")
    rows = path if isinstance(path, RowSource) else open_rows(path, encoding=encoding)
    unfolded = unfold(rows)
    single, several = divided(mapping or {})
    left_out = ignored_keys(unfolded, ignore, (*single.values(), *(key for keys in several.values() for key in keys)))
    how: dict[str, Any] = {"require": require, "labels": labels or {}, "ignore": left_out}
    how |= {"keep_thoughts": keep_thoughts, "need_scores": need_scores, "unit": unit}
    if mapping or layout == ROWS:
        check_conversations(rows.name, unit, bool(mapping))
        return _whole(ItemReader(unfolded, None, single, several=several, **how))
    remaining = Remaining(unfolded, left_out)
    found, mixed = (named_layout(layout, rows, remaining), False) if layout else detect(rows, remaining)
    if found is None or found.name != MESSAGES:
        talks = mixed and any(is_messages(lowered(row).values) for row in remaining)
        check_conversations(rows.name, unit, False, found=talks)
    if found is None:
        return _whole(ItemReader(unfolded, mixed=mixed, **how))
    scale = judge_bench_scale(rows) if found.name == "judge-bench" else found.scale
    try:
        inside = found.inside(rows) if found.inside else unfolded
    except (KeyError, TypeError, AttributeError) as error:
        raise broken(rows.name, found, error) from error
    return _whole(ItemReader(inside, found, scale=scale, **how))


def _whole(reader: ItemReader) -> ItemReader:
    """The reader, with what is known only once all rows were seen."""
    if isinstance(reader.rows, TableFile):
        check_sheet(reader.rows, reader.mapping, reader.ignore)
    names = {reader.mapping["id"]} if "id" in reader.mapping else {"id"} if reader.layout else ALIASES["id"]
    reader = replace(reader, taken=numbers_taken(reader.rows, names), aspect=aspect_of(reader))
    return replace(reader, later=repeated(reader), labels=file_labels(reader))


@dataclass(frozen=True)
class Dataset:
    """Items of a file that lie in memory, in its order.

    items: the items.
    layout: "rows" or the name of a public layout.
    message: what was found, in one line.
    scale: the scale of the human scores where the layout fixes one ("1-5"), else None.
    understood: which keys became which fields, None for items that no file was read for.
    """

    items: tuple[Item, ...]
    layout: str
    message: str
    scale: str | None = None
    understood: Understood | None = None

    @property
    def criteria(self) -> tuple[str, ...]:
        """Names under which human scores are there, in order; "" is the unnamed one."""
        return tuple(dict.fromkeys(name for item in self.items for name in item.human))


def read_items(
    path: str | Path | RowSource,
    mapping: Maps | None = None,
    layout: str | None = None,
    *,
    require: Sequence[str] = ("response",),
    keep_rendered: bool = True,
    encoding: str | None = None,
    labels: Mapping[str, float] | None = None,
    ignore: Sequence[str] = (),
    keep_thoughts: bool = False,
    need_scores: bool = True,
    unit: str = ANSWER,
) -> Dataset:
    """Read all items of a file into memory; arguments as `open_reader`.

    keep_rendered=False drops whole prompts whose parts were read too. Raises DataError as `ItemReader.checked` does.
    """
    how: dict[str, Any] = {"labels": labels, "keep_thoughts": keep_thoughts, "need_scores": need_scores, "unit": unit}
    reader = open_reader(path, mapping, layout, require, encoding=encoding, ignore=ignore, **how)
    observer = reader.observer()
    items, understood = list(reader.checked(observer.see)), reader.understood(observer)
    if not keep_rendered:
        items = [replace(item, rendered=None) if "response" in item.fields else item for item in items]
    return Dataset(tuple(items), reader.name, understood.message, reader.scale, understood)


def convert(dataset: Dataset, out: str | Path) -> int:
    """Write `dataset` in our own keys (JSONL, or CSV by suffix) and return how many rows there are. Raises OutputError
    where the file cannot be written, or is one that an item was read from."""
    return write_rows(out, map(item_row, apart_from(out, dataset.items)))


def load_demo() -> Dataset:
    """The demo set: texts written for this project, each with five summaries of constructed quality.

    The score of a summary is the rung it was written for, and nobody's judgment: 5 faithful, complete
    and fluent; 4 with a small omission; 3 vague or partly right; 2 mostly wrong; 1 off the subject or
    garbled. Lengths are mixed, so that counting words does not order the rungs.
    """
    with resources.as_file(resources.files(__package__) / "demo.jsonl") as path:
        items = tuple(replace(item, where=Path(item.where).name) for item in open_reader(path, layout=ROWS).checked())
    groups = len({item.group for item in items})
    message = f"demo set: {len(items)} summaries of {groups} texts, labelled by construction"
    return Dataset(items, ROWS, message, "1-5")
