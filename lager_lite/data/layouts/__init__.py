"""The public layouts: benchmarks, training sets, tools of annotation, and conversations judged whole or by turns.

How each is recognised over all rows of a file (`detect`), and what one of its rows means as items. Rows of ours, which
have no layout, are read by `keys`.
"""

from __future__ import annotations

from .benchmarks import LAYOUTS, BenchmarkLayout, judge_bench_scale
from .conversations import (
    ANSWER,
    MESSAGES,
    TURN,
    UNITS,
    ConversationReader,
    First,
    check_conversations,
    first_items,
    why_unjudged,
)
from .detection import ROWS, Remaining, detect, ignored_keys, layout_of, lowered, unfold, without
from .pair_turns import answer_in, common_turns, turns_in_lists, turns_of_side, until_answer
from .training import TALKS, is_messages

__all__ = [
    "ANSWER",
    "BenchmarkLayout",
    "ConversationReader",
    "First",
    "LAYOUTS",
    "MESSAGES",
    "ROWS",
    "Remaining",
    "TALKS",
    "TURN",
    "UNITS",
    "answer_in",
    "check_conversations",
    "common_turns",
    "detect",
    "first_items",
    "ignored_keys",
    "is_messages",
    "judge_bench_scale",
    "layout_of",
    "lowered",
    "turns_in_lists",
    "turns_of_side",
    "unfold",
    "until_answer",
    "why_unjudged",
    "without",
]
