"""A panel beside each of its members: the same judgments, folds and resamples for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..errors import FitError
from ..fitting import (
    SEEN_ITEMS,
    FitPlan,
    FixedMethod,
    Labelled,
    OutOfFold,
    PanelMethod,
    copies_apart,
    folds_inside,
    gather,
    left_out,
    method_of,
    out_of_fold,
    over_splits,
    panel_columns,
    same_judgments,
    split_folds,
    values_of,
)
from ..judging import Judge, Panel, sum_of
from ..records import Counts, Item
from ..scoring import PanelWeights, Provenance, apply_calibration, e_score
from ..stats import Estimate, rank_figures
from .evaluate import LEAST_GROUPS, Plan, evaluate, evaluate_weights, length_and_surface
from .flattery import with_caveat
from .grouping import shared_names
from .records import Evaluation
from .results import EvaluationRun, Origin, named_file, origin_of, run_json
from .side_by_side import Setting, set_side_by_side


@dataclass(frozen=True)
class MemberReading:
    """What one member of a panel read.

    judge: closed; it still knows its weights and how readings become judgments.
    data: the labelled judgments.
    provenance: of the judge. origin: of figures on the file.
    """

    judge: Judge
    data: Labelled
    provenance: Provenance
    origin: Origin


@dataclass(frozen=True)
class PanelRow:
    """One method of a panel and of every member alone.

    method: its name.
    members: Spearman correlation of each member, in order.
    panel: that of the panel.
    best: the place of the member that agrees best, from 0.
    gain: the panel's correlation minus that member's, in the same folds and resamples.
    """

    method: str
    members: tuple[Estimate, ...]
    panel: Estimate
    best: int
    gain: Estimate


@dataclass(frozen=True)
class PanelRun:
    """An evaluation of a panel.

    names: of the members.
    members: the evaluation of each alone, with its own kinds of weights.
    panel: that of the panel; its `e_score` is the mean of the members', and its kinds are panels of members of that
        kind.
    rows: the methods that all of them have, side by side.
    shares: how much each member counts by the panel's method; as fitted on all items, or of the given weights.
    """

    names: tuple[str, ...]
    members: tuple[EvaluationRun, ...]
    panel: EvaluationRun
    rows: tuple[PanelRow, ...]
    shares: Mapping[str, tuple[float, ...]]


def read_panel(
    panel: Panel, items: Sequence[Item], *, source: str = "-", progress: Callable[[Counts], None] | None = None
) -> tuple[MemberReading, ...]:
    """Let every member read the labelled items, one after the other. source: path of their file, or "-"."""
    found: list[MemberReading] = []
    total = Counts()
    for place in range(len(panel.models)):
        before = total

        def seen(counts: Counts, before: Counts = before) -> None:
            """Report what this member and those before it have done."""
            if progress is not None:
                progress(sum_of(before, counts))

        with panel.opened(place) as judge:
            data = gather(judge, items, seen)
            found.append(MemberReading(judge, data, judge.provenance(), origin_of(judge, source)))
        total = sum_of(total, judge.counts)
    panel.counts = total
    return tuple(found)


def evaluate_panel(
    read: Sequence[MemberReading],
    plan: Plan,
    *,
    names: Sequence[str],
    weights: tuple[str, PanelWeights] | None = None,
) -> PanelRun:
    """Evaluate a panel beside its members, on the judgments that all of them could read.

    plan: kinds, folds, seed, splits, hold_out, threshold and include_seen count. weights: path and content of the panel's;
    None: everything is cross-validated in the same folds. Raises FitError and DataError as `evaluate`.
    """
    data = list(same_judgments([one.data for one in read]))
    said: tuple[str, ...] = ()
    every = len(data[0].human)
    if weights is not None:
        fit = weights[1].fit
        pairs = [left_out(one, fit, include=plan.include_seen) for one in data]
        data, said = [one for one, _ in pairs], pairs[0][1]
        ids = None if SEEN_ITEMS in fit else str(fit.get("ids"))
        how: dict[str, Any] = {"fitted_ids": ids, "seed": plan.seed, "threshold": plan.threshold}
        alone = [evaluate_weights(one.judge, part, **how) for one, part in zip(read, data)]
        whole, shares = _with_weights(alone, data, weights[1], plan)
        alone = [with_caveat(one, part, fit) for one, part in zip(alone, data)]
        whole = with_caveat(whole, data[0], fit)
    else:
        alone, whole, shares = cross_validate_panel(data, plan)
    whole = replace(whole, layers=(), warnings=(*said, *whole.warnings), left_out=every - len(data[0].human))
    runs = tuple(EvaluationRun(found, one.origin) for found, one in zip(alone, read))
    origin = _origin([one.origin for one in read], None if weights is None else weights[0])
    rows = compare_members(alone, whole, data[0], plan)
    return PanelRun(tuple(names), runs, EvaluationRun(whole, origin), rows, shares)


def panel_json(run: PanelRun) -> str:
    """The run as one JSON object on one line: that of the panel, as `compare` reads it, with `members` and `shares`."""
    whole = json.loads(run_json(run.panel))
    whole["members"] = [{"name": n, **json.loads(run_json(one))} for n, one in zip(run.names, run.members)]
    whole["shares"] = {name: list(shares) for name, shares in run.shares.items()}
    whole["beside"] = [asdict(row) for row in run.rows]
    return json.dumps(whole, allow_nan=False) + "\n"


def cross_validate_panel(
    data: Sequence[Labelled], plan: Plan
) -> tuple[list[Evaluation], Evaluation, dict[str, tuple[float, ...]]]:
    """The evaluation of every member and of their panel, in the same folds, and the mean shares of each kind.

    data: the same judgments, read by every member (see `same_judgments`). plan: as of `evaluate_panel`.
    """
    names = ("kinds", "folds", "seed", "splits", "hold_out", "threshold")
    alone = [evaluate(part, **{name: getattr(plan, name) for name in names}) for part in data]
    folds = alone[0].folds
    if folds is None:
        return alone, _unfitted(alone[0], data, plan), {}
    whole, shares = _cross_validated(data, plan, folds)
    return alone, whole, shares


def _cross_validated(
    data: Sequence[Labelled], plan: Plan, folds: int
) -> tuple[Evaluation, dict[str, tuple[float, ...]]]:
    first = data[0]
    names = None if plan.hold_out is None else values_of(first.items, plan.hold_out)
    ways = split_folds(first.group, first.human, folds=folds, seed=plan.seed, splits=plan.splits, held_out=names)
    scores: dict[str, OutOfFold] = {}
    missing: list[str] = []
    mean = _mean_of_e_scores(data)
    calibrated, _ = out_of_fold(FixedMethod(first.values), {"score": mean}, first.human, first.group, ways[0])
    scores["e_score"] = OutOfFold(mean, calibrated)
    scores.update(_trivial(first, plan, folds=folds, held_out=names)[0])
    inner = min(folds_inside(first.group, fold) for fold in ways)
    shares: dict[str, tuple[float, ...]] = {}
    for kind in plan.kinds:
        try:
            made = [method_of(one, FitPlan(kind=kind, seed=plan.seed), inner) for one in data]
            method = PanelMethod(tuple(one for one, _ in made), first.values)
            x = panel_columns([columns for _, columns in made])
            found = over_splits(method, x, first.human, first.group, ways)
            scores[kind] = OutOfFold(found.scores[0], found.scores[1], ranks=tuple(ranks[0] for ranks in found.ranks))
            whole = np.mean([one.shares for one in found.fits], axis=0)
            shares[kind] = tuple(map(float, whole))
        except FitError as error:
            missing.append(f"{kind}: not fitted, since in a part of the items {error.message}")
    about = Setting(folds, plan.seed, plan.splits, plan.hold_out, plan.threshold)
    result = set_side_by_side(first, scores, (), about, ways=ways)
    said = (*missing, *copies_apart(first.items, first.group), *shared_names(first.items, plan.hold_out))
    return replace(result, warnings=(*said, *result.warnings)), shares


def _trivial(data: Labelled, plan: Plan, **split: Any) -> tuple[dict[str, OutOfFold], tuple[np.ndarray, ...]]:
    """`length` and `surface`, and their folds; the members' own evaluations warn where there are none."""
    return length_and_surface(data, seed=plan.seed, splits=plan.splits, **split)[:2]


def _unfitted(one: Evaluation, data: Sequence[Labelled], plan: Plan) -> Evaluation:
    setting = Setting(None, plan.seed, 1, None, plan.threshold)
    result = set_side_by_side(data[0], {"e_score": OutOfFold(_mean_of_e_scores(data), None)}, (), setting)
    need = f"shares of a panel need {LEAST_GROUPS} groups, there {'is' if one.groups == 1 else 'are'} {one.groups}"
    return replace(result, warnings=(f"nothing was fitted: {need}", *result.warnings))


def _with_weights(
    alone: Sequence[Evaluation], data: Sequence[Labelled], weights: PanelWeights, plan: Plan
) -> tuple[Evaluation, dict[str, tuple[float, ...]]]:
    raws = np.array([one.method("tuned").raw for one in alone])
    pooled = weights.shares @ raws
    trivial, ways = _trivial(data[0], plan)
    scores = {
        "e_score": OutOfFold(_mean_of_e_scores(data), None),
        **trivial,
        "tuned": OutOfFold(pooled, apply_calibration(weights.calibration, pooled)),
    }
    setting = Setting(None, plan.seed, plan.splits, None, plan.threshold)
    result = set_side_by_side(data[0], scores, (), setting, ways=ways)
    return result, {"tuned": tuple(map(float, weights.shares))}


def _mean_of_e_scores(data: Sequence[Labelled]) -> np.ndarray:
    mean: np.ndarray = np.mean([e_score(one.raw[:, -1], one.values) for one in data], axis=0)
    return mean


def compare_members(alone: Sequence[Evaluation], whole: Evaluation, data: Labelled, plan: Plan) -> tuple[PanelRow, ...]:
    """The methods that every member and the panel have, side by side in the same splits and resamples."""
    every = [{method.name: method.pooled for method in one.methods} for one in (*alone, whole)]
    shared = [name for name in every[-1] if all(name in one for one in every) and name not in ("length", "surface")]
    found = []
    for name in shared:
        columns = {str(place): one[name] for place, one in enumerate(every)}
        rng = np.random.default_rng(plan.seed)
        ranked = [str(place) for place, one in enumerate((*alone, whole)) if one.method(name).ranks]
        figures = rank_figures(columns, data.human, data.group, rng=rng, ranked=ranked)
        members = [figures.estimate(str(place)) for place in range(len(alone))]
        best = max(
            range(len(alone)), key=lambda place: -2.0 if members[place].value is None else members[place].value or 0.0
        )
        panel = str(len(alone))
        found.append(PanelRow(name, tuple(members), figures.estimate(panel), best, figures.gain(panel, str(best))))
    return tuple(found)


def _origin(origins: Sequence[Origin], weights: str | None) -> Origin:
    """Where the panel's figures come from: what its members' origins say, one behind the other."""
    first = origins[0]
    return replace(
        first,
        model=" + ".join(one.model for one in origins),
        fingerprint=" + ".join(one.fingerprint for one in origins),
        architecture=" + ".join(one.architecture for one in origins),
        quantization=" + ".join(one.quantization for one in origins),
        states=sum(one.states for one in origins),
        weights={} if weights is None else named_file(weights),
    )
