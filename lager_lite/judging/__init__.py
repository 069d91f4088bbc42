"""Items in, judgments out.

Prompts are tokenized and looked up in the store. Those without a stored reading are evaluated together, and
every reading becomes a judgment.
"""

from __future__ import annotations

from .encoding import OVERFLOW
from .feedback import TEMPERATURE, Reasoning
from .judge import Judge
from .score_file import (
    LOW_MASS,
    SHOWN_FAILURES,
    JudgmentRows,
    Summary,
    Tally,
    judgment_row,
    ordering,
    score_file,
    score_items,
)
from .store import Store
from .tokens import tokenize_prompt

__all__ = [
    "Judge",
    "LOW_MASS",
    "OVERFLOW",
    "Reasoning",
    "JudgmentRows",
    "SHOWN_FAILURES",
    "Store",
    "Summary",
    "TEMPERATURE",
    "Tally",
    "judgment_row",
    "ordering",
    "score_file",
    "score_items",
    "tokenize_prompt",
]
