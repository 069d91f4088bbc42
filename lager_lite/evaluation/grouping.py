"""What folds keep together, and what else they can hold out: fields of the items."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..data import SYSTEM_FIELDS
from ..errors import Advice, DataError
from ..records import Item


def regroup(items: Sequence[Item], field: str) -> tuple[Item, ...]:
    """The items, with the text of `field` as their group; an item without it is a group of its own.

    A text of more than 40 characters is replaced by a digest. Raises DataError where no item has the field.
    """
    if field == "group" and any(item.group is not None for item in items):
        return tuple(items)
    if not any(field in item.fields for item in items):
        known = sorted({name for item in items for name in item.fields})
        raise DataError(f"no item has the field {field!r} to group by", f"the fields are: {', '.join(known[:20])}")
    return tuple(replace(item, group=_short(item.fields[field]) if field in item.fields else None) for item in items)


def values_of(items: Sequence[Item], field: str) -> np.ndarray:
    """The text of `field` of every item, str (n,). Raises DataError where an item lacks it or all have the same."""
    lacking = [item.id for item in items if field not in item.fields]
    if lacking or not items:
        known = sorted({name for item in items for name in item.fields})
        shown = f"{len(lacking)} of {len(items)} items lack it, the first is {lacking[0]!r}" if lacking else "no items"
        raise DataError(f"the field {field!r} cannot be held out: {shown}", f"the fields are: {', '.join(known[:20])}")
    names = np.array([_short(item.fields[field]) for item in items])
    if np.unique(names).size < 2:
        raise DataError(f"the field {field!r} cannot be held out: all items have {str(names[0])!r} in it")
    return names


def shared_names(items: Sequence[Item], held_out: str | None) -> list[str]:
    """A warning where the items say which systems wrote them, the same ones write for several groups, and folds do not
    hold them out."""
    for field in SYSTEM_FIELDS if held_out is None else ():
        groups: dict[str, set[str]] = {}
        for item in items:
            if field in item.fields:
                groups.setdefault(item.fields[field], set()).add(item.group or item.id)
        shared = sum(len(one) > 1 for one in groups.values())
        if len(groups) > 1 and shared:
            return [
                f"{shared} values of the field {field!r} stand in several groups, so weights can learn who wrote a "
                f"response in place of how good it is: {Advice(f'--hold-out {field}', f'hold_out={field!r}')} keeps them "
                "apart as well"
            ]
    return []


def _short(text: str) -> str:
    return text if len(text) <= 40 else hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
