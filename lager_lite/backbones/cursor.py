"""A read position in a GGUF file that never passes the file's end.

llama.cpp aborts the whole process on some damaged files, so every length and count is checked against
the size of the file before anything is read or allocated.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

from ..errors import ModelFileError
from .strings import string_places

DOWNLOAD_OR_COMPARE = "download the file again, or check its size against the publisher's"
_OTHER_FORMATS = (
    (b"version https://git-lfs", "a Git LFS pointer", "run `git lfs pull`, or download the file itself"),
    (b"<!DOCTYPE", "a web page", DOWNLOAD_OR_COMPARE),
    (b"<html", "a web page", DOWNLOAD_OR_COMPARE),
    (b"PK\x03\x04", "a zip archive or PyTorch checkpoint", "convert the model with llama.cpp's convert_hf_to_gguf.py"),
    (b"ggjt", "an old GGML file", "convert the model again with a current llama.cpp"),
    (b"tjgg", "an old GGML file", "convert the model again with a current llama.cpp"),
    (b"lmgg", "an old GGML file", "convert the model again with a current llama.cpp"),
)


class Cursor:
    """A read position in a mapped file. Every method raises ModelFileError where the file is too short.

    In the arguments, `what` names the thing that is read, for the message.
    """

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self.data, self.path, self.at, self.size = data, path, 0, len(data)

    def damaged(self, what: str) -> ModelFileError:
        """The error for a file that is damaged at this position."""
        return ModelFileError(
            f"{self.path} is damaged or truncated: {what} at byte {self.at:,} of {self.size:,}", DOWNLOAD_OR_COMPARE
        )

    def skip(self, count: int, what: str) -> int:
        """Pass over `count` bytes; returns the position of the first of them."""
        if count > self.size - self.at:
            raise self.damaged(f"{what} runs past the end,")
        self.at += count
        return self.at - count

    def number(self, code: str, what: str) -> Any:
        """The little-endian number of the given `struct` code: an int, a float or a bool."""
        start = self.skip(struct.calcsize("<" + code), what)
        return struct.unpack_from("<" + code, self.data, start)[0]

    def string(self, what: str) -> str:
        """A string behind its length, as GGUF writes it; bytes that are not UTF-8 are replaced."""
        start = self.skip(self.number("Q", what), what)
        return self.data[start : self.at].decode("utf-8", "replace")

    def count(self, what: str, smallest: int) -> int:
        """A number of things of at least `smallest` bytes each, which must fit into the rest of the file."""
        count: int = self.number("Q", what)
        if count > (self.size - self.at) // smallest:
            raise self.damaged(f"the number of {what} is {count:,}, more than fit the file,")
        return count

    def skip_strings(self, count: int, key: str) -> None:
        """Pass over the strings of an array."""
        for found, end in string_places(self.data, self.at, self.size, count):
            self.at, count = end, count - len(found)
        if count:
            raise self.damaged(f"a string of {key} runs past the end,")


def file_size(path: Path) -> int:
    """The size of a file in bytes. Raises ModelFileError where there is none, and for an empty one."""
    try:
        if path.is_dir():
            raise ModelFileError(f"{path} is a directory, not a GGUF file", "name the .gguf file inside it")
        size = path.stat().st_size
    except FileNotFoundError:
        raise ModelFileError(f"there is no model file {path}", "check the path") from None
    except (OSError, ValueError) as err:
        reason = getattr(err, "strerror", None) or err
        raise ModelFileError(f"cannot read {path}: {reason}", "check the path") from err
    if size == 0:
        raise ModelFileError(f"{path} is empty", DOWNLOAD_OR_COMPARE)
    return size


def check_start(cur: Cursor) -> None:
    """Pass over the magic and the version. Raises ModelFileError for other formats and versions."""
    head = cur.data[:64]
    if head[:4] != b"GGUF":
        for magic, name, hint in _OTHER_FORMATS:
            if head.lstrip().lower().startswith(magic.lower()):
                raise ModelFileError(f"{cur.path} is not a GGUF file but {name}", hint)
        raise ModelFileError(
            f"{cur.path} is not a GGUF file: it starts with {head[:4]!r}, not b'GGUF'",
            "give a GGUF file, or convert the model with llama.cpp's convert_hf_to_gguf.py",
        )
    cur.at = 4
    version = cur.number("I", "the version")
    if version and version & 0xFFFF == 0:
        raise ModelFileError(
            f"{cur.path} is a big-endian GGUF file", "convert it with `gguf-convert-endian FILE little`"
        )
    if version not in (2, 3):
        raise ModelFileError(
            f"{cur.path} is GGUF version {version}; versions 2 and 3 can be read",
            "convert the model again with a current llama.cpp",
        )
