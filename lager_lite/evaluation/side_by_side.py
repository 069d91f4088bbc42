"""The scores of all methods on the same judgments, set side by side: agreement, intervals, and what length explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..data import NEAR_LENGTHS
from ..fitting import HeldShare, Labelled, OutOfFold, held_share, levelled, log_length
from ..scoring import per_layer_scores
from ..stats import (
    Agreement,
    GradeAgreement,
    agreement,
    annotator_ceiling,
    annotator_grades,
    correlation_of_ranks,
    grade_agreement,
    intervals,
    mid_ranks,
    pairs_at_equal,
)
from .footing import Footing, on_equal_footing
from .records import TRIVIAL, Evaluation, FittedKind, LayerResult, MethodResult
from .verdict import find_verdict

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
    footing: Footing
    baseline: str
    length: np.ndarray | None
    fold: np.ndarray | None


def set_side_by_side(
    data: Labelled,
    scores: Mapping[str, OutOfFold],
    fitted: Sequence[FittedKind],
    setting: Setting,
    *,
    ways: Sequence[np.ndarray] = (),
) -> Evaluation:
    """The evaluation of these scores.

    scores: by method, in the order of `data`; e_score is among them.
    fitted: weights for the pictures of a report.
    ways: the folds of every split, from `split_folds`; empty where nothing was cross-validated.
    """
    several = any(len(given) > 1 for given in data.individual)
    sheet = _sheet(data, scores, setting, ways)
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
        verdict=find_verdict(methods, sheet.footing, sheet.baseline),
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
    return replace(result, warnings=_warnings(result, sheet.footing))


def _sheet(data: Labelled, scores: Mapping[str, OutOfFold], setting: Setting, ways: Sequence[np.ndarray]) -> _Sheet:
    length = np.array([log_length(item) for item in data.items]) if data.items else None
    footing = on_equal_footing(
        {name: found.ranks or (found.raw,) for name, found in scores.items()},
        data.human,
        data.group,
        fitted=[name for name, found in scores.items() if found.ranks],
        ways=ways,
        length=length,
        seed=setting.seed,
        resamples=setting.resamples,
    )
    fold = np.atleast_2d(ways[0])[0] if ways else None
    return _Sheet(data, setting, footing, footing.best(TRIVIAL), length, fold)


def _method(name: str, found: OutOfFold, sheet: _Sheet) -> MethodResult:
    data, footing = sheet.data, sheet.footing
    every = np.ones(len(data.human), dtype=bool)
    criteria = {
        c: _agreement(found, data.human, data.criterion == c, sheet.fold)
        for c in dict.fromkeys(data.criterion.tolist())
    }
    within = [one.spearman for one in criteria.values() if one.spearman is not None]
    overall = _agreement(found, data.human, every, sheet.fold)
    # What does not tell the items of a fold apart is known by the level of each fold alone, which is not the items'.
    calibrated = None if overall.undefined else found.calibrated
    pairs, near = _near(found, sheet)
    return MethodResult(
        name=name,
        overall=overall,
        interval=footing.estimate(name).interval,
        calibrated_mae=None if calibrated is None else float(np.mean(np.abs(calibrated - data.human))),
        criteria=criteria,
        mean_of_criteria=float(np.mean(within)) if within else None,
        gain=None if name == "e_score" else footing.gain(name, "e_score"),
        over_baseline=None if name == sheet.baseline else footing.gain(name, sheet.baseline),
        equal_surface=None if name in ("length", "surface") else footing.at_equal_surface(name),
        near_pairs=pairs,
        near_accuracy=near,
        length=footing.with_length.get(name),
        grades=None if calibrated is None else _grades(calibrated, sheet, in_folds=bool(found.ranks)),
        lenses=found.lenses,
        raw=tuple(map(float, found.raw)),
        calibrated=None if found.calibrated is None else tuple(map(float, found.calibrated)),
        ranks=tuple(tuple(np.round(ranks, 6).tolist()) for ranks in found.ranks),
        held=None if calibrated is None else _held(found, sheet),
    )


def _grades(calibrated: np.ndarray, sheet: _Sheet, *, in_folds: bool) -> GradeAgreement:
    # Beside given weights only the baselines were fitted and calibrated in folds.
    data, fold = sheet.data, sheet.fold if in_folds or sheet.setting.folds else None
    scores = calibrated if fold is None else levelled(calibrated, fold)
    threshold = sheet.setting.threshold
    return grade_agreement(scores, data.human, data.values.tolist(), threshold=threshold, part=fold)


def _near(found: OutOfFold, sheet: _Sheet) -> tuple[int, float | None]:
    """Pairs of nearly equal length, made inside the folds, where scores of fits and others can be compared alike."""
    data, scores = sheet.data, (found.ranks or (found.raw,))[0]
    if sheet.length is None:
        return 0, None
    blocks = data.criterion if sheet.fold is None else np.char.add(sheet.fold.astype(str), data.criterion.astype(str))
    return pairs_at_equal(scores, data.human, sheet.length, within=NEAR_LENGTHS, blocks=blocks)


def _held(found: OutOfFold, sheet: _Sheet) -> HeldShare | None:
    """How often intervals around scores of unseen items hold; None where nothing was calibrated in folds."""
    if found.calibrated is None or sheet.fold is None or sheet.setting.folds is None:
        return None
    data = sheet.data
    return held_share(found.raw, found.calibrated, data.human, data.group, sheet.fold, values=data.values)


def _agreement(found: OutOfFold, human: np.ndarray, rows: np.ndarray, fold: np.ndarray | None) -> Agreement:
    """Agreement on some rows, bool (n,).

    Of what was fitted in folds, rank correlations are of the ranks inside them, which are not ranked again, means over
    the splits, and Pearson's is of scores without the level of their fold.
    """
    whole = agreement(found.raw[rows], human[rows])
    if not found.ranks:
        return whole
    parts = [agreement(ranks[rows], human[rows]) for ranks in found.ranks]
    reason = next((one.undefined for one in parts if one.undefined), None)
    if reason is not None:
        return replace(whole, spearman=None, pearson=None, kendall=None, mae=None, undefined=reason)
    people = mid_ranks(human[rows])
    spearman = float(np.mean([correlation_of_ranks(ranks[rows], people) for ranks in found.ranks]))
    kendall = float(np.mean([one.kendall for one in parts]))
    scores = found.raw if fold is None else levelled(found.raw, fold)
    pearson = agreement(scores[rows], human[rows]).pearson
    return replace(whole, spearman=spearman, kendall=kendall, pearson=pearson, undefined=None)


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


def _warnings(result: Evaluation, footing: Footing) -> tuple[str, ...]:
    found = []
    if result.n < WARN_BELOW_LABELS:
        held = ", and weights fitted on them hold little" if result.folds else ""
        only = "is only 1 label" if result.n == 1 else f"are only {result.n} labels"
        found.append(f"there {only}, so intervals are wide{held}: use 200 or more")
    if result.groups < WARN_BELOW_GROUPS:
        only = "is only 1 group" if result.groups == 1 else f"are only {result.groups} groups"
        found.append(f"there {only}, and intervals that are resampled from so few cannot be trusted")
    lacks, undefined, weak = dict[str, list[str]](), dict[str, list[str]](), list[str]()
    for method in result.methods:
        why = footing.no_interval(method.name)
        if why and result.groups > 1:
            lacks.setdefault(why, []).append(method.name)
        if method.overall.undefined:
            undefined.setdefault(method.overall.undefined, []).append(method.name)
        elif method.tuned:
            low = method.gain.interval.low if method.gain and method.gain.interval else None
            if low is None or low <= 0:
                weak.append("the given" if method.name == "tuned" else method.name)
    for why, names in lacks.items():
        what = "its correlation has" if len(names) == 1 else "their correlations have"
        found.append(f"{', '.join(names)}: {what} no interval: {why}")
    found += [f"{', '.join(names)}: {why}" for why, names in undefined.items()]
    if weak:
        found.append(f"{', '.join(weak)} weights do not clearly beat e_score here: do not use them without more labels")
    return tuple(found)
