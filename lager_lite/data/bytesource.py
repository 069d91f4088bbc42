"""The bytes that rows are read from: a file that must stay as it was, or what a pipe gave, held in memory."""

from __future__ import annotations

import codecs
import io
import os
import sys
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError

BOM = b"\xef\xbb\xbf"
_PIECE = 1 << 20


class ByteSource:
    """Bytes that can be opened again and again.

    name: the path, or "stdin".
    path: the file, None for stdin.
    begin: where the text begins, in bytes: behind a byte order mark.

    A regular file is read anew each time; a pipe is read once and held. Raises DataError where the file
    cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.name = "stdin" if str(path) == "-" else str(path)
        self.path = None if str(path) == "-" else Path(path)
        self._held: bytes | None = None
        self._stamp = (0, 0)
        try:
            if self.path is None:
                self._held = sys.stdin.buffer.read()
            elif self.path.is_file():
                self._stamp = self._now(self.path)
            else:
                self._held = self.path.read_bytes()
            with self.open() as file:
                self.begin = len(BOM) if file.read(len(BOM)) == BOM else 0
        except IsADirectoryError:
            raise DataError(f"{self.name}: is a folder, expected a file of items") from None
        except OSError as error:
            raise DataError(f"{self.name}: cannot read: {error.strerror}") from None

    def open(self) -> BinaryIO:
        """The bytes from their beginning. Raises DataError where the file has changed or is gone."""
        if self._held is not None or self.path is None:
            return io.BytesIO(self._held or b"")
        try:
            now = self._now(self.path)
        except OSError as error:
            raise DataError(
                f"{self.name}: cannot be read again: {error.strerror}", "put it back and run again"
            ) from None
        if now != self._stamp:
            raise DataError(f"{self.name}: was changed while it was being read", "run again when nothing writes to it")
        return open(self.path, "rb")

    def text(self) -> str:
        """The whole text. Raises DataError where it is not UTF-8."""
        with self.open() as file:
            data = file.read()
        try:
            return data[self.begin :].decode("utf-8")
        except UnicodeDecodeError:
            raise self.not_utf8() from None

    def first(self) -> str:
        """The first character that is no space, "" where there is none."""
        with self.open() as file:
            file.seek(self.begin)
            while piece := file.read(_PIECE):
                if found := piece.strip():
                    return chr(found[0])
        return ""

    def not_utf8(self) -> DataError:
        """The error that names the first byte that is not UTF-8."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        offset, start, found = 0, b"", b""
        with self.open() as file:
            while True:
                piece = file.read(_PIECE)
                start = start or piece[:2]
                try:
                    kept = len(decoder.getstate()[0])  # bytes of a character that the piece before cut off
                    decoder.decode(piece, final=not piece)
                except UnicodeDecodeError as error:
                    offset += error.start - kept
                    found = error.object[error.start : error.start + 1]
                    break
                if not piece:
                    break
                offset += len(piece)
        hint = "convert it, for instance with: iconv -t UTF-8"
        if start in (b"\xff\xfe", b"\xfe\xff"):
            hint = "it looks like UTF-16; convert it with: iconv -f UTF-16 -t UTF-8"
        return DataError(f"{self.name}: not UTF-8 at byte {offset} (0x{found.hex()})", hint)

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """The line and the column, both from 1, of a byte."""
        with self.open() as file:
            before = file.read(offset)[self.begin :]
        return before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1

    @staticmethod
    def _now(path: Path) -> tuple[int, int]:
        found = os.stat(path)
        return found.st_size, found.st_mtime_ns
