"""What can be said of a response without reading it: its length, and a dozen other marks of its surface.

Scores that agree with people no better than these marks do are no sign of judging. The marks are counted
from the text alone, without a model and without labels; words are letters and digits in a row, in lower
case, and every Chinese, Japanese or Korean character is a word of its own.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..records import Item

SURFACE_FEATURES = (
    "length",
    "sentences",
    "word_length",
    "distinct",
    "digits",
    "capitals",
    "punctuation",
    "list_marks",
    "repeated",
    "finished",
    "asked",
    "has_source",
    "copied",
    "covered",
    "longest_copy",
    "new_bigrams",
    "place",
)
"""The marks of a response, in the order in which `surface_features` gives them.

- `length`: natural logarithm of one plus the number of words.
- `sentences`: natural logarithm of one plus the number of sentences.
- `word_length`: mean number of characters of a word.
- `distinct`: distinct words per word (type/token ratio).
- `digits`: share of the words that hold a digit.
- `capitals`: share of the words that begin with a capital letter.
- `punctuation`: share of the characters that are neither word nor space.
- `list_marks`: natural logarithm of one plus the number of lines that begin with a bullet, a number or a heading.
- `repeated`: share of the runs of three words that occurred before in the response.
- `finished`: 1 where the text ends with the end of a sentence, else 0.
- `asked`: share of the words that occur in the instruction.
- `has_source`: 1 where the item has a source text, else 0; without one the five marks below are 0.
- `copied`: share of the words that occur in the source.
- `covered`: share of the source's distinct words that occur in the response.
- `longest_copy`: natural logarithm of one plus the number of words of the longest run that stands in the source.
- `new_bigrams`: share of the pairs of neighbouring words that do not occur in the source.
- `place`: mean place of the first occurrence in the source of the words that occur there, 0 to 1.
"""

NEAR_LENGTHS = math.log(1.1)
"""Two responses are nearly equally long where `log_length` differs by no more: by a tenth of the words."""

_CHARACTER = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CHARACTER}]|[^\W_{_CHARACTER}]+(?:['’-][^\W_{_CHARACTER}]+|(?<=\d)[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.!?…]+(?=[\s\"'”’)\]]|$)|[。！？]+")
_LIST_MARK = re.compile(r"^[ \t]*(?:[-*•+]|\d{1,3}[.)]|#{1,6})[ \t]+\S", re.MULTILINE)
_FINISHED = re.compile(r"[.!?…。！？][\"'”’)\]]*\s*$")


def words_of(text: str) -> list[str]:
    """The words of a text, as they are written."""
    return _WORD.findall(text)


def judged_text(item: Item) -> str:
    """The text of an item that is judged: its response, else its instruction, else its ready prompt, else all of its
    fields but those that a judgment is made by (source, reference and rubric), else the source."""
    fields = item.fields
    found = fields.get("response") or fields.get("instruction") or item.rendered
    own = " ".join(text for name, text in fields.items() if name not in ("source", "reference", "rubric"))
    return found or own or fields.get("source", "")


def log_length(item: Item) -> float:
    """Natural logarithm of one plus the number of words of the text that is judged."""
    return math.log1p(len(words_of(judged_text(item))))


def surface_features(item: Item) -> np.ndarray:
    """The marks of the text of an item that is judged, float64 (F,) in the order of SURFACE_FEATURES."""
    text = judged_text(item)
    written = words_of(text)
    words = [word.lower() for word in written]
    count = max(1, len(words))
    told = set(map(str.lower, words_of(item.fields.get("instruction", "")))) if "response" in item.fields else set()
    marks = [
        math.log1p(len(words)),
        math.log1p(len(_SENTENCE_END.findall(text))),
        sum(map(len, words)) / count,
        len(set(words)) / count,
        sum(any(map(str.isdigit, word)) for word in words) / count,
        sum(word[0].isupper() for word in written) / count,
        sum(not (c.isalnum() or c.isspace()) for c in text) / max(1, len(text)),
        math.log1p(len(_LIST_MARK.findall(text))),
        _repeated(words),
        float(bool(_FINISHED.search(text))),
        sum(word in told for word in words) / count,
    ]
    return np.array([*marks, *_copying(words, [word.lower() for word in words_of(item.fields.get("source", ""))])])


def surface_of(items: Sequence[Item]) -> np.ndarray:
    """The marks of every item, float64 (n, F) in the order of SURFACE_FEATURES; repeated items are read once."""
    known: dict[int, np.ndarray] = {}
    for item in items:
        if id(item) not in known:
            known[id(item)] = surface_features(item)
    return np.array([known[id(item)] for item in items]).reshape(len(items), len(SURFACE_FEATURES))


def _repeated(words: Sequence[str]) -> float:
    runs = Counter(zip(words, words[1:], words[2:]))
    return 1.0 - len(runs) / runs.total() if runs else 0.0


def _copying(words: Sequence[str], source: Sequence[str]) -> tuple[float, ...]:
    """`has_source`, `copied`, `covered`, `longest_copy`, `new_bigrams` and `place`, see SURFACE_FEATURES."""
    if not source:
        return (0.0,) * 6
    places: dict[str, list[int]] = {}
    for place, word in enumerate(source):
        places.setdefault(word, []).append(place)
    common = [word for word in words if word in places]
    pairs, told = list(zip(words, words[1:])), set(zip(source, source[1:]))
    return (
        1.0,
        len(common) / max(1, len(words)),
        len(set(common)) / len(places),
        math.log1p(_longest_copy(words, places)),
        sum(pair not in told for pair in pairs) / max(1, len(pairs)),
        float(np.mean([places[word][0] for word in common])) / len(source) if common else 0.0,
    )


def _longest_copy(words: Sequence[str], places: dict[str, list[int]]) -> int:
    """How many words the longest run of the response has that stands in the source; places: of the source's words."""
    longest = 0
    ends: dict[int, int] = {}
    for word in words:
        # A run that ends at a place of the source goes on where the next word stands at the next place.
        ends = {place: ends.get(place - 1, 0) + 1 for place in places.get(word, ())}
        longest = max(longest, max(ends.values(), default=0))
    return longest
