"""Pairs of responses from items: those to one instruction, and those of two files joined by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from ..data import SYSTEM_FIELDS, Pair, counted, open_rows, pair_of, pairs_of_rows, read_items
from ..errors import Advice, DataError, name_key
from ..records import Item, NumberId
from .ranking import PREFERRED, contests, members_of

_NAMED = 5


def read_pairs(
    path: str | Path,
    other: str | Path | None = None,
    mapping: Mapping[str, str] | None = None,
    *,
    rubric: str = "",
    encoding: str | None = None,
) -> tuple[Pair, ...]:
    """The pairs of a file: of rows with two responses each, else of all responses to one instruction.

    other: a second file, whose responses are joined to those of the first by id. mapping: field -> key, see
    `pairs_of_rows` and `read_items`. rubric: the name under which single responses have human scores. encoding: of the
    files, None for UTF-8. Raises DataError where a file cannot be used, and where it holds no pair.
    """
    if other is not None:
        first, second = (read_items(one, mapping, encoding=encoding).items for one in (path, other))
        return joined_pairs(first, second, rubric, names=file_names(path, other))
    rows = open_rows(path, encoding=encoding)
    found = pairs_of_rows(rows, mapping)
    return pairs_within(read_items(rows, mapping).items, rubric) if found is None else found.pairs


def file_names(path: str | Path, other: str | Path) -> tuple[str, str]:
    """What two files are called: by their names alone where these differ."""
    one, two = Path(path).stem, Path(other).stem
    return (one, two) if one != two else (str(path), str(other))


def system_of(item: Item) -> str:
    """Who wrote the response of an item; "" where the item does not say."""
    fields = {name.lower(): text for name, text in item.fields.items()}
    return next((fields[key].strip() for key in SYSTEM_FIELDS if fields.get(key, "").strip()), "")


def pairs_within(items: Sequence[Item], rubric: str) -> tuple[Pair, ...]:
    """All pairs of responses to one instruction, see `contests`, in the order of the items.

    rubric: its name; people prefer the response with the higher score under it. Raises DataError as `contests` does,
    and where no two responses answer one instruction.
    """
    numbers = contests(items)
    found = []
    for rows in members_of(numbers, np.ones(len(items), dtype=bool)):
        for one, two in combinations(rows.tolist(), 2):
            first, second = items[one], items[two]
            identity = f"{first.id} vs {second.id}"
            found.append(_paired(first, second, identity, rubric, (system_of(first), system_of(second))))
    if not found:
        raise DataError(
            f"none of the {counted(len(items), 'row')} answers the same instruction as another one: there is no pair",
            "give rows with response_a and response_b, rows of several systems, or two files",
        )
    return tuple(found)


def joined_pairs(
    first: Sequence[Item], second: Sequence[Item], rubric: str, *, names: tuple[str, str]
) -> tuple[Pair, ...]:
    """The responses of two files to the items with the same id, in the order of the first file.

    rubric: as for `pairs_within`. names: of the two files, which stand for the systems where the rows do not name them.
    An id that only one file has becomes a pair that cannot be judged. Raises DataError where the rows have no ids, and
    where the files have none in common.
    """
    for items, name in zip((first, second), names):
        if not any("id" in item.keys for item in items):
            raise DataError(f"the rows of {name} have no id to be joined by", name_key("id"))
    others = {str(item.id): item for item in second}
    mine = {str(item.id) for item in first}
    if not mine & others.keys():
        raise DataError(
            f"{names[0]} and {names[1]} have no id in common: {_shown(list(mine))} against {_shown(list(others))}",
            Advice(
                "give two files of responses to the same prompts, or name the key of the ids with --map id=KEY",
                'give two files of responses to the same prompts, or name the key of the ids with mapping={"id": "KEY"}',
            ),
        )
    found = []
    for item in first:
        other = others.get(str(item.id))
        if other is None:
            found.append(_alone(item, f"only {names[0]} has this id"))
            continue
        systems = (system_of(item) or names[0], system_of(other) or names[1])
        found.append(_paired(item, other, item.id, rubric, systems))
    return (*found, *(_alone(item, f"only {names[1]} has this id") for item in second if str(item.id) not in mine))


def _paired(first: Item, second: Item, identity: str, rubric: str, systems: tuple[str, str]) -> Pair:
    differs = [
        name
        for name in ("instruction", "source")
        if first.fields.get(name, "").split() != second.fields.get(name, "").split()
    ]
    error = f"the two responses belong to different texts ({' and '.join(differs)})" if differs else None
    one, two = (item.human.get(PREFERRED) or item.scores_for(rubric) for item in (first, second))
    gap = float(np.mean(one)) - float(np.mean(two)) if one and two else None
    preference = None if gap is None else 0.5 if gap == 0 else float(gap > 0)
    where = first.where if first.where == second.where else f"{first.where} and {second.where}"
    return pair_of(first, second, identity, systems=systems, preference=preference, where=where, error=error)


def _alone(item: Item, error: str) -> Pair:
    identity: str = item.id if isinstance(item.id, NumberId) else str(item.id)
    return Pair(identity, {}, (None, None), group=item.group, where=item.where, error=error)


def _shown(ids: Sequence[str]) -> str:
    return ", ".join(sorted(ids)[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
