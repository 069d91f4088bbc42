"""The one reader of rows: JSON Lines, JSON, CSV, TSV and Parquet, from files, pipes and stdin."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..keys import HeldRows, RepeatedKey, Row, RowSource, kind_of, unique
from .bytesource import ByteSource
from .jsonlist import not_json
from .rowfile import LineFile, ListFile, TableFile, long_cells

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet")
_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv"}
_SUFFIXES[".parquet"] = "parquet"
_SPREADSHEETS = (".xlsx", ".xls", ".ods")
_OTHERS = {".yaml": "YAML", ".yml": "YAML", ".toml": "TOML", ".xml": "XML", ".html": "HTML", ".md": "Markdown"}
_LINE_END = re.compile(r"\r\n|\r|\n")
_READ = "JSON Lines, JSON, CSV, TSV (delimited by commas, semicolons or tabs) and Parquet are read"
_NAMED = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_DELIMITERS = {"csv": ",", "tsv": "\t"}


def open_rows(
    path: str | Path, *, kind: str | None = None, empty: bool = False, encoding: str | None = None
) -> RowSource:
    """The rows of a file, by its suffix, or by its first character where the suffix says nothing ("-" is stdin).

    Behind `.gz` the suffix before it counts. A table is read by the delimiter that its header shows: comma,
    semicolon or tab.

    Rows of JSON Lines, a JSON list and a table are read when they are asked for, as a `RowFile`; a JSON
    object, handed on in `whole`, and Parquet are held. kind: one of FORMATS, whatever the suffix says.
    empty: whether a file without any text is no error. encoding: of the text, None for UTF-8. Raises DataError
    for a file that is missing, empty, a spreadsheet, not UTF-8 (with the byte), or that is not of its kind (with
    line and column).
    """
    source = ByteSource(path, encoding)
    suffix = Path(str(path).lower().removesuffix(".gz")).suffix
    kind = kind or _SUFFIXES.get(suffix)
    if suffix in _SPREADSHEETS:
        raise DataError(f"{source.name}: a spreadsheet cannot be read", "save it as CSV (UTF-8), and give that file")
    if kind is None and suffix in _OTHERS:
        raise DataError(f"{source.name}: {_OTHERS[suffix]} cannot be read", _READ)
    if kind == "parquet":
        return HeldRows(source.name, tuple(_parquet(source)))
    first = source.first()
    if not first:
        if empty:
            return HeldRows(source.name, ())
        raise DataError(f"{source.name}: the file is empty", "it should hold one item per line or row")
    if kind in _DELIMITERS:
        return _table(source, _DELIMITERS[kind])
    if kind is None and first not in "[{":
        return _table(source, ",", plain=True)
    if first == "[":
        return ListFile(source)
    if kind == "jsonl" or _is_lines(source):
        return LineFile(source)
    return _whole(source)


def _table(source: ByteSource, usual: str, *, plain: bool = False) -> TableFile:
    """A table by the delimiter that its header shows, or that a line above it names for Excel.

    plain: whether nothing but its text says that it is one, so that it may be prose. Raises DataError for that.
    """
    with source.open() as file:
        file.seek(source.begin)
        line = file.readline()
    if named := _NAMED.fullmatch(line.decode("utf-8", "replace")):
        source.begin, source.above = source.begin + len(line), 1
        return TableFile(source, named[1])
    delimiter, header = _delimiter(source, usual)
    if "|" in header:
        raise DataError(f"{source.name}: the header {header!r} has no cells that can be told apart", _READ)
    if plain and " " in header:
        raise DataError(f"{source.name}: plain text cannot be read, its first line is no header of columns", _READ)
    return TableFile(source, delimiter)


def _first_line(source: ByteSource) -> str:
    with source.open() as file:
        file.seek(source.begin)
        text = next((line for raw in file if (line := raw.decode("utf-8", "replace")).strip()), "")
    return next((line for line in _LINE_END.split(text) if line.strip()), "")


def _delimiter(source: ByteSource, usual: str) -> tuple[str, str]:
    """The delimiter that cuts the header into the most cells, the usual one where several do; and the header where
    none cuts it, else ""."""
    line = _first_line(source)
    try:
        with long_cells():
            found = {mark: len(next(csv.reader([line], delimiter=mark))) for mark in (usual, ",", ";", "\t")}
    except csv.Error as error:
        raise DataError(f"{source.name}:1: not a table: {error}") from None
    best = max(found, key=lambda mark: found[mark])
    return best, line.strip() if found[best] == 1 else ""


def _is_lines(source: ByteSource) -> bool:
    """Whether the first line with text is an object of its own and more text follows."""
    with source.open() as file:
        file.seek(source.begin)
        line = next((raw for raw in file if raw.strip()), b"")
        try:
            json.loads(line)
        except (RecursionError, ValueError):
            return False
        return any(raw.strip() for raw in file)


def _whole(source: ByteSource) -> RowSource:
    text, name = source.text(), source.name
    try:
        value = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # several values, of which the first one takes several lines
            return LineFile(source)
        raise DataError(
            f"{name}:{error.lineno}: {not_json(error.msg, error.colno)}",
            "a .json file should hold one list or object",
        ) from None
    except RepeatedKey as error:
        raise DataError(f"{name}: {error}", "keep one of them") from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"{name}: not JSON that can be read: {error}") from None
    if not isinstance(value, dict):
        raise DataError(f"{name}: expected a JSON list or object, found {kind_of(value)}")
    return HeldRows(name, (), value)


def _parquet(source: ByteSource) -> Iterator[Row]:
    if find_spec("pyarrow") is None:
        raise DataError(f"{source.name}: reading Parquet needs pyarrow", "pip install 'lager-lite[parquet]'")
    import pyarrow
    import pyarrow.parquet

    try:
        with source.open() as file:
            table: Any = pyarrow.parquet.read_table(pyarrow.BufferReader(file.read()))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{source.name}: not a Parquet file that can be read: {error}") from None
    for index, values in enumerate(table.to_pylist()):
        blank = frozenset(k for k, v in values.items() if v is None)
        yield Row({k: v for k, v in values.items() if v is not None}, f"{source.name}[{index}]", blank=blank)
