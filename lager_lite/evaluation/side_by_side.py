"""The scores of all methods on the same judgments, set side by side: agreement, intervals, and what length explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..data import NEAR_LENGTHS
from ..fitting import HeldShare, Labelled, OutOfFold, held_share, log_length
from ..scoring import per_layer_scores
from ..stats import (
    Agreement,
    Figures,
    agreement,
    annotator_ceiling,
    annotator_grades,
    grade_agreement,
    intervals,
    pairs_at_equal,
    rank_figures,
)
from .records import TRIVIAL, Evaluation, FittedKind, LayerResult, MethodResult
from .verdict import best_baseline, find_verdict

WARN_BELOW_LABELS = 100
WARN_BELOW_GROUPS = 10


@dataclass(frozen=True)
class Setting:
    """How an evaluation was made.

    folds: of the cross-validation; None where the weights were given.
    seed: of the folds and of resampling.
    splits: how often the items were split into folds.
    held_out: name of the field that was held out, too; None: none was.
    threshold: at or above which a human score counts as good; None: see `grade_agreement`.
    resamples: of the groups, for 95% intervals.
    """

    folds: int | None
    seed: int
    splits: int
    held_out: str | None = None
    threshold: float | None = None
    resamples: int = 1000


@dataclass(frozen=True)
class _Sheet:
    data: Labelled
    setting: Setting
    plain: Figures
    given: Figures | None
    baseline: str
    length: np.ndarray | None
    fold: np.ndarray | None


def set_side_by_side(
    data: Labelled,
    scores: Mapping[str, OutOfFold],
    fitted: Sequence[FittedKind],
    setting: Setting,
    *,
    fold: np.ndarray | None = None,
) -> Evaluation:
    """The evaluation of these scores.

    scores: by method, in the order of `data`; e_score is among them.
    fitted: weights for the pictures of a report.
    fold: int (n,), the folds of the first split; None where nothing was cross-validated.
    """
    several = any(len(given) > 1 for given in data.individual)
    sheet = _sheet(data, scores, setting, fold)
    methods = tuple(_method(name, found, sheet) for name, found in scores.items())
    result = Evaluation(
        n=len(data.human),
        groups=int(np.unique(data.group).size),
        folds=setting.folds,
        seed=setting.seed,
        splits=setting.splits,
        held_out=setting.held_out,
        baseline=sheet.baseline,
        methods=methods,
        ceiling=annotator_ceiling(data.individual) if several else None,
        annotators=annotator_grades(data.individual, data.values.tolist()) if several else None,
        verdict=find_verdict(methods, sheet.plain, sheet.baseline),
        warnings=(),
        values=tuple(map(float, data.values)),
        items=data.ids,
        criterion=tuple(map(str, data.criterion)),
        group=tuple(map(str, data.group)),
        human=tuple(map(float, data.human)),
        length=() if sheet.length is None else tuple(map(float, sheet.length)),
        layers=_layers(data, setting),
        fitted=tuple(fitted),
    )
    return replace(result, warnings=_warnings(result))


def _sheet(data: Labelled, scores: Mapping[str, OutOfFold], setting: Setting, fold: np.ndarray | None) -> _Sheet:
    columns = {name: found.ranks or (found.raw,) for name, found in scores.items()}
    surface = columns.get("surface")

    def figures(given: Sequence[np.ndarray] | None) -> Figures:
        rng = np.random.default_rng(setting.seed)
        return rank_figures(columns, data.human, data.group, rng=rng, resamples=setting.resamples, given=given)

    plain = figures(None)
    length = np.array([log_length(item) for item in data.items]) if data.items else None
    return _Sheet(data, setting, plain, surface and figures(surface), best_baseline(plain), length, fold)


def _method(name: str, found: OutOfFold, sheet: _Sheet) -> MethodResult:
    data, plain, calibrated = sheet.data, sheet.plain, found.calibrated
    every = np.ones(len(data.human), dtype=bool)
    criteria = {c: _agreement(found, data.human, data.criterion == c) for c in dict.fromkeys(data.criterion.tolist())}
    within = [one.spearman for one in criteria.values() if one.spearman is not None]
    grades, pairs, near, length = None, 0, None, None
    if calibrated is not None:
        threshold, fold = sheet.setting.threshold, sheet.fold
        grades = grade_agreement(calibrated, data.human, data.values.tolist(), threshold=threshold, part=fold)
    if sheet.length is not None:
        first = (found.ranks or (found.raw,))[0]
        pairs, near = pairs_at_equal(first, data.human, sheet.length, within=NEAR_LENGTHS, blocks=data.criterion)
        length = agreement(found.raw, sheet.length).spearman
    return MethodResult(
        name=name,
        overall=_agreement(found, data.human, every),
        interval=plain.estimate(name).interval,
        calibrated_mae=None if calibrated is None else float(np.mean(np.abs(calibrated - data.human))),
        criteria=criteria,
        mean_of_criteria=float(np.mean(within)) if within else None,
        gain=None if name == "e_score" else plain.gain(name, "e_score"),
        over_baseline=None if name in TRIVIAL else plain.gain(name, sheet.baseline),
        equal_surface=None if sheet.given is None or name in ("length", "surface") else sheet.given.estimate(name),
        near_pairs=pairs,
        near_accuracy=near,
        length=length,
        grades=grades,
        lenses=found.lenses,
        raw=tuple(map(float, found.raw)),
        calibrated=None if calibrated is None else tuple(map(float, calibrated)),
        ranks=tuple(tuple(np.round(ranks, 6).tolist()) for ranks in found.ranks),
        held=_held(found, sheet),
    )


def _held(found: OutOfFold, sheet: _Sheet) -> HeldShare | None:
    """How often intervals around scores of unseen items hold; None where nothing was calibrated in folds."""
    if found.calibrated is None or sheet.fold is None:
        return None
    data = sheet.data
    return held_share(found.raw, found.calibrated, data.human, data.group, sheet.fold, values=data.values)


def _agreement(found: OutOfFold, human: np.ndarray, rows: np.ndarray) -> Agreement:
    """Agreement on some rows, bool (n,): correlations of ranks are means over the splits."""
    whole = agreement(found.raw[rows], human[rows])
    if not found.ranks:
        return whole
    parts = [agreement(ranks[rows], human[rows]) for ranks in found.ranks]
    if parts[0].spearman is None:
        return replace(whole, spearman=None, pearson=None, kendall=None, undefined=parts[0].undefined)
    defined = [(one.spearman, one.kendall) for one in parts if one.spearman is not None and one.kendall is not None]
    spearman, kendall = (float(mean) for mean in np.mean(defined, axis=0))
    return replace(whole, spearman=spearman, kendall=kendall)


def _layers(data: Labelled, setting: Setting) -> tuple[LayerResult, ...]:
    alone = {
        (lens, state): scores
        for lens in ("raw", "norm")
        for state, scores in enumerate(per_layer_scores(data.lens(lens).astype(np.float64), data.values).T)
    }
    named = {f"{lens} {state}": scores for (lens, state), scores in alone.items()}
    rng = np.random.default_rng(setting.seed)
    bounds = intervals(named, data.human, data.group, rng=rng, resamples=setting.resamples, measures=("spearman",))
    return tuple(
        LayerResult(state, lens, agreement(scores, data.human).spearman, bounds[f"{lens} {state}"]["spearman"])
        for (lens, state), scores in alone.items()
    )


def _warnings(result: Evaluation) -> tuple[str, ...]:
    found = []
    if result.n < WARN_BELOW_LABELS:
        held = ", and weights fitted on them hold little" if result.folds else ""
        only = "is only 1 label" if result.n == 1 else f"are only {result.n} labels"
        found.append(f"there {only}, so intervals are wide{held}: use 200 or more")
    if result.groups < WARN_BELOW_GROUPS:
        only = "is only 1 group" if result.groups == 1 else f"are only {result.groups} groups"
        found.append(f"there {only}, and intervals that are resampled from so few cannot be trusted")
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
