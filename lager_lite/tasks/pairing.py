"""Pairs of responses from items: those to one instruction, and those of two files joined by id."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from textwrap import shorten

import numpy as np

from ..data import SYSTEM_FIELDS, Pair, counted, open_rows, pair_of, pairs_of_rows, read_items
from ..errors import DataError, LagerWarning
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

    other: a second file, whose responses are joined to those of the first by id, or by instruction where they have no ids. mapping: field -> key, see
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
    and where no two responses answer one instruction. A LagerWarning counts the items without such another one.
    """
    numbers = contests(items)
    found: list[Pair] = []
    alone: list[Item] = []
    for rows in members_of(numbers, np.ones(len(items), dtype=bool)):
        alone += [items[rows[0]]] if len(rows) == 1 else []
        for one, two in combinations(rows.tolist(), 2):
            first, second = items[one], items[two]
            identity = f"{first.id} vs {second.id}"
            found.append(_paired(first, second, identity, rubric, (system_of(first), system_of(second))))
    if not found:
        raise DataError(
            f"none of the {counted(len(items), 'row')} answers the same instruction as another one: there is no pair",
            "give rows with response_a and response_b, rows of several systems, or two files",
        )
    if alone:
        has = "1 row has" if len(alone) == 1 else f"{len(alone)} rows have"
        where = alone[0].where or f"item {alone[0].id}"
        warnings.warn(
            f"{has} no other response to the same instruction, and so no pair; the first is {where}",
            LagerWarning,
            stacklevel=2,
        )
    return tuple(found)


def joined_by(first: Sequence[Item], second: Sequence[Item]) -> str:
    """What two files are joined by: "id" where rows of both have one, else "instruction"."""
    return "id" if all(any("id" in item.keys for item in items) for items in (first, second)) else "instruction"


def joined_pairs(
    first: Sequence[Item], second: Sequence[Item], rubric: str, *, names: tuple[str, str]
) -> tuple[Pair, ...]:
    """The responses of two files to the items with the same id, in the order of the first file.

    Files without ids are joined by instruction (and source), see `joined_by`. rubric: as for `pairs_within`. names: of
    the two files, which stand for the systems where the rows do not name them. What only one file has becomes a pair
    that cannot be judged. Raises DataError where the rows have neither ids nor an instruction that each file has once,
    and where the files have none in common.
    """
    by = joined_by(first, second)
    mine, others = (_by_key(items, by, name) for items, name in zip((first, second), names))
    if not mine.keys() & others.keys():
        raise DataError(
            f"{names[0]} and {names[1]} have no {by} in common: {_shown(mine)} against {_shown(others)}",
            "give two files of responses to the same prompts, with the same ids or with the same instructions",
        )
    found = []
    for key, item in mine.items():
        other = others.get(key)
        if other is None:
            found.append(_alone(item, (system_of(item) or names[0], names[1]), f"only {names[0]} has this {by}"))
            continue
        systems = (system_of(item) or names[0], system_of(other) or names[1])
        found.append(_paired(item, other, item.id, rubric, systems))
    return (
        *found,
        *(
            _alone(item, (names[0], system_of(item) or names[1]), f"only {names[1]} has this {by}")
            for key, item in others.items()
            if key not in mine
        ),
    )


def _by_key(items: Sequence[Item], by: str, name: str) -> dict[str, Item]:
    """Items by what they are joined by. Raises DataError where an item lacks it and where two have the same."""
    found: dict[str, Item] = {}
    hint = "give the rows of both files an id that is the same for the same prompt"
    for item in items:
        texts = [" ".join(item.fields.get(field, "").split()) for field in ("instruction", "source")]
        key = str(item.id) if by == "id" else "\n".join(texts).strip()
        if not key:
            raise DataError(f"the rows of {name} have no id, and {item.where} no instruction, to be joined by", hint)
        if by != "id" and key in found:
            raise DataError(
                f"the rows of {name} have no id to be joined by, and {found[key].where} and {item.where} answer the same "
                "instruction",
                hint,
            )
        found[key] = item
    return found


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


def _alone(item: Item, systems: tuple[str, str], error: str) -> Pair:
    identity: str = item.id if isinstance(item.id, NumberId) else str(item.id)
    return Pair(identity, {}, (None, None), systems=systems, group=item.group, where=item.where, error=error)


def _shown(keys: Collection[str]) -> str:
    return ", ".join(shorten(key, 40, placeholder=" …") for key in sorted(keys)[:_NAMED]) + (
        f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    )
