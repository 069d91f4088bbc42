"""From human scores to layer weights.

Weights of four kinds are fitted with scipy, and the strength of their ridge is chosen on the training items
alone. Whatever is cross-validated, here or in another room, is a `Method` that goes through `out_of_fold`.
"""

from __future__ import annotations

from .crossval import LENS_OF, KindMethod, Scorer, best_lens, cross_validate, lenses_for
from .fit_weights import TOLERANCE, FitPlan, Fitted, fit_weights
from .folds import Columns, Method, folds_inside, group_folds, out_of_fold
from .labelled import Labelled, check_human_scores, gather, ids_digest, labelled_items
from .recipes import PRESETS, fit_recipe, preset

__all__ = [
    "Columns",
    "FitPlan",
    "Fitted",
    "KindMethod",
    "LENS_OF",
    "Labelled",
    "Method",
    "PRESETS",
    "Scorer",
    "TOLERANCE",
    "best_lens",
    "check_human_scores",
    "cross_validate",
    "fit_recipe",
    "fit_weights",
    "folds_inside",
    "gather",
    "group_folds",
    "ids_digest",
    "labelled_items",
    "lenses_for",
    "out_of_fold",
    "preset",
]
