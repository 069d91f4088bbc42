"""Rows into files that are complete or absent: JSON Lines, JSON, CSV and TSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..system import write_beside


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows by suffix (.csv, .tsv, .json; else JSONL) and return how many.

    The file appears complete or not at all: it is written beside its place, synced and renamed. "-"
    is stdout (JSONL). Nested values become JSON text in tables, and an empty list an empty cell. No rows give an empty JSONL file.
    Raises OutputError where the folder is missing or cannot be written.
    """
    path = str(path)
    if path == "-":
        return _write_stdout(rows)
    writer = _WRITERS.get(Path(path).suffix.lower(), _write_jsonl)
    return write_beside(path, lambda file: writer(file, rows), text=True)


def _write_stdout(rows: Iterable[Mapping[str, Any]]) -> int:
    try:
        count = _write_jsonl(sys.stdout, rows)
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # the reader has enough: no error, and click ends quietly
    except OSError as error:
        raise OutputError(
            f"stdout: cannot write: {error.strerror}", "write to a file with -o, which is complete or absent"
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
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    if columns:
        writer.writerow(columns)
    writer.writerows([_cell(row.get(key)) for key in columns] for row in table)
    return len(table)


def _write_tsv(file: Any, rows: Iterable[Mapping[str, Any]]) -> int:
    return _write_table(file, rows, "\t")


_WRITERS = {".csv": _write_table, ".tsv": _write_tsv, ".json": _write_json}


def _cell(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and not value:
        return None
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    return value
