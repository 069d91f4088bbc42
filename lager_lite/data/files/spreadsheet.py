"""Cells of tables that a spreadsheet would run as a formula, written so that it does not.

A cell that begins with =, +, - or @ (also their wide forms) or with a tab or a line break may be run by the program that
opens the file. An apostrophe in front makes it text (the advice of OWASP on "CSV injection"). The reader takes it away
again, so that a text that was written and read is the same text; numbers such as -1.5 need none.
"""

from __future__ import annotations

import re

_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


def written_cell(text: str) -> str:
    """Return a cell as it is written. An apostrophe that the reader would take away gets another one."""
    return "'" + text if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def read_cell(text: str) -> str:
    """Return what `written_cell` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text, 1) else text
