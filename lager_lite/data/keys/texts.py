"""What "the same text" is, said once: copies over folds, rows that weights have seen, and repeated rows all ask here."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from ...prompts import RESPONSE_A, RESPONSE_B
from .groups import folded

RESPONSE_FIELDS = ("response", RESPONSE_A, RESPONSE_B)
"""The fields that hold what is judged."""
_JUDGED = ("source", "instruction", *RESPONSE_FIELDS)
TELLING = 24
"""Letters. In shorter texts a sign may be all that matters, such as in "x - 1" and "x + 1"."""


def letters_of(text: str) -> str:
    """The letters and digits of a text as `folded` has it, without spaces, punctuation and signs between them."""
    words = folded(text)
    return "".join(c for c in words if c.isalnum() or not c.isascii() and unicodedata.category(c).startswith("M"))


def same_text(*texts: str) -> str:
    """What texts are compared by: their letters and digits where there are 24 of them or more, else as `folded`."""
    letters = [letters_of(text) for text in texts]
    return "\n".join(letters if sum(map(len, letters)) >= TELLING else map(folded, texts))


def judged_names(fields: Mapping[str, str]) -> list[str]:
    """The names of the fields that are judged, and of those that they answer."""
    return [name for name in _JUDGED if name in fields]


def same_judged(fields: Mapping[str, str]) -> str:
    """What items are compared by: a response and what it answers, by `same_text`, not who wrote it; "" without texts."""
    judged = judged_names(fields)
    return "\n".join((*judged, same_text(*(fields[name] for name in judged)))) if judged else ""
