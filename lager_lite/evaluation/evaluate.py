"""Compare the methods with human scores, every fitted one on items that its weights have not seen.

There are two ways: cross-validation fits each kind of weights on parts of the items and scores the rest;
weights that were fitted elsewhere are used as they are.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data import counted
from ..errors import Advice, DataError, FitError
from ..fitting import (
    CROSS_VALIDATE,
    SEEN_ITEMS,
    SPLITS,
    Labelled,
    OutOfFold,
    baseline_features,
    best_lens,
    copies_apart,
    cross_validate,
    fit_recipe,
    fit_states,
    folds_for_ranks,
    gather,
    ids_digest,
    left_out,
    lenses_for,
    log_length,
    preset,
    values_of,
)
from ..judging import Judge
from ..records import STATES_KIND, WEIGHT_KINDS, Counts, Item, LayerWeights, Reading
from ..scoring import WeightsFile, direct, e_score, state_parts, uniform_score
from ..stats import agreement
from .curve import learning_curve
from .flattery import with_caveat
from .grouping import shared_names
from .records import Evaluation, FittedKind
from .results import EvaluationRun, origin_of
from .side_by_side import Setting, set_side_by_side

# Two to fit on, so that something can be chosen by inner folds, and one to score.
LEAST_GROUPS = 3


FITTED_KINDS = (*(kind for kind in WEIGHT_KINDS if kind != "uniform"), STATES_KIND)
_LIKE = "like "


@dataclass(frozen=True)
class Plan:
    """What `run_evaluation` compares. Where weights are given, only the seed counts.

    kinds: of weights to fit, of WEIGHT_KINDS.
    criteria: whether to try weights per criterion, too.
    like: names of published recipes to try, too, of PRESETS.
    folds: of the cross-validation, split by group; see `folds_for_ranks`.
    seed: of the folds and of resampling.
    include_seen: whether given weights are also evaluated on items and groups that they were fitted on.
    splits: how often the items are split into folds.
    hold_out: name of a field, for instance "system", whose values no fit may have seen either; None: none.
    threshold: human score at or above which a response counts as good; None: see `grade_agreement`.
    curve: whether to make the learning curve of the kind of weights that agrees best.
    """

    kinds: Sequence[str] = WEIGHT_KINDS
    criteria: bool = False
    like: Sequence[str] = ()
    folds: int = 5
    seed: int = 0
    include_seen: bool = False
    splits: int = SPLITS
    hold_out: str | None = None
    threshold: float | None = None
    curve: bool = False


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
        every = len(data.human)
        data, said = left_out(data, fit, include=plan.include_seen)
        ids = None if SEEN_ITEMS in fit else fit.get("ids")
        result = evaluate_weights(judge, data, fitted_ids=ids, seed=plan.seed, threshold=plan.threshold)
        result = replace(result, warnings=(*said, *result.warnings), left_out=every - len(data.human))
        result = with_caveat(result, data, fit)
    else:
        path = None
        chosen = {one.name: getattr(plan, one.name) for one in dataclasses.fields(plan) if one.name != "include_seen"}
        result = evaluate(data, **chosen)
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
    splits: int = SPLITS,
    hold_out: str | None = None,
    threshold: float | None = None,
    resamples: int = 1000,
    curve: bool = False,
) -> Evaluation:
    """Cross-validate every kind of weights, folds split by group, and set all methods side by side.

    data: from `gather`. Where it has the items' texts, there are also the methods `length` and `surface`.
    kinds: of weights to fit, of WEIGHT_KINDS. Strength, lens and calibration are chosen inside each training part.
    criteria: whether to try weights per criterion, too, as "<kind> by criterion". like: names of published recipes.
    folds, seed, splits, hold_out, threshold, curve: as of `Plan`. resamples: of the groups, for 95% intervals.

    What cannot be fitted, for instance since one label is rare, is left out with a warning. With fewer groups than
    folds there are as many folds as groups; folds are not made so small that ranks inside them tell little (see
    `folds_for_ranks`); and with fewer than LEAST_GROUPS nothing is fitted; a warning says so.
    Raises FitError where all labels are alike, DataError where an item lacks the field to hold out.
    """
    names = None if hold_out is None else values_of(data.items, hold_out)
    scores, fitted = dict[str, OutOfFold](), list[FittedKind]()
    if (groups := int(np.unique(data.group).size)) < LEAST_GROUPS:
        return _nothing_fitted(data, groups, Setting(None, seed, 1, None, threshold, resamples))
    folds, missing = _possible_folds(groups, folds, len(data.human))
    criterion = data.criterion if criteria else None
    split: dict[str, Any] = {"folds": folds, "seed": seed, "splits": splits, "held_out": names, "criterion": criterion}

    def add(**tried: Any) -> tuple[np.ndarray, ...]:
        found = cross_validate(data.columns, data.human, data.values, groups=data.group, **split, **tried)
        scores.update(found.methods)
        return found.ways

    try:
        ways = add(kinds=(), features=baseline_features(data.items) if data.items else {})
    except FitError as error:
        missing.append(_without_baselines(error))
        ways = add(kinds=())
    failed: dict[str, list[str]] = {}
    for name in (*kinds, *(f"{_LIKE}{one}" for one in like)):
        try:
            add(**_tried(name))
            fitted += [] if name == "uniform" else [_whole(name, data, folds, seed)]
        except FitError as error:
            failed.setdefault(error.message, []).append(name)
    missing += [f"{', '.join(names)}: not fitted, since in a part of the items {why}" for why, names in failed.items()]
    about = Setting(folds, seed, splits, hold_out, threshold, resamples)
    result = _with_curve(set_side_by_side(data, scores, fitted, about, ways=ways), data, about, missing, wanted=curve)
    said = (*missing, *copies_apart(data.items, data.group), *shared_names(data.items, hold_out))
    return replace(result, warnings=(*said, *result.warnings))


def _with_curve(result: Evaluation, data: Labelled, about: Setting, missing: list[str], *, wanted: bool) -> Evaluation:
    """The evaluation, with the learning curve of its best kind where it is wanted; why there is none goes to `missing`."""
    if not wanted:
        return result
    kinds = [m for m in result.methods if m.name in FITTED_KINDS and m.overall.spearman is not None]
    if not kinds:
        missing.append("no learning curve: no kind of weights was fitted")
        return result
    best = max(kinds, key=lambda m: m.overall.spearman or -1.0).name
    try:
        found = learning_curve(data, best, folds=about.folds or 5, seed=about.seed, resamples=about.resamples)
    except FitError as error:
        missing.append(f"no learning curve of {best}: {error.message}")
        return result
    return replace(result, curve=found)


def _possible_folds(groups: int, folds: int, rows: int) -> tuple[int, list[str]]:
    """The number of folds into which so many groups of so many judgments are split, and a warning where it is lower."""
    most, said = folds_for_ranks(folds, rows)
    if groups < folds:
        said = [f"{counted(groups, 'group')} cannot be split into {folds} folds: there were {min(groups, most)} folds"]
    return min(groups, most), said


def _nothing_fitted(data: Labelled, groups: int, setting: Setting) -> Evaluation:
    scores = _unfitted(data)
    if data.items:
        # Which way the length points needs no fit where it is one number; the other direction would be its negative.
        length = np.array([log_length(item) for item in data.items])
        way = agreement(length, data.human).spearman or 0.0
        scores["length"] = OutOfFold(length if way >= 0 else -length, None)
    result = set_side_by_side(data, scores, [], setting)
    regroup = Advice("for instance --group response", 'for instance regroup(items, "response")')
    need = (
        f"weights that have not seen an item's group need {LEAST_GROUPS} groups, there {'is' if groups == 1 else 'are'} "
        f"{groups}; where responses to one prompt are independent, group by what tells them apart, {regroup}"
    )
    return replace(result, warnings=(f"nothing was fitted: {need}", *result.warnings))


def _without_baselines(error: FitError) -> str:
    return f"length and surface: not fitted, since in a part of the items {error.message}"


def _tried(name: str) -> dict[str, Any]:
    """What `cross_validate` has to try for a kind of weights, or for a recipe."""
    if name.startswith(_LIKE):
        return {"kinds": (), "recipes": [preset(name.removeprefix(_LIKE))]}
    return {"kinds": [name]}


def evaluate_weights(
    judge: Judge,
    data: Labelled,
    *,
    fitted_ids: str | None = None,
    seed: int = 0,
    threshold: float | None = None,
    resamples: int = 1000,
) -> Evaluation:
    """Evaluate the judge's own weights, under the name "tuned", beside direct, e_score and uniform.

    `length` and `surface` are cross-validated as in `evaluate` where the items' texts are known and can be split.
    data: what this judge has read.
    fitted_ids: `ids_digest` of the items that the weights were fitted on; a warning says so where these are the
        items of `data`. None: unknown.
    seed, threshold: as of `Plan`. resamples: of the groups, for 95% intervals.

    Raises DataError for a judge without weights.
    """
    if judge.weights is None:
        raise DataError("the judge has no weights to evaluate", "give a weights file")
    trivial, ways, warnings = length_and_surface(data, seed=seed)
    scores = {**_unfitted(data), **trivial, "tuned": _tuned(judge, data)}
    setting = Setting(None, seed, SPLITS, None, threshold, resamples)
    pictures = [_picture("tuned", judge.weights, states=data.states)]
    result = set_side_by_side(data, scores, pictures, setting, ways=ways)
    result = replace(result, warnings=(*warnings, *result.warnings))
    if fitted_ids != ids_digest(data.item):
        return result
    seen = f"the weights were fitted on items of these very ids: their figures are too good; {CROSS_VALIDATE}"
    return replace(result, warnings=(seen, *result.warnings))


def length_and_surface(
    data: Labelled, *, folds: int = 5, seed: int = 0, splits: int = SPLITS, held_out: np.ndarray | None = None
) -> tuple[dict[str, OutOfFold], tuple[np.ndarray, ...], list[str]]:
    """`length` and `surface`, cross-validated, their folds, and warnings.

    Neither method, and no folds, where texts are unknown or cannot be split.

    folds: at most; there are no more than groups. seed, splits, held_out: as of `cross_validate`.
    """
    if not data.items:
        return {}, (), []
    try:
        found = cross_validate(
            {"raw": data.raw},
            data.human,
            data.values,
            kinds=(),
            groups=data.group,
            folds=min(folds, np.unique(data.group).size),
            seed=seed,
            splits=splits,
            held_out=held_out,
            features=baseline_features(data.items),
        )
    except FitError as error:
        return {}, (), [_without_baselines(error)]
    return {name: found.methods[name] for name in ("length", "surface")}, found.ways, []


def _unfitted(data: Labelled) -> dict[str, OutOfFold]:
    """The methods that need no fitting, and no calibration of their scores."""
    last = data.raw[:, -1]
    return {
        "direct": OutOfFold(direct(last, data.values), None),
        "e_score": OutOfFold(e_score(last, data.values), None),
        "uniform": OutOfFold(uniform_score(data.raw, data.values), None),
    }


def _tuned(judge: Judge, data: Labelled) -> OutOfFold:
    rubrics = {rubric.name: rubric for rubric in judge.rubrics}
    whole = [None] * len(data.human) if data.states is None else data.states
    items = data.items or [Item(str(item), {}) for item in data.item]
    judged = [
        judge.judgment(item, rubrics[str(name)], Reading(raw, norm, None, 0, states=states))
        for item, name, raw, norm, states in zip(items, data.criterion, data.raw, data.norm, whole)
    ]
    return OutOfFold(np.array([j.raw_score for j in judged]), np.array([j.score for j in judged]))


def _whole(kind: str, data: Labelled, folds: int, seed: int) -> FittedKind:
    if kind.startswith(_LIKE):
        recipe = preset(kind.removeprefix(_LIKE))
        return _picture(kind, fit_recipe(recipe, data.raw, data.human, data.values, calibrate=False).weights)
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
