"""Rows in files: reading JSONL, JSON, CSV, TSV and Parquet, and writing whole files or none.

A row is a dict with the place it came from. What the keys mean is not known here.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import DataError, OutputError
from ..system import write_beside

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet")
_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv"}
_SUFFIXES[".parquet"] = "parquet"


@dataclass(frozen=True)
class Row:
    """One record: `where` is "path:line" or "path[index]", counted from 1 and from 0 like the formats do."""

    values: Mapping[str, Any]
    where: str


@dataclass(frozen=True)
class Document:
    """What a file held: its rows, or the one JSON value that is more than rows (rows is then empty)."""

    path: str
    rows: tuple[Row, ...]
    whole: Any = None


def read_document(path: str | Path) -> Document:
    """Read a file by its suffix, or by its first character where the suffix says nothing ("-" = stdin).

    A JSON list is its rows; a JSON object is handed on in `whole`. Raises DataError for a file that
    is missing, empty, not UTF-8 (with the byte), or that does not parse (with line and column).
    """
    path = str(path)
    kind = _SUFFIXES.get(Path(path).suffix.lower())
    data, name = _read_bytes(path), "stdin" if path == "-" else path
    if kind == "parquet":
        return Document(name, tuple(_parquet(data, name)))
    text = _decode(data, name)
    if not text.strip():
        raise DataError(f"{name}: the file is empty", "it should hold one item per line or row")
    if kind in ("csv", "tsv"):
        return Document(name, tuple(_table(text, name, "," if kind == "csv" else "\t")))
    if kind == "jsonl":
        return Document(name, tuple(iter_jsonl(text.split("\n"), name)))
    if kind is None and text.lstrip()[0] not in "[{":
        first = text.lstrip().partition("\n")[0]
        return Document(name, tuple(_table(text, name, "\t" if "\t" in first else ",")))
    return _json_or_lines(text, name)


def iter_jsonl(lines: Iterable[str], name: str) -> Iterator[Row]:
    """Rows of JSON Lines, one at a time; blank lines are skipped.

    Raises DataError with path, line and column at the first line that is not a JSON object.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{where}: not JSON: {error.msg} at column {error.colno}", _ONE_OBJECT) from None
        except RecursionError:
            raise DataError(f"{where}: the JSON is nested too deeply", _ONE_OBJECT) from None
        except ValueError as error:  # an integer with more digits than Python reads
            raise DataError(f"{where}: not JSON: {error}", _ONE_OBJECT) from None
        if not isinstance(values, dict):
            raise DataError(f"{where}: expected a JSON object, found {_kind(values)}", _ONE_OBJECT)
        yield Row(values, where)


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows by suffix (.csv, .tsv, .json; else JSONL) and return how many.

    The file appears complete or not at all: it is written beside its place, synced and renamed. "-"
    is stdout (JSONL). Nested values become JSON text in tables. No rows give an empty JSONL file.
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


_ONE_OBJECT = 'each line should be one object such as {"id": "a", "response": "..."}'


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
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    return value


def _read_bytes(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder, expected a file of items") from None
    except OSError as error:
        raise DataError(f"{path}: cannot read: {error.strerror}") from None


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        hint = "convert it, for instance with: iconv -t UTF-8"
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            hint = "it looks like UTF-16; convert it with: iconv -f UTF-16 -t UTF-8"
        raise DataError(f"{name}: not UTF-8 at byte {offset} (0x{data[offset]:02x})", hint) from None


def _json_or_lines(text: str, name: str) -> Document:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # several values: JSON Lines under another suffix
            return Document(name, tuple(iter_jsonl(text.split("\n"), name)))
        message = f"{name}:{error.lineno}: not JSON: {error.msg} at column {error.colno}"
        raise DataError(message, "a .json file should hold one list or object") from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"{name}: not JSON that can be read: {error}") from None
    if isinstance(value, dict):
        return Document(name, (), value)
    if not isinstance(value, list):
        raise DataError(f"{name}: expected a JSON list or object, found {_kind(value)}")
    return Document(name, tuple(rows_of(value, name)))


def rows_of(values: Iterable[Any], name: str) -> Iterator[Row]:
    """Rows of a JSON list. Raises DataError for an entry that is not an object."""
    for index, entry in enumerate(values):
        if not isinstance(entry, dict):
            raise DataError(f"{name}[{index}]: expected a JSON object, found {_kind(entry)}")
        yield Row(entry, f"{name}[{index}]")


def _table(text: str, name: str, delimiter: str) -> Iterator[Row]:
    limit = csv.field_size_limit(2**31 - 1)  # articles are longer than the module's 128 KB
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = [cell.strip() for cell in next(reader)]
        if len(set(header)) < len(header):
            raise DataError(f"{name}:1: a column name occurs twice: {', '.join(header)}")
        start = reader.line_num + 1
        for cells in reader:
            where, start = f"{name}:{start}", reader.line_num + 1
            if not cells:
                continue
            if len(cells) != len(header):
                raise DataError(f"{where}: {len(cells)} cells, the header has {len(header)}", "quote the text")
            yield Row({key: cell for key, cell in zip(header, cells) if cell != ""}, where)
    except csv.Error as error:
        raise DataError(f"{name}:{reader.line_num}: not a table: {error}") from None
    finally:
        csv.field_size_limit(limit)


def _parquet(data: bytes, name: str) -> Iterator[Row]:
    if find_spec("pyarrow") is None:
        raise DataError(f"{name}: reading Parquet needs pyarrow", "pip install 'lager-lite[parquet]'")
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(pyarrow.BufferReader(data))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{name}: not a Parquet file that can be read: {error}") from None
    for index, values in enumerate(table.to_pylist()):
        yield Row({k: v for k, v in values.items() if v is not None}, f"{name}[{index}]")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
