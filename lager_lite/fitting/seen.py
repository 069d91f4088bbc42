"""What weights were fitted on, in marks that say nothing of the texts, so that no figure comes from items they know."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import Advice, DataError
from ..records import Item
from .labelled import Labelled, select_judgments

SEEN_ITEMS, SEEN_GROUPS = "seen_items", "seen_groups"
"""The names under which a weights file keeps the marks, in its record of the fit."""


def mark(text: str) -> str:
    """A digest of a text, 12 hex digits; spacing and case do not matter."""
    words = " ".join(text.split()).casefold()
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=6).hexdigest()


def item_mark(item: Item) -> str:
    """The mark of what an item says; its id, which may be a row's number, does not count."""
    texts = [f"{name}={text.strip()}" for name, text in sorted(item.fields.items())]
    return mark("\n".join(texts) or item.rendered or item.id)


def seen_marks(data: Labelled) -> dict[str, list[str]]:
    """The marks of the items and of the groups of labelled judgments, sorted; none where the texts are not known."""
    groups = {mark(item.group) for item in data.items if item.group is not None}
    return {SEEN_ITEMS: sorted({item_mark(item) for item in data.items}), SEEN_GROUPS: sorted(groups)}


def overlap(data: Labelled, fit: Mapping[str, Any]) -> np.ndarray:
    """Which judgments are of an item or a group that weights were fitted on, bool (n,).

    fit: the weights file's record of the fit; nothing is known to overlap where it has no marks.
    """
    items, groups = (_set(fit.get(name)) for name in (SEEN_ITEMS, SEEN_GROUPS))
    if not data.items:
        return np.zeros(len(data.human), dtype=bool)
    return np.array([item_mark(i) in items or (i.group is not None and mark(i.group) in groups) for i in data.items])


CROSS_VALIDATE = Advice("leave -w out to cross-validate", "leave out the weights to cross-validate")


def left_out(data: Labelled, fit: Mapping[str, Any], *, include: bool) -> tuple[Labelled, tuple[str, ...]]:
    """The judgments of which weights know neither item nor group, and what to say of the others.

    fit: as of `overlap`. include: keep all judgments, and only say so. Raises DataError as `judgments_without` does.
    """
    away = overlap(data, fit)
    count = int(away.sum())
    if not count:
        return data, ()
    many = f"{count} of {len(away)} judgments are of items or groups that the weights were fitted on"
    if include:
        return data, (f"{many}: the figures are too good; {CROSS_VALIDATE}",)
    keeps = Advice("--include-seen keeps them", "include_seen=True keeps them")
    return judgments_without(data, away), (f"{many}: they are left out ({keeps})",)


def judgments_without(data: Labelled, away: np.ndarray) -> Labelled:
    """The judgments that are not in `away`, bool (n,). Raises DataError where none is left."""
    kept = np.flatnonzero(~away)
    if not kept.size:
        raise DataError(
            f"the weights were fitted on the items or groups of all {len(away)} judgments: nothing is left to evaluate",
            Advice(
                "leave -w out to cross-validate, or give --include-seen for figures that are too good",
                "leave out the weights to cross-validate, or give include_seen=True for figures that are too good",
            ),
        )
    return select_judgments(data, kept)


def _set(marks: Sequence[str] | Iterable[str] | None) -> frozenset[str]:
    return frozenset(map(str, marks or ()))
