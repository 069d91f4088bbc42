"""A file of rows that is read one row at a time, by place, and copied from byte by byte.

JSON Lines, or one JSON list of objects. Only the places of the rows are kept: 24 bytes a row.
"""

from __future__ import annotations

import codecs
import json
import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError
from ..system import write_beside
from .rows import Row, iter_jsonl

_CHUNK = 1 << 20
_BOM = b"\xef\xbb\xbf"
_SPACE = " \t\r\n"


class RowFile:
    """The rows of a file that hold objects, in order; may be iterated again and again.

    is_list: one JSON list; else JSON Lines. Raises DataError for a file that is missing, empty, not
    UTF-8, of another kind, or with an entry that is not an object, with its place; while rows are read
    also where the file has changed since.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._starts, self._sizes, self._lines = array("q"), array("q"), array("q")
        self._head, self._gap, self._tail = b"", b"\n", b"\n"
        try:
            self._stamp = self._now()
            with open(self.path, "rb") as file:
                self._begin = len(_BOM) if file.read(len(_BOM)) == _BOM else 0
                file.seek(self._begin)
                self.is_list = self._first(file) == "["
                file.seek(self._begin)
                self._index_list(file) if self.is_list else self._index_lines(file)
        except IsADirectoryError:
            raise DataError(f"{path}: is a folder, expected a file of rows") from None
        except OSError as error:
            raise DataError(f"{path}: cannot read: {error.strerror}") from None
        if not self._starts:
            raise DataError(f"{path}: no rows in it", "it should hold one row per line, or a list of them")

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Row]:
        with self._open() as file:
            for number in range(len(self)):
                yield self._row(file, number)

    def row(self, number: int) -> Row:
        """One row, counted from 0."""
        with self._open() as file:
            return self._row(file, number)

    def copy(self, output: str | Path, numbers: Iterable[int]) -> int:
        """Write the rows `numbers` (from 0) to another file as they stand in this one; return how many.

        What stands before the first row, between two and after the last is that of this file.
        Raises OutputError where the output cannot be written, DataError where it is this file.
        """
        if Path(output).resolve() == self.path.resolve():
            raise DataError(f"{output}: is the file that is being read", "name another file with -o")

        def write(file: BinaryIO) -> int:
            count = 0
            with self._open() as source:
                file.write(self._head)
                for number in numbers:
                    file.write(self._gap if count else b"")
                    file.write(self._bytes(source, number))
                    count += 1
                file.write(self._tail if count or self.is_list else b"")
            return count

        return write_beside(output, write)

    def _now(self) -> tuple[int, int]:
        found = os.stat(self.path)
        return found.st_size, found.st_mtime_ns

    def _open(self) -> BinaryIO:
        try:
            if self._now() != self._stamp:
                raise DataError(
                    f"{self.path}: was changed while it was being read", "run again when nothing writes to it"
                )
            return open(self.path, "rb")
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be read again: {error.strerror}", "put it back and run again"
            ) from None

    def _bytes(self, file: BinaryIO, number: int) -> bytes:
        file.seek(self._starts[number])
        return file.read(self._sizes[number])

    def _row(self, file: BinaryIO, number: int) -> Row:
        text = self._bytes(file, number).decode("utf-8")
        return Row(json.loads(text), f"{self.path}[{number}]" if self.is_list else f"{self.path}:{self._lines[number]}")

    def _add(self, start: int, size: int, line: int) -> None:
        self._starts.append(start)
        self._sizes.append(size)
        self._lines.append(line)

    def _first(self, file: BinaryIO) -> str:
        while chunk := file.read(4096):
            if found := chunk.strip():
                first = chr(found[0])
                if first in "[{":
                    return first
                hint = "write the table as JSON Lines, one object per line: lager-lite data convert DATA -o rows.jsonl"
                raise DataError(f"{self.path}: starts with {first!r}, expected a JSON list or JSON Lines", hint)
        raise DataError(f"{self.path}: the file is empty", "it should hold one row per line, or a list of them")

    def _index_lines(self, file: BinaryIO) -> None:
        start, line = self._begin, 0

        def lines() -> Iterator[str]:
            nonlocal start, line
            for line, raw in enumerate(file, 1):
                yield _decoded(raw, start, self.path)
                if body := raw.strip():
                    self._add(start + raw.index(body), len(body), line)
                start += len(raw)

        for _ in iter_jsonl(lines(), str(self.path)):
            pass

    def _index_list(self, file: BinaryIO) -> None:
        stream = _Stream(file, self._begin, self.path)
        stream.skip(_SPACE)
        stream.skip("[", 1)
        stream.skip(_SPACE)
        end = stream.offset
        while stream.peek() != "]":
            start, count = stream.offset, len(self)
            if count == 1:
                self._gap = self._slice(file, end, start)
            end = start + stream.entry(f"{self.path}[{count}]")
            self._add(start, end - start, 0)
            stream.skip(_SPACE)
            if stream.peek() == ",":
                stream.skip(",", 1)
                stream.skip(_SPACE)
                stream.comma(f"{self.path}[{count + 1}]")
            elif stream.peek() != "]":
                raise DataError(f"{self.path}[{count}]: expected , or ] after it, found {stream.peek() or 'the end'!r}")
        stream.skip("]", 1)
        stream.skip(_SPACE)
        if stream.peek():
            raise DataError(f"{self.path}: more text after the list, at byte {stream.offset}")
        if len(self):
            self._head = self._slice(file, self._begin, self._starts[0])
            self._gap = self._gap if len(self) > 1 else b",\n"
            self._tail = self._slice(file, end, stream.offset)

    @staticmethod
    def _slice(file: BinaryIO, start: int, end: int) -> bytes:
        here = file.tell()
        file.seek(start)
        found = file.read(end - start)
        file.seek(here)
        return found


class _Stream:
    """Text of a file that is read in pieces, with the byte at which it stands."""

    def __init__(self, file: BinaryIO, offset: int, path: Path) -> None:
        self.offset = offset
        self._file, self._path = file, path
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text, self._at, self._read = "", 0, offset
        self._json = json.JSONDecoder()

    def peek(self) -> str:
        """The next character, "" at the end."""
        while self._at == len(self._text) and self._more():
            pass
        return self._text[self._at : self._at + 1]

    def skip(self, characters: str, most: int | None = None) -> None:
        """Go past ASCII characters."""
        count = 0
        while (most is None or count < most) and (next_one := self.peek()) and next_one in characters:
            self._at += 1
            self.offset += 1
            count += 1

    def comma(self, where: str) -> None:
        """Raise DataError where a list ends after its comma."""
        if self.peek() in ("]", ""):
            raise DataError(f"{where}: expected an object after the comma, found {self.peek() or 'the end'!r}")

    def entry(self, where: str) -> int:
        """Go past one object and return its size in bytes. Raises DataError."""
        if self.peek() != "{":
            raise DataError(
                f"{where}: expected a JSON object, found {self.peek() or 'the end'!r} at byte {self.offset}"
            )
        while True:
            try:
                _, end = self._json.raw_decode(self._text, self._at)
                break
            except json.JSONDecodeError as error:
                # Only what the end of a piece cut off is worth another one.
                cut = error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - 8
                at = self.offset + len(self._text[self._at : error.pos].encode())
                if not (cut and self._more()):
                    raise DataError(
                        f"{where}: not JSON: {error.msg} at byte {at}", "a list of objects is expected"
                    ) from None
            except (RecursionError, ValueError) as error:
                raise DataError(f"{where}: not JSON that can be read: {error}") from None
        size = len(self._text[self._at : end].encode("utf-8", "surrogatepass"))
        self._at = end
        self.offset += size
        return size

    def _more(self) -> bool:
        self._text, self._at = self._text[self._at :], 0
        raw = self._file.read(max(_CHUNK, len(self._text)))
        try:
            text = self._decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            kept = len(error.object) - len(raw)  # bytes of a character that the piece before cut off
            raise _not_utf8(
                self._path, self._read - kept + error.start, error.object[error.start : error.start + 1]
            ) from None
        self._read += len(raw)
        self._text += text
        return bool(raw)


def _decoded(raw: bytes, start: int, path: Path) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, start + error.start, raw[error.start : error.start + 1]) from None


def _not_utf8(path: Path, offset: int, found: bytes) -> DataError:
    shown = f" (0x{found.hex()})" if found else ""
    return DataError(f"{path}: not UTF-8 at byte {offset}{shown}", "convert it, for instance with: iconv -t UTF-8")
