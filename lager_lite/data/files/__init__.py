"""Rows out of files and into files.

JSON Lines, JSON, CSV, TSV and Parquet from files, pipes and stdin, one row at a time by its place, with the cells of
spreadsheets read and written as what they are. What keys mean is left to `keys`.
"""

from __future__ import annotations

from .cells import text_inside
from .reading import open_rows
from .rowfile import ListFile, RowFile, TableFile, copy_rows
from .writing import apart_from, plain, write_rows

__all__ = [
    "ListFile",
    "RowFile",
    "TableFile",
    "apart_from",
    "copy_rows",
    "open_rows",
    "plain",
    "text_inside",
    "write_rows",
]
