"""From files to items and back.

One reader of rows takes JSON Lines, JSON, CSV, TSV and Parquet, from files, pipes and stdin. Public layouts are
recognised, and every row becomes an `Item`. `read_items` holds all items, `open_items` hands them on one at a time,
and `open_reader` gives rows and items side by side.
"""

from __future__ import annotations

from .checking import CheckedFile, check_file
from .checks import RENAME, Observer, codes_for_missing, codes_in_words, is_judgment, item_of_row
from .files import ListFile, RowFile, TableFile, apart_from, copy_rows, open_rows, write_rows
from .given_pairs import misspelt_keys, pairs_given
from .items import Dataset, convert, load_demo, open_reader, read_items
from .kept import kept_item
from .keys import (
    ALIASES,
    RESPONSE_FIELDS,
    RESPONSE_LISTS,
    SYSTEM_FIELDS,
    TELLING,
    THOUGHTS,
    Maps,
    Row,
    RowSource,
    TextGroup,
    Understood,
    counted,
    find_sides,
    folded,
    group_key,
    group_names,
    group_of,
    is_missing,
    judged_names,
    kind_of,
    letters_of,
    listed,
    same_judged,
    same_text,
    suggests_response,
    text_group,
    without_thoughts,
)
from .layouts import ANSWER, LAYOUTS, ROWS, TURN, UNITS, BenchmarkLayout, first_items, why_unjudged
from .paired import Pair, PairFile, pair_of, pairs_of_rows
from .problems import raise_problems
from .program import check_names, item_of_program, row_given
from .reader import ItemReader
from .source import Source, open_items
from .surface import NEAR_LENGTHS, SURFACE_FEATURES, judged_text, log_length, surface_features, surface_of, words_of
from .terms import SURFACE_TERMS, term_columns

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
    "RESPONSE_FIELDS",
    "RESPONSE_LISTS",
    "ROWS",
    "Row",
    "RowFile",
    "RowSource",
    "SURFACE_FEATURES",
    "SURFACE_TERMS",
    "SYSTEM_FIELDS",
    "Source",
    "TELLING",
    "THOUGHTS",
    "TURN",
    "TableFile",
    "TextGroup",
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
    "folded",
    "group_key",
    "group_names",
    "group_of",
    "is_judgment",
    "is_missing",
    "item_of_program",
    "item_of_row",
    "judged_names",
    "judged_text",
    "kept_item",
    "kind_of",
    "letters_of",
    "listed",
    "load_demo",
    "log_length",
    "misspelt_keys",
    "open_items",
    "open_reader",
    "open_rows",
    "pair_of",
    "pairs_given",
    "pairs_of_rows",
    "raise_problems",
    "read_items",
    "row_given",
    "same_judged",
    "same_text",
    "suggests_response",
    "surface_features",
    "surface_of",
    "term_columns",
    "text_group",
    "why_unjudged",
    "without_thoughts",
    "words_of",
    "write_rows",
]
