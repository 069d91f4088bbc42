"""What "the same group" is, said once: readers, folds, seen checks, contests, pairs and gates all ask here.

A group is what must stay on one side of every split: the items of one source text, or of one name such as "Doc1". Two
texts or names are the same group where they differ in nothing but case, spacing, characters that nobody sees, or forms
that Unicode calls compatible; so are the numbers 1 and 1.0 and the text "1". Folds and messages go by the first
spelling of a group.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

_WHOLE = re.compile(r"-?(?:0|[1-9]\d*)\.0+")
# Soft hyphens, marks of direction, joiners and the mark of byte order: category Cf.
_UNSEEN = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")


class TextGroup(str):
    """The name of a group that is a text: a digest of the text as it stands, but for spacing.

    - `key`: what `group_key` says of the text.
    """

    key: str

    def __new__(cls, name: str, key: str) -> TextGroup:
        made = super().__new__(cls, name)
        made.key = key
        return made

    def __reduce__(self) -> tuple[type[TextGroup], tuple[str, str]]:
        return TextGroup, (str(self), self.key)


def folded(text: str) -> str:
    """A text as it is compared: NFKC, caseless, runs of space as one, without unseen characters."""
    if not text.isascii():
        # Folding case can undo the composition, so it is done again (Unicode 16, section 3.13, toNFKC_Casefold).
        text = unicodedata.normalize("NFKC", _UNSEEN.sub("", unicodedata.normalize("NFKC", text).casefold()))
    return " ".join(text.casefold().split())


def group_of(text: str) -> TextGroup | None:
    """The group that a text makes, of everything that shares it; None for a blank one."""
    words = " ".join(text.split())
    if not words:
        return None
    return TextGroup(hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:16], _key(words))


def text_group(fields: Mapping[str, str]) -> TextGroup | None:
    """The group that the texts of an item make: of its source, else of its instruction; None where it has neither."""
    return group_of(fields.get("source") or fields.get("instruction") or "")


def group_named(name: str, fields: Mapping[str, str]) -> str:
    """The group of a name that a row gives; where it is what `group_of` says of one of the fields, the group of that."""
    made = (group_of(fields[field]) for field in ("source", "instruction") if field in fields)
    return next((group for group in made if group == name), name)


def group_key(name: str) -> str:
    """16 hex digits, equal for the same group only; name: an item's group, of a text or as a row has it."""
    return name.key if isinstance(name, TextGroup) else _remembered(name)


def group_names(groups: Iterable[str | None], alone: Iterable[str]) -> list[str]:
    """One name for each item, equal for the same group only: how the group was first spelled.

    alone: the name of each item that has no group (None), which is then a group of its own.
    """
    first: dict[str, str] = {}
    return [own if name is None else first.setdefault(group_key(name), name) for name, own in zip(groups, alone)]


@lru_cache(maxsize=10_000)
def _remembered(name: str) -> str:
    return _key(name)


def _key(text: str) -> str:
    words = folded(text)
    words = words.partition(".")[0] if _WHOLE.fullmatch(words) else words
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:16]
