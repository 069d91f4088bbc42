"""From files to items and back.

Rows are read from JSON, JSON Lines, CSV, TSV and Parquet; public layouts are recognised; every row
becomes an `Item`.
"""

from __future__ import annotations

from .items import ALIASES, ROWS, convert, item_of_row, load_demo, read_items
from .layouts import LAYOUTS, BenchmarkLayout, detect
from .rowfile import RowFile
from .rows import Document, Row, write_rows
from .source import Source, open_items

__all__ = [
    "ALIASES",
    "BenchmarkLayout",
    "Document",
    "LAYOUTS",
    "ROWS",
    "Row",
    "RowFile",
    "Source",
    "convert",
    "detect",
    "item_of_row",
    "load_demo",
    "open_items",
    "read_items",
    "write_rows",
]
