"""Numbers of an item beside what the model says of it: the length, the surface, or fields that hold a number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import DataError
from ..records import Item
from .surface import SURFACE_FEATURES, log_length, surface_features

SURFACE_TERMS = ("length", "surface")
"""The names that mean something of the text that is judged; every other name is that of a field."""


def term_columns(items: Sequence[Item], names: Sequence[str]) -> np.ndarray:
    """The numbers of items, float64 (n, F), term by term in the order of the names.

    `length`: the logarithm of the number of words, and its square. `surface`: SURFACE_FEATURES, and the square of the
    length. A field: its number, and its square. Raises DataError where a field does not hold a number, and where no item
    has it.
    """
    for name in names if items else ():
        if name not in SURFACE_TERMS and not any(name in item.fields for item in items):
            known_fields = ", ".join(sorted({field for item in items for field in item.fields})[:20])
            raise DataError(
                f"no item has the field {name!r}",
                f"give {' or '.join(SURFACE_TERMS)}, or a field that holds a number; the fields are: {known_fields}",
            )
    known: dict[int, np.ndarray] = {}
    for item in items:
        if id(item) not in known:
            known[id(item)] = np.concatenate([_columns(item, name) for name in names])
    return np.array([known[id(item)] for item in items]).reshape(len(items), -1)


def _columns(item: Item, name: str) -> np.ndarray:
    if name == "surface":
        marks = surface_features(item)
        return np.append(marks, marks[SURFACE_FEATURES.index("length")] ** 2)
    number = log_length(item) if name == "length" else _number(item, name)
    return np.array([number, number**2])


def _number(item: Item, name: str) -> float:
    text = item.fields.get(name)
    if text is None:
        raise DataError(
            f"{item.where or 'the item'}: item {item.id!r} lacks the field {name!r}, which others have",
            f"give it a number in every row, or name another field, or {' or '.join(SURFACE_TERMS)}",
        )
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise DataError(
            f"{item.where or 'the item'}: item {item.id!r} has {text!r} as {name}, expected a number",
            f"name a field that holds a number, or {' or '.join(SURFACE_TERMS)}",
        )
    return found
