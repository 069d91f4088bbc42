"""Rows that a judge wrote: their score is its own, and no human score."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import Advice, DataError
from ...records import Item
from ..keys import Row, RowSource

JUDGED, UNREAD = "judged", "unread"
"""Entries of `Item.keys`: the keys with the judge's own score, and those with a score that could not be read."""
CLEAR = ("raw_score", "e_score")
"""The keys that only a judge writes."""
_MARKS = (*CLEAR, "rubric", "mass", "probabilities")


def is_judgment(values: Mapping[str, Any]) -> bool:
    """Whether a row with these values is one that `score` wrote, with the row of the item before it or alone."""
    if "score" not in values:
        return "rubric" in values and "error" in values  # a judgment that failed, in a table without empty cells
    return any(key in values for key in CLEAR) or sum(key in values for key in _MARKS) > 1


def id_used_twice(identity: str, places: Sequence[str], rows: RowSource) -> DataError:
    """What to say where an id occurs twice; places: where. Judgments of one item under several rubrics are named."""
    found = {row.where: row.values for row in rows if row.where in places[:2]}
    names = [found[place].get("rubric") for place in places[:2] if is_judgment(found.get(place, {}))]
    if len(names) == 2 and names[0] != names[1]:
        return DataError(
            f"{places[1]}: these are judgments that `score` wrote under several rubrics, not items: item {identity!r} "
            f"stands under {names[0]!r} at {places[0]}, and under {names[1]!r} here",
            Advice(
                "give the file of the items; or score under one rubric with --keep, whose rows have the items' texts",
                "give the items, or the judgments under one rubric with the items' texts beside them",
            ),
        )
    return DataError(
        f"{places[1]}: the id {identity!r} was used before, at {places[0]}",
        Advice(
            "make ids unique, or map another key with --map id=KEY",
            'make ids unique, or map another key with mapping={"id": "KEY"}',
            "make ids unique",
        ),
    )


def without_judgment(row: Row, mapped: Collection[str]) -> Row:
    """The row without the score and the rubric's name that a judge wrote into it; mapped: keys that stay."""
    own = {"score", "rubric"}.difference(mapped)
    if own.isdisjoint(row.values) or not is_judgment(row.values):
        return row
    return replace(row, values={key: value for key, value in row.values.items() if key not in own})


def noted(item: Item, row: Row, read: Row) -> Item:
    """The item, with the judge's score named in its keys where `read`, what was read of the row, is without it."""
    dropped = "score" in row.values and "score" not in read.values
    return replace(item, keys={**item.keys, JUDGED: ("score",)}) if dropped else item
