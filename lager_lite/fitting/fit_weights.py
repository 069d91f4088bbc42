"""From labelled items to a weights file: what a fit may choose, and what reading fewer states costs."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from .. import __version__
from ..data import counted, term_columns
from ..errors import Advice, FitError
from ..judging import Judge
from ..records import STATES_KIND, LayerWeights
from ..scoring import WeightsFile
from ..stats import Interval, rank_figures
from .baselines import trivial_agreement
from .beyond import nothing_beyond
from .choosing import FitPlan, best_kind, method_of, ranks_by_kind, unseen_ranks
from .copies import told_of_fit
from .criteria import fit_by_criterion
from .crossval import KindMethod
from .fit import GRID, FitResult, fit
from .folds import group_folds, out_of_fold, pooled_spearman, within_fold_ranks
from .labelled import Labelled, ids_digest
from .margins import conformal_margin
from .objective import Loss
from .prior import PriorUse, check_prior, prior_use, prior_warnings, seen_by_both
from .recipes import fit_recipe, preset
from .seen import seen_marks
from .states import STATES_GRID

# Labels of one text teach what that text is like: on Newsroom, 196 labels reached 0.29 on 7 articles and 0.51 on 28.
FEW_GROUPS = 50


@dataclass(frozen=True)
class Shorter:
    """How well a shorter pass agrees with people.

    state: the last state that is read.
    spearman: cross-validated Spearman correlation; None where undefined.
    interval: of `spearman`, over groups; None where undefined.
    """

    state: int
    spearman: float | None
    interval: Interval | None


@dataclass(frozen=True)
class ControlCost:
    """What controlling for numbers of the text costs; all figures are of scores of unseen items.

    names: of the numbers.
    agreement: Spearman correlation with people without the control; None where undefined.
    before, left: the largest Spearman correlation, in size, of the scores with any of the numbers, without and with
        the control.
    """

    names: tuple[str, ...]
    agreement: float | None
    before: float
    left: float


@dataclass(frozen=True)
class Fitted:
    """What `fit_weights` made.

    file: the weights with their provenance, ready for `save_weights`.
    items, groups: how many judgments they were fitted on, and in how many groups these are.
    strength: of the ridge; None for uniform weights and recipes.
    agreement: Spearman correlation of scores by weights that have not seen the item, with everything that was
        chosen chosen again inside each training part; None where undefined or where nothing was cross-validated.
    tried: the same of every kind among which the plan let choose, by its name.
    tradeoff: one entry per state with a budget, else empty.
    cost: what a control costs; None where nothing is controlled for.
    warnings: what the user should know, in sentences.
    trivial: the same of `length` and `surface`, which read no model; empty where the texts are not known.
    prior: what the plan's prior brought; None without one.
    """

    file: WeightsFile
    items: int
    groups: int
    strength: float | None
    agreement: float | None
    tradeoff: tuple[Shorter, ...] = ()
    warnings: tuple[str, ...] = ()
    tried: Mapping[str, float | None] = field(default_factory=dict)
    trivial: Mapping[str, float | None] = field(default_factory=dict)
    cost: ControlCost | None = None
    prior: PriorUse | None = None


def fit_weights(judge: Judge, data: Labelled, plan: FitPlan = FitPlan()) -> Fitted:
    """Fit layer weights on labelled items that `judge` has read.

    judge: what the weights will belong to; its provenance goes into the file.
    data: from `gather`.
    plan: what to fit; by default the kind that agrees best under nested folds.

    Raises FitError where nothing can be fitted, where there are fewer groups than folds, where no state within
    the budget has an agreement, where the plan names a recipe together with choices that it makes itself, and for a
    prior that cannot be one; WeightsError for a prior of another scale.
    """
    check_prior(judge, plan)
    plan, warnings = plan.for_rows(len(data.human))
    if plan.like:
        return _like(judge, data, plan, warnings)
    unseen = ranks_by_kind(data, plan)
    tried = {kind: pooled_spearman(ranks, data.human) for kind, ranks in unseen.items()}
    plan = replace(plan, kind=best_kind(tried) if tried else plan.kind)
    method, columns = method_of(data, plan, plan.folds)
    found: FitResult = method.fit(columns, data.human, data.group).found
    lens = found.weights.lens
    tradeoff: tuple[Shorter, ...] = ()
    max_state = plan.max_state
    if plan.budget is not None:
        tradeoff = _tradeoff(data, lens, plan)
        point, warning = shortest(tradeoff, data.raw.shape[1] - 1, plan.budget, plan.tolerance)
        warnings += [warning] if warning else []
        max_state = point.state
        found = fit(
            data.lens(lens),
            data.human,
            data.values,
            kind=plan.kind,
            lens=lens,
            max_states=max_state + 1,
            groups=data.group,
            folds=plan.folds,
            seed=plan.seed,
        )
    warnings += _told(data, plan, unseen)
    packed = _packed(
        judge,
        data,
        plan,
        found,
        by_rubric=_by_rubric(data, plan, lens, max_state),
        tradeoff=tradeoff,
        warnings=warnings,
        tried=tried if plan.budget is None else {},
        cost=_cost(data, plan, unseen.get(plan.kind)),
    )
    return replace(packed, prior=prior_use(data, plan, found))


def _told(data: Labelled, plan: FitPlan, unseen: Mapping[str, np.ndarray]) -> list[str]:
    """What to say of the weights beyond their figures; unseen: by kind, ranks of scores of unseen items."""
    said = [*prior_warnings(data, plan.prior), *told_of_fit(data.items, data.group)]
    if plan.control and plan.kind in unseen:
        said += nothing_beyond(data, plan.control, unseen[plan.kind], plan.seed)
    return said


def _by_rubric(data: Labelled, plan: FitPlan, lens: str, max_state: int | None) -> dict[str, LayerWeights]:
    """Weights for every rubric, by its name, where the plan wants them."""
    if not plan.by_criterion:
        return {}
    shared = fit_by_criterion(
        data.lens(lens)[:, : None if max_state is None else max_state + 1],
        data.human,
        data.values,
        data.criterion,
        kind=plan.kind,
        lens=lens,
        groups=data.group,
        folds=plan.folds,
        seed=plan.seed,
    )
    return {name: result.weights for name, result in shared.by_criterion.items()}


def shortest(points: Sequence[Shorter], blocks: int, budget: float, tolerance: float) -> tuple[Shorter, str]:
    """The shortest pass within the budget that loses at most `tolerance` against the best of all.

    budget: share of `blocks` that may be run. Where every pass within it loses more: the best of them, and a
    warning ("" otherwise). Raises FitError where no pass within the budget has an agreement.
    """
    known = [(p, p.spearman) for p in points if p.spearman is not None]
    within = [(p, spearman) for p, spearman in known if p.state <= budget * blocks]
    if not within:
        raise FitError(
            f"no state within {budget:.0%} of {blocks} blocks has an agreement",
            "allow a larger budget, or give more labels",
        )
    best = max(spearman for _, spearman in known)
    good = [p for p, spearman in within if spearman >= best - tolerance]
    if good:
        return min(good, key=lambda p: p.state), ""
    top, reached = max(within, key=lambda pair: pair[1])
    return top, f"within the budget the agreement is {reached:.3f}, {best - reached:.3f} below the best"


def _cost(data: Labelled, plan: FitPlan, ranks: np.ndarray | None) -> ControlCost | None:
    """What a control costs; ranks: of the controlled scores. None where nothing is controlled for."""
    if not plan.control or ranks is None:
        return None
    plain = unseen_ranks(data, replace(plan, control=()))
    columns = term_columns(data.items, plan.control)
    left, before = (max(abs(pooled_spearman(r, column) or 0.0) for column in columns.T) for r in (ranks, plain))
    return ControlCost(plan.control, pooled_spearman(plain, data.human), before, left)


def _tradeoff(data: Labelled, lens: str, plan: FitPlan) -> tuple[Shorter, ...]:
    """A pass that ends after each state. Each chooses its own strength, since fewer states need another ridge."""
    found = {str(state): _unseen(data, lens, plan, state) for state in range(data.raw.shape[1])}
    # Of very many items, the strength is chosen on the same part for every state.
    known = np.isfinite(found["0"])
    rng = np.random.default_rng(plan.seed)
    scores = {name: _ranked(raw[known], data, plan, known) for name, raw in found.items()}
    human, columns = data.human[known], {name: [ranks] for name, ranks in scores.items()}
    figures = rank_figures(columns, human, data.group[known], rng=rng, ranked=columns)
    return tuple(
        Shorter(int(name), pooled_spearman(ranks, human), figures.estimate(name).interval)
        for name, ranks in scores.items()
    )


def _ranked(unseen: np.ndarray, data: Labelled, plan: FitPlan, known: np.ndarray) -> np.ndarray:
    """Out-of-fold scores of the judgments that are known, bool (n,), ranked inside the folds that `fit` made of them."""
    return within_fold_ranks(unseen, group_folds(data.group[known], plan.folds, plan.seed, data.human[known]))


def _unseen(data: Labelled, lens: str, plan: FitPlan, state: int) -> np.ndarray:
    """Out-of-fold raw scores, float64 (n,), when the pass ends after `state`; NaN where none were computed."""
    logits, states = data.lens(lens), state + 1
    if plan.kind == "uniform":
        method = KindMethod("uniform", data.values, max_states=states)
        fold = group_folds(data.group, plan.folds, plan.seed, data.human)
        scores, _ = out_of_fold(method, {lens: logits}, data.human, data.group, fold)
        raw: np.ndarray = scores[0]
        return raw
    found = fit(
        logits,
        data.human,
        data.values,
        kind=plan.kind,
        lens=lens,
        max_states=states,
        groups=data.group,
        folds=plan.folds,
        seed=plan.seed,
        calibrate=False,
    )
    assert found.out_of_fold is not None  # no strength was given, so there was a cross-validation
    return found.out_of_fold


def _like(judge: Judge, data: Labelled, plan: FitPlan, warnings: Sequence[str]) -> Fitted:
    if plan.budget is not None or plan.by_criterion or plan.max_state is not None:
        raise FitError(
            f"the recipe {plan.like} decides everything itself",
            Advice(
                "leave out --budget, --max-state and --by-criterion", "leave out budget, max_state and by_criterion"
            ),
        )
    found = fit_recipe(
        preset(str(plan.like)), data.raw, data.human, data.values, groups=data.group, folds=plan.folds, seed=plan.seed
    )
    return _packed(judge, data, plan, found, warnings=warnings)


def _packed(
    judge: Judge,
    data: Labelled,
    plan: FitPlan,
    found: FitResult,
    *,
    by_rubric: Mapping[str, LayerWeights] = MappingProxyType({}),
    tradeoff: tuple[Shorter, ...] = (),
    warnings: Sequence[str] = (),
    tried: Mapping[str, float | None] = MappingProxyType({}),
    cost: ControlCost | None = None,
) -> Fitted:
    correlation = tried.get(found.weights.kind)
    if correlation is None and found.out_of_fold is not None:
        known = np.isfinite(found.out_of_fold)
        ranks = _ranked(found.out_of_fold[known], data, plan, known)
        correlation = pooled_spearman(ranks, data.human[known])
    if found.groups < FEW_GROUPS:
        few = f"the labels are from only {counted(found.groups, 'group')}, which leaves their agreement uncertain"
        warnings = [*warnings, f"{few}: label items of {FEW_GROUPS} groups or more"]
    if not found.converged:
        warnings = [*warnings, "the solver reached its limit of steps before it converged: fit again with more labels"]
    trivial = trivial_agreement(data, plan.folds, plan.seed)
    best = max(
        (name for name in trivial if trivial[name] is not None), key=lambda name: trivial[name] or 0.0, default=""
    )
    if not plan.control and correlation is not None and correlation <= (trivial.get(best) or -1.0):
        less = f"these weights agree with people no better than the {best} of the response does"
        warnings = [
            *warnings,
            f"{less}: {correlation:.3f} against {trivial[best]:.3f}; {Advice('see lager-lite eval', 'see evaluate')}",
        ]
    date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    margin = None
    if found.out_of_fold is not None:
        margin = conformal_margin(found.out_of_fold, data.human, data.group, data.values)
    facts = {"spearman_cv": correlation, "trivial_cv": trivial, **_facts(data, plan, found)}
    file = WeightsFile(replace(found.weights, margin=margin), replace(judge.provenance(**facts), date=date), by_rubric)
    return Fitted(
        file,
        found.items,
        found.groups,
        found.strength,
        correlation,
        tradeoff,
        tuple(warnings),
        tried,
        trivial=trivial,
        cost=cost,
    )


def _facts(data: Labelled, plan: FitPlan, found: FitResult) -> dict[str, Any]:
    """How the weights were fitted and on what, for the file."""
    return {
        "items": found.items,
        "groups": found.groups,
        "strength": found.strength,
        "loss": found.loss,
        "ids": ids_digest(data.item),
        "folds": plan.folds,
        "seed": plan.seed,
        "control": list(plan.control),
        "beside": list(plan.beside),
        "program": __version__,
        "loss_of": asdict(Loss()),
        "grid": list(STATES_GRID if found.weights.kind == STATES_KIND else GRID),
        "prior": found.prior,
        **seen_by_both(seen_marks(data), plan.prior),
    }
