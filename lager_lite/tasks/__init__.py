"""What judgments are used for: ranking responses, comparing them side by side, selecting training data, telling
what cannot be known, holding a run against a bound, and looking inside one judgment.
"""

from __future__ import annotations

from .comparing import Compared, compare_pairs
from .detection import Knower
from .estimation import Estimated, MeanScore, estimate_mean, prediction_powered
from .gate_checks import Check
from .gating import GateResult, GateRule, gate
from .inspection import Inspection, Layer, inspect_item
from .knowledge import SelfKnowledge, self_knowledge, stratified
from .labelling import NextRows, next_rows
from .pair_figures import PairAccuracy, PairFigures, Position, check_preferences, pair_figures
from .pair_weights import fit_pair_weights
from .pairing import file_names, joined_by, joined_pairs, pairs_within, read_pairs
from .pairs import TRIVIAL_RANKERS, Accuracy, Preferences, preferences
from .pool import Pool, Scores, open_pool, score_pool
from .ranking import RANK_METHODS, Responses, check_pairs, first_contests, rank, read_responses
from .scored import ScoredRow, read_scores
from .selection import COMBINE, CRITERIA, Example, Selection, select, write_selection
from .states import prompts_of, write_states
from .tournament import Standing, Tournament, tournament
from .viewing import Criterion, Viewing, human_score, open_view

__all__ = [
    "Accuracy",
    "COMBINE",
    "CRITERIA",
    "Check",
    "Compared",
    "Criterion",
    "Estimated",
    "Example",
    "GateResult",
    "GateRule",
    "Inspection",
    "Knower",
    "Layer",
    "MeanScore",
    "NextRows",
    "PairAccuracy",
    "PairFigures",
    "Pool",
    "Position",
    "Preferences",
    "RANK_METHODS",
    "Responses",
    "ScoredRow",
    "Scores",
    "Selection",
    "SelfKnowledge",
    "Standing",
    "TRIVIAL_RANKERS",
    "Tournament",
    "Viewing",
    "check_pairs",
    "check_preferences",
    "compare_pairs",
    "estimate_mean",
    "file_names",
    "first_contests",
    "fit_pair_weights",
    "gate",
    "human_score",
    "inspect_item",
    "joined_by",
    "joined_pairs",
    "next_rows",
    "open_pool",
    "open_view",
    "pair_figures",
    "pairs_within",
    "prediction_powered",
    "preferences",
    "prompts_of",
    "rank",
    "read_pairs",
    "read_responses",
    "read_scores",
    "score_pool",
    "select",
    "self_knowledge",
    "stratified",
    "tournament",
    "write_selection",
    "write_states",
]
