"""The items that were judged, from the rows of their judgments: `--keep` writes the keys of an item beside its scores."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..errors import DataError
from ..records import Item, id_for_results
from .keys import HeldRows, Row
from .layouts import ANSWER, TALKS, TURN
from .reader import ItemReader

_PREFIX = "input_"


def kept_item(
    row: Row,
    identity: str,
    own: Collection[str],
    *,
    labels: Mapping[str, float] | None = None,
    unit: str = ANSWER,
) -> Item | None:
    """Return the item that a row of a judgment has beside the judgment; None where it has nothing, or nothing readable.

    - `identity`: the item's id, as the judgment has it.
    - `own`: the keys of the judgment; keys of the item that had one of these names have "input_" in front.
    - `labels`: what the labels of the scale are worth, where human scores may be labels.
    - `unit`: what of a conversation was judged, one of UNITS.
    """
    values = {_name(key, own): _talk(key, value) for key, value in row.values.items() if key not in own}
    if not values:
        return None
    whole = Row({**values, "id": id_for_results(identity)}, row.where, row.comma)
    if unit == TURN:
        whole = Row({**values, "id": identity.rpartition("#")[0]}, row.where, row.comma)
    reader = ItemReader(
        HeldRows(row.where, (whole,)), require=(), mixed=True, labels=labels or {}, need_scores=False, unit=unit
    )
    try:
        items = [item for item in reader.items_of(whole, 1) if unit != TURN or str(item.id) == str(identity)]
    except DataError:
        return None
    return replace(items[0], id=identity) if len(items) == 1 else None


def _talk(key: str, value: Any) -> Any:
    """A conversation as a list of turns, also where it stands in a table, as JSON text; other values as they are."""
    if key.lower() in TALKS and isinstance(value, str) and value.startswith("["):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _name(key: str, own: Collection[str]) -> str:
    """The name that a key of the item had before the judgment was written beside it."""
    bare = key
    while bare.startswith(_PREFIX):
        bare = bare.removeprefix(_PREFIX)
    return key.removeprefix(_PREFIX) if bare in own else key
