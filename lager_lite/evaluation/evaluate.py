"""Compare the methods with human scores, every fitted one on items that its weights have not seen.

There are two ways: cross-validation fits each kind of weights on parts of the items and scores the rest;
weights that were fitted elsewhere are used as they are.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import DataError, FitError
from ..fitting import (
    SEEN_ITEMS,
    Labelled,
    best_lens,
    cross_validate,
    fit_recipe,
    fit_states,
    gather,
    ids_digest,
    left_out,
    lenses_for,
    preset,
)
from ..judging import Judge
from ..records import STATES_KIND, WEIGHT_KINDS, Counts, Item, LayerWeights, Reading
from ..scoring import WeightsFile, direct, e_score, per_layer_scores, state_parts, uniform_score
from ..stats import agreement, annotator_ceiling, by_criterion, intervals, paired_difference
from .results import Evaluation, EvaluationRun, FittedKind, LayerResult, MethodResult, Verdict, origin_of

WARN_BELOW_LABELS = 100
WARN_BELOW_GROUPS = 10
# Two to fit on, so that something can be chosen by inner folds, and one to score.
LEAST_GROUPS = 3


@dataclass(frozen=True)
class Plan:
    """What `run_evaluation` compares. Where weights are given, only the seed counts.

    kinds: of weights to fit, of WEIGHT_KINDS.
    criteria: whether to try weights per criterion, too.
    like: names of published recipes to try, too, of PRESETS.
    folds: of the cross-validation, split by group.
    seed: of the folds and of resampling.
    include_seen: whether given weights are also evaluated on items and groups that they were fitted on.
    """

    kinds: Sequence[str] = WEIGHT_KINDS
    criteria: bool = False
    like: Sequence[str] = ()
    folds: int = 5
    seed: int = 0
    include_seen: bool = False


@dataclass(frozen=True)
class _Scores:
    raw: np.ndarray
    calibrated: np.ndarray | None
    lenses: tuple[str, ...] = ()


def run_evaluation(
    judge: Judge,
    items: Sequence[Item],
    plan: Plan,
    *,
    source: str,
    weights: tuple[str, WeightsFile] | None = None,
    progress: Callable[[Counts], None] | None = None,
) -> tuple[EvaluationRun, tuple[tuple[str, str], ...]]:
    """Read the items and evaluate the judge's weights where they were given, else cross-validate.

    source: path of the file that the items are from.
    weights: path and content of the judge's weights; None: cross-validate.
    progress: called with the counts so far after each batch; None: no reports.

    Returns the run, and (item id, reason) of items left out. Raises DataError and FitError as `gather`,
    `evaluate` and `evaluate_weights` do.
    """
    begin = time.monotonic()
    data = gather(judge, items, progress)
    read = time.monotonic()
    if weights is not None:
        path, file = weights
        fit = file.provenance.fit
        data, said = left_out(data, fit, include=plan.include_seen)
        ids = None if SEEN_ITEMS in fit else fit.get("ids")
        result = evaluate_weights(judge, data, fitted_ids=ids, seed=plan.seed)
        result = replace(result, warnings=(*said, *result.warnings))
    else:
        path = None
        result = evaluate(
            data, kinds=plan.kinds, criteria=plan.criteria, like=plan.like, folds=plan.folds, seed=plan.seed
        )
    seconds = {"reading": read - begin, "evaluation": time.monotonic() - read}
    return EvaluationRun(result, origin_of(judge, source, weights=path, seconds=seconds)), data.failed


def evaluate(
    data: Labelled,
    *,
    kinds: Sequence[str] = WEIGHT_KINDS,
    criteria: bool = False,
    like: Sequence[str] = (),
    folds: int = 5,
    seed: int = 0,
    resamples: int = 1000,
) -> Evaluation:
    """Cross-validate every kind of weights, folds split by group, and set all methods side by side.

    data: from `gather`.
    kinds: of weights to fit, of WEIGHT_KINDS. Strength, lens and calibration are chosen inside each training part.
    criteria: whether to try weights per criterion, too, as "<kind> by criterion".
    like: names of published recipes to try, too, as "like <name>".
    folds, seed: of the cross-validation.
    resamples: of the groups, for 95% intervals.

    What cannot be fitted, for instance since one label is rare, is left out with a warning. With fewer groups than
    folds there are as many folds as groups, and with fewer than LEAST_GROUPS nothing is fitted; a warning says so.
    Raises FitError where all labels are alike.
    """
    logits = data.columns
    scores: dict[str, _Scores] = {}
    fitted, missing = [], []
    groups = int(np.unique(data.group).size)
    if groups < LEAST_GROUPS:
        result = _set_side_by_side(data, _unfitted(data), [], folds=None, seed=seed, resamples=resamples)
        short = f"nothing was fitted: weights that have not seen an item's group need {LEAST_GROUPS} groups, there are {groups}"
        return replace(result, warnings=(short, *result.warnings))
    if groups < folds:
        missing.append(f"{groups} groups cannot be split into {folds} folds: there were {groups} folds")
        folds = groups

    def add(**tried: Any) -> None:
        names = data.criterion if criteria else None
        found = cross_validate(
            logits, data.human, data.values, groups=data.group, criterion=names, folds=folds, seed=seed, **tried
        )
        scores.update({name: _Scores(one.raw, one.calibrated, one.lenses) for name, one in found.methods.items()})

    add(kinds=())
    for kind in kinds:
        try:
            add(kinds=[kind])
            fitted += [] if kind == "uniform" else [_whole(kind, data, folds, seed)]
        except FitError as error:
            missing.append(f"{kind}: not fitted, since in a part of the items {error.message}")
    for name in like:
        try:
            add(kinds=(), recipes=[preset(name)])
            weights = fit_recipe(preset(name), data.raw, data.human, data.values, calibrate=False).weights
            fitted.append(_picture(f"like {name}", weights))
        except FitError as error:
            missing.append(f"like {name}: not fitted, since in a part of the items {error.message}")
    result = _set_side_by_side(data, scores, fitted, folds=folds, seed=seed, resamples=resamples)
    return replace(result, warnings=(*missing, *result.warnings))


def evaluate_weights(
    judge: Judge, data: Labelled, *, fitted_ids: str | None = None, seed: int = 0, resamples: int = 1000
) -> Evaluation:
    """Evaluate the judge's own weights, under the name "tuned", beside direct, e_score and uniform.

    data: what this judge has read.
    fitted_ids: `ids_digest` of the items that the weights were fitted on; a warning says so where these are the
        items of `data`. None: unknown.
    resamples: of the groups, for 95% intervals.

    Raises DataError for a judge without weights.
    """
    if judge.weights is None:
        raise DataError("the judge has no weights to evaluate", "give a weights file")
    scores = {**_unfitted(data), "tuned": _tuned(judge, data)}
    result = _set_side_by_side(
        data, scores, [_picture("tuned", judge.weights, states=data.states)], folds=None, seed=seed, resamples=resamples
    )
    if fitted_ids != ids_digest(data.item):
        return result
    seen = (
        "the weights were fitted on items of these very ids: their figures are too good; leave -w out to cross-validate"
    )
    return replace(result, warnings=(seen, *result.warnings))


def regroup(items: Sequence[Item], field: str) -> tuple[Item, ...]:
    """The items, with the text of `field` as their group; an item without it is a group of its own.

    A text of more than 40 characters is replaced by a digest. Raises DataError where no item has the field.
    """
    if field == "group" and any(item.group is not None for item in items):
        return tuple(items)
    if not any(field in item.fields for item in items):
        known = sorted({name for item in items for name in item.fields})
        raise DataError(f"no item has the field {field!r} to group by", f"the fields are: {', '.join(known[:20])}")
    return tuple(replace(item, group=_short(item.fields[field]) if field in item.fields else None) for item in items)


def _short(text: str) -> str:
    return text if len(text) <= 40 else hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _unfitted(data: Labelled) -> dict[str, _Scores]:
    """The methods that need no fitting, and no calibration of their scores."""
    last = data.raw[:, -1]
    return {
        "direct": _Scores(direct(last, data.values), None),
        "e_score": _Scores(e_score(last, data.values), None),
        "uniform": _Scores(uniform_score(data.raw, data.values), None),
    }


def _tuned(judge: Judge, data: Labelled) -> _Scores:
    rubrics = {rubric.name: rubric for rubric in judge.rubrics}
    whole = [None] * len(data.human) if data.states is None else data.states
    judged = [
        judge.judgment(Item(str(item), {}), rubrics[str(name)], Reading(raw, norm, None, 0, states=states))
        for item, name, raw, norm, states in zip(data.item, data.criterion, data.raw, data.norm, whole)
    ]
    return _Scores(np.array([j.raw_score for j in judged]), np.array([j.score for j in judged]))


def _set_side_by_side(
    data: Labelled,
    scores: Mapping[str, _Scores],
    fitted: Sequence[FittedKind],
    *,
    folds: int | None,
    seed: int,
    resamples: int,
) -> Evaluation:
    several = any(len(given) > 1 for given in data.individual)
    methods = _methods(scores, data, seed, resamples)
    result = Evaluation(
        n=len(data.human),
        groups=int(np.unique(data.group).size),
        folds=folds,
        seed=seed,
        methods=methods,
        ceiling=annotator_ceiling(data.individual) if several else None,
        verdict=_verdict(methods),
        warnings=(),
        values=tuple(map(float, data.values)),
        items=tuple(map(str, data.item)),
        criterion=tuple(map(str, data.criterion)),
        group=tuple(map(str, data.group)),
        human=tuple(map(float, data.human)),
        layers=_layers(data, seed, resamples),
        fitted=tuple(fitted),
    )
    return replace(result, warnings=_warnings(result))


def _methods(scores: Mapping[str, _Scores], data: Labelled, seed: int, resamples: int) -> tuple[MethodResult, ...]:
    raw = {name: found.raw for name, found in scores.items()}
    rng = np.random.default_rng(seed)
    bounds = intervals(raw, data.human, data.group, rng=rng, resamples=resamples, measures=("spearman",))
    methods = []
    for name, found in scores.items():
        gain, calibrated = None, found.calibrated
        if name != "e_score":
            rng = np.random.default_rng(seed)
            gain = paired_difference(found.raw, raw["e_score"], data.human, data.group, rng=rng, resamples=resamples)
        methods.append(
            MethodResult(
                name=name,
                overall=agreement(found.raw, data.human),
                interval=bounds[name]["spearman"],
                calibrated_mae=None if calibrated is None else float(np.mean(np.abs(calibrated - data.human))),
                criteria=by_criterion(found.raw, data.human, data.criterion),
                gain=gain,
                lenses=found.lenses,
                raw=tuple(map(float, found.raw)),
                calibrated=None if calibrated is None else tuple(map(float, calibrated)),
            )
        )
    return tuple(methods)


def _layers(data: Labelled, seed: int, resamples: int) -> tuple[LayerResult, ...]:
    alone = {
        (lens, state): scores
        for lens in ("raw", "norm")
        for state, scores in enumerate(per_layer_scores(data.lens(lens).astype(np.float64), data.values).T)
    }
    named = {f"{lens} {state}": scores for (lens, state), scores in alone.items()}
    rng = np.random.default_rng(seed)
    bounds = intervals(named, data.human, data.group, rng=rng, resamples=resamples, measures=("spearman",))
    return tuple(
        LayerResult(state, lens, agreement(scores, data.human).spearman, bounds[f"{lens} {state}"]["spearman"])
        for (lens, state), scores in alone.items()
    )


def _whole(kind: str, data: Labelled, folds: int, seed: int) -> FittedKind:
    if kind == STATES_KIND:
        states = np.asarray(data.states)
        fitted = fit_states(states, data.human, data.values, groups=data.group, seed=seed, calibrate=False)
        return _picture(kind, fitted.weights, fitted.strength, states)
    logits = lenses_for(kind, data.columns)
    found = best_lens(logits, data.human, data.values, kind=kind, groups=data.group, folds=folds, seed=seed)
    return _picture(kind, found.weights, found.strength)


def _picture(
    name: str, weights: LayerWeights, strength: float | None = None, states: np.ndarray | None = None
) -> FittedKind:
    numbers = weights.weights.tolist()
    if weights.kind == STATES_KIND:
        numbers = [0.0] if states is None else state_parts(states, weights).std(axis=0).tolist()
    return FittedKind(name, weights.lens, strength, tuple(tuple(w) if isinstance(w, list) else w for w in numbers))


def _verdict(methods: Sequence[MethodResult]) -> Verdict | None:
    ranked = [
        (m.overall.spearman, m, m.gain, m.gain.interval)
        for m in methods
        if m.tuned and m.overall.spearman is not None and m.gain and m.gain.interval
    ]
    base = next(m for m in methods if m.name == "e_score").overall.spearman
    if not ranked or base is None:
        return None
    reached, best, gain, interval = max(ranked, key=lambda entry: entry[0])
    low, high = interval.low, interval.high
    found = "beats" if low > 0 else "loses to" if high < 0 else "does not clearly beat"
    name = "the given weights agree" if best.name == "tuned" else f"{best.name} weights agree"
    many = f" (the best of {len(ranked)} ways tried)" if len(ranked) > 1 else ""
    text = (
        f"Tuning {found} e_score: {name} with people at Spearman {reached:.3f}, e_score at {base:.3f}; "
        f"the gain is {gain.value:.3f}, 95% interval {low:.3f} to {high:.3f}{many}."
    )
    return Verdict(best.name, low > 0, text)


def _warnings(result: Evaluation) -> tuple[str, ...]:
    found = []
    if result.n < WARN_BELOW_LABELS:
        held = ", and weights fitted on them hold little" if result.folds else ""
        found.append(f"{result.n} labels are few: intervals are wide{held}; use 200 or more")
    if result.groups < WARN_BELOW_GROUPS:
        found.append(f"{result.groups} groups are few: the intervals are resampled from them and cannot be trusted")
    resamples = max((m.interval.resamples for m in result.methods if m.interval), default=0)
    for method in result.methods:
        defined = method.interval.resamples if method.interval else resamples
        if defined < 0.95 * resamples:
            found.append(
                f"{method.name}: without a correlation in {resamples - defined} of {resamples} resamples, "
                "its interval is from the others"
            )
        if method.overall.undefined:
            found.append(f"{method.name}: {method.overall.undefined}")
        elif method.tuned:
            low = method.gain.interval.low if method.gain and method.gain.interval else None
            if low is None or low <= 0:
                name = "the given" if method.name == "tuned" else method.name
                found.append(f"{name} weights do not clearly beat e_score here: do not use them without more labels")
    return tuple(found)
