"""What a reasoning model thinks before it answers, told from the answer."""

from __future__ import annotations

import re
from dataclasses import replace

from ..records import Item

THOUGHTS = "thoughts left out"
"""The flag of an item whose response was given with thoughts."""

# What is quoted is written about, and marks nothing.
_MARK = re.compile(r"(?<![`'\"])(?:<(/?)(?:\w+:)?think(?:ing)?>|\[(/?)THINK\])(?![`'\"])", re.IGNORECASE)


def answer_of(text: str) -> str:
    """The text without its thoughts: what stands between <think> and </think>, or <thinking>, or [THINK].

    A text may begin with its thoughts and hold only the mark of their end, as where the chat template wrote the first
    one; thoughts without an end go on to the end of the text, where their mark stands at the beginning of a line. A
    text without thoughts is returned as it is, and one of nothing else becomes empty.
    """
    kept: list[str] = []
    done, begun = 0, None
    for mark in _MARK.finditer(text):
        if mark[1] or mark[2]:
            if begun is not None:
                kept.append(text[done:begun])
            done, begun = mark.end(), None
        elif begun is None:
            begun = mark.start()
    if begun is not None and not text[done:begun].rpartition("\n")[2].strip():
        kept.append(text[done:begun])
        done = len(text)
    if not done:
        return text
    return _joined([*kept, text[done:]])


def without_thoughts(item: Item) -> Item:
    """The item with the answer alone as its response, and flagged, where the response was given with thoughts."""
    response = item.fields.get("response")
    if response is None or THOUGHTS in item.flags:
        return item
    answer = answer_of(response)
    if answer == response:
        return item
    return replace(item, fields={**item.fields, "response": answer}, flags=(*item.flags, THOUGHTS))


def _joined(pieces: list[str]) -> str:
    text = ""
    for piece in pieces:
        text = text.rstrip() + piece if piece[:1].isspace() else text + piece
    return text.strip()
