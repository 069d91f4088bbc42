"""What the cells of a table hold that is no plain text: messages as JSON, and what a spreadsheet writes for an error."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from ..keys import ASSISTANT, unwrapped
from .spreadsheet import read_cell

_ROLES = (*ASSISTANT, "human", "user", "system", "developer", "tool", "function")
_ERRORS = frozenset(
    f"#{name}"
    for name in (
        *("NAME?", "REF!", "VALUE!", "DIV/0!", "N/A", "NUM!", "NULL!", "SPILL!", "CALC!", "FIELD!", "BLOCKED!"),
        *("BEZUG!", "WERT!", "ZAHL!", "NV", "NOM?", "VALEUR!", "NOMBRE?", "¿NOMBRE?", "¡VALOR!", "¡REF!", "¡DIV/0!"),
    )
)


def cell_values(cells: Mapping[str, str]) -> dict[str, Any]:
    """The values of a row of a table, without those of empty cells and of errors of a spreadsheet, by column.

    A cell that holds a message or a conversation, as JSON or as Python writes it, is read as that in JSON Lines. So are
    texts between the quotes of JSON, where two cells of the row are.
    """
    values: dict[str, Any] = {
        key: _talk(read_cell(cell)) for key, cell in cells.items() if cell != "" and cell.strip() not in _ERRORS
    }
    texts = {key: text for key, value in values.items() if (text := _quoted(value)) is not None}
    return {**values, **texts} if len(texts) > 1 else values


def text_inside(text: str) -> bool:
    """Whether a text is JSON with one text inside that may be what is meant, such as {"answer": "Oak."}."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    value = _parsed(text)
    found = unwrapped(value)
    return bool(value) and found is not value and (not isinstance(value, Mapping) or len(value) == 1 or _is_said(value))


def _talk(cell: str) -> Any:
    """The message or conversation that a cell holds, else the cell."""
    if not cell.lstrip().startswith(("{", "[")):
        return cell
    value = _parsed(cell)
    if isinstance(value, Mapping) and len(value) == 1 and "messages" in value:
        value = value["messages"]
    turns = value if isinstance(value, list) else [value]
    return value if turns and all(map(_is_said, turns)) else cell


def _is_said(turn: Any) -> bool:
    """Whether a value is a message with the role of someone who talks."""
    if not isinstance(turn, Mapping):
        return False
    role = turn.get("role", turn.get("from"))
    said = any(isinstance(turn.get(key), (str, list)) for key in ("content", "value")) or "tool_calls" in turn
    return isinstance(role, str) and role.lower() in _ROLES and said


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip()) if "'" in text else None
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _quoted(value: Any) -> str | None:
    """The text that stands in a cell between the quotes of JSON."""
    if not isinstance(value, str) or not (value.startswith('"') and value.endswith('"')):
        return None
    try:
        found = json.loads(value)
    except ValueError:
        return None
    return found if isinstance(found, str) else None
