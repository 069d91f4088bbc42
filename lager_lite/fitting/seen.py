"""What weights were fitted on, in marks that say nothing of the texts, so that no figure comes from items they know."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..data import (
    RESPONSE_FIELDS,
    TELLING,
    counted,
    folded,
    group_key,
    judged_names,
    letters_of,
    same_judged,
    text_group,
)
from ..errors import Advice, DataError
from ..records import Item
from .labelled import Labelled, select_judgments

SEEN_ITEMS, SEEN_GROUPS, SEEN_RESPONSES, SEEN_VERSION = "seen_items", "seen_groups", "seen_responses", "seen_version"
"""The names under which a weights file keeps the marks, in its record of the fit, and which kind of marks they are."""

MARKS_VERSION = 3
"""Of the marks. Those of version 1, which say no number, had one group of each item, and no responses; those of version
2 knew no text again whose punctuation had changed."""

# Different models give the same short answers; nobody writes so much twice.
_LONG, _LONG_WORDS = 80, 20


def mark(text: str) -> str:
    """A digest of a text, 12 hex digits, the same for texts that `folded` does not tell apart."""
    return hashlib.blake2b(folded(text).encode("utf-8", "replace"), digest_size=6).hexdigest()


def item_mark(item: Item) -> str:
    """The mark of what is judged of an item: its response and what that answers, not its id, nor who wrote it."""
    judged = same_judged(item.fields)
    return mark(judged) if judged else _whole_mark(item)


def response_marks(item: Item) -> set[str]:
    """The marks of those of its responses that are so long that nobody writes them twice."""
    letters = (letters_of(item.fields.get(name, "")) for name in RESPONSE_FIELDS)
    return {mark(f"response {text}") for text in letters if len(text) >= _LONG}


def seen_marks(data: Labelled) -> dict[str, Any]:
    """The marks of the items, their groups and their long responses, sorted; none where the texts are not known.

    Beside the groups that the fit kept together are those that the rows or the texts give, of items that were grouped
    by a field of their own. A text that more than half of the items share is left out, since it is no task of its own.
    """
    chosen = {mark(group_key(item.group)) for item in data.items if item.group is not None}
    count = Counter(name for item in data.items for name in _further_marks(item))
    others = {name for name, times in count.items() if 2 * times <= len(data.items)}
    responses = {found for item in data.items for found in response_marks(item)}
    return {
        SEEN_ITEMS: sorted({item_mark(item) for item in data.items}),
        SEEN_GROUPS: sorted(chosen | others),
        SEEN_RESPONSES: sorted(responses),
        SEEN_VERSION: MARKS_VERSION,
    }


def overlap(data: Labelled, fit: Mapping[str, Any]) -> np.ndarray:
    """Which judgments are of what weights were fitted on, bool (n,); none where the texts are not known.

    fit: as of `seen_items`.
    """
    return seen_items(data.items, fit) if data.items else np.zeros(len(data.human), dtype=bool)


def seen_items(items: Sequence[Item], fit: Mapping[str, Any]) -> np.ndarray:
    """Which items weights were fitted on, or one of their groups, or their long response, bool (n,).

    fit: the weights file's record of the fit; nothing is known to overlap where it has no marks.
    """
    known, groups, responses = (_set(fit.get(name)) for name in (SEEN_ITEMS, SEEN_GROUPS, SEEN_RESPONSES))
    return np.array(
        [
            not known.isdisjoint((item_mark(item), _mark_of_version_2(item), _whole_mark(item)))
            or not groups.isdisjoint(_group_marks(item))
            or not responses.isdisjoint((*response_marks(item), _response_mark_of_version_2(item)))
            for item in items
        ],
        dtype=bool,
    )


def _group_marks(item: Item) -> set[str]:
    """The marks of all groups that an item is in; those of version 1 were made of the name."""
    named = [item.group] if item.group is not None else []
    older = map(_mark_of_version_1, (*named, *_further(item)))
    return {*(mark(group_key(group)) for group in named), *_further_marks(item), *older}


def _further_marks(item: Item) -> set[str]:
    """The marks of an item's groups that are not the one that the fit keeps together, and of its text by its letters."""
    letters = letters_of(item.fields.get("source") or item.fields.get("instruction") or "")
    own = {mark(f"text {letters}")} if len(letters) >= TELLING else set()
    return own | {mark(group_key(group)) for group in _further(item)}


def _further(item: Item) -> list[str]:
    made = text_group(item.fields)
    return [*item.other_groups, *([made] if made is not None else [])]


def _mark_of_version_2(item: Item) -> str:
    return mark("\n".join(f"{name}={folded(item.fields[name])}" for name in judged_names(item.fields)))


def _response_mark_of_version_2(item: Item) -> str:
    response = item.fields.get("response", "")
    return mark(response) if len(response.split()) >= _LONG_WORDS else ""


def _whole_mark(item: Item) -> str:
    """The mark of an item in version 1: of all its fields."""
    texts = [f"{name}={text.strip()}" for name, text in sorted(item.fields.items())]
    return _mark_of_version_1("\n".join(texts) or item.rendered or item.id)


def _mark_of_version_1(text: str) -> str:
    words = " ".join(text.split()).casefold()
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=6).hexdigest()


_OLDER = (
    "the weights are of an earlier version, which remembered one group of each item, in its case and spelling, and no "
    "responses: other rows that they know cannot be found unless they are fitted again"
)
_OLD = (
    "the weights are of an earlier version, which knows no text again whose punctuation has changed: fit them again to "
    "find such rows"
)
CROSS_VALIDATE = Advice("leave -w out to cross-validate", "leave out the weights to cross-validate")


def left_out(
    data: Labelled, fit: Mapping[str, Any], *, include: bool, choice: bool = True
) -> tuple[Labelled, tuple[str, ...]]:
    """The judgments of which weights know neither item, group nor response, and what to say of the others.

    fit: as of `overlap`. include: keep all judgments, and only say so. choice: whether the caller could have kept them.
    Raises DataError as `judgments_without` does.
    """
    away = overlap(data, fit)
    count = int(away.sum())
    older = older_marks(fit)
    if not count:
        return data, older
    are = "is" if count == 1 else "are"
    many = f"{count} of {counted(len(away), 'judgment')} {are} of items or groups that the weights were fitted on"
    if include:
        return data, (f"{many}: the figures are too good; {CROSS_VALIDATE}", *older)
    keeps = f" ({Advice('--include-seen keeps them', 'include_seen=True keeps them')})" if choice else ""
    return judgments_without(data, away, choice=choice), (f"{many}: they are left out{keeps}", *older)


def older_marks(fit: Mapping[str, Any]) -> tuple[str, ...]:
    """What to say of weights whose marks are of an earlier version."""
    version = fit.get(SEEN_VERSION, 1) if SEEN_ITEMS in fit else MARKS_VERSION
    return () if version >= MARKS_VERSION else (_OLDER,) if version < 2 else (_OLD,)


def judgments_without(data: Labelled, away: np.ndarray, *, choice: bool = True) -> Labelled:
    """The judgments that are not in `away`, bool (n,); choice: as of `left_out`. Raises DataError where none is left."""
    kept = np.flatnonzero(~away)
    if not kept.size:
        raise DataError(
            f"the weights were fitted on the items or groups of {len(away)} of {counted(len(away), 'judgment')}: nothing is left to evaluate",
            Advice(
                "leave -w out to cross-validate, or give --include-seen for figures that are too good",
                "leave out the weights to cross-validate, or give include_seen=True for figures that are too good",
            )
            if choice
            else "give labels of other items, or weights that were fitted on others",
        )
    return select_judgments(data, kept)


def _set(marks: Sequence[str] | Iterable[str] | None) -> frozenset[str]:
    return frozenset(map(str, marks or ()))
