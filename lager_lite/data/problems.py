"""What is wrong with a file, in words: rows that cannot be used, and layouts that do not fit."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence

from ..errors import Advice, DataError, each_text, give_mapped, mapped, name_key
from ..records import Item
from .keys import Row, RowSource, counted, file_of, find_sides, suggests_response, without_missing
from .layouts import LAYOUTS, ROWS, BenchmarkLayout, lowered, why_unjudged

_MAX_PROBLEMS = 5
NEAR_KEYS = 0.85
"""How alike two keys are of which one is likely the other misspelt, as `difflib` measures it from 0 to 1."""


def raise_problems(problems: Sequence[DataError]) -> None:
    """Raise the first few errors of rows as one. Does nothing where there are none."""
    if problems:
        more = len(problems) - _MAX_PROBLEMS
        text = "\n".join(problem.message for problem in problems[:_MAX_PROBLEMS])
        raise DataError(text + (f"\nand {counted(more, 'more row')}" if more > 0 else ""), problems[0].advice)


def named_layout(name: str, rows: RowSource, unfolded: RowSource) -> BenchmarkLayout:
    """The layout of this name. Raises DataError where there is none, and where no row is written in it."""
    if name not in LAYOUTS:
        raise DataError(f"there is no layout {name!r}", f"one of: {ROWS}, {', '.join(LAYOUTS)}")
    layout = LAYOUTS[name]
    fits = layout.fits or layout.matches
    if layout.inside:
        if isinstance(rows.whole, dict) and fits(rows.whole):
            return layout
    elif any(fits(lowered(row).values) for row in unfolded):
        return layout
    first = rows[0].values if len(rows) else rows.whole or {}
    raise DataError(
        f"{rows.name}: not in the layout {name}; its first keys are {', '.join(list(first)[:12])}",
        Advice(
            f"leave the layout to detection, or name the keys with --map (layout {ROWS})",
            f'leave the layout to detection, or name the keys with mapping (layout="{ROWS}")',
        ),
    )


def lacks(row: Row, item: Item, missing: Sequence[str]) -> DataError:
    """The error of a row whose item has not the required fields."""
    if missing == ["response"] and (why := why_unjudged(item)):
        return DataError(f"{row.where}: {why}")
    low = lowered(row)
    sides = find_sides(low.values, {}) if missing == ["response"] else None
    if sides is not None:
        name = shlex.quote(file_of(row.where)) or "FILE"
        return DataError(
            f"{row.where}: no response, but a pair of them: {sides.first} and {sides.second}",
            Advice(
                f"lager-lite pairs {name} compares the two; --map {shlex.quote(f'response={sides.first}')} judges one",
                f"compare_pairs compares the two (see read_pairs); {mapped({'response': sides.first}).python} judges one",
                f"compare_pairs compares the two; {mapped({'response': sides.first}).given} judges one",
                f"the pairs of a request are compared; giving {sides.first!r} as response judges one",
            ),
        )
    listed = next((key for key, value in low.values.items() if _is_texts(key, value)), None)
    if missing == ["response"] and listed is not None:
        return DataError(f"{row.where}: no response, but a list that may hold some: {listed}", each_text(listed))
    keys = {key.lower(): key for key in without_missing(row).values}
    near = difflib.get_close_matches(missing[0], keys, 1, NEAR_KEYS)
    hint = give_mapped({missing[0]: keys[near[0]]}) if near else name_key(missing[0])
    found = ", ".join(keys.values()) or "none"
    return DataError(f"{row.where}: no {', '.join(missing)}; the row has the keys {found}", hint)


def _is_texts(key: str, value: object) -> bool:
    texts = isinstance(value, list) and bool(value) and all(isinstance(one, (str, dict)) for one in value)
    return texts and suggests_response(key)


def broken(where: str, layout: BenchmarkLayout, error: Exception) -> DataError:
    """The error of a row that is not written as its layout says."""
    what = f"the key {error} is missing" if isinstance(error, KeyError) else str(error)
    return DataError(
        f"{where}: looks like {layout.about}, but breaks its layout: {what}",
        Advice(
            f"name the keys with --map (layout {ROWS})",
            f'name the keys with mapping (layout="{ROWS}")',
            "use other keys",
        ),
    )
