"""Which layout the rows of a file are written in, decided over all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import Advice, DataError
from ..keys import ALIASES, HeldRows, Row, RowSource, response_key, rows_of, spelled, without_missing
from .benchmarks import LAYOUTS, BenchmarkLayout, has_no_response

ROWS = "rows"
"""The name of rows of ours, where a layout is named."""
FREE = ("alpaca", "messages")
"""The layouts whose rows may stand in one file with each other and with rows of ours."""


def lowered(row: Row) -> Row:
    """The row without what is missing, and with its keys in their usual spelling, where no other key is spelled so."""
    plain = without_missing(row)
    names: dict[str, str] = {}
    for key in (*plain.values, *sorted(plain.blank)):
        usual = spelled(key)
        taken = usual != key and (usual in row.values or usual in row.blank or usual in names)
        names[key if taken else usual] = key
    written = {key: name for name, key in names.items()}
    values = {written[key]: value for key, value in plain.values.items()}
    return replace(plain, values=values, blank=frozenset(written[key] for key in plain.blank))


def without(row: Row, keys: Collection[str]) -> Row:
    """The row without some keys."""
    if row.values.keys().isdisjoint(keys) and row.blank.isdisjoint(keys):
        return row
    values = {key: value for key, value in row.values.items() if key not in keys}
    return replace(row, values=values, blank=row.blank.difference(keys))


class Remaining(RowSource):
    """Rows without some keys."""

    def __init__(self, rows: RowSource, keys: Collection[str]) -> None:
        self._rows, self._keys = rows, keys
        self.name, self.whole = rows.name, rows.whole

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> Row:
        return without(self._rows[number], self._keys)

    def __iter__(self) -> Iterator[Row]:
        return (without(row, self._keys) for row in self._rows)


def ignored_keys(rows: RowSource, names: Sequence[str], mapped: Collection[str]) -> tuple[str, ...]:
    """The keys of the rows that names mean, in any capitals: a key, else a field by all its usual keys.

    mapped: the keys of --map. Raises DataError for a key of these, and for a name that means no key of any row.
    """
    if not names:
        return ()
    present = {key: None for row in rows for key in (*row.values, *sorted(row.blank))}
    found: dict[str, None] = {}
    for name in names:
        keys = [name] if name in present else [key for key in present if key.lower() == name.lower()]
        keys = keys or [key for key in present if spelled(key) in ALIASES.get(name.lower(), ()) and key not in mapped]
        if not keys:
            shown = ", ".join(sorted(present)[:20])
            raise DataError(f"{rows.name}: no row has the key {name} to ignore", f"the keys are: {shown}")
        if twice := [key for key in keys if key in mapped]:
            raise DataError(f"the key {twice[0]} is both mapped and ignored", "leave out one of them")
        found.update(dict.fromkeys(keys))
    return tuple(found)


def layout_of(values: Mapping[str, Any]) -> BenchmarkLayout | None:
    """The public layout that one row is written in, by its keys in small letters; None for a row of ours."""
    return next((layout for layout in LAYOUTS.values() if not layout.inside and layout.matches(values)), None)


def detect(rows: RowSource, unfolded: RowSource) -> tuple[BenchmarkLayout | None, bool]:
    """The public layout that a file is written in, None for rows of ours, and whether each row must be looked at.

    unfolded: the rows inside the JSON object that `rows` may be. A row without a response and of no known layout
    decides nothing. Raises DataError with both places where rows of two layouts cannot stand in one file.
    """
    if isinstance(rows.whole, dict):
        for layout in LAYOUTS.values():
            if layout.inside and layout.matches(rows.whole):
                return layout, False
    firsts: dict[str, Row] = {}
    fitting = {name: layout.fits or layout.matches for name, layout in LAYOUTS.items() if not layout.inside}
    for row in unfolded:
        plain = lowered(row)
        values = plain.values
        found = layout_of(values)
        if found or response_key(values, plain.blank) not in plain.blank and not has_no_response(values):
            firsts.setdefault(found.name if found else "", row)
            fitting = {name: fits for name, fits in fitting.items() if fits(values)}
    if common := next((name for name in firsts if name in fitting), None):
        return LAYOUTS[common], False
    if all(name in ("", *FREE) for name in firsts):
        return None, len(firsts) > 1
    (one, first), (other, second) = list(firsts.items())[:2]
    about = [LAYOUTS[name].about if name else "a row of lager-lite's own keys" for name in (one, other)]
    raise DataError(
        f"{second.where}: looks like {about[1]}, but {first.where} like {about[0]}",
        Advice(
            f"split the file, or name the keys with --map (layout {ROWS})",
            f'split the file, or name the keys with mapping (layout="{ROWS}")',
            "give rows of one kind",
        ),
    )


def unfold(rows: RowSource) -> RowSource:
    """A JSON object as rows: one row, the only list in it, or its entries by id."""
    whole = rows.whole
    if not isinstance(whole, dict):
        return rows
    lists = [v for v in whole.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
    if whole and all(isinstance(v, dict) for v in whole.values()):
        found = [Row({"id": k, **v}, f"{rows.name}[{k!r}]") for k, v in whole.items()]
    elif len(lists) == 1 and not any(isinstance(whole.get(k), str) for k in ALIASES["response"]):
        found = list(rows_of(lists[0], rows.name))
    else:
        found = [Row(whole, f"{rows.name}[0]")] if whole else []
    return HeldRows(rows.name, tuple(found))
