"""Tables that were laid out for the eye: merged cells, lines of totals and notes, and lines that say what columns hold."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...errors import Advice, DataError
from ..files import TableFile
from ..keys import ALIASES, Row, is_blank, listed, usual_keys

_CONTEXT = ("instruction", "source")
_TOTAL = re.compile(
    r"(?:grand |sub)?totals?|sum|(?:overall )?(?:average|mean)|avg\.?|median|std\.?(?: dev\.?)?|standard deviation|count"
    r"|n\s*=\s*\d+|summe|gesamt|mittelwert|durchschnitt|moyenne|promedio|media",
    re.I,
)
_NOTE = re.compile(r"(?:source|sources|note|notes|n\.?b\.?|legend|quelle|anmerkung)\s*:|[*†‡]\s*\w", re.I)
_KIND = re.compile(
    r"\(.*\)|\[.*\]|(?:free )?text|str|string|int|integer|float|number|numeric|varchar|char|open-ended response|response"
    r"|%|\(?\d+\s*(?:-|–|to)\s*\d+\)?",
    re.I,
)
_SHARE = 4
_ROWS, _BLOCKS = 6, 2


class _Column:
    """In which rows a field is filled: the sizes of the blocks that each begin with a row that has it.

    alike: whether the instruction of every row without it is that of the row which began the block.
    first: where the first row without it stands below one that has it.
    """

    def __init__(self) -> None:
        self.blocks = list[int]()
        self.lacking = 0
        self.alike, self.first = True, ""
        self._asked: Any = None

    def see(self, row: Row, filled: bool, asked: Any) -> None:
        """Take in one row. filled: whether it has the field. asked: its instruction."""
        if filled:
            self.blocks.append(1)
            self._asked = asked
            return
        self.lacking += 1
        if self.blocks:
            self.blocks[-1] += 1
            self.first = self.first or row.where
        self.alike = self.alike and bool(self.blocks) and asked == self._asked and not is_blank(asked)

    @property
    def regular(self) -> bool:
        """Whether the blocks are of one size, as where each request has the same number of answers."""
        rows = sum(self.blocks)
        return len(self.blocks) >= _BLOCKS and rows >= _ROWS and {*self.blocks} == {self.blocks[0]} != {1}


def check_sheet(
    table: TableFile, mapping: Mapping[str, str], ignore: Collection[str], *, responses: Sequence[str] = ()
) -> None:
    """Refuse a table of whose rows some are no items, or lack what stands in a merged cell above them.

    mapping: field -> column. ignore: columns that are not looked at. responses: the columns of the two responses of a
    pair; empty for rows with one response each. Raises DataError.
    """
    columns = _columns_of(table, mapping, ignore)
    if responses:
        columns["response"] = tuple(responses)
    context = [key for field in _CONTEXT for key in columns[field]]
    whole, answers = {*columns["rendered"]}, columns["response"]
    fields = {field: _Column() for field in (*_CONTEXT, "reference", "rubric") if columns[field]}
    alone, first, last, count = _Column(), None, None, 0
    for row in table:
        filled = {key for key, value in row.values.items() if not is_blank(value) and key not in ignore}
        asked = next((row.values[key] for key in columns["instruction"] if key in filled), None)
        first, last = first or row, row
        if filled.isdisjoint((*context, *whole)) and answers and filled.isdisjoint(answers):
            continue  # a row without a response is an error of its own
        talks = any(isinstance(value, (list, dict)) for value in row.values.values())
        for field, column in fields.items():
            column.see(row, not filled.isdisjoint(columns[field]), asked)
        alone.see(row, talks or not filled.isdisjoint((*context, *whole)), None)
        count += 1
    if first is None or last is None:
        return
    _check_edges(first, last, columns, lacking=alone.lacking)
    if alone.lacking and alone.lacking * _SHARE >= count and sum(alone.blocks) == count:
        raise _merged(context, alone, count)
    for field, column in fields.items():
        regular = field in _CONTEXT and column.regular  # a reference may be there for every second row
        if column.lacking and sum(column.blocks) == count and (regular or column.alike):
            raise _merged(columns[field], column, count)


def _columns_of(table: TableFile, mapping: Mapping[str, str], ignore: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The columns that each field may be taken from."""
    taken = {*mapping.values()}
    usual = usual_keys([key for key in table.columns if key not in ignore and key not in taken])
    return {field: (mapping[field],) if field in mapping else usual[field] for field in ALIASES}


def _merged(keys: Collection[str], column: _Column, count: int) -> DataError:
    return DataError(
        f"{column.first}: {' and '.join(keys)}: empty in {column.lacking} of {count} rows, below rows that have it, "
        "as merged cells are saved",
        Advice(
            f"fill the cells down, so that every row has its own; --ignore {list(keys)[0]} reads the rows without it",
            f"fill the cells down, so that every row has its own; ignore=[{list(keys)[0]!r}] reads the rows without it",
        ),
    )


def _check_edges(first: Row, last: Row, columns: Mapping[str, tuple[str, ...]], *, lacking: int) -> None:
    """Refuse a first row that says what the columns hold, and a last one that sums them up or is a note.

    lacking: the number of rows without an instruction and a source.
    """
    responses = columns["response"]
    cells = {key: str(value).strip() for key, value in first.values.items() if not is_blank(value)}
    if len(cells) > 1 and not cells.keys().isdisjoint(responses) and all(map(_KIND.fullmatch, cells.values())):
        raise _no_item(first, "seems to say what the columns hold", cells)
    end = {key: str(value).strip() for key, value in last.values.items() if not is_blank(value)}
    if first is last or end.keys().isdisjoint(responses):
        return
    named = {key for field in ("id", *_CONTEXT) for key in columns[field]}
    lost = cells.keys() - end.keys()
    key, text = next(iter(end.items()))
    if _TOTAL.fullmatch(text.rstrip(": ")) and (key in named or lost & named):
        raise _no_item(last, "seems to sum up the rows above", end)
    note = bool(_NOTE.match(text)) and bool(lost)
    if len(end) == 1 and (note or len(lost & named) > 1 and lacking == 1):
        raise _no_item(last, "seems to be a note below the table", end)


def _no_item(row: Row, what: str, cells: Mapping[str, str]) -> DataError:
    return DataError(f"{row.where}: {what}, and to be no item: {listed(list(cells.values()), 4)}", "delete the line")
