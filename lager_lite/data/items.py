"""Items from files: rows in our own keys (or their usual aliases), public layouts, and back to JSONL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..records import Item
from .layouts import LAYOUTS, BenchmarkLayout, detect, judge_bench_scale
from .rows import Document, Row, iter_jsonl, read_document, rows_of, write_rows
from .values import group_of, scores_of, text_of

__all__ = [
    "ALIASES",
    "Dataset",
    "convert",
    "describe",
    "item_of_row",
    "item_row",
    "load_demo",
    "read_items",
    "write_rows",
]

ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "idx", "uid", "item_id"),
    "instruction": ("instruction", "prompt", "question", "input", "query"),
    "response": ("response", "output", "actual_output", "answer", "completion", "summary"),
    "reference": ("reference", "reference_answer", "expected_output", "expected"),
    "source": ("source", "article", "document", "context", "source_text", "passage"),
    "rubric": ("rubric", "score_rubric", "criteria"),
    "score": ("score", "human_score", "human_scores", "rating"),
    "scores": ("scores",),
    "group": ("group",),
    "rendered": ("rendered",),
}
_TEXT_FIELDS = ("source", "instruction", "reference", "response", "rubric")
_MAX_PROBLEMS = 5
ROWS = "rows"


@dataclass(frozen=True)
class Dataset:
    """Items in the order of their file.

    layout: "rows" or the name of a public layout. message: what was detected, in one line. scale:
    the scale of the human scores where the layout fixes one ("1-5"), else None.
    """

    items: tuple[Item, ...]
    layout: str
    message: str
    scale: str | None = None

    @property
    def criteria(self) -> tuple[str, ...]:
        """Names under which human scores are there, in order; "" is the unnamed one."""
        return tuple(dict.fromkeys(name for item in self.items for name in item.human))


def read_items(
    path: str | Path,
    mapping: Mapping[str, str] | None = None,
    layout: str | None = None,
    *,
    require: Sequence[str] = ("response",),
    keep_rendered: bool = True,
) -> Dataset:
    """Read items from a file or stdin ("-"): JSONL, JSON, CSV, TSV or Parquet.

    mapping: field -> key of the file; "score:NAME" names the human score of one criterion. A mapping
    means rows of ours. layout: None detects, "rows" or a name of LAYOUTS decides. require: fields that
    every row must have. keep_rendered=False drops whole prompts where their parts were read too.
    Raises DataError with the place of what cannot be used, and for two items with one id.
    """
    if mapping and layout not in (None, ROWS):
        raise DataError(f"a mapping of keys and the layout {layout} exclude each other", "give one of them")
    document = read_document(path)
    found = None if mapping or layout == ROWS else _layout_of(document, layout)
    if found is None:
        unfolded = _unfold(document)
        found = None if mapping or layout else detect(unfolded)
        document = unfolded
    if found is None:
        items = _rows_to_items(document, dict(mapping or {}), tuple(require))
    else:
        items = _layout_items(document, found)
    if not items:
        raise DataError(f"{document.path}: no items in it")
    if not keep_rendered:
        items = [replace(item, rendered=None) if "response" in item.fields else item for item in items]
    _check_ids(items)
    name = found.name if found else ROWS
    scale = judge_bench_scale(document) if name == "judge-bench" else found.scale if found else None
    return Dataset(tuple(items), name, _message(document, items, found), scale)


def convert(dataset: Dataset, out: str | Path) -> int:
    """Write `dataset` in our own keys (JSONL, or CSV by suffix) and return how many rows there are."""
    return write_rows(out, (item_row(item) for item in dataset.items))


def item_row(item: Item) -> dict[str, Any]:
    """An item as a row that `read_items` reads back: id, fields, rendered, score or scores, group."""
    row: dict[str, Any] = {"id": item.id, **item.fields}
    if item.rendered is not None:
        row["rendered"] = item.rendered
    if set(item.human) == {""}:
        row["score"] = _plain(item.human[""])
    elif item.human:
        row["scores"] = {name: _plain(values) for name, values in item.human.items()}
    if item.group is not None:
        row["group"] = item.group
    return row


def load_demo() -> Dataset:
    """The demo set: texts written for this project, each with five summaries of constructed quality.

    The score of a summary is the rung it was written for, and nobody's judgment: 5 faithful, complete
    and fluent; 4 with a small omission; 3 vague or partly right; 2 mostly wrong; 1 off the subject or
    garbled. Lengths are mixed, so that counting words does not order the rungs.
    """
    text = (resources.files(__package__) / "demo.jsonl").read_text(encoding="utf-8")
    document = Document("demo.jsonl", tuple(iter_jsonl(text.split("\n"), "demo.jsonl")))
    items = tuple(_rows_to_items(document, {}, ("source", "response")))
    groups = len({item.group for item in items})
    message = f"demo set: {len(items)} summaries of {groups} texts, labelled by construction"
    return Dataset(items, ROWS, message, "1-5")


def _layout_of(document: Document, name: str | None) -> BenchmarkLayout | None:
    if name is None:
        return detect(document)
    if name not in LAYOUTS:
        raise DataError(f"there is no layout {name!r}", f"one of: {ROWS}, {', '.join(LAYOUTS)}")
    layout = LAYOUTS[name]
    for candidate in (document, _unfold(document)):
        if layout.matches(candidate):
            return layout
    first = document.rows[0].values if document.rows else document.whole
    raise DataError(
        f"{document.path}: not in the layout {name}; its first keys are {', '.join(list(first)[:12])}",
        f"leave the layout to detection, or name the keys with --map (layout {ROWS})",
    )


def _unfold(document: Document) -> Document:
    """A JSON object as rows: one row, the only list in it, or its entries by id."""
    whole = document.whole
    if not isinstance(whole, dict):
        return document
    lists = [v for v in whole.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
    if whole and all(isinstance(v, dict) for v in whole.values()):
        rows = [Row({"id": k, **v}, f"{document.path}[{k!r}]") for k, v in whole.items()]
    elif len(lists) == 1 and not any(isinstance(whole.get(k), str) for k in ALIASES["response"]):
        rows = list(rows_of(lists[0], document.path))
    else:
        rows = [Row(whole, f"{document.path}[0]")] if whole else []
    return Document(document.path, tuple(rows))


def _layout_items(document: Document, layout: BenchmarkLayout) -> list[Item]:
    if not layout.matches(document):
        document = _unfold(document)
    items: list[Item] = []
    try:
        for item in layout.items(document):
            items.append(item)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        place = f"after item {items[-1].id!r}" if items else "at its first item"
        raise DataError(
            f"{document.path}: looks like {layout.about}, but breaks its layout {place}: {error!r}",
            f"name the keys with --map (layout {ROWS})",
        ) from error
    return items


def _rows_to_items(document: Document, mapping: dict[str, str], require: tuple[str, ...]) -> list[Item]:
    _check_mapping(document, mapping)
    items: list[Item] = []
    problems: list[DataError] = []
    for number, row in enumerate(_single(document.rows, mapping), 1):
        try:
            items.append(item_of_row(row, number, mapping, require))
        except DataError as error:
            problems.append(error)
    if problems:
        more = len(problems) - _MAX_PROBLEMS
        text = "\n".join(p.message for p in problems[:_MAX_PROBLEMS])
        raise DataError(text + (f"\nand {more} more rows" if more > 0 else ""), problems[0].hint)
    return items


def _single(rows: Iterable[Row], mapping: Mapping[str, str]) -> Iterator[Row]:
    """Rows with one response each: a list `responses` of texts, or of objects that each have one, is spread."""
    key = mapping.get("responses", "responses")
    for number, row in enumerate(rows, 1):
        several = row.values.get(key)
        if not isinstance(several, list) or "response" in _keys_of(row, mapping):
            yield row
            continue
        names = _keys_of(row, mapping)
        base = row.values[names["id"]] if "id" in names else number
        shared = {k: v for k, v in row.values.items() if k not in (key, names.get("id"))}
        for place, entry in enumerate(several, 1):
            own = entry if isinstance(entry, dict) else {mapping.get("response", "response"): entry}
            name = f"{base}/{own.get('id', place)}"
            yield Row({**shared, **own, mapping.get("id", "id"): name}, row.where)


def item_of_row(row: Row, number: int, mapping: Mapping[str, str], require: Sequence[str]) -> Item:
    """The item that a row of ours is; `number` is its id where it has none. Raises DataError."""
    keys = _keys_of(row, mapping)
    values = row.values
    fields = {f: text_of(values[keys[f]], keys[f], row.where) for f in _TEXT_FIELDS if f in keys}
    if "rubric" in fields and "rubric" not in mapping:
        fields["rubric"] = _with_descriptions(fields["rubric"], row)
    claimed = {*keys.values(), *mapping.values()}
    for field, key in mapping.items():
        if field not in ALIASES and not field.startswith("score:") and values.get(key) is not None:
            fields[field] = text_of(values[key], key, row.where)
    for key, value in values.items():
        free = key not in claimed and key not in fields and not isinstance(value, bool)
        if free and isinstance(value, (str, int, float)):
            fields[key] = text_of(value, key, row.where)
    rendered = text_of(values[keys["rendered"]], keys["rendered"], row.where) if "rendered" in keys else None
    missing = [f for f in require if f not in fields] if rendered is None else []
    if missing:
        found = ", ".join(values) or "none"
        hint = f"name the key with --map {missing[0]}=KEY"
        raise DataError(f"{row.where}: no {', '.join(missing)}; the row has the keys {found}", hint)
    identity = text_of(values[keys["id"]], keys["id"], row.where) if "id" in keys else str(number)
    group = text_of(values[keys["group"]], keys["group"], row.where) if "group" in keys else None
    shared = fields.get("source") or fields.get("instruction")
    if group is None and shared:
        group = group_of(shared)
    return Item(identity, fields, _human(row, keys, mapping), group, rendered, row.where)


def _keys_of(row: Row, mapping: Mapping[str, str]) -> dict[str, str]:
    """Field -> the key that holds it in this row: the mapped one, else the first alias that is there."""
    taken = set(mapping.values())
    keys = {}
    for field, aliases in ALIASES.items():
        candidates = (mapping[field],) if field in mapping else [a for a in aliases if a not in taken]
        key = next((k for k in candidates if row.values.get(k) is not None), None)
        if key is not None:
            keys[field] = key
    return keys


def _with_descriptions(criteria: str, row: Row) -> str:
    lines = [criteria]
    for score in range(11):
        key = f"score{score}_description"
        if row.values.get(key):
            lines.append(f"Score {score}: {text_of(row.values[key], key, row.where)}")
    return "\n".join(lines)


def _human(row: Row, keys: Mapping[str, str], mapping: Mapping[str, str]) -> dict[str, tuple[float, ...]]:
    named: dict[str, Any] = {}
    for field in ("score", "scores"):
        value = row.values.get(keys[field]) if field in keys else None
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = _object(value, keys[field], row.where)
        if isinstance(value, dict):
            named.update(value)
        elif value is not None:
            named[""] = value
    for field, key in mapping.items():
        if field.startswith("score:"):
            named[field.partition(":")[2]] = row.values.get(key)
    human = {str(name): scores_of(value, f"score {name}".strip(), row.where) for name, value in named.items()}
    return {name: scores for name, scores in human.items() if scores}


def _object(text: str, key: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise DataError(f"{where}: key {key!r} starts like a JSON object and is none") from None


def _check_mapping(document: Document, mapping: Mapping[str, str]) -> None:
    present = {key for row in document.rows for key in row.values}
    absent = [f"{field}={key}" for field, key in mapping.items() if key not in present]
    if absent and document.rows:
        shown = ", ".join(sorted(present)[:20])
        raise DataError(f"{document.path}: no row has the key of {', '.join(absent)}", f"the keys are: {shown}")


def _check_ids(items: Iterable[Item]) -> None:
    seen: dict[str, Item] = {}
    for item in items:
        first = seen.setdefault(item.id, item)
        if first is not item:
            raise DataError(
                f"{item.where}: the id {item.id!r} was used before, at {first.where}",
                "make ids unique, or map another key with --map id=KEY",
            )


def describe(path: str, items: Iterable[Item]) -> str:
    """How many items, groups and human scores there are, in one line; nothing of an item is kept."""
    count, single, groups, names = 0, 0, set(), {}
    for item in items:
        count += 1
        groups.add(hash(item.group or item.id))
        names.update(dict.fromkeys(item.human))
        single += sum(len(scores) for scores in item.human.values())
    parts = [f"{path}: {count} items"]
    if len(groups) < count:
        parts.append(f"{len(groups)} groups")
    if names:
        listed = ", ".join(n for n in names if n)
        parts.append(f"{single} scores" + (f" ({listed})" if listed else ""))
    return ", ".join(parts)


def _message(document: Document, items: Sequence[Item], layout: BenchmarkLayout | None) -> str:
    text = describe(document.path, items)
    if layout is not None:
        gpt = layout.name == "prometheus" and "human_score" not in document.rows[0].values
        note = "the scores are GPT-4's, not people's" if gpt else layout.note
        text += f"; layout detected: {layout.about}" + (f" ({note})" if note else "")
    return text


def _plain(scores: Sequence[float]) -> float | int | list[float | int]:
    numbers = [int(s) if s.is_integer() else s for s in map(float, scores)]
    return numbers[0] if len(numbers) == 1 else numbers
