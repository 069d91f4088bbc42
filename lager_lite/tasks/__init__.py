"""What judgments are used for: ranking responses, selecting training data, telling what cannot be known, and
looking inside one judgment.
"""

from __future__ import annotations

from .detection import Knower
from .estimation import Estimated, MeanScore, estimate_mean, prediction_powered
from .inspection import Inspection, Layer, inspect_item
from .knowledge import SelfKnowledge, self_knowledge, stratified
from .labelling import NextRows, next_rows
from .pairs import TRIVIAL_RANKERS, Accuracy, Preferences, preferences
from .pool import Pool, Scores, open_pool, score_pool
from .ranking import RANK_METHODS, check_pairs, first_contests, rank, read_responses
from .selection import COMBINE, CRITERIA, Example, Selection, select, write_selection
from .states import prompts_of, write_states
from .viewing import Criterion, Viewing, human_score, open_view

__all__ = [
    "Accuracy",
    "COMBINE",
    "CRITERIA",
    "Criterion",
    "Estimated",
    "Example",
    "Inspection",
    "Knower",
    "Layer",
    "MeanScore",
    "NextRows",
    "Pool",
    "Preferences",
    "RANK_METHODS",
    "Scores",
    "Selection",
    "SelfKnowledge",
    "TRIVIAL_RANKERS",
    "Viewing",
    "check_pairs",
    "estimate_mean",
    "first_contests",
    "human_score",
    "inspect_item",
    "next_rows",
    "open_pool",
    "open_view",
    "prediction_powered",
    "preferences",
    "prompts_of",
    "rank",
    "read_responses",
    "score_pool",
    "select",
    "self_knowledge",
    "stratified",
    "write_selection",
    "write_states",
]
