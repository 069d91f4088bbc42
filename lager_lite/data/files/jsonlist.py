"""Where the objects of a JSON list lie in a file, found without holding the file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import BinaryIO

from ...errors import DataError
from ..keys import kind_of
from .bytesource import ByteSource

_PIECE = 1 << 20
_SPACE = " \t\r\n"
_BEGINS: dict[str, object] = {"n": None, "t": True, "f": True, '"': "", "[": []}


def objects_of(source: ByteSource) -> Iterator[tuple[int, int]]:
    """Start and size, in bytes, of every object of the list that a file holds; last the end of the file's
    list with size 0.

    Raises DataError with line and column where the list is not JSON, and for an entry that is no object.
    """
    with source.open() as file:
        file.seek(source.begin)
        stream = _Stream(source, file)
        stream.skip(_SPACE)
        stream.skip("[", 1)
        stream.skip(_SPACE)
        number, more = 0, stream.peek() != "]"
        while more:
            start = stream.offset
            yield start, stream.entry(f"{source.name}[{number}]")
            number += 1
            stream.skip(_SPACE)
            if more := stream.peek() == ",":
                stream.skip(",", 1)
                stream.skip(_SPACE)
            elif stream.peek() != "]":
                raise stream.error("Expecting ',' delimiter")
        stream.skip("]", 1)
        stream.skip(_SPACE)
        if stream.peek():
            raise stream.error("Extra data")
        yield stream.offset, 0


class _Stream:
    """Text of a file that is read in pieces; offset: the byte at which it stands."""

    def __init__(self, source: ByteSource, file: BinaryIO) -> None:
        self.offset = source.begin
        self._source, self._file = source, file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text, self._at = "", 0
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

    def entry(self, where: str) -> int:
        """Go past one object and return its size in bytes. Raises DataError."""
        first = self.peek()
        if first in _BEGINS or first and first in "-0123456789":
            raise DataError(f"{where}: expected a JSON object, found {kind_of(_BEGINS.get(first, 0))}")
        if first != "{":
            raise self.error("Expecting value")
        while True:
            try:
                _, end = self._json.raw_decode(self._text, self._at)
                break
            except json.JSONDecodeError as error:
                # Only what the end of a piece cut off is worth another one.
                cut = error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - 8
                ahead = len(self._text[self._at : error.pos].encode("utf-8", "surrogatepass"))
                if not (cut and self._more()):
                    raise self.error(error.msg, ahead) from None
            except RecursionError:
                raise DataError(f"{where}: the JSON is nested too deeply") from None
            except ValueError as error:  # an integer with more digits than Python reads
                raise DataError(f"{where}: not JSON that can be read: {error}") from None
        size = len(self._text[self._at : end].encode("utf-8", "surrogatepass"))
        self._at = end
        self.offset += size
        return size

    def error(self, message: str, ahead: int = 0) -> DataError:
        """What is wrong, so many bytes ahead of here."""
        line, column = self._source.line_and_column(self.offset + ahead)
        return DataError(
            f"{self._source.name}:{line}: {not_json(message, column)}",
            "a .json file should hold one list or object",
        )

    def _more(self) -> bool:
        self._text, self._at = self._text[self._at :], 0
        raw = self._file.read(max(_PIECE, len(self._text)))
        try:
            self._text += self._decoder.decode(raw, final=not raw)
        except UnicodeDecodeError:
            raise self._source.not_utf8() from None
        return bool(raw)


def not_json(message: str, column: int) -> str:
    """Return what is wrong with a text that is no JSON, from Python's message, and where."""
    # Python's own place follows some messages, which end in "at" for that.
    return f"not JSON: {message.removesuffix(' at')} at column {column}"
