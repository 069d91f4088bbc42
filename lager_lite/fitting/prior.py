"""Weights that are drawn toward others: few labels of one criterion, and weights that many labels of another one made.

A ridge draws weights toward zero, which knows nothing. Weights of another criterion, of other people's labels or those
that ship know something, and the fit then only has to say what is different here. How much of them is taken, from
nothing to all, is chosen by leaving out groups, like the strength.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import FitError
from ..judging import Judge
from ..records import STATES_KIND
from ..scoring import WeightsFile, check_weights, states_score
from ..stats import agreement
from .choosing import FitPlan, unseen_ranks
from .fit import FitResult
from .labelled import Labelled
from .seen import SEEN_GROUPS, SEEN_ITEMS, SEEN_RESPONSES, SEEN_VERSION, overlap


@dataclass(frozen=True)
class PriorUse:
    """What a prior brought.

    share: how much of it the weights hold, 0 to 1.
    alone: Spearman correlation with people of the prior as it is; None where undefined.
    without: that of weights that were fitted without it, under the same folds; None where undefined.
    seen: of how many of the judgments it knows an item or a group, so that all figures with it are too good.
    """

    share: float
    alone: float | None
    without: float | None
    seen: int = 0


def check_prior(judge: Judge, plan: FitPlan) -> None:
    """Refuse a prior that cannot be one: FitError for another backbone or another use, WeightsError as `check_weights`.

    Another rubric is what a prior is for.
    """
    file = plan.prior
    if file is None:
        return
    if (
        plan.kind not in ("auto", STATES_KIND)
        or plan.terms
        or plan.by_criterion
        or plan.budget is not None
        or plan.like
    ):
        raise FitError("a prior is for plain weights of kind states", "leave out the other choices")
    if file.weights.kind != STATES_KIND or file.weights.text is not None:
        raise FitError(
            f"the prior is of kind {file.weights.kind}, only plain weights of kind states can be a prior",
            "fit weights of this kind",
        )
    check_weights(file, judge.provenance(), force=True)
    if file.provenance.fingerprint != judge.provenance().fingerprint:
        raise FitError("the prior was fitted with another model", "give one that was fitted with this model")


def prior_use(data: Labelled, plan: FitPlan, found: FitResult) -> PriorUse | None:
    """What the prior of a plan brought; None without one. found: the fit with it."""
    if plan.prior is None or data.states is None:
        return None
    alone = states_score(data.states, data.values, plan.prior.weights)[1]
    without = unseen_ranks(data, replace(plan, prior=None, kind=STATES_KIND))
    figures = agreement(alone, data.human).spearman, agreement(without, data.human).spearman
    return PriorUse(found.prior, *figures, int(np.sum(overlap(data, plan.prior.provenance.fit))))


def prior_warnings(data: Labelled, prior: WeightsFile | None) -> tuple[str, ...]:
    """What to say of labels that the prior was fitted on, too."""
    count = 0 if prior is None else int(np.sum(overlap(data, prior.provenance.fit)))
    if not count:
        return ()
    return (f"the prior was fitted on items or groups of {count} of these judgments: the agreement shown is too good",)


def seen_by_both(marks: dict[str, Any], prior: WeightsFile | None) -> dict[str, Any]:
    """The marks of what weights were fitted on, with those of their prior."""
    if prior is None:
        return marks
    fit = prior.provenance.fit
    names = (SEEN_ITEMS, SEEN_GROUPS, SEEN_RESPONSES)
    both = {name: sorted({*marks[name], *map(str, fit.get(name) or ())}) for name in names}
    return {**both, SEEN_VERSION: min(marks[SEEN_VERSION], fit.get(SEEN_VERSION, 1))}
