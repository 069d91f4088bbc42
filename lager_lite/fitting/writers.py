"""Who wrote the items: names that stand in several groups, which folds by group do not keep apart, and that are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np

from ..data import SYSTEM_FIELDS, TextGroup, counted, group_key, group_names
from ..errors import DataError
from ..records import Item

FEW_NAMES = 4
"""With three, a fit knows two systems, and so one difference between systems."""


def names_in_several(items: Sequence[Item], groups: Iterable[str]) -> tuple[str, str] | None:
    """The field that names who wrote the items, and a warning, where one writer stands in several groups; else None.

    Folds by group do not keep such a writer's items apart. groups: of every item (n,).
    """
    own = [str(group) for group in groups]
    for field in SYSTEM_FIELDS:
        named = [(item.fields[field], group) for item, group in zip(items, own) if field in item.fields]
        said = names_not_apart(named, "value", f"of the field {field!r} ")
        if said is not None:
            return field, said
    return None


def names_not_apart(named: Iterable[tuple[str, str]], what: str, where: str = "") -> str | None:
    """A warning where writers' names, given with the group of what they wrote, stand in several groups; else None.

    None, too, where only one writer is named. what: the name of one of them. where: of what they are, in words.
    """
    found: dict[str, set[str]] = {}
    for name, group in named:
        found.setdefault(group_key(name), set()).add(group)
    shared = sum(len(one) > 1 for one in found.values())
    if len(found) < 2 or not shared:
        return None
    stands = "stands" if shared == 1 else "stand"
    return (
        f"{counted(shared, what)} {where}{stands} in several groups, so weights can learn who wrote a response in place of "
        "how good it is"
    )


def values_of(items: Sequence[Item], field: str) -> np.ndarray:
    """The text of `field` of every item, str (n,). Raises DataError where an item lacks it or all have the same."""
    lacking = [item.id for item in items if field not in item.fields]
    if lacking or not items:
        known = sorted({name for item in items for name in item.fields})
        shown = (
            f"it is missing in {len(lacking)} of {counted(len(items), 'item')}, first in {lacking[0]!r}"
            if lacking
            else "no items"
        )
        raise DataError(f"the field {field!r} cannot be held out: {shown}", f"the fields are: {', '.join(known[:20])}")
    names = np.array(group_names((short_name(item.fields[field]) for item in items), repeat("")))
    if np.unique(names).size < 2:
        raise DataError(f"the field {field!r} cannot be held out: all items have {str(names[0])!r} in it")
    return names


def short_name(text: str) -> str:
    """A text as a name; one of more than 40 characters is replaced by a digest of it."""
    if len(text) <= 40:
        return text
    return TextGroup(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest(), group_key(text))
