"""Items in, judgments out.

Prompts are tokenized and looked up in the store. Those without a stored reading are evaluated together, and
every reading becomes a judgment.
"""

from __future__ import annotations

from .encoding import OVERFLOW
from .feedback import TEMPERATURE, Reasoning
from .given import items_of_dicts
from .judge import Judge
from .judged_rows import JudgedRow, judgment_of_row, read_judgments
from .score_file import (
    SHOWN_FAILURES,
    JudgmentRows,
    Ordering,
    Summary,
    Tally,
    judgment_row,
    ordering,
    score_file,
    score_frame,
    score_items,
)
from .store import Store, StoreInfo
from .tokens import tokenize_prompt
from .trial import TRIAL_RUBRIC, Trial, try_out
from .under import under

__all__ = [
    "Judge",
    "JudgedRow",
    "JudgmentRows",
    "OVERFLOW",
    "Ordering",
    "Reasoning",
    "SHOWN_FAILURES",
    "Store",
    "StoreInfo",
    "Summary",
    "TEMPERATURE",
    "TRIAL_RUBRIC",
    "Tally",
    "Trial",
    "items_of_dicts",
    "judgment_of_row",
    "judgment_row",
    "ordering",
    "read_judgments",
    "score_file",
    "score_frame",
    "score_items",
    "tokenize_prompt",
    "try_out",
    "under",
]
