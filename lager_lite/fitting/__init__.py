"""From human scores to layer weights.

Weights of four kinds are fitted with scipy, the strength of their ridge is chosen inside the training folds,
and every cross-validation goes through one function.
"""

from __future__ import annotations

from .crossval import LENS_OF, best_lens, cross_validate
from .fit import group_folds
from .fit_weights import TOLERANCE, FitPlan, Fitted, fit_weights
from .labelled import Labelled, gather, ids_digest
from .recipes import PRESETS, fit_recipe, preset

__all__ = [
    "FitPlan",
    "Fitted",
    "LENS_OF",
    "Labelled",
    "PRESETS",
    "TOLERANCE",
    "best_lens",
    "cross_validate",
    "fit_recipe",
    "fit_weights",
    "gather",
    "group_folds",
    "ids_digest",
    "preset",
]
