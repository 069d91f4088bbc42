"""Pairs that a program gives, as Pairs and as dicts with the keys of a file's rows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..errors import DataError
from .keys import ALIASES, PREFERENCE_KEYS, Row, Sides, find_sides, lone_side
from .paired import Pair, PairReader, row_values, why_unpaired
from .problems import NEAR_KEYS
from .program import row_given

_SHARED = ("instruction", "source", "reference")


def pairs_given(given: Iterable[Pair | Mapping[str, Any]]) -> tuple[Pair, ...]:
    """Pairs, and dicts with the keys of a file's rows, as pairs. Raises DataError for anything else.

    A dict may lack one of the two responses; its pair then has an error, as in a file.
    """
    if isinstance(given, (str, Mapping, Pair)) or not isinstance(given, Iterable):
        raise DataError(f"the pairs are one {type(given).__name__}, expected several", "put it in a list: [pair]")
    rows = [_given(one, f"pair {number}") for number, one in enumerate(given, 1)]
    usual = next((sides for row in rows if isinstance(row, Row) and (sides := find_sides(row_values(row), {}))), None)
    found: list[Pair] = []
    for number, row in enumerate(rows, 1):
        if isinstance(row, Pair):
            found.append(row if row.error else replace(row, error=why_unpaired(row.responses)))
            continue
        sides = _sides_given(row_values(row), usual)
        if sides is None:
            raise DataError(
                f"{row.where} has no two responses; its keys are {', '.join(row.values)}",
                "name them response_a and response_b, or chosen and rejected",
            )
        found.append(PairReader(sides, {}, False).read(row, number))
    return tuple(found)


def _given(one: Any, where: str) -> Pair | Row:
    if isinstance(one, Pair):
        return one
    if not isinstance(one, Mapping):
        raise DataError(f"{where} is a {type(one).__name__}, expected a Pair or a dict")
    return row_given(one, where)


def _sides_given(values: Mapping[str, Any], usual: Sides | None) -> Sides | None:
    """The keys of the two responses of a dict, of which one may be missing. usual: those of the dicts beside it."""
    sides = find_sides(values, {})
    if sides is None and usual is not None and not values.keys().isdisjoint(usual.keys):
        return usual
    if sides is None and values.keys().isdisjoint(ALIASES["response"]) and (lone := lone_side(values)):
        return find_sides(dict.fromkeys(lone), {})
    return sides


def misspelt_keys(pairs: Iterable[Pair]) -> Iterator[tuple[str, str]]:
    """Yield the keys of pairs that nothing was taken from and that nearly are a usual key of what no pair has, with it."""
    pairs = tuple(pairs)
    fields = dict.fromkeys(name for pair in pairs for name in pair.fields)
    known = [key for field in _SHARED if field not in fields for key in ALIASES[field]]
    known += [] if any(any(pair.systems) for pair in pairs) else ["system_a", "system_b", "model_a", "model_b"]
    known += [] if any(pair.preference is not None for pair in pairs) else PREFERENCE_KEYS
    for key in fields:
        near = [] if key in _SHARED else difflib.get_close_matches(key.lower(), known, 1, NEAR_KEYS)
        if near:
            yield key, near[0]
