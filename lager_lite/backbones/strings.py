"""Where the strings of a GGUF array lie: each stands behind its length, so they are found one behind the other.

A vocabulary holds hundreds of thousands of short strings. A length below 256 shows in the bytes, as one byte before
seven zeros, so all lengths of a block are guessed at once. Each guess is then checked against the string before it,
which ends where the next length begins, and the first wrong guess ends the block: what is returned is what walking
from string to string gives, for any file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Protocol

import numpy as np

_BLOCK = 1 << 16
# Where no guess is right, so many strings are walked before the next block is tried.
_WALKED = 1024


class Bytes(Protocol):
    """Bytes in memory or of a mapped file."""

    def __getitem__(self, part: slice, /) -> bytes: ...


def string_places(data: Bytes, start: int, size: int, count: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield where the next strings begin, int64 (n,), and where the last of them ends; both count bytes of `data`.

    - `start`: the position of the first string's length, after which its bytes follow.
    - `size`: the number of bytes in `data`.
    - `count`: the number of strings; fewer come where the next one would end behind the data.
    """
    while count:
        found, end = _guessed(data, start, size, count)
        if not len(found):
            found, end = _walked(data, start, size, min(count, _WALKED))
        if not len(found):
            return
        yield found, end
        start, count = end, count - len(found)


def _guessed(data: Bytes, start: int, size: int, count: int) -> tuple[np.ndarray, int]:
    block = np.frombuffer(data[start : min(start + _BLOCK, size)], dtype=np.uint8)
    zero = block == 0
    pairs = zero[:-1] & zero[1:]
    fours = pairs[:-2] & pairs[2:]
    sevens = fours[:-3] & fours[3:]
    lengths = np.flatnonzero(sevens[1:])
    if not len(lengths) or lengths[0]:
        return lengths[:0], start
    ends = lengths + 8 + block[lengths]
    wrong = np.flatnonzero(ends[:-1] != lengths[1:])
    right = min(count, int(wrong[0]) + 1 if len(wrong) else len(lengths))
    # Only the last one can end behind the data: each of the others ends where another length was seen.
    right -= int(start + ends[right - 1] > size)
    return start + lengths[:right] + 8, start + int(ends[right - 1]) if right else start


def _walked(data: Bytes, start: int, size: int, count: int) -> tuple[np.ndarray, int]:
    found, length_of = [], struct.Struct("<Q").unpack
    for _ in range(count):
        if start + 8 > size:
            break
        end = start + 8 + length_of(data[start : start + 8])[0]
        if end > size:
            break
        found.append(start + 8)
        start = end
    return np.array(found, dtype=np.int64), start
