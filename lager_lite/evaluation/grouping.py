"""What folds keep together, and what else they can hold out: fields of the items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..data import same_text
from ..errors import Advice, DataError
from ..fitting import FEW_NAMES, grouped, names_in_several, short_name, values_of
from ..records import Item


def regroup(items: Sequence[Item], field: str) -> tuple[Item, ...]:
    """The items, with the text of `field` as their group; an item without it is a group of its own.

    A text of more than 40 characters is replaced by a digest. The item's group before is kept in `other_groups`. Raises
    DataError where no item has the field.
    """
    if field == "group" and any(item.group is not None for item in items):
        return tuple(items)
    if not any(field in item.fields for item in items):
        known = sorted({name for item in items for name in item.fields})
        raise DataError(f"no item has the field {field!r} to group by", f"the fields are: {', '.join(known[:20])}")
    return tuple(_regrouped(item, field) for item in items)


def _regrouped(item: Item, field: str) -> Item:
    others = item.other_groups if item.group is None else (*item.other_groups, item.group)
    if field not in item.fields:
        return replace(item, group=None, other_groups=others)
    text = item.fields[field]
    # Folds must not part what `copies_apart` takes for copies.
    return replace(item, group=short_name(same_text(text) if field == "response" else text), other_groups=others)


def shared_names(items: Sequence[Item], held_out: str | None) -> list[str]:
    """A warning where the items say which systems wrote them, the same ones write for several groups, and folds do not
    hold them out, or where so few are held out that weights cannot learn without them how systems differ."""
    if held_out is not None:
        count = np.unique(values_of(items, held_out)).size
        few = (
            f"only {count} values of the field {held_out!r} are held out, each by weights that know {count - 1} of them"
        )
        return [f"{few}: errors and correlations across them say little"] if count < FEW_NAMES else []
    found = names_in_several(items, grouped(items))
    if found is None:
        return []
    field, said = found
    return [f"{said}: {Advice(f'--hold-out {field}', f'hold_out={field!r}')} keeps them apart as well"]
