"""Items in, judgments out.

Prompts are tokenized and looked up in the store. Those without a stored reading are evaluated together, and
every reading becomes a judgment.
"""

from __future__ import annotations

from .basis import UNNAMED
from .by_turn import TURN_NAMES, TurnScores, by_conversation, turn_row, turn_scores
from .elsewhere import named_as
from .encoding import OVERFLOW
from .feedback import TEMPERATURE, Reasoning
from .given import items_of_dicts
from .judge import Judge
from .judged_rows import JudgedRow, judged_lines, read_judgments
from .keys import Basis
from .one_judge import OneJudge
from .panel import Panel, names_of, sum_of
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
from .tokens import clashing, tokenize_prompt
from .trial import TRIAL_RUBRIC, Trial, try_out
from .under import under

__all__ = [
    "Basis",
    "Judge",
    "JudgedRow",
    "JudgmentRows",
    "OVERFLOW",
    "OneJudge",
    "Ordering",
    "Panel",
    "Reasoning",
    "SHOWN_FAILURES",
    "Store",
    "StoreInfo",
    "Summary",
    "TEMPERATURE",
    "TRIAL_RUBRIC",
    "TURN_NAMES",
    "Tally",
    "Trial",
    "TurnScores",
    "UNNAMED",
    "by_conversation",
    "clashing",
    "items_of_dicts",
    "judged_lines",
    "judgment_row",
    "named_as",
    "names_of",
    "ordering",
    "read_judgments",
    "score_file",
    "score_frame",
    "score_items",
    "sum_of",
    "tokenize_prompt",
    "try_out",
    "turn_row",
    "turn_scores",
    "under",
]
