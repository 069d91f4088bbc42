"""Rows that are read one at a time, by their places, and copied byte by byte.

Only the places of the rows are kept: 24 bytes for each row of JSON Lines, a JSON list or a table.
"""

from __future__ import annotations

import csv
import io
import json
from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from ...errors import DataError
from ...system import write_beside
from ..keys import RepeatedKey, Row, RowSource, counted, kind_of, unique
from .bytesource import ByteSource
from .cells import cell_values
from .jsonlist import not_json, objects_of
from .spreadsheet import read_cell

_ONE_OBJECT = 'each line should be one object such as {"id": "a", "response": "..."}'


class RowFile(RowSource):
    """Rows in a file of one kind.

    name: the path, or "stdin".
    head, gap, tail: bytes before the first row, between two rows, and after the last.

    The kinds differ in where rows begin and end, and in how one is read. A row is checked when it is read:
    that raises DataError, also where the file has changed in between.
    """

    def __init__(self, source: ByteSource) -> None:
        self.source, self.name = source, source.name
        self.head, self.gap, self.tail = b"", b"\n", b"\n"
        self._starts, self._sizes, self._lines = array("q"), array("q"), array("q")
        self._find()

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, number: int) -> Row:
        with self.source.open() as file:
            return self._row(file, number)

    def __iter__(self) -> Iterator[Row]:
        with self.source.open() as file:
            for number in range(len(self)):
                yield self._row(file, number)

    def bytes_of(self, file: BinaryIO, number: int) -> bytes:
        """A row as it stands in the opened file."""
        file.seek(self._starts[number])
        return file.read(self._sizes[number])

    def copy(self, output: str | Path, numbers: Iterable[int]) -> int:
        """Write the rows `numbers` (from 0) to another file as they stand in this one; return how many.

        Raises OutputError where the output cannot be written, DataError where it is this file.
        """
        if self.source.path is not None and Path(output).resolve() == self.source.path.resolve():
            raise DataError(f"{output}: is the file that is being read", "name another file")
        return copy_rows(output, [self], ((0, number) for number in numbers))

    @abstractmethod
    def _find(self) -> None:
        """Add the place of every row, and set the bytes around them."""

    @abstractmethod
    def _parsed(self, text: str, where: str) -> Row:
        """The row that a text of the file is. Raises DataError for none."""

    def _where(self, number: int) -> str:
        return f"{self.name}:{self._lines[number]}"

    def _row(self, file: BinaryIO, number: int) -> Row:
        try:
            text = self.bytes_of(file, number).decode("utf-8")
        except UnicodeDecodeError:
            raise self.source.not_utf8() from None
        return self._parsed(text, self._where(number))

    def _add(self, start: int, size: int, line: int = 0) -> None:
        self._starts.append(start)
        self._sizes.append(size)
        self._lines.append(line)


class LineFile(RowFile):
    """JSON Lines; blank lines are skipped."""

    def _find(self) -> None:
        with self.source.open() as file:
            start = self.source.begin
            file.seek(start)
            for line, raw in enumerate(file, 1):
                if raw.strip():
                    self._add(start, len(raw.rstrip(b"\r\n")), line)
                start += len(raw)

    def _parsed(self, text: str, where: str) -> Row:
        try:
            values = json.loads(text, object_pairs_hook=unique)
        except json.JSONDecodeError as error:
            raise DataError(f"{where}: {not_json(error.msg, error.colno)}", _ONE_OBJECT) from None
        except RecursionError:
            raise DataError(f"{where}: the JSON is nested too deeply", _ONE_OBJECT) from None
        except RepeatedKey as error:
            raise DataError(f"{where}: {error}", "keep one of them") from None
        except ValueError as error:  # an integer with more digits than Python reads
            raise DataError(f"{where}: not JSON: {error}", _ONE_OBJECT) from None
        if not isinstance(values, dict):
            raise DataError(f"{where}: expected a JSON object, found {kind_of(values)}", _ONE_OBJECT)
        return Row(values, where)


class ListFile(RowFile):
    """One JSON list of objects."""

    def _find(self) -> None:
        first, end, past = self.source.begin, 0, 0
        for number, (start, size) in enumerate(objects_of(self.source)):
            if not size:
                past = start
                break
            if number == 0:
                first = start
            elif number == 1:
                self.gap = self._slice(end, start)
            self._add(start, size)
            end = start + size
        if len(self) < 2:
            self.gap = b",\n"
        if len(self):
            self.head, self.tail = self._slice(self.source.begin, first), self._slice(end, past)

    def _parsed(self, text: str, where: str) -> Row:
        try:
            return Row(json.loads(text, object_pairs_hook=unique), where)
        except RepeatedKey as error:
            raise DataError(f"{where}: {error}", "keep one of them") from None

    def _where(self, number: int) -> str:
        return f"{self.name}[{number}]"

    def _slice(self, start: int, end: int) -> bytes:
        with self.source.open() as file:
            file.seek(start)
            return file.read(end - start)


class TableFile(RowFile):
    """CSV or TSV with a header; empty cells are left out of a row, and rows of nothing but empty cells are skipped.
    Cells are read by `cell_values`.

    Columns without a name at the end of the header are left out where their cells are empty; others are named by their
    place, as "column 1", which is where pandas writes its index.

    columns: the names in the header.
    """

    def __init__(self, source: ByteSource, delimiter: str) -> None:
        self.columns: list[str] = []
        self._delimiter = delimiter
        super().__init__(source)
        self.gap = self.tail = b""

    def _find(self) -> None:
        start, line, read = self.source.begin, 1 + self.source.above, 0

        def lines(file: BinaryIO) -> Iterator[str]:
            """The lines of the file, their bytes counted."""
            nonlocal read
            for text in io.TextIOWrapper(file, encoding="utf-8", newline=""):
                read += len(text.encode("utf-8"))
                yield text

        with self.source.open() as file, long_cells():
            file.seek(start)
            reader = csv.reader(lines(file), delimiter=self._delimiter, strict=True)
            try:
                for cells in reader:
                    end = self.source.begin + read
                    if line == 1 + self.source.above:
                        self._begin([read_cell(cell.strip()) for cell in cells], end - start)
                    elif any(cell.strip() for cell in cells):
                        self._add(start, end - start, line)
                        self._check(cells, f"{self.name}:{line}")
                    start, line = end, reader.line_num + 1 + self.source.above
            except UnicodeDecodeError:
                raise self.source.not_utf8() from None
            except csv.Error as error:
                raise DataError(f"{self.name}:{reader.line_num}: not a table: {error}") from None

    def _begin(self, columns: list[str], size: int) -> None:
        while columns and not columns[-1]:
            columns.pop()  # spreadsheets write them for cells that were once filled
        self.columns = columns = [name or f"column {place}" for place, name in enumerate(columns, 1)]
        if len(set(columns)) < len(columns):
            raise DataError(
                f"{self.name}:1: a column name occurs twice: {', '.join(columns)}",
                "give every column a name of its own, so that they can be told apart",
            )
        with self.source.open() as file:
            file.seek(self.source.begin)
            self.head = file.read(size)

    def _check(self, cells: Sequence[str], where: str) -> None:
        if len(cells) < len(self.columns) or any(cells[len(self.columns) :]):
            raise DataError(
                f"{where}: {counted(len(cells), 'cell')}, the header has {len(self.columns)}",
                self._advice(len(cells), where),
            )

    def _advice(self, cells: int, where: str) -> str:
        if cells < len(self.columns):
            return "give the row a cell for every column, empty or not"
        if len(self.columns) == len(self) == 1:
            line = where.rpartition(":")[2]
            return f"the header seems to stand in line {line}: delete the lines above it"
        return "quote cells that hold the delimiter"

    def _parsed(self, text: str, where: str) -> Row:
        with long_cells():
            cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter, strict=True))
        held = dict(zip(self.columns, cells))
        values = cell_values(held)
        blank = frozenset(key for key in held if key not in values)
        return Row(values, where, comma=self._delimiter == ";", blank=blank)


def copy_rows(output: str | Path, files: Sequence[RowFile], picks: Iterable[tuple[int, int]]) -> int:
    """Write rows of several files of one kind to another file, byte by byte; return how many.

    picks: the number of a file and of a row in it, both from 0, in the order of the output. What stands before
    the first row, between two and after the last is that of the first file. Raises OutputError.
    """
    like = files[0]

    def write(file: BinaryIO) -> int:
        """Write the chosen rows, and return how many."""
        count = 0
        with ExitStack() as stack:
            opened = [stack.enter_context(one.source.open()) for one in files]
            file.write(like.head)
            for place, number in picks:
                file.write(like.gap if count else b"")
                file.write(files[place].bytes_of(opened[place], number))
                count += 1
        file.write(like.tail if count or isinstance(like, ListFile) else b"")
        return count

    return write_beside(output, write)


@contextmanager
def long_cells() -> Iterator[None]:
    """Let the csv module read cells of any length."""
    limit = csv.field_size_limit(2**31 - 1)  # articles are longer than the module's 128 KB
    try:
        yield
    finally:
        csv.field_size_limit(limit)
