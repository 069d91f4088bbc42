"""Which kind of weights to make: the one that agrees best with people under nested folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data import term_columns
from ..errors import FitError
from ..records import STATES_KIND
from ..scoring import WeightsFile
from .beside import TERMS, TextMethod
from .crossval import KindMethod
from .folds import Columns, Method, folds_for_ranks, folds_inside, group_folds, out_of_fold, within_fold_ranks
from .labelled import Labelled
from .lenses import LENS_OF, lenses_for
from .states import StatesMethod, states_column

TOLERANCE = 0.01
# A kind with fewer numbers is taken where it agrees this nearly as well.
KIND_TIE = 0.01


@dataclass(frozen=True)
class FitPlan:
    """What `fit_weights` does.

    kind: one of WEIGHT_KINDS, STATES_KIND, or "auto" for the one that agrees best under nested folds.
    lens: one of LENSES, BOTH_LENSES for kind "full", or "auto" for what the kind is best with.
    like: name of a recipe in PRESETS, which decides kind and lens itself; None: none.
    by_criterion: whether every rubric gets weights of its own, drawn toward the common ones.
    max_state: the highest state to use; None: all.
    budget: share of the blocks that may be run, 0 to 1; None: it does not matter.
    tolerance: Spearman correlation that a pass within the budget may lose.
    folds: of the cross-validation, split by group; see `folds_for_ranks`.
    seed: of the order in which groups are dealt into folds, and of resampling.
    control: names of numbers of the text (see `term_columns`) that may not move a score; empty: none.
    beside: names of numbers of the text that move the score beside the weights; empty: none.
    prior: weights of kind "states" toward which new ones of that kind are drawn; None: toward zero.
    """

    kind: str = "auto"
    lens: str = "auto"
    like: str | None = None
    by_criterion: bool = False
    max_state: int | None = None
    budget: float | None = None
    tolerance: float = TOLERANCE
    folds: int = 5
    seed: int = 0
    control: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    prior: WeightsFile | None = None

    @property
    def terms(self) -> tuple[str, ...]:
        """The numbers of the text that the weights know of."""
        return self.control or self.beside

    @property
    def reads_states(self) -> bool:
        """Whether weights of kind "states" are asked for, or may be chosen."""
        free = self.lens == "auto" and self.budget is None and not self.by_criterion and self.like is None
        return self.kind == STATES_KIND or self.prior is not None or (self.kind == "auto" and free)

    def for_rows(self, rows: int) -> tuple[FitPlan, list[str]]:
        """The plan with no more folds than so many judgments can be ranked in, and a warning where these are fewer."""
        folds, said = folds_for_ranks(self.folds, rows)
        return replace(self, folds=folds), said


def candidates(data: Labelled, plan: FitPlan) -> tuple[str, ...]:
    """The kinds of weights among which a plan lets choose, from the fewest numbers to the most.

    Kind "full" is among them from as many judgments on as one lens has layer logits: with fewer it follows noise.
    """
    if plan.prior is not None:
        return (STATES_KIND,)
    if plan.kind != "auto":
        return (plan.kind,)
    kinds = ["signed"] if plan.by_criterion else ["uniform", "signed"]
    states = data.raw.shape[1] if plan.max_state is None else plan.max_state + 1
    if len(data.human) >= states * data.raw.shape[2]:
        kinds.append("full")
    if data.states is not None and plan.reads_states:
        kinds.append(STATES_KIND)
    return tuple(kinds)


def ranks_by_kind(data: Labelled, plan: FitPlan) -> dict[str, np.ndarray]:
    """The `unseen_ranks` of every kind among which the plan lets choose, by its name.

    Kinds that cannot be fitted in a training part are left out. Raises FitError where none of several can be fitted.
    """
    found: dict[str, np.ndarray] = {}
    for kind in candidates(data, plan):
        try:
            found[kind] = unseen_ranks(data, replace(plan, kind=kind))
        except FitError as error:
            last = error
    if not found and plan.kind == "auto":
        raise last
    return found


def unseen_ranks(data: Labelled, plan: FitPlan) -> np.ndarray:
    """Ranks float64 (n,) inside each fold of the scores of one kind, by weights that have not seen the fold.

    Everything about the weights was chosen without it, too.
    """
    fold = group_folds(data.group, plan.folds, plan.seed, data.human)
    method, columns = method_of(data, plan, folds_inside(data.group, fold, plan.folds))
    scores, _ = out_of_fold(method, columns, data.human, data.group, fold)
    return within_fold_ranks(scores[0], fold)


def method_of(data: Labelled, plan: FitPlan, folds: int) -> tuple[Method[Any], Columns]:
    """The method that fits what a plan says, its kind being decided, and what it reads of the judgments.

    folds: of the cross-validation inside. The scorers of the method hold their `FitResult` as `found`.
    """
    states = None if plan.max_state is None else plan.max_state + 1
    if plan.kind == STATES_KIND:
        prior = None if plan.prior is None else plan.prior.weights
        method: Method[Any] = StatesMethod(data.values, plan.seed, states, prior=prior)
        columns = states_column(data.columns)
    else:
        method = KindMethod(plan.kind, data.values, folds, plan.seed, max_states=states)
        columns = lens_columns(data, plan)
    if not plan.terms:
        return method, columns
    mode = "control" if plan.control else "beside"
    numbers = term_columns(data.items, plan.terms)
    return TextMethod(method, mode, plan.terms, data.values, folds, plan.seed), {**columns, TERMS: numbers}


def best_kind(tried: Mapping[str, float | None]) -> str:
    """The kind with the highest correlation; one with fewer numbers wins where it comes within 0.01 of it."""
    known = {kind: found for kind, found in tried.items() if found is not None}
    if not known:
        return next(iter(tried))
    best = max(known.values())
    return next(kind for kind, found in known.items() if found >= best - KIND_TIE)


def lens_columns(data: Labelled, plan: FitPlan) -> dict[str, np.ndarray]:
    """The layer logits that a plan's kind is fitted to, by lens."""
    if plan.lens == "auto":
        return lenses_for(plan.kind, data.columns, {**LENS_OF, "uniform": "raw", "simplex": None})
    return {plan.lens: data.lens(plan.lens)}
