"""Weights of a panel: every member's as if it judged alone, and the share of each in their mean.

The members are stacked (Wolpert, Stacked Generalization, 1992): each is fitted alone, with a kind and a strength of
its own, and the shares are fitted to scores that every member gives to items of groups that it has not seen. Shares
are not negative (Breiman, Stacked Regressions, 1996) and their sum is one, so that two models cost one number more
than one model. The layers of all members in one fit would share one kind and one strength of the ridge; that agrees
with people about as well (`python -m tests.measure.panels`), but does not say how much each member counts.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy

from .. import __version__
from ..errors import FitError
from ..records import Calibration
from ..scoring import PanelWeights, Provenance, WeightsFile, apply_calibration
from .baselines import trivial_agreement
from .calibration import fit_calibration
from .choosing import FitPlan, best_kind, method_of, ranks_by_kind
from .copies import told_of_fit
from .folds import Columns, Method, folds_inside, group_folds, out_of_fold, pooled_spearman, within_fold_ranks
from .labelled import Labelled, ids_digest, select_judgments
from .margins import conformal_margin
from .seen import seen_marks

# The pull toward equal shares, in items: about as many labels as it takes to move a share half of the way.
_PULL = 10.0


@dataclass(frozen=True)
class PanelScorer:
    """A fitted panel; predicts raw and calibrated scores, float64 (2, n).

    members: what predicts alone; each holds its `FitResult` as `found`.
    shares: float64 (M,). calibration: of the panel; None where none was fitted.
    unseen: the panel's raw scores float64 (n,) of its training items, by weights that have not seen the item's group,
        NaN where nothing was tried; None where nothing was cross-validated.
    """

    members: tuple[Any, ...]
    shares: np.ndarray
    calibration: Calibration | None
    unseen: np.ndarray | None

    def predict(self, x: Columns) -> np.ndarray:
        raw = self.shares @ np.stack(
            [one.predict(member_columns(x, place))[0] for place, one in enumerate(self.members)]
        )
        return np.stack([raw, apply_calibration(self.calibration, raw)])


@dataclass(frozen=True)
class PanelMethod:
    """The members' methods and their shares; a method for `out_of_fold`.

    members: one method for each model; its columns stand in x under "0/raw", "1/raw" and so on (see `panel_columns`).
    values: of the labels, float64 (K,).
    shares: float64 (M,) where they are known; None to fit them.
    """

    members: tuple[Method[Any], ...]
    values: np.ndarray
    shares: np.ndarray | None = None

    def fit(self, x: Columns, human: np.ndarray, groups: np.ndarray) -> PanelScorer:
        """Fit each model and what joins them, as `Method.fit` says."""
        fits = tuple(method.fit(member_columns(x, place), human, groups) for place, method in enumerate(self.members))
        if self.shares is not None:
            return PanelScorer(fits, self.shares, None, None)
        unseen = np.stack([_unseen(one, member_columns(x, place)) for place, one in enumerate(fits)])
        known = np.isfinite(unseen).all(axis=0)
        shares = fit_shares(unseen[:, known], human[known])
        raw = np.full(human.size, np.nan)
        raw[known] = shares @ unseen[:, known]
        return PanelScorer(fits, shares, fit_calibration(raw[known], human[known], self.values), raw)

    def settled(self, fits: Sequence[PanelScorer]) -> PanelMethod:
        """The method with what these fits chose, for every member, and the mean of their shares."""
        members: list[Any] = list(self.members)
        for place, method in enumerate(members):
            if hasattr(method, "settled"):
                members[place] = method.settled([one.members[place] for one in fits])
        return PanelMethod(tuple(members), self.values, np.mean([one.shares for one in fits], axis=0))


def _unseen(scorer: Any, x: Columns) -> np.ndarray:
    """A member's scores (n,) of its training items by weights that have not seen them; uniform ones have seen none."""
    found: np.ndarray | None = scorer.found.out_of_fold
    return np.asarray(scorer.predict(x)[0]) if found is None else found


def fit_shares(unseen: np.ndarray, human: np.ndarray) -> np.ndarray:
    """Shares float64 (M,), not negative and with the sum one, of the members' scores unseen (M, n) of items (n,).

    They are proportional to the slopes of a least-squares fit to the human scores, none of them negative, which are
    drawn a little to equal ones. Only then is their sum made one: level and spread of the panel's scores are left to
    the calibration, or a member whose scores are squeezed would lose its share for that.
    """
    members = len(unseen)
    centred = unseen - unseen.mean(axis=1, keepdims=True)
    apart = np.eye(members) - 1.0 / members
    rows = np.vstack([centred.T, np.sqrt(_PULL * float(np.mean(centred**2))) * apart])
    slopes, _ = scipy.optimize.nnls(rows, np.concatenate([human - human.mean(), np.zeros(members)]))
    total = float(slopes.sum())
    return slopes / total if total > 0 else np.full(members, 1.0 / members)


def panel_columns(columns: Sequence[Columns]) -> dict[str, np.ndarray]:
    """The columns of every member, as a `PanelMethod` reads them."""
    return {f"{place}/{name}": column for place, own in enumerate(columns) for name, column in own.items()}


def member_columns(x: Columns, place: int) -> dict[str, np.ndarray]:
    """The columns of one member, from 0."""
    head = f"{place}/"
    return {name.removeprefix(head): column for name, column in x.items() if name.startswith(head)}


def same_judgments(read: Sequence[Labelled]) -> tuple[Labelled, ...]:
    """What every member read, cut down to the judgments that all could read, in the first one's order.

    Raises FitError where there is none.
    """
    keys = [list(zip(one.item.tolist(), one.criterion.tolist())) for one in read]
    common = set(keys[0]).intersection(*keys[1:])
    if not common:
        raise FitError("there is no judgment that every member of the panel could read")
    return tuple(
        select_judgments(one, np.array([row for row, key in enumerate(mine) if key in common]))
        for one, mine in zip(read, keys)
    )


@dataclass(frozen=True)
class FittedMember:
    """One member of a fitted panel.

    kind, lens, strength: of its weights; strength None where there is none.
    share: how much it counts, 0 to 1.
    agreement: Spearman correlation of its own scores under nested folds; None where undefined.
    """

    kind: str
    lens: str
    strength: float | None
    share: float
    agreement: float | None


@dataclass(frozen=True)
class FittedPanel:
    """What `fit_panel` made.

    weights: ready for `save_panel`.
    members: one entry per model, in their order.
    items, groups: how many judgments they were fitted on, and in how many groups these are.
    agreement: Spearman correlation of the panel's scores under nested folds, with the members' kinds as chosen on all
        items; None where undefined.
    trivial: the same of `length` and `surface`, which read no model.
    warnings: what the user should know, in sentences.
    """

    weights: PanelWeights
    members: tuple[FittedMember, ...]
    items: int
    groups: int
    agreement: float | None
    trivial: dict[str, float | None] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def fit_panel(read: Sequence[Labelled], provenances: Sequence[Provenance], plan: FitPlan = FitPlan()) -> FittedPanel:
    """Fit the weights of a panel to what its members read of the same labelled items.

    read: from `gather` with each member. provenances: of the judges, in the same order. plan: kind, lens, folds and seed
    count; with kind "auto" every member gets the kind that agrees best for it.

    Raises FitError as `fit_weights` does, and where no judgment was read by all.
    """
    if (
        plan.like
        or plan.by_criterion
        or plan.max_state is not None
        or plan.budget is not None
        or plan.terms
        or plan.prior
    ):
        raise FitError("a panel is fitted with kind, lens, folds and seed alone", "leave out the rest of the plan")
    data = same_judgments(read)
    plan, small = plan.for_rows(len(data[0].human))
    alone = [_alone(one, plan) for one in data]
    own = [replace(plan, kind=kind) for kind, _ in alone]
    made = [method_of(one, mine, plan.folds) for one, mine in zip(data, own)]
    first = data[0]
    method = PanelMethod(tuple(one for one, _ in made), first.values)
    found = method.fit(panel_columns([columns for _, columns in made]), first.human, first.group)
    margin = None if found.unseen is None else conformal_margin(found.unseen, first.human, first.group, first.values)
    reached = _nested(data, own, plan)
    trivial = trivial_agreement(first, plan.folds, plan.seed)
    members = tuple(
        FittedMember(one.found.weights.kind, one.found.weights.lens, one.found.strength, float(share), correlation)
        for one, share, (_, correlation) in zip(found.members, found.shares, alone)
    )
    count = int(np.unique(first.group).size)
    facts = {
        "items": len(first.human),
        "groups": count,
        "ids": ids_digest(first.item),
        "folds": plan.folds,
        "seed": plan.seed,
        "spearman_cv": reached,
        "spearman_cv_members": [one.agreement for one in members],
        "trivial_cv": trivial,
        "program": __version__,
        **seen_marks(first),
    }
    date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    files = tuple(
        WeightsFile(one.found.weights, replace(about, date=date)) for one, about in zip(found.members, provenances)
    )
    weights = PanelWeights(files, found.shares, found.calibration, margin, facts, date)
    return FittedPanel(
        weights,
        members,
        len(first.human),
        count,
        reached,
        trivial,
        (*small, *told_of_fit(first.items, first.group), *_warnings(members, reached)),
    )


def _alone(data: Labelled, plan: FitPlan) -> tuple[str, float | None]:
    """The kind that a member is fitted with, and its agreement alone."""
    tried = {kind: pooled_spearman(ranks, data.human) for kind, ranks in ranks_by_kind(data, plan).items()}
    kind = best_kind(tried) if tried else plan.kind
    return kind, tried.get(kind)


def _nested(data: Sequence[Labelled], plans: Sequence[FitPlan], plan: FitPlan) -> float | None:
    """Spearman correlation of the panel's scores, where everything but the kinds is chosen again in each training part."""
    first = data[0]
    fold = group_folds(first.group, plan.folds, plan.seed, first.human)
    inner = folds_inside(first.group, fold, plan.folds)
    made = [method_of(one, mine, inner) for one, mine in zip(data, plans)]
    method = PanelMethod(tuple(one for one, _ in made), first.values)
    scores, _ = out_of_fold(method, panel_columns([columns for _, columns in made]), first.human, first.group, fold)
    return pooled_spearman(within_fold_ranks(scores[0], fold), first.human)


def _warnings(members: Sequence[FittedMember], reached: float | None) -> tuple[str, ...]:
    best = max((one.agreement for one in members if one.agreement is not None), default=None)
    if reached is None or best is None or reached > best:
        return ()
    place = next(n for n, one in enumerate(members, 1) if one.agreement == best)
    return (
        f"the panel agrees with people no better than member {place} alone: {reached:.3f} against {best:.3f}; "
        "that model alone costs less",
    )
