"""The bytes that rows are read from: a file that must stay as it was, or what a pipe gave, held in memory."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import sys
import zlib
from pathlib import Path
from typing import BinaryIO

from ...errors import Advice, DataError

BOM = b"\xef\xbb\xbf"
_PIECE = 1 << 20
_FIRST = 16
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_NO_CONTROLS = bytes(b for b in range(256) if not 0x80 <= b < 0xA0)


class ByteSource:
    """Bytes that can be opened again and again.

    name: the path, or "stdin".
    path: the file, None for stdin.
    begin: where the text begins, in bytes: behind a byte order mark.
    above: the number of lines before it, such as that which names the delimiter for Excel.

    encoding: of the text, None for UTF-8, or for UTF-16 where the file begins with its mark.

    A regular file is read anew each time; a pipe, a gzipped file and a file in another encoding are read once and
    held, as UTF-8. Raises DataError where the file cannot be read.
    """

    def __init__(self, path: str | Path, encoding: str | None = None) -> None:
        self.name = "stdin" if str(path) == "-" else str(path)
        self.path = None if str(path) == "-" else Path(path)
        self.above = 0
        self._held: bytes | None = None
        self._stamp = (0, 0)
        try:
            if self.path is None:
                self._held = sys.stdin.buffer.read()
            elif self.path.is_file():
                self._stamp = self._now(self.path)
            else:
                self._held = self.path.read_bytes()
            self._unpack(encoding)
            with self.open() as file:
                self.begin = len(BOM) if file.read(len(BOM)) == BOM else 0
        except IsADirectoryError:
            raise DataError(f"{self.name}: is a folder, expected a file of items") from None
        except OSError as error:
            raise DataError(f"{self.name}: cannot read: {error.strerror}") from None

    def _unpack(self, encoding: str | None) -> None:
        with self.open() as file:
            start = file.read(_FIRST)
            wide = _without_mark(start) if encoding is None else None
            start = start[:2]
            if wide:
                raise DataError(f"{self.name}: looks like UTF-16 without its mark", _encoding(wide))
            packed, encoding = start == _GZIP, encoding or ("utf-16" if start in _UTF16 else None)
            if not packed and encoding is None:
                return
            file.seek(0)
            data = file.read()
        try:
            data = gzip.decompress(data) if packed else data
            self._held = data if encoding is None else data.decode(encoding).encode("utf-8", "surrogatepass")
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{self.name}: not a gzip file that can be read: {error}") from None
        except LookupError:
            raise DataError(f"there is no encoding {encoding!r}", "for instance latin-1, cp1252 or utf-16") from None
        except UnicodeError as error:
            raise DataError(f"{self.name}: not {encoding}: {error}", "name another encoding") from None

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
        offset, found = 0, b""
        with self.open() as file:
            while True:
                piece = file.read(_PIECE)
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
        fits = "cp1252" if self._has_controls() else "latin-1"
        return DataError(
            f"{self.name}: not UTF-8 at byte {offset} (0x{found.hex()})",
            f"it can be read as {fits}: {_encoding(fits)}, and look at the first item"
            f"{Advice(' with `lager-lite prompt`', '')}",
        )

    def _has_controls(self) -> bool:
        """Whether there are bytes that are letters and quotes in Windows' encoding and controls in Latin-1."""
        with self.open() as file:
            return any(piece.translate(None, _NO_CONTROLS) for piece in iter(lambda: file.read(_PIECE), b""))

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """The line and the column, both from 1, of a byte."""
        with self.open() as file:
            before = file.read(offset)[self.begin :]
        return before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1

    @staticmethod
    def _now(path: Path) -> tuple[int, int]:
        found = os.stat(path)
        return found.st_size, found.st_mtime_ns


def _without_mark(start: bytes) -> str | None:
    """The encoding of a beginning in which every second byte is zero, as that of Latin letters in UTF-16."""
    even, odd = start[::2], start[1::2]
    if len(start) < 4 or any(even) == any(odd):
        return None
    return "utf-16-be" if any(odd) else "utf-16-le"


def _encoding(name: str) -> Advice:
    return Advice(f"give --encoding {name}", f"give encoding={name!r}")
