"""Where the strings of an array lie is what walking from one to the next gives, whatever the strings hold."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lager_lite.backbones.header import read_header
from lager_lite.backbones.strings import string_places
from lager_lite.errors import ModelFileError


def packed(texts: Sequence[bytes]) -> bytes:
    return b"".join(struct.pack("<Q", len(text)) + text for text in texts)


def found(data: bytes, count: int, start: int = 0) -> tuple[list[int], int]:
    places = list(string_places(data, start, len(data), count))
    return [int(one) for part, _ in places for one in part], places[-1][1] if places else start


def walked(texts: Sequence[bytes], start: int = 0) -> list[int]:
    return list(np.cumsum([start + 8, *(len(text) + 8 for text in texts[:-1])])) if texts else []


def drawn(dice: random.Random, kind: str) -> bytes:
    """A text such as vocabularies hold, or one that looks like lengths."""
    texts = {
        "words": lambda: dice.randbytes(dice.randint(1, 12)).replace(b"\0", b"x"),
        "empty": lambda: dice.choice((b"", b"a")),
        "long": lambda: dice.choice((b"a", b"b" * dice.randint(250, 600))),
        "longer than a block": lambda: b"c" * dice.choice((3, 70_000)),
        "zeros": lambda: bytes(dice.randint(0, 20)),
        "lengths": lambda: struct.pack("<Q", dice.randint(0, 20)) * dice.randint(0, 3),
    }
    return texts[kind]()


@pytest.mark.parametrize("kind", ["words", "empty", "long", "longer than a block", "zeros", "lengths"])
def test_every_string_is_found_where_it_lies(kind: str) -> None:
    dice = random.Random(kind)
    for count in (0, 1, 7, 3000):
        count = min(count, 100) if kind == "longer than a block" else count
        texts = [drawn(dice, kind) for _ in range(count)]
        before, behind = b"\1" + bytes(5), bytes(40)
        data = before + packed(texts) + behind
        assert found(data, count, len(before)) == (walked(texts, len(before)), len(data) - len(behind))


def test_strings_that_end_behind_the_data_are_left_out() -> None:
    texts = [b"one", b"", b"three", b"x" * 300]
    data = packed(texts)
    for end in range(len(data)):
        whole = [place for place, text in zip(walked(texts), texts) if place + len(text) <= end]
        places, last = found(data[:end], len(texts))
        assert places == whole
        assert last == (whole[-1] + len(texts[len(whole) - 1]) if whole else 0)


def test_a_length_that_no_file_can_hold_ends_the_search() -> None:
    assert found(packed([b"one"]) + b"\xff" * 8, 2) == ([8], 11)


def test_a_file_that_shrinks_behind_its_header_is_an_error_in_words(tmp_path: Path, tiny_model: Path) -> None:
    path, intact = tmp_path / "m.gguf", tiny_model.read_bytes()
    path.write_bytes(intact)
    header = read_header(path)
    path.write_bytes(intact[: header.entries["tokenizer.ggml.tokens"].end - 1])
    with pytest.raises(ModelFileError, match="was changed while it was read"):
        header.strings_of("tokenizer.ggml.tokens", [0])
