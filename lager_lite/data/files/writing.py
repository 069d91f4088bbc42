"""Rows into files that are complete or absent: JSON Lines, JSON, CSV and TSV."""

from __future__ import annotations

import csv
import itertools
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from ...errors import OutputError
from ...records import Item
from ...system import check_not_read, write_beside
from ..keys import SURROGATES, file_of, is_missing
from .spreadsheet import written_cell


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows by suffix (.csv, .tsv, .json; else JSONL) and return how many.

    The file appears complete or not at all: it is written beside its place, synced and renamed. "-"
    is stdout (JSONL). Nested values become JSON text in tables, an empty list an empty cell, and
    what a spreadsheet would run is written as text (see `spreadsheet`). No rows give an empty JSONL file.
    Raises OutputError where the folder is missing or cannot be written.
    """
    path = str(path)
    if path == "-":
        return _write_stdout(rows)
    writer = _WRITERS.get(Path(path).suffix.lower(), _write_jsonl)
    return write_beside(path, lambda file: writer(file, rows), text=True)


def apart_from(output: str | Path, items: Iterable[Item]) -> Iterator[Item]:
    """Return the items; raise OutputError where one was read from the file that is to be written.

    All items of a list, and the first of anything else, are looked at before the function returns; the others when
    they come.
    """
    checked = {""}

    def same(item: Item) -> Item:
        """The item, when its file is known not to be the output."""
        path = file_of(item.where) if isinstance(item, Item) else ""
        if path not in checked:
            checked.add(path)
            check_not_read(output, [path])
        return item

    if isinstance(items, Sequence):
        return iter([same(item) for item in items])
    coming = map(same, items)
    return itertools.chain(list(itertools.islice(coming, 1)), coming)


def _write_stdout(rows: Iterable[Mapping[str, Any]]) -> int:
    try:
        count = _write_jsonl(sys.stdout, rows)
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # the reader has enough, and the program ends without a word
    except OSError as error:
        raise OutputError(
            f"stdout: cannot write: {error.strerror}", "write to a file, which is complete or absent"
        ) from None
    return count


def _write_jsonl(file: Any, rows: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    for row in rows:
        file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
        count += 1
    return count


def _write_json(file: Any, rows: Iterable[Mapping[str, Any]]) -> int:
    table = list(rows)
    file.write(json.dumps(table, ensure_ascii=False, allow_nan=False, indent=1) + "\n")
    return len(table)


def _write_table(file: Any, rows: Iterable[Mapping[str, Any]], delimiter: str = ",") -> int:
    table = list(rows)
    columns = list(dict.fromkeys(key for row in table for key in row))
    # The module quotes what could end a line, and of "\r" it knows only where a line ends with it.
    writer = csv.writer(_Lines(file), delimiter=delimiter, lineterminator="\r\n")
    if columns:
        writer.writerow(map(written_cell, columns))
    writer.writerows([_cell(row.get(key)) for key in columns] for row in table)
    return len(table)


class _Lines:
    """A file whose lines end with a line feed alone."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, line: str) -> None:
        self._file.write(line.removesuffix("\r\n") + "\n")


def _write_tsv(file: Any, rows: Iterable[Mapping[str, Any]]) -> int:
    return _write_table(file, rows, "\t")


_WRITERS = {".csv": _write_table, ".tsv": _write_tsv, ".json": _write_json}


def _cell(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and not value:
        return None
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    return written_cell(value) if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """Return a value of a row, of whatever kind of file, as JSON has it.

    What JSON does not have becomes null (NaN and infinity), a number (of Decimal) or text (a date); half a surrogate
    pair becomes U+FFFD.
    """
    if isinstance(value, Mapping):
        return {str(plain(str(key))): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if is_missing(value) or isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float)) else SURROGATES.sub("\ufffd", str(value))
