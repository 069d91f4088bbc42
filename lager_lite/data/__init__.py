"""From files to items and back.

One reader of rows takes JSON Lines, JSON, CSV, TSV and Parquet, from files, pipes and stdin. Public layouts are
recognised, and every row becomes an `Item`. `read_items` holds all items, `open_items` hands them on one at a time,
and `open_reader` gives rows and items side by side.
"""

from __future__ import annotations

from .advice import codes_for_missing, codes_in_words
from .checking import CheckedFile, check_file
from .conversations import ANSWER, UNITS, first_items, why_unjudged
from .detection import ROWS
from .items import Dataset, ItemReader, convert, load_demo, open_reader, read_items
from .judged import is_judgment
from .kept import kept_item
from .layouts import LAYOUTS, BenchmarkLayout
from .marks import Maps
from .names import ALIASES, suggests_response
from .observer import Observer
from .paired import Pair, PairFile, pair_of, pairs_given, pairs_of_rows
from .problems import raise_problems
from .program import check_names, item_of_program, row_given
from .reading import open_rows
from .rivals import RENAME, item_of_row
from .rowfile import ListFile, RowFile, TableFile, copy_rows
from .rows import Row, RowSource, kind_of
from .sides import SYSTEM_FIELDS, find_sides
from .source import Source, open_items
from .spread import RESPONSE_LISTS
from .surface import NEAR_LENGTHS, SURFACE_FEATURES, judged_text, log_length, surface_features, surface_of, words_of
from .terms import SURFACE_TERMS, term_columns
from .thoughts import THOUGHTS, without_thoughts
from .understood import Understood, counted, listed
from .values import is_missing
from .writing import apart_from, write_rows

__all__ = [
    "ALIASES",
    "ANSWER",
    "BenchmarkLayout",
    "CheckedFile",
    "Dataset",
    "ItemReader",
    "LAYOUTS",
    "ListFile",
    "Maps",
    "NEAR_LENGTHS",
    "Observer",
    "Pair",
    "PairFile",
    "RENAME",
    "RESPONSE_LISTS",
    "ROWS",
    "Row",
    "RowFile",
    "RowSource",
    "SURFACE_FEATURES",
    "SURFACE_TERMS",
    "SYSTEM_FIELDS",
    "Source",
    "THOUGHTS",
    "TableFile",
    "UNITS",
    "Understood",
    "apart_from",
    "check_file",
    "check_names",
    "codes_for_missing",
    "codes_in_words",
    "convert",
    "copy_rows",
    "counted",
    "find_sides",
    "first_items",
    "is_judgment",
    "is_missing",
    "item_of_program",
    "item_of_row",
    "judged_text",
    "kept_item",
    "kind_of",
    "listed",
    "load_demo",
    "log_length",
    "open_items",
    "open_reader",
    "open_rows",
    "pair_of",
    "pairs_given",
    "pairs_of_rows",
    "raise_problems",
    "read_items",
    "row_given",
    "suggests_response",
    "surface_features",
    "surface_of",
    "term_columns",
    "why_unjudged",
    "without_thoughts",
    "words_of",
    "write_rows",
]
