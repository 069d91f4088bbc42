"""What a reasoning model thinks before it answers, told from the answer."""

from __future__ import annotations

import re
from dataclasses import replace

from ...records import Item

THOUGHTS = "thoughts left out"
"""The flag of an item whose response was given with thoughts."""

# What is quoted is written about, and marks nothing.
_MARK = re.compile(
    r"(?<![`'\"])(?:<(?P<a>/?)(?:\w+:)?think(?:ing)?>|\[(?P<b>/?)THINK\]|<\|(?P<c>/?)think(?:ing)?\|>|◁(?P<d>/?)think▷"
    r"|<\|(?:begin|(?P<e>end))_of_thought\|>|<\|(?:START|(?P<f>END))_THINKING\|>)(?![`'\"])",
    re.IGNORECASE,
)
# Tags that an answer may hold itself: thoughts only where it begins with them.
_FIRST = re.compile(r"\s*<(reasoning|thoughts?|scratchpad|reflection)>.*?</\1>\s*(?=\S)", re.IGNORECASE | re.DOTALL)
_CHANNELS = re.compile(r"\s*(?:<\|start\|>assistant)?<\|channel\|>")
_SAID = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>(.*?)(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)
_PLAIN_CHANNELS = re.compile(r"\s*analysis.*assistantfinal", re.DOTALL)


def answer_of(text: str) -> str:
    """The text without its thoughts.

    Thoughts stand between <think> and </think>, <thinking>, [THINK], <|think|>, <|begin_of_thought|> or
    <|START_THINKING|>, and their ends; or in every channel but `final` of a text in channels, as gpt-oss writes them. A
    text may begin with its thoughts and hold only the mark of their end, as where the chat template wrote the first
    one; thoughts without an end go on to the end of the text, where their mark stands at the beginning of a line.
    <reasoning>, <thought>, <scratchpad> and <reflection> are thoughts where a text begins with them and goes on behind
    them. A text without thoughts is returned as it is, and one of nothing else becomes empty.
    """
    if _CHANNELS.match(text):
        return "\n".join(said.strip() for channel, said in _SAID.findall(text) if channel == "final")
    if found := _PLAIN_CHANNELS.match(text) or _FIRST.match(text):
        return text[found.end() :].strip()
    kept: list[str] = []
    done, begun = 0, None
    for mark in _MARK.finditer(text):
        if any(mark.groupdict().values()):
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
