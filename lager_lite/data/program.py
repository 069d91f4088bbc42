"""What a Python program gives in the place of a file's row: dicts, and rows of pandas, with the values of NumPy in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import DataError
from ..records import Item
from .checks import item_of_row
from .keys import Row
from .layouts import layout_of, lowered
from .problems import broken

_SINGLE = ("messages", "argilla", "label-studio", "nested")
"""The layouts whose rows are one item each, and whose texts no key of ours holds."""


def row_given(values: Mapping[Any, Any], where: str) -> Row:
    """A dict as a row of a file would be: arrays as lists, scalars of NumPy as numbers and texts of Python.

    where: its place for messages. Raises DataError for two keys of one name, such as 1 and "1".
    """
    check_names(values, where)
    return Row({str(key): plain_value(value) for key, value in values.items()}, where)


def check_names(names: Iterable[Any], where: str) -> None:
    """Raise DataError where two keys or columns have one name, of which only one could be read."""
    twice = [name for name, count in Counter(map(str, names)).items() if count > 1]
    if twice:
        raise DataError(f"{where}: the name {twice[0]!r} occurs twice", "rename one of the two, or leave it out")


def plain_value(value: Any) -> Any:
    """A value as JSON has it: arrays and tuples are lists, scalars of NumPy those of Python; anything else as it is."""
    if isinstance(value, (str, int, float)) and type(value).__module__ != "numpy":
        return value
    if isinstance(value, Mapping):
        return {str(key): plain_value(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(one) for one in value]
    if type(value).__module__ != "numpy" or not hasattr(value, "tolist"):
        return value
    return plain_value(value.tolist()) if getattr(value, "ndim", 0) else value.item()


def item_of_program(row: Row, number: int) -> Item:
    """The item that a row of a program is, by keys of ours, else as a file's row of one of the layouts with one item
    each. Arguments and errors as `item_of_row`."""
    low = lowered(row)
    layout = layout_of(low.values)
    if layout is not None and layout.name in _SINGLE:
        try:
            items = list(layout.read(low, number))
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise broken(row.where, layout, error) from error
        if len(items) == 1:
            return items[0]
    return item_of_row(row, number, {})
