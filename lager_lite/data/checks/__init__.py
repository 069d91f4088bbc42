"""Whether a file is what it seems, seen row by row while it is read.

Which of several texts is the response, whether a judge wrote the scores or the response is a verdict, tags in the place
of sources, prompts of judges, tables laid out for the eye, and what is odd about texts and scores. What cannot be told
is asked (`DataError`); what only looks odd is a warning.
"""

from __future__ import annotations

from .advice import codes_for_missing, codes_in_words
from .judged import UNREAD, id_used_twice, is_judgment, noted, without_judgment
from .observer import Observer
from .oddities import OddityWatch
from .rivals import RENAME, RivalWatch, item_of_row
from .sheets import check_sheet

__all__ = [
    "Observer",
    "OddityWatch",
    "RENAME",
    "RivalWatch",
    "UNREAD",
    "check_sheet",
    "codes_for_missing",
    "codes_in_words",
    "id_used_twice",
    "is_judgment",
    "item_of_row",
    "noted",
    "without_judgment",
]
