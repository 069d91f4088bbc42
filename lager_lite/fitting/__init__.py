"""From human scores to layer weights.

Weights of four kinds are fitted with scipy, and the strength of their ridge is chosen on the training items
alone. Whatever is cross-validated, here or in another room, is a `Method` that goes through `out_of_fold`.
"""

from __future__ import annotations

from ..data import SURFACE_FEATURES, log_length, surface_features, surface_of
from .baselines import (
    FEATURES,
    WORDS,
    FeatureMethod,
    WordsMethod,
    WordsScorer,
    as_layer_logits,
    baseline_features,
    word_sets,
)
from .choosing import TOLERANCE, FitPlan, method_of
from .copies import copies_apart, tells_of_copies
from .crossval import FixedMethod, KindMethod, OutOfFold, Scorer, cross_validate
from .fit_weights import Fitted, fit_weights
from .folds import (
    Columns,
    Method,
    folds_for_ranks,
    folds_inside,
    group_folds,
    levelled,
    out_of_fold,
    select_rows,
    within_fold_ranks,
)
from .labelled import Labelled, check_human_scores, gather, grouped, ids_digest, labelled_items
from .lenses import LENS_OF, best_lens, lenses_for
from .margins import COVERAGE, HeldShare, held_share
from .mirrored import MirroredMethod, MirroredScorer
from .panel import FittedPanel, PanelMethod, fit_panel, panel_columns, same_judgments
from .prior import PriorUse
from .recipes import PRESETS, fit_recipe, preset
from .seen import (
    CROSS_VALIDATE,
    SEEN_ITEMS,
    item_mark,
    left_out,
    older_marks,
    overlap,
    seen_items,
    seen_marks,
)
from .splits import SPLITS, SplitScores, over_splits, scored_splits, split_folds
from .states import STATES, StatesMethod, fit_states, state_kernel
from .writers import FEW_NAMES, names_in_several, names_not_apart, short_name, values_of

__all__ = [
    "COVERAGE",
    "CROSS_VALIDATE",
    "Columns",
    "FEATURES",
    "FEW_NAMES",
    "FeatureMethod",
    "FitPlan",
    "Fitted",
    "FittedPanel",
    "FixedMethod",
    "HeldShare",
    "KindMethod",
    "LENS_OF",
    "Labelled",
    "Method",
    "MirroredMethod",
    "MirroredScorer",
    "OutOfFold",
    "PRESETS",
    "PanelMethod",
    "PriorUse",
    "SEEN_ITEMS",
    "SPLITS",
    "STATES",
    "SURFACE_FEATURES",
    "Scorer",
    "SplitScores",
    "StatesMethod",
    "TOLERANCE",
    "WORDS",
    "WordsMethod",
    "WordsScorer",
    "as_layer_logits",
    "baseline_features",
    "best_lens",
    "check_human_scores",
    "copies_apart",
    "cross_validate",
    "fit_panel",
    "fit_recipe",
    "fit_states",
    "fit_weights",
    "folds_for_ranks",
    "folds_inside",
    "gather",
    "group_folds",
    "grouped",
    "held_share",
    "ids_digest",
    "item_mark",
    "labelled_items",
    "left_out",
    "lenses_for",
    "levelled",
    "log_length",
    "method_of",
    "names_in_several",
    "names_not_apart",
    "older_marks",
    "out_of_fold",
    "over_splits",
    "overlap",
    "panel_columns",
    "preset",
    "same_judgments",
    "scored_splits",
    "seen_items",
    "seen_marks",
    "select_rows",
    "short_name",
    "split_folds",
    "state_kernel",
    "surface_features",
    "surface_of",
    "tells_of_copies",
    "values_of",
    "within_fold_ranks",
    "word_sets",
]
