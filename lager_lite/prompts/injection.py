"""Signs that a response speaks to the judge instead of answering: what `--flag-injection` marks.

No response can forge the structure of a prompt, because its control tokens are not parsed, but words can
persuade, and no tokenizer keeps words out. These are plain patterns over the response: a sign is a reason to
look, not a verdict, and its absence proves nothing. A sign never changes the score itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from ..records import Item

_FLAGS = re.IGNORECASE | re.DOTALL
_GRADE = r"(?:scores?|grades?|ratings?|marks?)"
_TOP = r"(?:\d|five|ten|full|top|max(?:imum|imal)?|highest|perfect|best(?: possible)?)"
_JUDGE = r"(?:judges?|graders?|evaluators?|raters?|assessors?|scoring (?:model|system)|grading (?:model|system))"

PATTERNS: Mapping[str, re.Pattern[str]] = {
    "chat markers": re.compile(
        r"<\|[^|<>\s]{1,40}\|>|<｜[^｜<>]{1,40}｜>|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS)\]|</?s>|<</?SYS>>|<(?:start|end)_of_turn>"
        r"|<\|?turn\|?>|<(?:bos|eos)>|\[\|\w{1,20}\|\]|(?:^|\n)\s*(?:assistant|system|user)\s*:\s*\n",
        _FLAGS,
    ),
    "tells the judge what to do": re.compile(
        rf"\b(?:ignore|disregard|forget|override|skip)\b[^.\n]{{0,40}}\b(?:rubric|criteri(?:on|a)|(?:previous|prior|above|earlier|all) (?:\w+ )?instructions?)"
        rf"|\b(?:give|award|assign|grant|rate|grade|score)\b[^.\n]{{0,30}}\b(?:this|it|me|us|my|the) ?(?:\w+ )?(?:response|answer|summary|text|reply|output)?"
        rf"[^.\n]{{0,12}}\b(?:an? |the )?{_TOP}\b[^.\n]{{0,12}}\b(?:{_GRADE}|points?|stars?|out of \d+)"
        rf"|\b(?:dear|attention|note to|message (?:to|for)|hello|instructions? (?:to|for))[^.\n]{{0,12}}\b(?:the |any |all )?{_JUDGE}\b"
        rf"|\b(?:the )?{_JUDGE} (?:must|should|has to|will|is (?:required|instructed|told) to)\b"
        rf"|\b(?:answer|reply|respond|output|write|say)\b[^.\n]{{0,20}}\b(?:with|only|just)\b[^.\n]{{0,12}}\b(?:\d|five|ten)\s*[.\"'!]?\s*$",
        _FLAGS | re.MULTILINE,
    ),
    "grades itself": re.compile(
        rf"\b(?:final |overall |correct |expert |human |official )?{_GRADE}\s*(?:is|was|=|:|of)\s*[\"'(\[*]*{_TOP}(?![\w:\-–])"
        rf"|\b(?:this|my|the above) (?:response|answer|summary|text|reply)\b[^.\n]{{0,30}}\b(?:deserves?|merits?|earns?|was (?:rated|graded|scored)|received)\b"
        rf"|\b(?:deserves?|merits?|earns?) (?:an? |the )?(?:{_TOP} {_GRADE}|\d\b)|<score>|\"score\"\s*:|\b[1-9]\d?\s*/\s*(?:5|10)\s*(?:$|[.!])",
        _FLAGS | re.MULTILINE,
    ),
    "brings its own rubric": re.compile(
        r"(?:^|\n)\s*(?:#{1,6}|\*\*)\s*(?:criteri(?:on|a)|scores?|scoring|(?:scoring |grading )?rubric|grading)\b"
        r"|(?:^|\n)\s*[1-9]\s*[:=]\s*(?:best|excellent|perfect|worst|bad|poor)\b",
        _FLAGS,
    ),
    "template code": re.compile(r"\{\{.{0,200}?\}\}|\{%.{0,200}?%\}", _FLAGS),
}
# Joiners are left out: emoji and several scripts need them.
_HIDDEN = re.compile("[\u200b\u2060\u2061-\u2064\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]|(?<=.)\ufeff")
_WORD = re.compile(r"[^\W\d_]{3,}")
_CONFUSABLE = ("CYRILLIC", "GREEK")


def signs(item: Item) -> tuple[str, ...]:
    """The names of the signs that an item's response shows; () for none.

    They are the keys of PATTERNS, "hidden characters" (zero-width, right-to-left overrides, tags) and
    "look-alike letters" (Latin mixed with Cyrillic or Greek in one word). An item that brings a whole
    prompt has no response to look at.
    """
    text = item.fields.get("response", "")
    found = ["hidden characters"] if _HIDDEN.search(text) else []
    plain = unicodedata.normalize("NFKC", _HIDDEN.sub("", text))
    if not plain.isascii() and any(_mixed(word) for word in _WORD.findall(plain)):
        found.append("look-alike letters")
    # The full-width bars of some markers are ASCII after normalising, so both are read.
    found += [name for name, pattern in PATTERNS.items() if pattern.search(plain) or pattern.search(text)]
    return tuple(found)


def _mixed(word: str) -> bool:
    if word.isascii():
        return False
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in word}
    return "LATIN" in scripts and not scripts.isdisjoint(_CONFUSABLE)
